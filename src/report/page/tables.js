'use strict';

/** Rows of a table before the rest is asked for. */
const ROWS = 25;

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Smaller first; what is unknown comes last in both directions. */
function compare(a, b, down) {
  const unknown = (x) => x === null || x === undefined || x === '';
  if (unknown(a) || unknown(b)) return unknown(a) - unknown(b);
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
  return down ? -order : order;
}

/** Heads of columns with buttons that sort. */
function sortableHeads(columns, state, changed) {
  return columns.map((column, at) => {
    const head = h('th', { scope: 'col', class: column.kind || null });
    const isBy = state.by === at;
    if (isBy) head.setAttribute('aria-sort', state.down ? 'descending' : 'ascending');
    head.append(h('button', { type: 'button', class: 'sort', onclick: () => {
      state.down = state.by === at ? !state.down : column.kind === 'n';
      state.by = at;
      changed();
      say(`sorted by ${column.name}, ${state.down ? 'descending' : 'ascending'}`);
    } }, column.name, h('span', { class: 'arrow', 'aria-hidden': 'true' }, isBy ? (state.down ? '\u2193' : '\u2191') : '')));
    return head;
  });
}

/** A table that sorts. Columns: name, kind (n for numbers), get (to sort by), show (what to see), bar (a share to draw). */
function dataTable({ caption, columns, rows, empty, most = ROWS, note }) {
  if (!rows.length) return h('p', { class: 'about' }, empty || 'Nothing.');
  const state = { by: -1, down: false, all: false };
  const head = h('tr');
  const body = h('tbody');
  const foot = h('div', { class: 'rest' });
  const place = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, h('table', {}, h('caption', {}, caption), h('thead', {}, head), body));
  const tops = columns.map((column) => (column.bar ? Math.max(1, ...rows.map((row) => column.get(row) || 0)) : 0));
  const draw = () => {
    const focused = [...head.children].findIndex((th) => th.contains(document.activeElement));
    head.replaceChildren(...sortableHeads(columns, state, draw));
    if (focused >= 0) head.children[focused].firstChild.focus();
    let shown = rows;
    if (state.by >= 0) {
      const { get } = columns[state.by];
      shown = [...rows].sort((a, b) => compare(get(a), get(b), state.down));
    }
    if (!state.all) shown = shown.slice(0, most);
    body.replaceChildren(...shown.map((row) => h('tr', {}, columns.map((column, at) => cellOf(column, row, at, tops[at])))));
    foot.replaceChildren();
    if (rows.length > shown.length) {
      foot.append(h('button', { type: 'button', class: 'plain', onclick: () => { state.all = true; draw(); place.focus(); } }, `Show all ${num(rows.length)}`), h('span', { class: 'paper' }, `${num(shown.length)} of ${num(rows.length)} are shown.`));
    }
    if (note) foot.append(h('p', { class: 'about' }, seen(note)));
  };
  draw();
  return h('div', { class: 'tabled' }, place, foot);
}

function cellOf(column, row, at, top) {
  const raw = column.get(row);
  let shown = column.show ? column.show(row) : raw;
  if (!column.show) shown = column.kind === 'n' ? num(raw) : value(raw, 200);
  const bar = column.bar ? s('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', class: 'share', 'aria-hidden': 'true' }, s('rect', { width: (100 * (raw || 0)) / top, height: 8, class: column.bar })) : null;
  return h(at === 0 ? 'th' : 'td', { scope: at === 0 ? 'row' : null, class: [column.kind || '', column.kind === 'n' && !raw ? 'zero' : '', column.wide === true ? 'wide' : column.wide || ''].join(' ').trim() || null }, shown, bar);
}

/** What unfolds, and is made when it does. */
function fold(title, make, isOpen) {
  const inside = h('div');
  const node = h('details', { class: 'fold', open: isOpen }, h('summary', {}, title), inside);
  const fill = () => { if (!inside.firstChild) append(inside, [make()]); };
  node.addEventListener('toggle', () => { if (node.open) fill(); });
  if (isOpen) fill();
  return node;
}

/** Where a row is a small card. */
const narrow = window.matchMedia('(max-width: 48rem)');
const CARD = 98;

/** Rows of a list on paper. */
const PRINTED = 200;

/** A list of tens of thousands of rows: those in sight are in the page. Works with keys: one row is reached by Tab, arrows go on from it. */
class LongTable {
  /** Spec: label, columns (name, kind, get, show, width), high (of a row in pixels), open (a row was chosen), key (of a row). */
  constructor(spec) {
    this.spec = spec;
    this.rows = [];
    this.ordered = [];
    this.at = 0;
    this.state = { by: -1, down: false };
    this.head = h('div', { role: 'row', class: 'row heads', 'aria-rowindex': '1' });
    this.pad = h('div', { class: 'pad', role: 'rowgroup' });
    this.box = h('div', { class: 'sight', role: 'presentation' }, h('div', { role: 'rowgroup', class: 'top' }, this.head), this.pad);
    this.node = h('div', { class: `long-table ${spec.kind}`, role: 'grid', 'aria-label': spec.label, 'aria-colcount': String(spec.columns.length) }, this.box);
    this.box.addEventListener('scroll', () => this.soon());
    this.node.addEventListener('keydown', (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.box);
    narrow.addEventListener('change', () => this.order());
    this.heads();
    this.node.list = this;
  }

  /** The first rows as a plain table, for paper. */
  paper() {
    const { columns } = this.spec;
    const all = this.ordered.length;
    return h('div', { class: 'printed' }, all > PRINTED ? h('p', {}, `The first ${num(PRINTED)} of ${num(all)}; the others are in the file itself.`) : null,
      h('table', {}, h('thead', {}, h('tr', {}, columns.map((column) => h('th', { scope: 'col', class: column.kind }, column.name)))),
        h('tbody', {}, this.ordered.slice(0, PRINTED).map((row) => h('tr', {}, columns.map((column) => h('td', { class: column.kind }, column.show(row))))))));
  }

  /** Of a row, in pixels. */
  get high() {
    return narrow.matches ? CARD : this.spec.high;
  }

  heads() {
    const focused = [...this.head.children].findIndex((cell) => cell.contains(document.activeElement));
    this.head.replaceChildren(...this.spec.columns.map((column, at) => {
      const isBy = this.state.by === at;
      const cell = h('div', { role: 'columnheader', class: `cell ${column.kind || ''}`, 'aria-sort': isBy ? (this.state.down ? 'descending' : 'ascending') : 'none' });
      if (!column.get) return append(cell, [column.name]);
      cell.append(h('button', { type: 'button', class: 'sort', onclick: () => this.sort(at) }, column.name, h('span', { class: 'arrow', 'aria-hidden': 'true' }, isBy ? (this.state.down ? '\u2193' : '\u2191') : '')));
      return cell;
    }));
    if (focused >= 0 && this.head.children[focused].firstChild.focus) this.head.children[focused].firstChild.focus();
  }

  sort(at) {
    const column = this.spec.columns[at];
    this.state.down = this.state.by === at ? !this.state.down : column.kind === 'n';
    this.state.by = at;
    this.heads();
    this.order();
    say(`sorted by ${column.name}, ${this.state.down ? 'descending' : 'ascending'}`);
  }

  /** Other rows. */
  fill(rows) {
    this.rows = rows;
    this.order();
  }

  order() {
    this.ordered = this.rows;
    if (this.state.by >= 0) {
      const { get } = this.spec.columns[this.state.by];
      const keyed = this.rows.map((row) => [get(row), row]);
      keyed.sort((a, b) => compare(a[0], b[0], this.state.down));
      this.ordered = keyed.map((pair) => pair[1]);
    }
    this.at = 0;
    this.box.scrollTop = 0;
    this.node.setAttribute('aria-rowcount', String(this.ordered.length + 1));
    this.pad.style.setProperty('height', `${this.ordered.length * this.high}px`);
    this.node.classList.toggle('few', this.ordered.length * this.high < 560);
    this.from = -1;
    this.draw();
  }

  soon() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.draw();
    });
  }

  draw() {
    const { high } = this;
    const tall = this.box.clientHeight || 600;
    const from = Math.max(0, Math.floor(this.box.scrollTop / high) - 8);
    const to = Math.min(this.ordered.length, Math.ceil((this.box.scrollTop + tall) / high) + 8);
    if (from === this.from && to === this.to) return;
    this.from = from;
    this.to = to;
    const focused = this.pad.contains(document.activeElement);
    const rows = [];
    for (let at = from; at < to; at += 1) rows.push(this.row(at));
    this.pad.replaceChildren(...rows);
    if (focused) this.focus(false);
  }

  row(at) {
    const row = this.ordered[at];
    const node = h('div', { role: 'row', class: 'row', 'aria-rowindex': String(at + 2), tabindex: at === this.at ? '0' : '-1', 'data-at': String(at), style: { top: `${at * this.high}px`, height: `${this.high}px` }, onclick: () => { this.at = at; this.open(); } },
      this.spec.columns.map((column) => h('div', { role: 'gridcell', class: `cell ${column.kind || ''}` }, column.show(row))));
    return node;
  }

  /** Opens the row that has the focus; the focus comes back to what was shown last. */
  open() {
    this.spec.open(this.ordered[this.at], (shown) => {
      const at = this.ordered.indexOf(shown);
      if (at >= 0) this.at = at;
      this.focus(true);
    });
  }

  /** The row that has the focus, scrolled into sight. */
  focus(isMoved) {
    const { high } = this;
    if (isMoved) {
      const top = this.at * high;
      // The heads stay in sight, above the rows.
      const inner = this.box.clientHeight - this.head.offsetHeight;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      else if (top + high > this.box.scrollTop + inner) this.box.scrollTop = top + high - inner;
      this.from = -1;
      this.draw();
    }
    const node = this.pad.querySelector(`[data-at="${this.at}"]`);
    if (!node) return;
    for (const other of this.pad.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    node.tabIndex = 0;
    node.focus({ preventScroll: true });
  }

  key(event) {
    if (!this.pad.contains(event.target) || event.target.tagName === 'BUTTON') return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.spec.high) - 1);
    const to = { ArrowDown: this.at + 1, ArrowUp: this.at - 1, PageDown: this.at + page, PageUp: this.at - page, Home: 0, End: this.ordered.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.at = Math.max(0, Math.min(this.ordered.length - 1, to));
      this.focus(true);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.open();
    }
  }
}
