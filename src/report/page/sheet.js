'use strict';

/** What slides in from the side: all that is known of one row. Esc closes it, and the focus goes back to where it was. */
const sheet = {
  node: null,
  back: null,

  make() {
    this.body = h('div', { class: 'body' });
    this.head = h('div', { class: 'top' });
    this.node = h('dialog', { class: 'sheet', 'aria-labelledby': 'sheet-title' }, this.head, this.body);
    this.node.addEventListener('click', (event) => { if (event.target === this.node) this.leave(); });
    // The browser closes it too, as with the key Back of a telephone.
    this.node.addEventListener('close', () => this.left());
    this.node.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.preventDefault();
        this.leave();
      }
    });
    document.body.append(this.node);
  },

  /** Closes it, with the focus where it was before the next key comes: the event is told later, and would take the focus from where that key put it. */
  leave() {
    this.node.close();
    this.left();
  },

  left() {
    // It may be open again by the time it is told.
    if (this.node.open) return;
    const { back } = this;
    this.back = null;
    this.number = null;
    remember();
    if (back) back(this.subject);
  },

  /** Shows something. What is before and after it in its list is a click away. */
  open({ title, kicker, parts, back, before, after, number, subject }) {
    if (!this.node) this.make();
    if (back) this.back = back;
    const step = (name, sign, go) => h('button', { type: 'button', class: 'step', 'aria-label': name, disabled: !go, onclick: () => go() }, sign);
    this.head.replaceChildren(h('div', {}, h('p', { class: 'kicker' }, kicker), h('h2', { id: 'sheet-title', tabindex: '-1' }, value(title, 300))),
      h('div', { class: 'steps' }, step('Previous', '\u2191', before), step('Next', '\u2193', after), h('button', { type: 'button', class: 'step', 'aria-label': 'Close', onclick: () => this.leave() }, '\u00d7')));
    this.body.replaceChildren(...parts.flat(Infinity).filter(Boolean));
    this.number = number || null;
    this.subject = subject;
    if (!this.node.open) this.node.showModal();
    this.node.scrollTop = 0;
    this.body.scrollTop = 0;
    this.head.querySelector('h2').focus();
    remember();
  },

  shut() {
    this.back = null;
    this.number = null;
    if (this.node && this.node.open) this.node.close();
  },
};

const ENTITIES = { Account: 'Account', IP: 'IP address', File: 'File', FileHash: 'File hash', Host: 'Device', CloudApplication: 'Application', AzureResource: 'Azure resource', Mailbox: 'Mailbox', MailMessage: 'Message', URL: 'Address', DNS: 'Domain', Process: 'Process', SecurityGroup: 'Group' };
const entityName = (kind) => ENTITIES[kind] || kind;

/** A button that goes somewhere in the report. */
function go(text, act, label) {
  return h('button', { type: 'button', class: 'plain jump', 'aria-label': label || null, onclick: () => { sheet.shut(); act(); } }, text);
}

/** Only what is of something. */
function only(page, change) {
  filters.clear();
  change(filters);
  show(page);
  filters.changed();
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The command that fetches a record again. */
function command(table, ingest, record) {
  const name = /^\w+$/.test(table) ? table : `"${table.replaceAll('"', '""')}"`;
  return `coldtrail sql -a ${/^[\w./-]+$/.test(report.archive) ? report.archive : quoted(report.archive)} ${quoted(`SELECT * FROM ${name} WHERE _IngestId = ${ingest} AND _Record = ${record}`)}`;
}

/** Where a record stands: file, number in it, hash of the file. */
function origin(ingest, record) {
  const input = inputByIngest.get(ingest);
  return [input ? value(input.file, 300) : h('span', { class: 'none' }, `ingest ${num(ingest)}`), h('span', { class: 'sub' }, `record ${num(record)}, ingest ${num(ingest)}`)];
}

/** How a person gets from here to the line of the file. */
function wayBack(ingest, record, table) {
  const input = inputByIngest.get(ingest);
  return fold('The way back to the file', () => [
    h('p', {}, 'This fetches the record as it came:'), h('pre', {}, h('code', {}, command(table || 'UnifiedAuditLog', ingest, record))),
    input ? facts([['File', value(input.file)], ['SHA-256', h('code', { class: 'hash' }, input.sha256)], ['Record', `${num(record)}, counted from 1 in the order of the file`], ['Read as', value(input.kind), ` (ingest ${num(ingest)})`]]) : null,
  ], true);
}

/** A rule's tactics and techniques. */
function attack(tactics, techniques) {
  if (!tactics.length && !techniques.length) return null;
  return [tactics.map((tactic, at) => [at ? ', ' : '', words(tactic)]), tactics.length && techniques.length ? ': ' : '', techniques.map((one, at) => [at ? ', ' : '', h('code', {}, value(one, 60))])];
}

function entitiesOf(full) {
  const groups = new Map();
  for (const entity of full.entities) groups.set(entity.kind, [...(groups.get(entity.kind) || []), entity]);
  const pairs = [...groups].map(([kind, list]) => [entityName(kind), h('ul', { class: 'bare' }, list.map((entity) => h('li', {},
    value(entity.value), h('span', { class: 'quiet' }, ` ${words(entity.identifier)}`),
    kind === 'Account' && personByUser.has(entity.value.toLowerCase()) ? [' ', go('page', () => openPerson(entity.value.toLowerCase()), `Page of ${entity.value}`)] : null)))]);
  return [pairs.length ? facts(pairs) : h('p', { class: 'about' }, 'The rule names nothing that the finding is about.'),
    full.more_entities ? h('p', { class: 'about' }, `${count(full.more_entities, 'further one is', 'further ones are')} in findings.json.`) : null];
}

function evidenceOf(finding, full) {
  if (!full.evidence.length) return h('p', { class: 'about' }, full.no_evidence ? `Evidence is ${full.no_evidence}.` : 'This rule names no single record as evidence.');
  const more = finding.records - full.evidence.length;
  return [dataTable({
    caption: more > 0 ? `${count(finding.records, 'record')}, the first ${num(full.evidence.length)} of them` : count(finding.records, 'record'),
    columns: [
      { name: 'Time', get: (one) => one.time, show: (one) => when(one.time) },
      { name: 'Event', get: (one) => one.said || one.table, wide: true, show: (one) => [one.said ? value(one.said, 300) : h('code', {}, value(one.table, 100)), h('span', { class: 'sub' }, one.said ? [value(one.table, 100), ' '] : '', one.event_id ? h('code', {}, value(one.event_id, 100)) : '')] },
      { name: 'File and record', get: (one) => one.ingest * 1e9 + one.record, wide: true, show: (one) => origin(one.ingest, one.record) },
    ],
    rows: full.evidence, most: 10,
  }), wayBack(full.evidence[0].ingest, full.evidence[0].record, full.evidence[0].table)];
}

/** All that is known of a finding. */
function findingParts(finding) {
  const rule = ruleOf(finding);
  const full = finding.sheet;
  const users = usersOf(finding);
  const told = full && full.description ? full.description : rule.description;
  const top = facts([
    ['When', span(finding.first, finding.last)],
    ['Who', users.length ? users.map((user, at) => [at ? ', ' : '', value(user, 200)]) : h('span', { class: 'none' }, 'no account named'), finding.more_users ? ` and ${num(finding.more_users)} more` : ''],
    ['Rests on', count(finding.records, 'record')],
    attack(tacticsOf(finding), techniquesOf(finding)) && ['ATT&CK', attack(tacticsOf(finding), techniquesOf(finding))],
    ['Rule', value(rule.name, 200), ' ', h('code', {}, value(rule.id, 100))],
  ]);
  const links = h('p', { class: 'links' }, go('All of this rule', () => only('findings', (f) => f.rule.add(rule.id))),
    users[0] ? go('All of this user', () => only('findings', (f) => f.user.add(users[0]))) : null,
    users[0] && personByUser.has(users[0]) ? go('The user\u2019s page', () => openPerson(users[0])) : null,
    finding.first ? go('That day in the timeline', () => only('timeline', (f) => { f.from = finding.first.slice(0, 10); f.to = (finding.last || finding.first).slice(0, 10); if (users[0]) f.user.add(users[0]); })) : null);
  const parts = [top, links, told ? [h('h3', {}, 'Why it matters'), h('p', {}, prose(told))] : null,
    rule.false_positives && rule.false_positives.length ? [h('h3', {}, 'When it is harmless'), h('ul', {}, rule.false_positives.map((text) => h('li', {}, prose(text))))] : null,
    rule.references && rule.references.length ? [h('h3', {}, 'Where its facts are'), h('ul', {}, rule.references.map((address) => h('li', {}, value(address, 300))))] : null];
  if (!full) return [...parts, h('p', { class: 'note' }, 'The report holds this finding in brief: row and evidence of all are written by ', h('code', {}, report.findings.rest || 'coldtrail hunt -f json'), '.'),
    thingsOf(finding).length ? [h('h3', {}, 'What it is about'), facts(thingsOf(finding).map((thing) => [entityName(thing.kind), value(thing.name)]))] : null];
  return [...parts, h('h3', {}, 'What it is about'), entitiesOf(full),
    full.details.length ? [h('h3', {}, 'The row'), facts(full.details.map((detail) => [line(detail.name, 80), value(detail.value)]))] : null,
    h('h3', {}, 'Evidence'), evidenceOf(finding, full),
    fold('The rule as it was run', () => facts([['Id', h('code', {}, value(rule.id, 200))], rule.version && ['Version', value(rule.version, 100)], rule.parameters && rule.parameters.length && ['Parameters', rule.parameters.map((text, at) => [at ? '; ' : '', value(text, 300)])], ['SHA-256 of its query', h('code', { class: 'hash' }, rule.sha256)], rule.unjudged && ['Not judged', prose(rule.unjudged)]]))];
}

/** Opens the sheet of a finding; `list` is what it is looked at in. */
function openFinding(finding, list, back) {
  const at = list.indexOf(finding);
  const to = (n) => (list[n] ? () => openFinding(list[n], list, null) : null);
  sheet.open({ title: titleOf(finding), kicker: [severity(finding.severity), ` finding ${num(finding.number)} of ${num(report.findings.total)}`], parts: findingParts(finding), back, before: to(at - 1), after: at < 0 ? null : to(at + 1), number: finding.number, subject: finding });
}

const ACTIONS = { LabelApplied: 'Applied', LabelUpgraded: 'Upgraded', LabelDowngraded: 'Downgraded', LabelRemoved: 'Removed', LabelChanged: 'Changed', FileOpened: 'File opened', FileRenamed: 'File renamed', FileModified: 'File modified', FileDeleted: 'File deleted', FileDiscovered: 'File discovered', AccessDenied: 'Access denied', PolicyMatched: 'Policy matched', LabelMismatch: 'Label mismatch', AttemptFailed: 'Attempt failed' };
const actionName = (action) => ACTIONS[action] || words(action);
const ACTION_TONES = { LabelApplied: 'c0', LabelUpgraded: 'c1', LabelChanged: 'c2', LabelDowngraded: 'c3', LabelRemoved: 'c4', AccessDenied: 'c5', FileOpened: 'c6', PolicyMatched: 'c7', FileDiscovered: 'c8', FileRenamed: 'c9', LabelMismatch: 'c10' };
const actionTone = (action, at) => ACTION_TONES[action] || `c${[9, 2, 8, 7, 10][at % 5]}`;

/** Opens the sheet of an event: what the list has of it, and the way back. `describe` gives title, kicker and pairs. */
function openEvent(event, list, describe, back) {
  const { title, kicker, pairs } = describe(event);
  const at = list.indexOf(event);
  const to = (n) => (list[n] ? () => openEvent(list[n], list, describe, null) : null);
  const known = pairs.filter((pair) => pair[1] !== undefined && pair[1] !== null && pair[1] !== '');
  const related = (event.findings || []).map((number) => findingByNumber.get(number)).filter(Boolean);
  sheet.open({ title, kicker, back, subject: event, before: to(at - 1), after: to(at + 1), parts: [facts(known.map(([name, raw]) => [name, raw instanceof Node ? raw : value(raw)])),
    related.length ? [h('h3', {}, 'Findings that rest on it'), h('ul', { class: 'bare' }, related.map((finding) => h('li', {}, severity(finding.severity), ' ', h('button', { type: 'button', class: 'plain', onclick: () => openFinding(finding, related, null) }, `${num(finding.number)} `, line(titleOf(finding), 100)))))] : null,
    wayBack(event.ingest, event.record, event.table || 'LabelEvents')] });
}
