'use strict';

const SVG = 'http://www.w3.org/2000/svg';

// Attributes that may hold text from a log. Names of attributes and addresses come from this script alone.
function put(node, name, value) {
  if (value === false || value === null || value === undefined) return;
  if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
  else if (name === 'style') for (const [key, size] of Object.entries(value)) node.style.setProperty(key, size);
  else node.setAttribute(name, value === true ? '' : seen(String(value)));
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    // Every text passes here, and becomes text: there is no way from a log to markup.
    node.append(child instanceof Node ? child : document.createTextNode(seen(String(child))));
  }
  return node;
}

/** An element of HTML. */
function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) put(node, name, value);
  return append(node, children);
}

/** An element of SVG. */
function s(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) put(node, name, value);
  return append(node, children);
}

/** Characters of a value that are shown before it is cut: more than what the data shorten, which say so themselves. */
const SHOWN = 1100;

/** A value from a log: its direction is its own, it may break after slashes, and a monster is cut. */
function value(raw, limit = SHOWN) {
  if (raw === null || raw === undefined || raw === '') return h('span', { class: 'none' }, 'none');
  const text = typeof raw === 'string' ? raw : JSON.stringify(raw);
  const [head, beyond] = cut(text, limit);
  const shown = h('bdi', {}, breakable(head));
  if (!beyond) return shown;
  const more = h('button', { type: 'button', class: 'cut' }, `${num(beyond)} more characters`);
  more.addEventListener('click', (event) => {
    event.stopPropagation();
    shown.replaceChildren();
    append(shown, breakable(text));
    shown.tabIndex = -1;
    more.remove();
    shown.focus();
  });
  return h('span', { class: 'long' }, shown, '\u2026 ', more);
}

/** The same for one line of a list: no button in it. */
function line(raw, limit = 160) {
  if (raw === null || raw === undefined || raw === '') return h('span', { class: 'none' }, 'none');
  const [head, beyond] = cut(String(raw), limit);
  return h('bdi', {}, head, beyond ? '\u2026' : '');
}

function breakable(text) {
  const parts = [];
  for (const step of text.split(/(?<=[/\\])/)) {
    if (parts.length) parts.push(h('wbr'));
    parts.push(step);
  }
  return parts;
}

/** Text in which no day, such as 2026-05-04, breaks at the end of a line. */
function withDays(text) {
  return text.split(/(?<![\w-])(\d{4}-\d{2}-\d{2})(?![\w-])/).map((part, at) => (at % 2 ? h('time', {}, part) : part));
}

/** Text of a rule or of coldtrail: line breaks mean nothing, names stand between backticks. */
function prose(text, limit = 4000) {
  const [head, beyond] = cut(String(text || '').replace(/\s+/g, ' ').trim(), limit);
  const parts = head.split('`');
  const whole = parts.length % 2 === 1 ? parts : [head];
  const shown = whole.map((part, at) => (at % 2 ? h('code', {}, h('bdi', {}, part)) : h('bdi', {}, withDays(part))));
  return [shown, beyond ? `\u2026 ${num(beyond)} more characters` : ''];
}

const when = (iso) => (iso ? h('time', {}, clock(iso)) : h('span', { class: 'none' }, 'unknown'));

/** First and last; the day once where it is the same. */
function span(first, last) {
  if (!last || last === first) return when(first);
  const same = first && first.slice(0, 10) === last.slice(0, 10);
  return [when(first), ' \u2013 ', same ? h('time', {}, clock(last).slice(11)) : when(last)];
}

const SEVERITIES = ['High', 'Medium', 'Low', 'Informational'];
const TONES = { High: 'high', Medium: 'medium', Low: 'low', Informational: 'info' };

function severity(name) {
  return h('span', { class: `sev ${TONES[name] || 'info'}` }, name);
}

/** Says something to those who hear the page. */
function say(text) {
  const place = document.getElementById('said');
  // Equal words twice are not read twice otherwise.
  place.textContent = '';
  setTimeout(() => { place.textContent = seen(text); }, 50);
}

/** A part of a page with its heading. */
function section(title, about, ...children) {
  return h('section', { class: 'part' }, h('h2', {}, title), about ? h('p', { class: 'about' }, about) : null, children);
}

/** A list of names and values. */
function facts(pairs, kind) {
  const shown = pairs.filter(Boolean);
  return h('dl', { class: kind || 'facts' }, shown.map(([name, ...values]) => [h('dt', {}, name), h('dd', {}, values)]));
}
