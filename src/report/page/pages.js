'use strict';

const { figures } = report;
const tones = ['high', 'medium', 'low', 'info'].map((tone) => `s-${tone}`);
const toTimeline = (from, to) => only('timeline', (f) => { f.from = from; f.to = to; });

/** The change of a figure against the period before, in words. */
function change(figure) {
  const { periods } = report.summary;
  if (!periods || figure.now === null || figure.now === undefined) return null;
  if (figure.before === null || figure.before === undefined) return h('p', { class: 'change' }, `${num(figure.now)} in the last ${periods.length}`);
  const way = figure.now > figure.before ? 'up' : figure.now < figure.before ? 'down' : 'same';
  const sign = { up: '\u25b2', down: '\u25bc', same: '=' }[way];
  const rate = figure.change === null || figure.change === undefined ? '' : ` ${way === 'same' ? '' : `${num(Math.abs(Math.round(figure.change)))} %`}`;
  return h('p', { class: `change ${way}` }, h('span', { 'aria-hidden': 'true' }, sign), rate, h('span', { class: 'heard' }, way), h('span', { class: 'quiet' }, ` ${num(figure.before)} \u2192 ${num(figure.now)} in ${periods.length}`));
}

function keyFigure(figure) {
  const bySeverity = figure.id === 'findings';
  const target = { findings: 'findings', label_actions: 'labels', protection_actions: 'labels', lowered: 'labels', denials: 'access', users: 'people', devices: 'labels' }[figure.id];
  return h('article', { class: 'card figure' }, h('h2', {}, target ? h('a', { href: `#${target}` }, figure.name) : figure.name), h('p', { class: 'big' }, num(figure.value)), change(figure),
    figure.series && figure.series.length > 1 && figure.value ? spark(figure.series, bySeverity ? 's-high' : 'c1', `${figure.name} over time`) : null,
    figure.parts.length ? proportions(figure.parts.map((part) => ({ ...part, name: actionName(part.name) })), figure.parts.map((part, at) => (bySeverity ? `s-${TONES[part.name] || 'info'}` : ACTION_TONES[part.name] || `c${at % 9}`))) : null);
}

function ruleCell(rule) {
  return [h('button', { type: 'button', class: 'plain', onclick: () => only('findings', (f) => f.rule.add(rule.id)) }, line(rule.name, 120)), h('span', { class: 'sub' }, words(rule.tactics.join(', ')))];
}

/** One line of a finding, with its sheet behind. */
function brief(finding, list) {
  const button = h('button', { type: 'button', class: 'brief' }, severity(finding.severity), h('span', { class: 'what' }, line(titleOf(finding), 140)), h('span', { class: 'sub' }, usersOf(finding)[0] ? line(usersOf(finding)[0], 80) : '', ' ', when(finding.first)));
  button.addEventListener('click', () => openFinding(finding, list, () => button.focus()));
  return h('li', {}, button);
}

function summaryPage() {
  const { summary } = report;
  const first = report.findings.list.slice(0, 6);
  const bySeverity = SEVERITIES.map((name, at) => ({ name, tone: tones[at], counts: summary.findings_over_time.map((counts) => counts[at]) }));
  const timed = bySeverity.reduce((sum, one) => one.counts.reduce((a, b) => a + b, sum), 0);
  const timeless = report.findings.total - timed;
  const asked = [report.from && `not before ${clock(report.from)}`, report.to && `before ${clock(report.to)}`].filter(Boolean).join(', ');
  return [
    h('div', { class: 'lede' }, summary.lines.map((text, at) => h('p', { class: at ? null : 'first' }, prose(text)))),
    summary.caveats.length ? h('aside', { class: 'caveats', 'aria-label': 'To be known first' }, h('h2', {}, 'Before you believe the rest'), h('ul', {}, summary.caveats.map((text) => h('li', {}, prose(text)))), h('p', {}, h('a', { href: '#health' }, 'What was read, and what not'))) : null,
    summary.by_severity.some((one) => one.count) ? h('ul', { class: 'severities', 'aria-label': 'Findings by severity' }, summary.by_severity.map((one) => {
      const inside = [h('span', { class: 'big' }, num(one.count)), h('span', { class: 'word' }, one.name)];
      return h('li', { class: `${TONES[one.name]}${one.count ? '' : ' zero'}` }, one.count ? h('a', { href: `#findings?severity=${one.name}` }, inside) : h('div', {}, inside));
    })) : null,
    h('div', { class: 'cards' }, summary.figures.map(keyFigure)),
    summary.periods ? h('p', { class: 'about' }, `Changes are those of the last ${summary.periods.length} (${clock(summary.periods.from)} to ${clock(summary.periods.to)}) against the ${summary.periods.length} before.${summary.periods.is_covered ? '' : ' The archive does not reach back to the beginning of the period before: a rise says little.'}`) : null,
    report.findings.total ? section('Findings over time', null, plot({ title: 'Findings by severity', buckets: figures.buckets, unit: figures.unit, series: bySeverity.filter((one) => one.counts.some(Boolean)), pick: (from, to) => only('findings', (f) => { f.from = from; f.to = to; }), note: `A finding counts where it begins.${timeless > 0 ? ` ${count(timeless, 'finding')} at no known time ${timeless > 1 ? 'are' : 'is'} not in it.` : ''}` })) : null,
    first.length ? section('Read first', null, h('ol', { class: 'briefs' }, first.map((finding) => brief(finding, report.findings.list))), h('p', {}, h('a', { href: '#findings' }, `All ${count(report.findings.total, 'finding')}`))) : null,
    h('div', { class: 'two' },
      summary.by_rule.length ? section('Rules that found something', null, dataTable({ caption: 'The worst and most first', most: 10, rows: summary.by_rule, columns: [
        { name: 'Rule', wide: true, get: (row) => report.rules[row.rule].name, show: (row) => ruleCell(report.rules[row.rule]) },
        { name: 'Severity', get: (row) => SEVERITIES.indexOf(row.severity), show: (row) => severity(row.severity) },
        { name: 'Findings', kind: 'n', get: (row) => row.count, bar: 'c1' }] })) : null,
      summary.by_tactic.length ? section('ATT&CK tactics', null, dataTable({ caption: 'In the order of ATT&CK; a finding may have several', rows: summary.by_tactic, columns: [
        { name: 'Tactic', get: (row) => row.name, show: (row) => h('button', { type: 'button', class: 'plain', onclick: () => only('findings', (f) => f.tactic.add(row.name)) }, words(row.name)) },
        { name: 'Findings', kind: 'n', get: (row) => row.count, bar: 'c1' }] })) : null),
    facts([['Archive', h('code', {}, value(report.archive))], ['Asked for', asked || 'everything in the archive', report.users.length ? [', of ', report.users.map((user, at) => [at ? ', ' : '', value(user, 100)])] : ''], ['Events seen', report.first ? span(report.first, report.last) : 'none'], ['Written', when(report.made), ` by coldtrail ${report.version}; all times are those of ${report.zone}`]], 'facts small'),
  ];
}

/** The page of findings: a list of all that pass the filters. */
function findingsPage() {
  const told = h('p', { class: 'told', role: 'status' });
  const table = new LongTable({
    kind: 'findings-list', label: 'Findings', high: 54,
    columns: [
      { name: 'No.', kind: 'n', get: (f) => f.number, show: (f) => num(f.number) },
      { name: 'Severity', kind: 'sv', get: (f) => SEVERITIES.indexOf(f.severity), show: (f) => severity(f.severity) },
      { name: 'Finding', kind: 'ti', get: titleOf, show: (f) => [h('span', { class: 'what' }, line(titleOf(f), 140)), h('span', { class: 'sub' }, thingsOf(f).length ? line(leaf(thingsOf(f)[0].name), 100) : '', thingsOf(f).length + (f.more_things || 0) > 1 ? ` and ${num(thingsOf(f).length + (f.more_things || 0) - 1)} more` : '')] },
      { name: 'Who', kind: 'wh', get: (f) => usersOf(f)[0] || '', show: (f) => [usersOf(f).length ? line(usersOf(f)[0], 80) : h('span', { class: 'none' }, 'nobody named'), usersOf(f).length + (f.more_users || 0) > 1 ? h('span', { class: 'sub' }, `and ${count(usersOf(f).length + (f.more_users || 0) - 1, 'other')}`) : ''] },
      { name: 'When', kind: 'tm', get: (f) => f.at, show: (f) => when(f.first) },
      { name: 'Records', kind: 'n re', get: (f) => f.records, show: (f) => num(f.records) },
    ],
    open: (finding, back) => openFinding(finding, table.ordered, back),
  });
  const { list, total, in_full: full, left_out: left, rest } = report.findings;
  const update = () => {
    const rows = filters.findings();
    table.fill(rows);
    told.textContent = filters.isAny() ? `${num(rows.length)} of ${count(list.length, 'finding')}` : count(list.length, 'finding');
  };
  filters.watchers.push(update);
  update();
  const notes = [];
  if (full < list.length) notes.push(`The first ${num(full)} have all that is known of them; the others have what the list shows.`);
  if (total > list.length) notes.push(`${num(total - list.length)} of ${num(total)} findings are not in this report (${SEVERITIES.map((name, at) => (left[at] ? `${num(left[at])} ${name.toLowerCase()}` : '')).filter(Boolean).join(', ')}); all figures count them.`);
  return [told, notes.length ? h('p', { class: 'note' }, notes.join(' '), rest ? [' All are written by ', h('code', {}, rest), '.'] : '') : null,
    list.length ? table.node : h('p', {}, report.health.rules_run ? 'The rules that ran found nothing. What no rule looks for, and what is not in these logs, may still have happened.' : 'No rule ran, so there are no findings.')];
}

function timelinePage() {
  const told = h('p', { class: 'told', role: 'status' });
  const picture = h('div');
  const why = { finding: 'evidence', lowered: 'label lowered', denied: 'access denied' };
  const table = new LongTable({
    kind: 'timeline-list', label: 'Events, by time', high: 54,
    columns: [
      { name: 'When', kind: 'tm', get: (m) => m.at, show: (m) => when(m.time) },
      { name: 'What', kind: 'ti', get: (m) => m.said, show: (m) => [h('span', { class: 'what' }, line(m.said, 220)), h('span', { class: 'sub' }, m.severity ? severity(m.severity) : '', m.why.map((one) => h('span', { class: `tag ${one}` }, why[one] || one)))] },
      { name: 'Who', kind: 'wh', get: (m) => m.user || '', show: (m) => line(m.user, 80) },
      { name: 'Findings', kind: 'n re', get: (m) => (m.findings || []).length, show: (m) => num((m.findings || []).length) },
    ],
    open: (moment, back) => openEvent(moment, table.ordered, (m) => ({ title: m.said, kicker: [when(m.time)], pairs: [['When', when(m.time)], ['Who', m.user], ['From', m.address], ['Action', m.action], ['What', m.object], ['Application', m.application], ['Table', m.table]] }), back),
  });
  const update = () => {
    const rows = filters.moments();
    table.fill(rows);
    told.textContent = filters.isAny() ? `${num(rows.length)} of ${count(report.timeline.events.length, 'event')}` : count(rows.length, 'event');
    picture.replaceChildren(overTime(rows));
  };
  filters.watchers.push(update);
  update();
  const { total, events, rest } = report.timeline;
  return [h('p', { class: 'about' }, 'Events that findings rest on, labels that were lowered and access that was denied, in the order of time. The filters above choose here, too.'),
    total > events.length ? h('p', { class: 'note' }, `${num(events.length)} of ${num(total)} events are here, those of the worst findings. `) : null,
    h('p', { class: 'about' }, 'All events of the archive are written by ', h('code', {}, rest), '.'),
    section('Over time', null, picture), section('Events', null, told, events.length ? table.node : h('p', {}, 'There are none.'))];
}

/** Which bucket a time is in: the last that begins before it; -1 where it is in none. */
function bucketOf(iso) {
  const { buckets, unit } = figures;
  if (!buckets.length || iso.slice(0, 10) > bucketEnd(buckets[buckets.length - 1], unit)) return -1;
  let low = 0;
  let high = buckets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (buckets[middle] <= iso.slice(0, buckets[middle].length)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function overTime(moments) {
  const kinds = [['finding', 'Evidence of findings', 's-high'], ['lowered', 'Label lowered', 'c3'], ['denied', 'Access denied', 'c5']];
  const series = kinds.map(([why, name, tone]) => ({ why, name, tone, counts: figures.buckets.map(() => 0) }));
  for (const moment of moments) {
    const at = bucketOf(moment.time);
    const one = series.find((kind) => moment.why.includes(kind.why));
    if (at >= 0 && one) one.counts[at] += 1;
  }
  const some = series.filter((one) => one.counts.some(Boolean));
  return some.length ? plot({ title: 'Events over time', buckets: figures.buckets, unit: figures.unit, series: some, pick: (from, to) => { filters.from = from; filters.to = to; filters.changed(); }, note: 'An event counts once, by the first of these that it is.' }) : h('p', { class: 'about' }, 'No event of these is in the pictured time.');
}

function peoplePage() {
  const place = h('div');
  const { list, total } = report.people;
  const update = () => {
    let rows = list;
    if (filters.isAny()) {
      const users = new Set();
      for (const finding of filters.findings()) for (const user of usersOf(finding)) users.add(user);
      for (const moment of filters.moments()) if (moment.user) users.add(moment.user);
      const terms = filters.terms();
      rows = list.filter((person) => (!filters.user.size || filters.user.has(person.user)) && (users.has(person.user) || (terms.length && terms.every((term) => person.user.includes(term) || (person.name || '').toLowerCase().includes(term)))));
    }
    place.replaceChildren(peopleTable(rows));
  };
  filters.watchers.push(update);
  update();
  return [h('p', { class: 'about' }, 'Those with the worst findings first, then those who lowered most labels, then those who were denied most. Each has a page. The filters above leave those who are named in a finding or an event that passes.'),
    total > list.length ? h('p', { class: 'note' }, `${num(list.length)} of ${num(total)} people have a page here.`) : null, place];
}

function peopleTable(rows) {
  const lowered = (person) => figures.actions.reduce((sum, action, at) => (['LabelDowngraded', 'LabelRemoved'].includes(action) ? sum + person.actions[at] : sum), 0);
  const all = (person) => person.actions.reduce((a, b) => a + b, 0);
  const worst = (person) => person.by_severity.reduce((sum, n, at) => sum + n * 10 ** (9 - 3 * at), 0);
  return dataTable({ caption: count(rows.length, 'person', 'people'), most: 100, empty: 'Nobody is named.', rows, columns: [
    { name: 'Person', wide: true, get: (p) => p.name || p.user, show: (p) => [h('button', { type: 'button', class: 'plain', onclick: () => openPerson(p.user) }, line(p.name || p.user, 80)), p.name ? h('span', { class: 'sub' }, line(p.user, 80)) : ''] },
    { name: 'Findings', kind: 'n', get: worst, show: (p) => severityCounts(p) },
    { name: 'Label actions', kind: 'n', get: all, bar: 'c0' },
    { name: 'Lowered', kind: 'n', get: lowered },
    { name: 'Denied', kind: 'n', get: (p) => p.denied },
    { name: 'Risky sign-ins', kind: 'n', get: (p) => p.risky_sign_ins },
    { name: 'Activity', get: () => null, show: (p) => spark(p.activity, 'c1', `${num(all(p))} label actions over time`) },
  ] });
}

function severityCounts(person) {
  const some = SEVERITIES.map((name, at) => [name, person.by_severity[at]]).filter((pair) => pair[1]);
  return some.length ? h('span', { class: 'dots' }, some.map(([name, n]) => h('span', { class: `sev ${TONES[name]}`, title: name }, num(n), h('span', { class: 'heard' }, ` ${name} `)))) : '0';
}

/** The page of one person. */
function personPage(user) {
  const person = personByUser.get(user);
  if (!person) return [h('p', {}, 'This report has no page of ', value(user, 200), '.'), h('p', {}, h('a', { href: '#people' }, 'All people'))];
  const findings = report.findings.list.filter((finding) => usersOf(finding).includes(user) || person.findings.includes(finding.number));
  const moments = report.timeline.events.filter((moment) => moment.user === user);
  const actions = figures.actions.map((action, at) => ({ name: actionName(action), count: person.actions[at], tone: actionTone(action, at) })).filter((one) => one.count);
  const card = (name, n, note) => h('article', { class: 'card figure' }, h('h2', {}, name), h('p', { class: 'big' }, num(n)), note ? h('p', { class: 'quiet' }, note) : null);
  const top = (title, list) => (list.length ? section(title, null, dataTable({ caption: `${title}, the most used`, most: 8, rows: list, columns: [{ name: title, wide: true, get: (row) => row.name }, { name: 'Events', kind: 'n', get: (row) => row.count, bar: 'c0' }] })) : null);
  return [
    h('p', {}, h('a', { href: '#people' }, 'All people')),
    facts([['Account', value(person.user, 300)], person.name && ['Name', value(person.name, 300)], person.manager && ['Reports to', value(person.manager, 300)], ['Seen', person.first ? span(person.first, person.last) : 'no label event, denial or sign-in']]),
    h('div', { class: 'cards' }, card('Findings', person.by_severity.reduce((a, b) => a + b, 0), severityCounts(person)), card('Label actions', person.actions.reduce((a, b) => a + b, 0)), card('Denied', person.denied, person.denied_to_others ? `${count(person.denied_to_others, 'denial')} of own documents to others` : null), card('Sign-ins', person.sign_ins, `${num(person.failed_sign_ins)} failed, ${num(person.risky_sign_ins)} with a risk`)),
    actions.length ? proportions(actions, actions.map((one) => one.tone)) : null,
    h('p', { class: 'links' }, h('button', { type: 'button', class: 'plain', onclick: () => only('timeline', (f) => f.user.add(user)) }, 'In the timeline'), h('button', { type: 'button', class: 'plain', onclick: () => only('findings', (f) => f.user.add(user)) }, 'In the findings')),
    person.activity.some(Boolean) ? plot({ title: 'Label actions of this person', buckets: figures.buckets, unit: figures.unit, series: [{ name: 'Label actions', tone: 'c1', counts: person.activity }], pick: (from, to) => only('timeline', (f) => { f.user.add(user); f.from = from; f.to = to; }) }) : null,
    section('Findings', null, findings.length ? [h('ol', { class: 'briefs' }, findings.slice(0, 30).map((finding) => brief(finding, findings))), findings.length > 30 ? h('p', { class: 'about' }, `${num(findings.length - 30)} more in the list of findings.`) : null] : h('p', { class: 'about' }, 'None.')),
    moments.length ? section('Events', null, dataTable({ caption: 'Of the timeline', rows: moments, columns: [{ name: 'When', get: (m) => m.at, show: (m) => when(m.time) }, { name: 'What', wide: true, get: (m) => m.said, show: (m) => value(m.said, 300) }, { name: 'Record', get: (m) => m.ingest * 1e9 + m.record, wide: true, show: (m) => origin(m.ingest, m.record) }] })) : null,
    h('div', { class: 'two' }, top('Devices', person.devices), top('Applications', person.applications), top('Addresses', person.addresses), top('Countries', person.countries)),
  ];
}
