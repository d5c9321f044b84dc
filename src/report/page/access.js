'use strict';

const SIDES = ['inside', 'outside', 'unknown'];
const SIDE_TONES = ['c1', 'c4', 'c2'];

function accessPage() {
  const { access, buckets, unit, days: all } = figures;
  const parts = SIDES.map((name, at) => ({ name, tone: SIDE_TONES[at] }));
  if (!access.denied && !access.granted) return [h('p', {}, 'No access was denied in what was read, and no log of it tells of attempts that succeeded.')];
  const byDay = unit === 'hour' || unit === 'day' ? null : plot({ title: 'Denials by day', buckets: all, unit: 'day', series: parts.map((part, at) => ({ ...part, counts: access.by_day.map((counts) => counts[at]) })), pick: toTimeline });
  return [
    h('div', { class: 'cards' },
      h('article', { class: 'card figure' }, h('h2', {}, 'Denied'), h('p', { class: 'big' }, num(access.denied)), proportions(parts.map((part, at) => ({ name: part.name, count: access.by_side[at] })), SIDE_TONES)),
      h('article', { class: 'card figure' }, h('h2', {}, 'Succeeded'), h('p', { class: 'big' }, num(access.granted)), h('p', { class: 'quiet' }, 'in the logs that tell both'))),
    h('p', { class: 'about' }, access.inside_domains.length ? ['Inside are ', access.inside_domains.map((domain, at) => [at ? ', ' : '', value(domain, 100)]), access.is_inside_said ? '.' : [': domains of owners of protected documents and of accounts that the directory calls members; ', h('code', {}, '--inside'), ' says others.']] : 'Nobody said which domains are inside, and the logs do not tell.'),
    section('Over time', null, access.denied ? plot({ title: 'Denials', buckets, unit, series: parts.map((part, at) => ({ ...part, counts: access.over_time.map((counts) => counts[at]) })), pick: toTimeline, note: 'By the side of who asked.' }) : null, access.denied ? byDay : null),
    section('Who and what', null, legend(parts)),
    h('div', { class: 'two' }, ranking('Owners', 'Whose documents were denied.', access.by_owner, parts, userCell), ranking('Labels of the documents', null, access.by_label, parts),
      ranking('Requesters inside', null, access.by_inside, [], userCell), ranking('Requesters outside', 'And those of whom nobody knows.', access.by_outside, [], userCell),
      ranking('Domains of requesters', null, access.by_domain, parts), ranking('Documents', null, access.by_document, parts), ranking('Reasons', 'As the logs word them.', access.by_result, parts)),
    eventList({
      title: 'Denials', about: 'The last first. User, time and words of the filters choose here.', kind: 'denied-list', list: access.list, total: access.denied,
      told: (e) => [e.user, e.document, e.owner, e.label, e.result, e.address, e.country, e.device, e.application, e.side].filter(Boolean).join('\n'),
      columns: [
        { name: 'When', kind: 'tm', get: (e) => e.at, show: (e) => when(e.time) },
        { name: 'What', kind: 'ti', get: (e) => e.document, show: (e) => [h('span', { class: 'what' }, line(e.document, 120)), h('span', { class: 'sub' }, e.label ? line(e.label, 60) : 'label unknown', e.owner ? [', of ', line(e.owner, 60)] : '')] },
        { name: 'Who', kind: 'wh', get: (e) => e.user, show: (e) => [line(e.user, 80), h('span', { class: 'sub' }, e.side)] },
        { name: 'Reason', kind: 'ju', get: (e) => e.result, show: (e) => line(e.result, 80) },
      ],
      describe: (e) => ({ title: e.document || 'A document', kicker: ['Access denied ', when(e.time)], pairs: [['When', when(e.time)], ['Who asked', e.user], ['Side', e.side], ['Reason', e.result], ['Document', e.document], ['Label', e.label], ['Owner', e.owner], ['Address', e.address], ['Country', e.country], ['Device', e.device], ['Application', e.application]] }),
    }),
  ];
}
