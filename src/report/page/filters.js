'use strict';

// What the report holds. It is data: nothing in it is ever markup, an address or a script.
const report = JSON.parse(document.getElementById('data').textContent);
const ruleOf = (finding) => report.rules[finding.rule] || {};
const titleOf = (finding) => finding.title || ruleOf(finding).name || '';
const tacticsOf = (finding) => finding.tactics || ruleOf(finding).tactics || [];
const techniquesOf = (finding) => finding.techniques || ruleOf(finding).techniques || [];
const usersOf = (finding) => finding.users || [];
const thingsOf = (finding) => finding.things || [];
const findingByNumber = new Map(report.findings.list.map((finding) => [finding.number, finding]));
const personByUser = new Map(report.people.list.map((person) => [person.user, person]));
const inputByIngest = new Map(report.health.inputs.map((input) => [input.ingest, input]));

/** Everything of a finding that a search looks through, made when it is first asked for. */
const haystacks = new Map();
function haystack(finding) {
  let text = haystacks.get(finding.number);
  if (text === undefined) {
    const rule = ruleOf(finding);
    const parts = [String(finding.number), titleOf(finding), rule.id, ...usersOf(finding), ...thingsOf(finding).map((thing) => thing.name), ...tacticsOf(finding), ...techniquesOf(finding), finding.first];
    const { sheet } = finding;
    if (sheet) parts.push(...sheet.entities.map((entity) => entity.value), ...sheet.details.map((detail) => detail.value), ...sheet.evidence.map((one) => one.event_id), ...sheet.evidence.map((one) => one.said || ''));
    text = parts.join('\n').toLowerCase();
    haystacks.set(finding.number, text);
  }
  return text;
}

const LISTS = ['severity', 'rule', 'tactic', 'user'];

/** What is looked at: one choice for findings, timeline, people and the lists of events. */
const filters = {
  text: '', from: '', to: '', severity: new Set(), rule: new Set(), tactic: new Set(), user: new Set(), watchers: [],

  isAny() {
    return Boolean(this.text || this.from || this.to || LISTS.some((list) => this[list].size));
  },

  clear() {
    this.text = '';
    this.from = '';
    this.to = '';
    for (const list of LISTS) this[list].clear();
  },

  /** Terms of the search. */
  terms() {
    return this.text.toLowerCase().split(/\s+/).filter(Boolean);
  },

  /** Whether a time, as the report writes it, is within the days. They are compared as texts: both are in the report's zone. */
  isWithin(iso) {
    if (!this.from && !this.to) return true;
    const date = (iso || '').slice(0, 10);
    return Boolean(date) && (!this.from || date >= this.from) && (!this.to || date <= this.to);
  },

  isOfUsers(finding) {
    if (!this.user.size || usersOf(finding).some((user) => this.user.has(user))) return true;
    return Boolean(finding.more_users) && [...this.user].some((user) => personByUser.get(user)?.findings.includes(finding.number));
  },

  takes(finding, terms) {
    return (!this.severity.size || this.severity.has(finding.severity))
      && (!this.rule.size || this.rule.has(ruleOf(finding).id))
      && (!this.tactic.size || tacticsOf(finding).some((tactic) => this.tactic.has(tactic)))
      && this.isOfUsers(finding)
      && (!this.from && !this.to ? true : this.isWithin(finding.first) || this.spans(finding))
      && terms.every((term) => haystack(finding).includes(term));
  },

  /** Whether the days lie within a finding that lasts. */
  spans(finding) {
    if (!finding.last || !finding.first) return false;
    return (!this.to || finding.first.slice(0, 10) <= this.to) && (!this.from || finding.last.slice(0, 10) >= this.from);
  },

  findings() {
    if (!this.isAny()) return report.findings.list;
    const terms = this.terms();
    return report.findings.list.filter((finding) => this.takes(finding, terms));
  },

  /** Events of the timeline: those of findings by what these are, all by user, day and words. */
  moments() {
    const { events } = report.timeline;
    if (!this.isAny()) return events;
    const terms = this.terms();
    const isOfFindings = this.severity.size || this.rule.size || this.tactic.size;
    return events.filter((moment) => {
      if (!this.isWithin(moment.time)) return false;
      if (this.user.size && !this.user.has(moment.user || '')) return false;
      if (isOfFindings && !(moment.findings || []).some((number) => {
        const finding = findingByNumber.get(number);
        return finding && (!this.severity.size || this.severity.has(finding.severity)) && (!this.rule.size || this.rule.has(ruleOf(finding).id)) && (!this.tactic.size || tacticsOf(finding).some((tactic) => this.tactic.has(tactic)));
      })) return false;
      const text = terms.length ? `${moment.said}\n${moment.user || ''}\n${moment.object || ''}\n${moment.address || ''}\n${moment.application || ''}\n${moment.action || ''}`.toLowerCase() : '';
      return terms.every((term) => text.includes(term));
    });
  },

  /** Single events with a user and a time: lowered labels, denials. */
  events(list, told) {
    const terms = this.terms();
    return list.filter((event) => this.isWithin(event.time) && (!this.user.size || this.user.has((event.user || '').toLowerCase()))
      && (!terms.length || terms.every((term) => told(event).toLowerCase().includes(term))));
  },

  /** As the part of an address after `#page?`. */
  written() {
    const pairs = new URLSearchParams();
    if (this.text) pairs.set('q', this.text);
    for (const list of LISTS) for (const one of this[list]) pairs.append(list, one);
    if (this.from) pairs.set('from', this.from);
    if (this.to) pairs.set('to', this.to);
    return pairs.toString();
  },

  read(text) {
    const pairs = new URLSearchParams(text);
    const date = (name) => (/^\d{4}-\d{2}-\d{2}$/.test(pairs.get(name) || '') ? pairs.get(name) : '');
    this.text = pairs.get('q') || '';
    for (const list of LISTS) this[list] = new Set(pairs.getAll(list));
    this.from = date('from');
    this.to = date('to');
  },

  changed() {
    remember();
    for (const watcher of this.watchers) watcher();
  },
};

const tally = (name) => {
  const counts = new Map();
  for (const finding of report.findings.list) {
    for (const one of name(finding)) counts.set(one, (counts.get(one) || 0) + 1);
  }
  return counts;
};

/** The bar of filters. It stands above every page that obeys it. */
class FilterBar {
  constructor() {
    this.search = h('input', { type: 'search', id: 'search', placeholder: 'Search', 'aria-label': 'Search in findings and events', autocomplete: 'off', spellcheck: 'false' });
    let waits = 0;
    this.search.addEventListener('input', () => {
      clearTimeout(waits);
      waits = setTimeout(() => { filters.text = this.search.value.trim(); filters.changed(); }, 120);
    });
    this.severities = SEVERITIES.map((name, at) => {
      const { count: n } = report.summary.by_severity[at] || { count: 0 };
      const chip = h('button', { type: 'button', class: `chip ${TONES[name]}`, 'aria-pressed': 'false', disabled: n === 0 }, name, ' ', h('span', { class: 'k' }, num(n)));
      chip.addEventListener('click', () => this.toggle('severity', name));
      return chip;
    });
    const rules = tally((finding) => [ruleOf(finding).id]);
    const named = new Map(report.rules.map((rule) => [rule.id, rule.name]));
    this.rule = this.select('rule', 'Rule', [...rules].sort((a, b) => collator.compare(named.get(a[0]), named.get(b[0]))), (id) => named.get(id) || id);
    this.tactic = this.select('tactic', 'Tactic', [...tally(tacticsOf)], words);
    this.users = new Map();
    for (const user of [...report.people.list.map((person) => person.user), ...tally(usersOf).keys(), ...report.timeline.events.map((moment) => moment.user || '')]) {
      if (user && !this.users.has(seen(user))) this.users.set(seen(user), user);
    }
    this.names = h('datalist', { id: 'users' });
    this.user = h('input', { type: 'text', list: 'users', placeholder: 'User', 'aria-label': 'Filter by user', autocomplete: 'off', spellcheck: 'false' });
    this.user.addEventListener('focus', () => this.offer());
    this.user.addEventListener('input', () => this.offer());
    this.user.addEventListener('change', () => this.choose());
    const date = (name, label) => {
      const input = h('input', { type: 'date', 'aria-label': label, title: label });
      input.addEventListener('change', () => { filters[name] = input.value; filters.changed(); });
      return input;
    };
    this.from = date('from', 'From day');
    this.to = date('to', 'To day');
    this.chosen = h('ul', { class: 'chosen', 'aria-label': 'Filters' });
    this.node = h('form', { class: 'filters', role: 'search', 'aria-label': 'Filters', onsubmit: (event) => event.preventDefault() },
      h('div', { class: 'line' }, this.search, h('div', { class: 'chips', role: 'group', 'aria-label': 'Severity' }, this.severities)),
      h('div', { class: 'line' }, this.rule, this.tactic, this.user, this.names, h('label', { class: 'range' }, 'from ', this.from), h('label', { class: 'range' }, 'to ', this.to)),
      this.chosen);
    filters.watchers.push(() => this.show());
  }

  select(list, name, choices, called) {
    const select = h('select', { 'aria-label': `Filter by ${name.toLowerCase()}` }, h('option', { value: '' }, name), choices.map(([one, n]) => h('option', { value: '' }, `${cut(seen(called(one)), 80)[0]} (${num(n)})`)));
    select.addEventListener('change', () => {
      const at = select.selectedIndex - 1;
      select.selectedIndex = 0;
      if (at >= 0) this.toggle(list, choices[at][0]);
    });
    return select;
  }

  /** The names that fit what is typed: all of them would be too many. */
  offer() {
    const typed = this.user.value.toLowerCase();
    const fitting = [];
    for (const name of this.users.keys()) {
      if (name.includes(typed)) fitting.push(name);
      if (fitting.length === 50) break;
    }
    this.names.replaceChildren(...fitting.map((name) => h('option', { value: name })));
  }

  choose() {
    const typed = this.user.value.trim().toLowerCase();
    if (!typed) return;
    const user = this.users.get(typed);
    if (user === undefined) {
      say('no such user');
      this.user.setAttribute('aria-invalid', 'true');
      return;
    }
    this.user.removeAttribute('aria-invalid');
    this.user.value = '';
    filters.user.add(user);
    filters.changed();
  }

  toggle(list, one) {
    if (!filters[list].delete(one)) filters[list].add(one);
    filters.changed();
  }

  /** Shows what is chosen. */
  show() {
    if (document.activeElement !== this.search) this.search.value = filters.text;
    this.from.value = filters.from;
    this.to.value = filters.to;
    SEVERITIES.forEach((name, at) => this.severities[at].setAttribute('aria-pressed', String(filters.severity.has(name))));
    const chip = (text, told, away) => h('li', {}, h('button', { type: 'button', class: 'chip on', onclick: () => { away(); filters.changed(); this.search.focus(); } }, h('span', { class: 'k' }, told), ' ', line(text, 60), h('span', { 'aria-hidden': 'true' }, ' \u00d7'), h('span', { class: 'heard' }, ', remove')));
    const names = new Map(report.rules.map((rule) => [rule.id, rule.name]));
    const chips = [...filters.rule].map((id) => chip(names.get(id) || id, 'rule', () => filters.rule.delete(id)));
    chips.push(...[...filters.tactic].map((name) => chip(words(name), 'tactic', () => filters.tactic.delete(name))));
    chips.push(...[...filters.user].map((name) => chip(name, 'user', () => filters.user.delete(name))));
    if (filters.from || filters.to) chips.push(chip(filters.from && filters.to ? days(filters.from, filters.to) : `${filters.from ? 'from' : 'to'} ${day(filters.from || filters.to)}`, 'time', () => { filters.from = ''; filters.to = ''; }));
    if (filters.text) chips.push(chip(filters.text, 'words', () => { filters.text = ''; this.search.value = ''; }));
    if (filters.isAny()) chips.push(h('li', {}, h('button', { type: 'button', class: 'plain', onclick: () => { filters.clear(); this.search.value = ''; filters.changed(); this.search.focus(); } }, 'Clear all')));
    this.chosen.replaceChildren(...chips);
  }
}
