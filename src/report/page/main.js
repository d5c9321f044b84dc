'use strict';

const PAGES = [
  { id: 'summary', name: 'Summary', make: summaryPage },
  { id: 'findings', name: 'Findings', make: findingsPage, count: report.findings.total, filtered: true },
  { id: 'labels', name: 'Labels', make: labelsPage, count: figures.labels.total, filtered: true },
  { id: 'access', name: 'Access', make: accessPage, count: figures.access.denied, filtered: true },
  { id: 'timeline', name: 'Timeline', make: timelinePage, count: report.timeline.total, filtered: true },
  { id: 'people', name: 'People', make: peoplePage, count: report.people.total, filtered: true },
  { id: 'health', name: 'Log health', make: healthPage, count: report.health.gaps.length + report.health.sum.quarantined, note: 'gaps and records that could not be read' },
];
const main = document.getElementById('main');
const nav = document.getElementById('pages');
const made = new Map();
const bar = new FilterBar();
let current = 'summary';
let person = '';
let isReading = false;

/** The page, made when it is first looked at: its heading and what is below the filters. */
function parts(page) {
  if (!made.has(page.id)) {
    made.set(page.id, [heading(page.id, page.name), h('div', { class: `page ${page.id}` }, page.make())]);
  }
  return made.get(page.id);
}

function heading(id, name) {
  return h('h1', { id: `title-${id}`, tabindex: '-1' }, name);
}

/** Shows a page; the others stay as they are, out of sight. */
function show(id, isMoved = true) {
  const page = PAGES.find((one) => one.id === id);
  current = id === 'person' || page ? id : 'summary';
  const shown = PAGES.find((one) => one.id === current);
  const name = shown ? shown.name : (personByUser.get(person) || {}).name || person;
  const [head, body] = shown ? parts(shown) : [heading('person', value(name, 200)), h('div', { class: 'page person' }, personPage(person))];
  main.replaceChildren(...[head, shown && shown.filtered ? bar.node : '', body].filter(Boolean));
  bar.node.dataset.page = current;
  for (const link of nav.querySelectorAll('a')) {
    if (link.hash === `#${current === 'person' ? 'people' : current}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${seen(name)} \u00b7 ${seen(report.title)}`;
  if (!isMoved) return;
  window.scrollTo(0, 0);
  head.focus({ preventScroll: true });
  remember();
}

function openPerson(user) {
  sheet.shut();
  person = user;
  show('person');
}

/** The address says what is looked at, so that Back works and a view can be kept. */
function remember() {
  if (isReading) return;
  const words = current === 'person' ? '' : filters.written();
  let hash = current === 'person' ? `#person/${encodeURIComponent(person)}` : `#${current}${words ? `?${words}` : ''}`;
  if (sheet.number && current !== 'person') hash += `${words ? '&' : '?'}finding=${sheet.number}`;
  if (hash === location.hash || (hash === '#summary' && !location.hash)) return;
  const isOther = hash.split('?')[0] !== (location.hash || '#summary').split('?')[0];
  try {
    history[isOther ? 'pushState' : 'replaceState'](null, '', hash);
  } catch {
    // Where a page may not name its address, it works without.
  }
}

function read() {
  isReading = true;
  const [path, query] = location.hash.slice(1).split('?');
  sheet.shut();
  if (path.startsWith('person/')) {
    try {
      person = decodeURIComponent(path.slice(7));
    } catch {
      person = path.slice(7);
    }
    show('person', false);
  } else {
    filters.read(query || '');
    show(path || 'summary', false);
    for (const watcher of filters.watchers) watcher();
    const finding = findingByNumber.get(Number(new URLSearchParams(query || '').get('finding')));
    if (finding) openFinding(finding, filters.findings(), null);
  }
  isReading = false;
}

/** Findings whose sheets are on paper. */
const PRINTED_SHEETS = 20;

/**
 * Everything at once, for paper: pages that were not looked at are made, pictures take the width of the paper, lists become tables. The page of a person
 * is printed alone.
 */
function print() {
  if (current !== 'person') {
    main.replaceChildren(...PAGES.map((page) => h('section', { class: 'leaf' }, parts(page))));
    const rows = filters.findings().slice(0, PRINTED_SHEETS);
    main.querySelector('.page.findings').append(...rows.map((f) => h('article', { class: 'printed printed-sheet' }, h('h2', {}, severity(f.severity), ` ${num(f.number)} `, line(titleOf(f), 200)), findingParts(f))));
  }
  for (const node of main.querySelectorAll('.long-table')) if (node.list.ordered.length) node.after(node.list.paper());
  for (const node of main.querySelectorAll('.plot')) node.picture.draw(680);
}

function unprint() {
  for (const node of document.querySelectorAll('.printed')) node.remove();
  show(current, false);
  for (const node of main.querySelectorAll('.plot')) node.picture.draw();
}

function theme() {
  const names = ['auto', 'light', 'dark'];
  const buttons = names.map((name) => h('button', { type: 'button', 'aria-pressed': String(name === 'auto'), onclick: () => {
    if (name === 'auto') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.dataset.theme = name;
    buttons.forEach((button, at) => button.setAttribute('aria-pressed', String(names[at] === name)));
  } }, name.replace(/^./, (c) => c.toUpperCase())));
  document.getElementById('theme').append(h('div', { class: 'themes', role: 'group', 'aria-label': 'Colours' }, buttons), h('button', { type: 'button', class: 'plain', onclick: () => window.print() }, 'Print'));
}

append(nav, [h('ul', {}, PAGES.map((page) => h('li', {}, h('a', { href: `#${page.id}` }, page.name, page.count === undefined ? '' : h('span', { class: 'k', title: page.note || null }, num(page.count))))))]);
// The filters go along from page to page; an address without them is a view without them.
nav.addEventListener('click', (event) => {
  const link = event.target.closest('a');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link.hash.slice(1));
});
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
theme();
window.addEventListener('hashchange', () => { read(); document.getElementById(`title-${current}`)?.focus({ preventScroll: true }); window.scrollTo(0, 0); });
window.addEventListener('beforeprint', print);
window.addEventListener('afterprint', unprint);
document.addEventListener('keydown', (event) => {
  const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && document.body.contains(bar.search)) {
    event.preventDefault();
    bar.search.focus();
  }
});
document.documentElement.classList.add('ready');
read();
