'use strict';

const labelOf = (name) => name || 'no label';

function labelsPage() {
  const { labels, actions, buckets, unit } = figures;
  if (!labels.total) return [h('p', {}, 'No label event is among what was read: nobody applied, changed or removed a sensitivity label in it.')];
  const parts = actions.map((action, at) => ({ name: actionName(action), tone: actionTone(action, at) }));
  // A peak is a day: no hour of it is one.
  const peaks = (unit === 'hour' ? [] : labels.peaks).map((peak) => ({ bucket: bucketOf(peak.day), text: peakText(peak) })).filter((mark) => mark.bucket >= 0);
  const lowering = labels.flows.filter((flow) => ['LabelDowngraded', 'LabelRemoved'].includes(flow.action));
  return [
    h('div', { class: 'cards' }, actions.slice(0, 8).map((action, at) => h('article', { class: 'card figure' }, h('h2', {}, actionName(action)), h('p', { class: 'big' }, num(labels.by_action[at])), spark(labels.over_time[at], parts[at].tone, `${actionName(action)} over time`)))),
    section('Over time', null,
      plot({ title: 'Label actions', buckets, unit, marks: peaks, series: actions.map((action, at) => ({ ...parts[at], counts: labels.over_time[at] })), pick: toTimeline }),
      activities(), usersAndDevices(labels)),
    labels.peaks.length ? section('Peaks', 'Days on which a user, a label or all together had far more events than on their other days.', dataTable({ caption: 'Peaks, the largest first', most: 10, rows: labels.peaks, columns: [
      { name: 'Day', get: (row) => row.day, show: (row) => h('button', { type: 'button', class: 'plain', onclick: () => toTimeline(row.day, row.day) }, day(row.day)) },
      { name: 'Of', get: (row) => row.name, wide: true, show: (row) => (row.of === 'all' ? 'all together' : [line(row.name, 100), h('span', { class: 'sub' }, row.of)]) },
      { name: 'Events', kind: 'n', get: (row) => row.count, bar: 'c3' }, { name: 'Usual', kind: 'n', get: (row) => row.usual, show: (row) => (row.usual === null ? 'no other day' : num(row.usual)) }, { name: 'Times', kind: 'n', get: (row) => row.times }] })) : null,
    section('From label to label', 'Downgrades and removals first.',
      lowering.length ? flows('Where lowered labels went', `${count(sum(lowering.map((flow) => flow.count)), 'label was', 'labels were')} lowered or removed.`, lowering.slice(0, 24).map((flow) => ({ from: flow.from, to: labelOf(flow.to), count: flow.count }))) : h('p', { class: 'about' }, 'No label was lowered or removed.'),
      dataTable({ caption: 'Changes of labels', most: 12, rows: labels.flows, empty: 'No label was replaced by another.', columns: [
        { name: 'Before', get: (row) => row.from, show: (row) => value(row.from, 100) }, { name: 'After', get: (row) => labelOf(row.to), show: (row) => (row.to ? value(row.to, 100) : h('span', { class: 'quiet' }, 'no label')) },
        { name: 'What', get: (row) => row.action, show: (row) => actionName(row.action) }, { name: 'Times', kind: 'n', get: (row) => row.count, bar: 'c3' }, { name: 'Users', kind: 'n', get: (row) => row.users }] })),
    section('Who, what and where', null, legend(parts)),
    h('div', { class: 'two' },
      ranking('Users', null, labels.by_user, parts, userCell), ranking('Labels', null, labels.by_label, parts),
      ranking('Applications', null, labels.by_application, parts), ranking('Sites', null, labels.by_site, parts),
      ranking('File extensions', null, labels.by_extension, parts), ranking('How labels were set', null, labels.by_how, parts),
      ranking('Justifications', 'The reasons that users gave for lowering a label.', labels.justifications, [])),
    section('Labels that occur', 'The most sensitive first.', labelTable(labels.used)),
    loweredList(labels), signInsBeside(),
  ];
}

function peakText(peak) {
  const who = peak.of === 'all' ? '' : `${cut(peak.name, 60)[0]}: `;
  return `Peak, ${who}${num(peak.count)}${peak.times ? `, ${num(peak.times)} times the usual ${num(peak.usual)}` : ''}`;
}

/** Label and protection actions, side by side. */
function activities() {
  const some = [['label_actions', 'c1'], ['protection_actions', 'c5']].map(([id, tone]) => ({ tone, figure: report.summary.figures.find((one) => one.id === id) }));
  const series = some.filter(({ figure }) => figure && figure.value && figure.series).map(({ tone, figure }) => ({ name: figure.name, tone, counts: figure.series, total: figure.value }));
  return series.length > 1 ? plot({ title: 'Label and protection activity', kind: 'lines', buckets: figures.buckets, unit: figures.unit, series, pick: toTimeline }) : null;
}

function usersAndDevices(labels) {
  const isFew = figures.unit === 'day' || figures.unit === 'hour' || !figures.days.length;
  const shown = isFew ? [figures.buckets, figures.unit, labels.users_over_time, labels.devices_over_time] : [figures.days, 'day', labels.users_by_day, labels.devices_by_day];
  return plot({ title: 'Users and devices', kind: 'lines', buckets: shown[0], unit: shown[1], series: [{ name: 'Users', tone: 'c1', counts: shown[2], total: Math.max(0, ...shown[2]) }, { name: 'Devices', tone: 'c3', counts: shown[3], total: Math.max(0, ...shown[3]) }], note: 'Each counts once; the legend has the most.', pick: toTimeline });
}

function labelTable(used) {
  const unnamed = used.filter((label) => !label.is_named).length;
  return dataTable({ caption: 'A higher rank is more sensitive', most: 30, rows: used, empty: 'No label occurs.',
    note: [unnamed ? `${count(unnamed, 'label has', 'labels have')} no name: \`coldtrail labels import\` takes names.` : '', used.some((label) => label.is_assumed) ? 'A name marked as assumed is that of the label that Microsoft creates with this id; a tenant may have renamed it.' : ''].filter(Boolean).join(' '),
    columns: [
      { name: 'Label', wide: true, get: (row) => row.name, show: (row) => [value(row.name, 120), row.is_assumed ? h('span', { class: 'tag' }, 'assumed') : '', row.id && row.id !== row.name ? h('code', { class: 'sub' }, value(row.id, 100)) : ''] },
      { name: 'Rank', kind: 'n', get: (row) => row.rank, show: (row) => (row.rank === null ? h('span', { class: 'none' }, 'unknown') : num(row.rank)) },
      ...['applied', 'upgraded', 'downgraded', 'removed', 'opened', 'denied'].map((name) => ({ name: name.replace(/^./, (c) => c.toUpperCase()), kind: 'n', get: (row) => row[name] }))] });
}

function loweredList(labels) {
  return eventList({
    title: 'Labels that were lowered or removed', about: 'The last first. User, time and words of the filters choose here.', kind: 'lowered-list', list: labels.lowered, total: labels.lowered_total,
    told: (e) => [e.user, e.file, e.old, e.new, e.justification, e.application, e.device, e.address, e.manager].filter(Boolean).join('\n'),
    columns: [
      { name: 'When', kind: 'tm', get: (e) => e.at, show: (e) => when(e.time) },
      { name: 'What', kind: 'ti', get: (e) => e.file, show: (e) => [h('span', { class: 'what' }, e.file ? line(leaf(e.file), 120) : h('span', { class: 'none' }, 'no name')), h('span', { class: 'sub' }, line(e.old || 'unknown', 60), ' \u2192 ', line(labelOf(e.new), 60))] },
      { name: 'Who', kind: 'wh', get: (e) => e.user, show: (e) => line(e.user, 80) },
      { name: 'Justification', kind: 'ju', get: (e) => e.justification || '', show: (e) => (e.justification ? line(e.justification, 120) : h('span', { class: 'none' }, 'none given')) },
    ],
    describe: (e) => ({ title: e.file || 'A label was lowered', kicker: [actionName(e.action), ' ', when(e.time)], pairs: [['When', when(e.time)], ['Who', e.user], ['Reports to', e.manager], ['File', e.file], ['Label before', e.old], ['Label after', labelOf(e.new)], ['Justification', e.justification], ['Application', e.application], ['Device', e.device], ['Address', e.address]] }),
  });
}

function signInsBeside() {
  const { sign_ins: signIns, days: all } = figures;
  if (!signIns.is_known) return section('Sign-ins beside lowered labels', null, h('p', { class: 'about' }, 'The archive has no sign-ins: this picture would say nothing.'));
  const series = [['Labels lowered', 'c4', signIns.lowered], ['Sign-ins', 'c0', signIns.succeeded], ['Failed sign-ins', 'c3', signIns.failed], ['Sign-ins with a risk', 'c5', signIns.risky]].map(([name, tone, counts]) => ({ name, tone, counts }));
  return section('Sign-ins beside lowered labels', 'Sign-ins of those who lowered labels.',
    all.length ? plot({ title: 'Lowered labels and sign-ins', kind: 'lines', buckets: all, unit: 'day', series, pick: toTimeline }) : null,
    dataTable({ caption: 'Who lowered labels on a day, and the sign-ins of that day and the day before', most: 10, rows: signIns.beside, empty: 'Nobody lowered a label.', columns: [
      { name: 'Who', wide: true, get: (row) => row.user, show: (row) => userCell({ name: row.user }) }, { name: 'Day', get: (row) => row.day, show: (row) => day(row.day) }, { name: 'Lowered', kind: 'n', get: (row) => row.lowered, bar: 'c4' },
      { name: 'Sign-ins', kind: 'n', get: (row) => row.sign_ins_total },
      { name: 'Which', wide: true, get: (row) => row.sign_ins.length, show: (row) => (row.sign_ins.length ? fold(`${num(row.sign_ins.length)} of ${num(row.sign_ins_total)}`, () => h('ul', { class: 'bare' }, row.sign_ins.map((one) => h('li', {}, when(one.time), ` ${one.result}`, one.risk ? [', risk ', line(one.risk, 40)] : '', one.address ? [', from ', line(one.address, 60)] : '', one.country ? [', ', line(one.country, 40)] : '', one.application ? [', ', line(one.application, 60)] : '', one.device ? [', on ', line(one.device, 60)] : '', one.reason ? [', ', line(one.reason, 120)] : '')))) : 'none') }] }));
}
