'use strict';

// Characters that nobody sees or that change what is seen around them: the list of `text::safe`, which a test holds equal to this one.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u{2800}]/gu;

/** Text from a log as `text::safe::seen` writes it: on one line, what is unseen by its number. */
function seen(text) {
  if (/^[ -~]*$/.test(text)) return text;
  return text.replaceAll('\r\n', '\n').replace(UNSEEN, (c) => {
    if (c === '\t') return ' ';
    if (c === '\n' || c === '\r' || c === '\u2028' || c === '\u2029') return ' \u21b5 ';
    return `\u27e6U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}\u27e7`;
  });
}

/** The first so many characters, and how many there are beyond. Nothing is cut in two. */
function cut(text, limit) {
  if (text.length <= limit) return [text, 0];
  const head = [];
  let beyond = 0;
  for (const c of text) {
    if (head.length < limit) head.push(c);
    else beyond += 1;
  }
  return [head.join(''), beyond];
}

/** 1234567 as 1,234,567; a half keeps a digit. */
function num(n) {
  if (n === null || n === undefined) return '\u2013';
  const fixed = Number.isInteger(n) ? String(n) : n.toFixed(1);
  return fixed.replace(/\B(?=(\d{3})+(?!\d))/g, (at, _, offset, all) => (all.indexOf('.') >= 0 && offset > all.indexOf('.') ? '' : ','));
}

/** 1 finding, 2 findings. */
function count(n, one, many) {
  return `${num(n)} ${n === 1 ? one : many || `${one}s`}`;
}

/** A share of a whole, in percent. */
function percent(part, whole) {
  if (!whole) return '0 %';
  const share = (100 * part) / whole;
  if (share > 0 && share < 1) return '< 1 %';
  if (share < 100 && share > 99) return '> 99 %';
  return `${Math.round(share)} %`;
}

/** 2026-05-04T09:12:00.5Z as 2026-05-04 09:12:00; an offset stays. */
function clock(iso) {
  if (!iso) return '';
  return iso.replace('T', ' ').replace(/\.\d+/, '').replace(/Z$/, '');
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

/** 2026-05-04… as 4 May 2026. */
function day(iso, year = true) {
  const parts = /^(\d{4})-(\d{2})-(\d{2})/.exec(iso || '');
  const month = parts && MONTHS[Number(parts[2]) - 1];
  if (!month) return iso || '';
  return `${Number(parts[3])} ${month}${year ? ` ${parts[1]}` : ''}`;
}

/** From one day to another, in words. */
function days(first, last) {
  if (!first || !last) return day(first || last);
  if (first.slice(0, 10) === last.slice(0, 10)) return day(first);
  return `${day(first, first.slice(0, 4) !== last.slice(0, 4))} to ${day(last)}`;
}

/** What to call a bucket of a chart under its axis; with the year where there are several. */
function tick(bucket, unit, hasYears) {
  const parts = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}:\d{2}))?/.exec(bucket);
  const month = parts && MONTHS[Number(parts[2]) - 1];
  if (!month) return bucket;
  if (unit === 'hour') return `${Number(parts[3])} ${month.slice(0, 3)} ${parts[4] || ''}`.trim();
  if (unit === 'month') return `${month.slice(0, 3)} ${parts[1]}`;
  return `${Number(parts[3])} ${month.slice(0, 3)}${hasYears ? ` ${parts[1]}` : ''}`;
}

/** What to call a bucket where there is room. */
function bucketName(bucket, unit) {
  if (unit === 'hour') return clock(bucket).slice(0, 16);
  if (unit === 'month') return `${MONTHS[Number(bucket.slice(5, 7)) - 1] || ''} ${bucket.slice(0, 4)}`;
  return unit === 'week' ? `week of ${day(bucket)}` : day(bucket);
}

/** The last day of a bucket, as 2026-05-04. */
function bucketEnd(bucket, unit) {
  const date = new Date(`${bucket.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(date.getTime())) return bucket.slice(0, 10);
  if (unit === 'week') date.setUTCDate(date.getUTCDate() + 6);
  if (unit === 'month') date.setUTCMonth(date.getUTCMonth() + 1, 0);
  return date.toISOString().slice(0, 10);
}

/** CamelCase of products in words: DefenseEvasion as Defense evasion. */
function words(name) {
  const apart = name.replace(/([a-z])([A-Z])/g, '$1 $2').split(' ');
  return apart.map((word, at) => (at > 0 && /^[A-Z][a-z]/.test(word) ? word.toLowerCase() : word)).join(' ');
}

/** The last name of a path. */
function leaf(path) {
  const parts = path.split(/[/\\]/).filter(Boolean);
  return parts[parts.length - 1] || path;
}
