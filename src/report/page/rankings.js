'use strict';

const sum = (list) => list.reduce((a, b) => a + b, 0);
const userCell = (row) => (personByUser.has(row.name.toLowerCase()) ? h('button', { type: 'button', class: 'plain', onclick: () => openPerson(row.name.toLowerCase()) }, line(row.name, 80)) : value(row.name, 120));

/** The most frequent of something: a bar of parts for each, all numbers behind. */
function ranking(title, about, data, parts, called) {
  if (!data.rows.length) return section(title, null, h('p', { class: 'about' }, data.unnamed ? `${count(data.unnamed, 'event has', 'events have')} none.` : 'None.'));
  const rows = [...data.rows];
  const others = data.other_names ? { name: null, total: sum(data.others) || 0, counts: data.others, others: data.other_names } : null;
  const all = sum(rows.map((row) => row.total)) + (others ? others.total : 0) + data.unnamed;
  const most = Math.max(...rows.map((row) => row.total));
  const bars = (row) => {
    let x = 0;
    const counts = row.counts && row.counts.length ? row.counts : [row.total];
    return s('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', class: 'share', 'aria-hidden': 'true' }, counts.map((n, at) => {
      const wide = (100 * n) / most;
      const rect = n ? s('rect', { x, width: wide, height: 8, class: parts.length ? parts[at].tone : 'c1' }, s('title', {}, `${parts.length ? parts[at].name : ''} ${num(n)}`)) : null;
      x += wide;
      return rect;
    }));
  };
  const name = { name: title, wide: true, get: (row) => row.name, show: (row) => (called ? called(row) : value(row.name, 120)) };
  const notes = [others ? `${count(others.others, 'further name')} with ${num(others.total)} together.` : '', data.unnamed ? `${count(data.unnamed, 'event has', 'events have')} none.` : ''].filter(Boolean).join(' ');
  const kinds = parts.map((part, at) => ({ ...part, at })).filter((part) => rows.some((row) => row.counts && row.counts[part.at]));
  return section(title, about,
    dataTable({ caption: `${title}, the most frequent first`, most: 8, rows, note: notes, columns: [name, { name: 'Events', kind: 'n', get: (row) => row.total, show: (row) => [num(row.total), bars(row)] }, { name: 'Share', kind: 'n', get: (row) => row.total, show: (row) => percent(row.total, all) }] }),
    kinds.length > 1 ? fold('Numbers by kind', () => dataTable({ caption: title, most: 50, rows, columns: [name, { name: 'All', kind: 'n', get: (row) => row.total }, ...kinds.map((part) => ({ name: part.name, kind: 'n', get: (row) => row.counts[part.at] }))] })) : null);
}

/** What the colours of rankings mean. */
function legend(parts) {
  return h('ul', { class: 'legend still', 'aria-label': 'Colours' }, parts.map((part) => h('li', {}, s('svg', { width: 10, height: 10, 'aria-hidden': 'true' }, s('rect', { width: 10, height: 10, rx: 2, class: part.tone })), part.name)));
}

/** Single events in a list that obeys the filters. */
function eventList({ title, about, kind, list, total, columns, told, describe }) {
  const passed = h('p', { class: 'told', role: 'status' });
  const table = new LongTable({ kind, label: title, high: 54, columns, open: (event, back) => openEvent(event, table.ordered, describe, back) });
  const update = () => {
    const rows = filters.events(list, told);
    table.fill(rows);
    passed.textContent = filters.isAny() ? `${num(rows.length)} of ${num(list.length)} pass the filters of user, time and words` : count(list.length, 'event');
  };
  filters.watchers.push(update);
  update();
  return section(title, about, total > list.length ? h('p', { class: 'note' }, `The last ${num(list.length)} of ${num(total)}.`) : null, list.length ? [passed, table.node] : h('p', { class: 'about' }, 'None.'));
}
