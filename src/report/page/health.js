'use strict';

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB'];
/** A size as `ingest` and `tables` say it. */
function bytes(n) {
  let at = 0;
  let size = n;
  while (size >= 999.5 && at < SIZES.length - 1) {
    size /= 1000;
    at += 1;
  }
  return `${at ? size.toFixed(size < 9.95 ? 1 : 0) : num(n)} ${SIZES[at]}`;
}

function healthPage() {
  const { health } = report;
  const { sum: all } = health;
  const unread = [[all.broken - all.unreadable, 'not read to the end'], [all.unreadable, 'of which nothing could be read']].filter(([n]) => n > 0).map(([n, what]) => `, ${num(n)} ${what}`).join('');
  const card = (name, n, note, tone) => h('article', { class: `card figure ${tone || ''}` }, h('h2', {}, name), h('p', { class: 'big' }, num(n)), note ? h('p', { class: 'quiet' }, note) : null);
  return [
    h('div', { class: 'cards' }, card('Files', all.files, `${bytes(all.bytes)}${unread}`, all.broken ? 'warn' : ''), card('Records', all.records), card('Events', all.events),
      card('Duplicates', all.duplicates, 'counted once'), card('Revisions', all.revisions, 'same event, other content'), card('Quarantined', all.quarantined, 'could not be converted', all.quarantined ? 'warn' : ''),
      card('Rules run', health.rules_run, `${num(health.rules_not_run)} did not`, health.rules_not_run ? 'warn' : ''), card('Gaps', health.gaps.length, null, health.gaps.length ? 'warn' : '')),
    section('Gaps', 'What is missing or in doubt. No finding is no clearance where logs have holes.', dataTable({ caption: count(health.gaps.length, 'gap'), rows: health.gaps, empty: 'None was found.', columns: [
      { name: 'Kind', wide: 'word', get: (row) => row.kind }, { name: 'Table', wide: 'word', get: (row) => row.table, show: (row) => h('code', {}, value(row.table, 100)) }, { name: 'What is missing', wide: true, get: (row) => row.said, show: (row) => [prose(row.said), row.place ? h('span', { class: 'sub' }, value(row.place, 200)) : ''] },
      { name: 'From', get: (row) => row.from, show: (row) => (row.from ? when(row.from) : '') }, { name: 'To', get: (row) => row.to, show: (row) => (row.to ? when(row.to) : '') }] })),
    section('What was read', 'The SHA-256 is that of the file as it was read: it proves that a file at hand is that one.', dataTable({ caption: `${count(health.inputs.length, 'ingest')} of ${count(all.files, 'file')}`, rows: health.inputs, empty: 'No file was read.', columns: [
      { name: 'No.', kind: 'n', get: (row) => row.ingest },
      { name: 'File', wide: 'wider', get: (row) => row.file, show: (row) => [value(row.file, 300), h('span', { class: 'sub' }, value(row.kind, 100), row.container && row.container !== 'none' ? [', ', value(row.container, 100)] : '', `, ${bytes(row.bytes)}`, row.tables.length ? [' \u2192 ', value(row.tables.join(', '), 200)] : ''), h('code', { class: 'hash' }, row.sha256), row.note ? h('p', { class: 'sub' }, prose(row.note)) : ''] },
      ...['records', 'events', 'duplicates', 'revisions', 'quarantined'].map((name) => ({ name: name.replace(/^./, (c) => c.toUpperCase()), kind: 'n', get: (row) => row[name] })),
      { name: 'First and last', get: (row) => row.first, show: (row) => (row.first ? [when(row.first), h('br'), when(row.last)] : h('span', { class: 'none' }, 'no event')) },
      { name: 'Status', get: (row) => row.status, show: (row) => h('span', { class: `state ${{ complete: '', incomplete: 'part' }[row.status] ?? 'bad'}` }, row.status) }] })),
    section('What was not read', 'Nothing is thrown away: these records are in the table Quarantine, with file, place, reason and their bytes.', dataTable({ caption: count(all.quarantined, 'record'), rows: health.quarantine, empty: 'Every record of every file that was read became an event, a duplicate or a revision.', columns: [
      { name: 'Reason', wide: true, get: (row) => row.reason, show: (row) => prose(row.reason, 400) }, { name: 'Records', kind: 'n', get: (row) => row.count }, { name: 'For example', wide: true, get: (row) => row.example, show: (row) => value(row.example, 300) }] })),
    section('Tables in the archive', null, dataTable({ caption: count(health.tables.length, 'table'), rows: health.tables, empty: 'None.', columns: [
      { name: 'Table', wide: 'word', get: (row) => row.name, show: (row) => h('code', {}, value(row.name, 100)) }, { name: 'Rows', kind: 'n', get: (row) => row.rows, bar: 'c0' }, { name: 'First', get: (row) => row.first, show: (row) => when(row.first) }, { name: 'Last', get: (row) => row.last, show: (row) => when(row.last) }] })),
    health.excluded.length ? section('Excluded', 'What the watchlist Exclusions left out of this report.', dataTable({ caption: 'By exclusion', rows: health.excluded, columns: [{ name: 'Exclusion', wide: true, get: (row) => row.name, show: (row) => prose(row.name, 400) }, { name: 'Findings', kind: 'n', get: (row) => row.count }] })) : null,
    section('Rules', 'What was looked for, what did not run, and why.', rulesTable()),
    section('Who made this', null, facts([['coldtrail', health.tool], ['Rules', h('code', { class: 'hash' }, health.rules_sha256), h('span', { class: 'sub' }, 'SHA-256 over ids and queries of the rules that were run')], ['Archive', h('code', {}, value(report.archive))], ['Written', when(report.made)]])),
    section('How to read this', null,
      h('p', {}, 'A finding is one row of the answer of a rule: these events are in the logs, and together they look like what the rule is about. It does not say why they happened, and it is no proof of wrongdoing. The severity is the rule\u2019s unless the row says another.'),
      h('p', {}, 'No finding is no clearance. Logs have gaps, exports are cut, and a rule sees only the tables that were given.'),
      h('p', {}, `All times are those of ${report.zone}. Characters that hide or reorder text are shown by their numbers, such as `, h('code', {}, '\u27e6U+202E\u27e7'), ', and a line break as ', h('code', {}, '\u21b5'), '.'),
      h('p', {}, 'Evidence names a file, the number of its ingest, the record and the id of the event. Records are counted from 1 in the order of the file: rows below the header of a CSV, lines of JSON lines, elements of a JSON array.')),
  ];
}

function rulesTable() {
  const order = { 'not run': 0, lacks: 1, found: 2, nothing: 3 };
  return dataTable({ caption: count(report.rules.length, 'rule'), most: 40, rows: [...report.rules].sort((a, b) => (order[a.status] ?? 4) - (order[b.status] ?? 4)), empty: 'No rule was loaded.', columns: [
    { name: 'Rule', wide: true, get: (row) => row.name, show: (row) => h('details', { class: 'fold' }, h('summary', {}, line(row.name, 160)), h('p', { class: 'sub' }, h('code', {}, value(row.id, 150)), row.version ? [', version ', value(row.version, 40)] : ''), row.description ? h('p', {}, prose(row.description)) : null,
      row.false_positives.length ? h('ul', {}, row.false_positives.map((text) => h('li', {}, prose(text)))) : null, h('code', { class: 'hash' }, row.sha256)) },
    { name: 'Severity', get: (row) => (SEVERITIES.indexOf(row.severity) < 0 ? null : SEVERITIES.indexOf(row.severity)), show: (row) => (row.severity ? severity(row.severity) : '') },
    { name: 'What became of it', wide: true, get: (row) => row.status, show: (row) => [h('span', { class: `state ${['found', 'nothing'].includes(row.status) ? '' : 'part'}` }, { found: 'found something', nothing: 'found nothing', lacks: 'did not run: it lacks something', 'not run': 'did not run' }[row.status] || row.status), row.reason ? h('p', { class: 'sub' }, prose(row.reason, 400)) : '', row.unjudged ? h('p', { class: 'sub' }, 'Not judged: ', prose(row.unjudged, 400)) : ''] },
    { name: 'Findings', kind: 'n', get: (row) => row.findings },
    { name: 'ATT&CK', get: (row) => row.tactics.join(), show: (row) => attack(row.tactics, row.techniques) || '' },
  ] });
}
