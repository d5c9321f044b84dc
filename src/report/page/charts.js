'use strict';

const HEIGHT = 230;
const LEFT = 46;
const RIGHT = 8;
const TOP = 26;
const BOTTOM = 26;

/** The ends and the step of a scale with at most five lines. */
function scale(most) {
  const size = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  const step = [0.2, 0.5, 1, 2, 5, 10].map((n) => n * size).find((n) => n >= 1 && most / n <= 5) || size * 10;
  return { step, top: Math.max(1, Math.ceil(most / step)) * step };
}

/** A picture over time: bars that stand on each other, or lines. With its words and the table behind it. */
class Plot {
  /**
   * What it draws: title, note, buckets, unit, series ({name, tone, counts}), kind (bars or lines), marks ({bucket, text}), and what a bucket is
   * picked for.
   */
  constructor(spec) {
    this.spec = spec;
    this.hidden = new Set();
    this.at = -1;
    this.canvas = s('svg', { 'aria-hidden': 'true', focusable: 'false', class: 'canvas' });
    this.tip = h('div', { class: 'tip', hidden: true });
    this.area = h('div', {
      class: 'plot', tabindex: '0', role: 'slider', 'aria-label': `${spec.title}. ${this.alternative()} Arrow keys go from ${spec.unit} to ${spec.unit}${spec.pick ? ', Enter filters by it' : ''}.`,
      'aria-valuemin': '0', 'aria-valuemax': String(Math.max(0, spec.buckets.length - 1)), 'aria-valuenow': '0', 'aria-valuetext': 'nothing chosen',
    }, this.canvas, this.tip);
    this.node = h('figure', { class: 'chart' },
      h('figcaption', {}, h('h3', {}, spec.title), h('p', {}, this.alternative(), spec.note ? ` ${spec.note}` : '')),
      this.legend(), this.area, this.behind());
    // Whoever prints finds it by its place.
    this.area.picture = this;
    this.listen();
  }

  shown() {
    return this.spec.series.filter((one) => !this.hidden.has(one.name));
  }

  total(at) {
    return this.shown().reduce((sum, one) => sum + one.counts[at], 0);
  }

  /** What the picture says, in words. */
  alternative() {
    const { buckets, unit, series, kind, marks } = this.spec;
    if (!buckets.length) return 'Nothing to draw.';
    const totals = buckets.map((_, at) => series.reduce((sum, one) => sum + one.counts[at], 0));
    const most = totals.reduce((best, n, at) => (n > totals[best] ? at : best), 0);
    const all = totals.reduce((a, b) => a + b, 0);
    const peaks = marks && marks.length ? ` ${count(marks.length, 'peak is', 'peaks are')} marked.` : '';
    if (kind === 'lines') {
      const tops = series.map((one) => `${one.name.toLowerCase()} at most ${num(Math.max(...one.counts))}`);
      return `${tops.join(', ')} a ${unit}, ${days(buckets[0], buckets[buckets.length - 1])}.${peaks}`.replace(/^./, (c) => c.toUpperCase());
    }
    return `${num(all)} in all, ${days(buckets[0], bucketEnd(buckets[buckets.length - 1], unit))}; most, ${num(totals[most])}, ${{ day: 'on', week: 'in the' }[unit] || 'in'} ${bucketName(buckets[most], unit)}.${peaks}`;
  }

  legend() {
    const { series } = this.spec;
    if (series.length < 2) return null;
    return h('ul', { class: 'legend' }, series.map((one) => {
      const button = h('button', { type: 'button', 'aria-pressed': 'true' },
        s('svg', { width: 12, height: 12, 'aria-hidden': 'true' }, s('rect', { width: 12, height: 12, rx: 2, class: one.tone })),
        h('span', {}, one.name), ' ', h('span', { class: 'k' }, one.total === undefined ? num(one.counts.reduce((a, b) => a + b, 0)) : num(one.total)));
      button.addEventListener('click', () => {
        if (this.hidden.has(one.name)) this.hidden.delete(one.name);
        else if (this.hidden.size < series.length - 1) this.hidden.add(one.name);
        button.setAttribute('aria-pressed', String(!this.hidden.has(one.name)));
        this.draw();
      });
      return h('li', {}, button);
    }));
  }

  behind() {
    const { buckets, unit, series, title, marks } = this.spec;
    return fold(`Numbers of this picture`, () => {
      const marked = new Map();
      for (const mark of marks || []) marked.set(mark.bucket, [...(marked.get(mark.bucket) || []), mark.text]);
      const columns = [{ name: unit === 'hour' ? 'Hour' : words(unit.replace(/^./, (c) => c.toUpperCase())), get: (at) => buckets[at], show: (at) => bucketName(buckets[at], unit) },
        ...series.map((one) => ({ name: one.name, kind: 'n', get: (at) => one.counts[at] }))];
      if (marked.size) columns.push({ name: 'Peak', get: (at) => (marked.get(at) || []).join('; ') });
      const rows = buckets.map((_, at) => at).filter((at) => series.some((one) => one.counts[at] > 0));
      return dataTable({ caption: `${title}; ${unit === 'day' ? 'days' : `${unit}s`} without any are left out`, columns, rows });
    });
  }

  listen() {
    const { area } = this;
    const place = (event) => {
      const box = area.getBoundingClientRect();
      const inner = box.width - LEFT - RIGHT;
      return Math.max(0, Math.min(this.spec.buckets.length - 1, Math.floor(((event.clientX - box.left - LEFT) / inner) * this.spec.buckets.length)));
    };
    area.addEventListener('pointermove', (event) => this.point(place(event), false));
    area.addEventListener('pointerleave', () => this.point(-1, false));
    area.addEventListener('blur', () => this.point(-1, false));
    area.addEventListener('click', (event) => this.pick(place(event)));
    area.addEventListener('keydown', (event) => {
      const last = this.spec.buckets.length - 1;
      const to = { ArrowRight: this.at + 1, ArrowUp: this.at + 1, ArrowLeft: this.at < 0 ? last : this.at - 1, ArrowDown: this.at - 1, Home: 0, End: last, PageUp: this.at + 10, PageDown: this.at - 10 }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        this.point(Math.max(0, Math.min(last, to)), true);
      } else if (event.key === 'Enter' && this.at >= 0) this.pick(this.at);
      else if (event.key === 'Escape' && this.at >= 0) {
        event.stopPropagation();
        this.point(-1, false);
      }
    });
    new ResizeObserver(() => this.draw()).observe(area);
  }

  pick(at) {
    const { pick, buckets, unit } = this.spec;
    if (pick && buckets.length) pick(buckets[at].slice(0, 10), bucketEnd(buckets[at], unit));
  }

  /** Shows what a bucket holds. */
  point(at, isByKey) {
    this.at = at;
    const { buckets, unit, series, marks } = this.spec;
    if (this.cursor) this.cursor.setAttribute('visibility', at < 0 ? 'hidden' : 'visible');
    this.tip.hidden = at < 0;
    if (at < 0 || !this.cursor) return;
    const [x, width] = this.slot(at);
    this.cursor.setAttribute('x', x);
    this.cursor.setAttribute('width', Math.max(1, width));
    const some = this.shown().filter((one) => one.counts[at] > 0);
    const peaks = (marks || []).filter((mark) => mark.bucket === at);
    this.tip.replaceChildren(h('b', {}, bucketName(buckets[at], unit)),
      h('ul', {}, some.length ? some.map((one) => h('li', {}, s('svg', { width: 9, height: 9, 'aria-hidden': 'true' }, s('rect', { width: 9, height: 9, rx: 2, class: one.tone })), `${one.name} `, h('span', { class: 'k' }, num(one.counts[at])))) : h('li', {}, 'none'),
        peaks.map((mark) => h('li', { class: 'peak' }, mark.text))));
    const right = x + width / 2 > this.width / 2;
    this.tip.style.setProperty('left', right ? 'auto' : `${x + width + 6}px`);
    this.tip.style.setProperty('right', right ? `${this.width - x + 6}px` : 'auto');
    if (!isByKey) return;
    this.area.setAttribute('aria-valuenow', String(at));
    const told = series.filter((one) => one.counts[at] > 0).map((one) => `${one.name} ${num(one.counts[at])}`);
    this.area.setAttribute('aria-valuetext', seen(`${bucketName(buckets[at], unit)}: ${[...told, ...peaks.map((mark) => mark.text)].join(', ') || 'none'}`));
  }

  slot(at) {
    const each = (this.width - LEFT - RIGHT) / this.spec.buckets.length;
    return [LEFT + at * each, each];
  }

  draw(forced) {
    const width = forced || Math.round(this.area.clientWidth) || 0;
    const { buckets, unit, kind, marks } = this.spec;
    if (!width || !buckets.length) return;
    this.width = width;
    const series = this.shown();
    const totals = buckets.map((_, at) => (kind === 'lines' ? Math.max(0, ...series.map((one) => one.counts[at])) : this.total(at)));
    const { step, top } = scale(Math.max(1, ...totals));
    const y = (n) => HEIGHT - BOTTOM - (n / top) * (HEIGHT - TOP - BOTTOM);
    const parts = [];
    for (let n = 0; n <= top; n += step) {
      parts.push(s('line', { x1: LEFT, x2: width - RIGHT, y1: y(n), y2: y(n), class: n ? 'grid' : 'base' }), s('text', { x: LEFT - 7, y: y(n) + 4, 'text-anchor': 'end' }, num(n)));
    }
    const hasYears = buckets[0].slice(0, 4) !== buckets[buckets.length - 1].slice(0, 4);
    const room = Math.max(1, Math.ceil((buckets.length * (hasYears ? 84 : 64)) / (width - LEFT - RIGHT)));
    for (let at = 0; at < buckets.length; at += room) {
      const [x, each] = this.slot(at);
      const middle = x + each / 2;
      if (middle < width - 22) parts.push(s('text', { x: Math.max(middle, LEFT + 14), y: HEIGHT - 7, 'text-anchor': 'middle' }, tick(buckets[at], unit, hasYears)));
    }
    this.cursor = s('rect', { y: TOP - 6, height: HEIGHT - TOP - BOTTOM + 6, class: 'cursor', visibility: 'hidden' });
    parts.push(this.cursor, kind === 'lines' ? this.lines(series, y) : this.bars(series, y));
    for (const mark of marks || []) {
      const [x, each] = this.slot(mark.bucket);
      const up = y(totals[mark.bucket]) - 5;
      const middle = x + each / 2;
      parts.push(s('path', { d: `M${middle - 5} ${up - 7}h10l-5 7z`, class: 'mark' }, s('title', {}, mark.text)));
    }
    this.canvas.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.canvas.replaceChildren(...parts.flat());
    if (this.at >= 0) this.point(this.at, false);
  }

  bars(series, y) {
    const base = this.spec.buckets.map(() => 0);
    return series.map((one) => {
      const path = one.counts.map((n, at) => {
        if (!n) return '';
        const [x, each] = this.slot(at);
        const wide = Math.min(46, each > 4 ? each * 0.78 : each);
        const from = y(base[at]);
        base[at] += n;
        return `M${(x + (each - wide) / 2).toFixed(2)} ${from.toFixed(2)}h${wide.toFixed(2)}V${y(base[at]).toFixed(2)}h-${wide.toFixed(2)}z`;
      });
      return s('path', { d: path.join(''), class: `bar ${one.tone}` });
    });
  }

  lines(series, y) {
    return series.map((one) => {
      const points = one.counts.map((n, at) => {
        const [x, each] = this.slot(at);
        return `${(x + each / 2).toFixed(2)} ${y(n).toFixed(2)}`;
      });
      const dots = points.length < 80 ? points.map((point) => s('circle', { cx: point.split(' ')[0], cy: point.split(' ')[1], r: 2.6, class: one.tone })) : [];
      return [s('path', { d: `M${points.join('L')}`, class: `stroke ${one.tone}` }), dots];
    }).flat(2);
  }
}

const plot = (spec) => new Plot(spec).node;

/** Bars over time in one line of text. */
function spark(counts, tone, words) {
  const most = Math.max(1, ...counts);
  const each = 100 / Math.max(1, counts.length);
  const path = counts.map((n, at) => (n ? `M${(at * each).toFixed(2)} 20v${(-20 * n) / most}h${(each * 0.84).toFixed(2)}v${(20 * n) / most}z` : ''));
  return s('svg', { viewBox: '0 0 100 20', preserveAspectRatio: 'none', class: 'spark', role: 'img', 'aria-label': words }, s('path', { d: path.join(''), class: tone }));
}

/** Parts of a whole in one bar, with their names and shares below. */
function proportions(parts, tones) {
  const all = parts.reduce((sum, part) => sum + part.count, 0);
  if (!all) return null;
  let x = 0;
  const rects = parts.map((part, at) => {
    const wide = (100 * part.count) / all;
    const rect = s('rect', { x, width: wide, height: 8, class: tones[at] || `c${at % 9}` }, s('title', {}, `${part.name}: ${num(part.count)}, ${percent(part.count, all)}`));
    x += wide;
    return rect;
  });
  return h('div', { class: 'parts' }, s('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, rects),
    h('ul', {}, parts.map((part, at) => (part.count ? h('li', {}, s('svg', { width: 9, height: 9, 'aria-hidden': 'true' }, s('rect', { width: 9, height: 9, rx: 2, class: tones[at] || `c${at % 9}` })), `${part.name} `, h('span', { class: 'k' }, `${num(part.count)}`)) : null))));
}

/** Tones of what flows, by where it comes from. */
const BANDS = [4, 1, 3, 5, 7, 0, 6, 8];

/** Where labels went: from the left to the right, as thick as often. */
function flows(title, note, list, show) {
  const all = list.reduce((sum, flow) => sum + flow.count, 0);
  const sides = ['from', 'to'].map((side) => {
    const sums = new Map();
    for (const flow of list) sums.set(flow[side], (sums.get(flow[side]) || 0) + flow.count);
    return [...sums].map(([name, n]) => ({ name, n }));
  });
  const rows = Math.max(sides[0].length, sides[1].length);
  const gap = 14;
  const high = Math.max(120, rows * 34);
  const unit = (high - gap * (rows - 1)) / Math.max(1, all);
  for (const side of sides) {
    let y = 0;
    for (const node of side) {
      Object.assign(node, { y, used: 0, high: Math.max(3, node.n * unit) });
      y += node.high + gap;
    }
  }
  const tall = Math.max(...sides.map((side) => (side.length ? side[side.length - 1].y + side[side.length - 1].high : 0)));
  const at = (side, name) => sides[side].find((node) => node.name === name);
  const bands = list.map((flow) => {
    const a = at(0, flow.from);
    const b = at(1, flow.to);
    const thick = Math.max(1, flow.count * unit);
    const ya = a.y + a.used + thick / 2;
    const yb = b.y + b.used + thick / 2;
    a.used += thick;
    b.used += thick;
    return s('path', { d: `M266 ${ya}C350 ${ya} 410 ${yb} 494 ${yb}`, 'stroke-width': thick, class: `band c${BANDS[sides[0].indexOf(a) % BANDS.length]}` }, s('title', {}, `${flow.from} \u2192 ${flow.to}: ${num(flow.count)}`));
  });
  const ends = sides.map((side, right) => side.map((node) => {
    const [head, beyond] = cut(seen(node.name), 34);
    return [s('rect', { x: right ? 494 : 260, y: node.y, width: 6, height: node.high, class: 'end' }),
      s('text', { x: right ? 508 : 252, y: node.y + node.high / 2 + 4, 'text-anchor': right ? 'start' : 'end' }, s('title', {}, node.name), s('tspan', { class: 'alone' }, head, beyond ? '\u2026' : ''), ` ${num(node.n)}`)];
  }));
  return h('figure', { class: 'chart' }, h('figcaption', {}, h('h3', {}, title), h('p', {}, note)),
    h('div', { class: 'wide' }, s('svg', { viewBox: `0 -4 760 ${tall + 8}`, class: 'flows', role: 'img', 'aria-label': `${title}. ${note} The table below has the numbers.` }, bands, ends)), show);
}
