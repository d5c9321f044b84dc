//! Tables as text. In a pipe or a file cells are whole and a row is a line; on a terminal no line is wider than it is, and no word, time
//! or id is broken.
//!
//! Takes the width as a parameter and knows nothing of terminals. Time and memory grow with what is shown, never faster.

use std::ops::Range;

use super::cell::{cut_to, put_line, sides};

pub(super) use super::cell::{safe, wide};
pub(super) use super::pipe::{Lines, lines};

/// A cell without a blank up to this width is a word, a time or an id: it is shown whole or not at all.
const WORD: usize = 40;
/// What a cell of text, or a longer one, keeps when there is no room for all of it.
const TEXT: usize = 24;
/// With fewer columns than this a table says too little, and records are shown one below the other.
const FEWEST: usize = 4;
/// What is shown of a value in a table in which nothing but long values is cut; as much as in the report.
const VALUE: usize = 600;
/// Lines that one row may take before records are shown one below the other.
const MOST_LINES: usize = 3;

/// How wide a column would like to be, and how wide it must be.
#[derive(Debug, Clone, Copy)]
struct Span {
    natural: usize,
    least: usize,
}

fn spans<'a>(
    columns: usize,
    rows: impl Iterator<Item = &'a Vec<String>>,
    least: fn(&str, usize) -> usize,
) -> Vec<Span> {
    let none = Span {
        natural: 0,
        least: 0,
    };
    let mut spans = vec![none; columns];
    for row in rows {
        for (span, cell) in spans.iter_mut().zip(row) {
            let width = wide(cell);
            span.natural = span.natural.max(width);
            span.least = span.least.max(least(cell, width));
        }
    }
    spans
}

/// What an answer must show of a cell.
fn least_cut(cell: &str, width: usize) -> usize {
    match width <= WORD && !cell.contains(char::is_whitespace) {
        true => width,
        false => width.min(TEXT),
    }
}

/// The width that a cell needs when its words may stand on several lines.
fn least_wrapped(cell: &str, width: usize) -> usize {
    let word = cell.split_whitespace().map(wide).max().unwrap_or(0);
    word.max(width.min(TEXT))
}

/// Widths with which columns fit: the widest give first, none becomes narrower than it must be.
fn fit(columns: &[Span], width: usize) -> Option<Vec<usize>> {
    // A blank before and after each, but for the last.
    let room = (width + 1).checked_sub(2 * columns.len())?;
    let at = |c: &Span, cap: usize| c.natural.min(cap).max(c.least);
    let total = |cap: usize| columns.iter().map(|c| at(c, cap)).sum::<usize>();
    if total(0) > room {
        return None;
    }
    let mut fits = 0;
    let mut above = columns.iter().map(|c| c.natural).max().unwrap_or(0) + 1;
    while above - fits > 1 {
        let cap = fits + (above - fits) / 2;
        match total(cap) <= room {
            true => fits = cap,
            false => above = cap,
        }
    }
    Some(columns.iter().map(|c| at(c, fits)).collect())
}

/// An answer laid out for a terminal.
#[derive(Debug)]
pub(super) struct Shown {
    /// The text.
    pub text: String,
    /// Columns that are shown.
    pub columns: usize,
    /// Whether values are cut.
    pub cut: bool,
}

/// An answer for a terminal of this width. Cells are cut; columns that find no room are left out in the middle; when too few find room, each
/// record is a block. Cells are safe to show already.
pub(super) fn answer(
    header: &[&str],
    rows: &[Vec<String>],
    right: &[usize],
    width: usize,
) -> Shown {
    let names: Vec<String> = header.iter().map(|h| safe(h, WORD).0).collect();
    let right = sides(right, names.len());
    let spans = spans(names.len(), std::iter::once(&names).chain(rows), least_cut);
    if let Some(widths) = fit(&spans, width) {
        let shown: Vec<usize> = (0..names.len()).collect();
        return grid(&names, rows, &right, &shown, &widths, None);
    }
    let (left, end) = ends(&spans, width);
    if left + end < FEWEST && !rows.is_empty() {
        return records(&names, rows, width);
    }
    let shown: Vec<usize> = (0..left).chain(names.len() - end..names.len()).collect();
    let kept: Vec<Span> = shown.iter().map(|i| spans[*i]).collect();
    // `…` stands for those that are left out.
    let widths = fit(&kept, width.saturating_sub(3))
        .unwrap_or_else(|| kept.iter().map(|s| s.least).collect());
    grid(&names, rows, &right, &shown, &widths, Some(left))
}

/// What a column of a list must have room for, and how much of the width that by which its rows are called may take, in percent.
const LISTED: usize = 13;
const CALLED: usize = 60;

/// A list for a terminal of this width: a row is always a line. Cells are cut, and columns without room go, the last of `order` first; by the
/// first its rows are called, and it is cut last. Cells are safe to show already.
pub(super) fn list(header: &[&str], rows: &[Vec<String>], order: &[usize], width: usize) -> Shown {
    let names: Vec<String> = header.iter().map(|h| safe(h, WORD).0).collect();
    let right = sides(&[], names.len());
    let all = std::iter::once(&names).chain(rows);
    let mut spans = spans(names.len(), all, |_, width| width.min(LISTED));
    if let Some(first) = order.first() {
        let called = &mut spans[*first];
        called.least = called.natural.min(width * CALLED / 100);
    }
    for many in (1..=order.len()).rev() {
        let mut shown = order[..many].to_vec();
        shown.sort_unstable();
        let kept: Vec<Span> = shown.iter().map(|i| spans[*i]).collect();
        if let Some(widths) = fit(&kept, width) {
            return grid(&names, rows, &right, &shown, &widths, None);
        }
    }
    records(&names, rows, width)
}

/// How many columns find room at the left and at the right, beside a `…`.
fn ends(columns: &[Span], width: usize) -> (usize, usize) {
    let room = (width + 1).saturating_sub(3);
    let (mut left, mut end, mut used, mut stuck) = (0, 0, 0, 0);
    let mut at_left = true;
    while left + end < columns.len() && stuck < 2 {
        let next = match at_left {
            true => left,
            false => columns.len() - 1 - end,
        };
        let needs = columns[next].least + 2;
        if used + needs <= room {
            used += needs;
            stuck = 0;
            match at_left {
                true => left += 1,
                false => end += 1,
            }
        } else {
            stuck += 1;
        }
        at_left = !at_left;
    }
    (left, end)
}

/// Rows of some columns, cut to widths; with a gap before the column of that number.
fn grid(
    names: &[String],
    rows: &[Vec<String>],
    right: &[bool],
    shown: &[usize],
    widths: &[usize],
    gap: Option<usize>,
) -> Shown {
    let mut text = String::new();
    let mut cut = false;
    for (n, row) in std::iter::once(names)
        .chain(rows.iter().map(Vec::as_slice))
        .enumerate()
    {
        let mut cells: Vec<(String, usize, bool)> = Vec::with_capacity(shown.len() + 1);
        for (i, width) in shown.iter().zip(widths) {
            let cell = row.get(*i).map_or("", String::as_str);
            let (cell, short) = cut_to(cell, *width);
            cut |= short && n > 0;
            cells.push((cell, *width, right[*i]));
        }
        if let Some(gap) = gap {
            cells.insert(gap, ("…".into(), 1, false));
        }
        put_line(
            &mut text,
            0,
            cells.iter().map(|(c, width, r)| (c.as_str(), *width, *r)),
        );
    }
    Shown {
        text,
        columns: shown.len(),
        cut,
    }
}

/// Each record as a block: a line a column.
fn records(names: &[String], rows: &[Vec<String>], width: usize) -> Shown {
    let widest = names.iter().map(|n| wide(n)).max().unwrap_or(0);
    let widest = widest.min(width / 2).max(1);
    let room = width.saturating_sub(widest + 3).max(1);
    let mut text = String::new();
    let mut cut = false;
    for (n, row) in rows.iter().enumerate() {
        text.push_str(&format!("row {}\n", n + 1));
        for (name, cell) in names.iter().zip(row) {
            let (cell, short) = cut_to(cell, room);
            cut |= short;
            let name = cut_to(name, widest).0;
            put_line(
                &mut text,
                0,
                [(name.as_str(), widest, false), (cell.as_str(), 0, false)].into_iter(),
            );
        }
    }
    Shown {
        text,
        columns: names.len(),
        cut,
    }
}

/// A table of messages for a terminal of this width: no row and no column is left out. Text stands on several lines, a row that is too wide
/// does as well, and where that would be too many, each row is a block.
pub(super) fn fitted(
    header: &[&str],
    rows: &[Vec<String>],
    right: &[usize],
    width: usize,
) -> String {
    let (names, rows, mut cut) = made_safe(header, rows);
    let right = sides(right, names.len());
    let spans = spans(
        names.len(),
        std::iter::once(&names).chain(&rows),
        least_wrapped,
    );
    let all = 0..names.len();
    let parts = match fit(&spans, width) {
        Some(_) => vec![all],
        None => stacked(&spans, width),
    };
    let mut text = String::new();
    if parts.is_empty() {
        text = paragraphs(&names, &rows, width, &mut cut);
    } else {
        let mut laid = Vec::new();
        for (n, part) in parts.into_iter().enumerate() {
            let indent = indent_of(n);
            let widths = fit(&spans[part.clone()], width.saturating_sub(indent));
            laid.push((part, indent, widths.expect("the parts were chosen to fit")));
        }
        for row in std::iter::once(&names).chain(&rows) {
            for (part, indent, widths) in &laid {
                let cells = part.clone().map(|i| row[i].as_str());
                put_wrapped(
                    &mut text,
                    *indent,
                    cells,
                    widths,
                    &right[part.clone()],
                    &mut cut,
                );
            }
        }
    }
    if cut {
        text.push_str("… long values are cut; a pipe or a file gets them whole\n");
    }
    text
}

/// Rows as blocks: a line a value, none for an empty one; long ones go on below.
pub(super) fn blocks(header: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let (names, rows, mut cut) = made_safe(header, rows);
    let mut text = paragraphs(&names, &rows, width, &mut cut);
    if cut {
        text.push_str("… long values are cut; a pipe or a file gets them whole\n");
    }
    text
}

/// Names and cells that can be shown, no row shorter than the header; and whether a value is cut.
fn made_safe(header: &[&str], rows: &[Vec<String>]) -> (Vec<String>, Vec<Vec<String>>, bool) {
    let mut cut = false;
    let names: Vec<String> = header.iter().map(|h| safe(h, WORD).0).collect();
    let rows = rows
        .iter()
        .map(|row| {
            (0..names.len())
                .map(|i| {
                    let (cell, short) = safe(row.get(i).map_or("", String::as_str), VALUE);
                    cut |= short;
                    cell
                })
                .collect()
        })
        .collect();
    (names, rows, cut)
}

/// How far the n-th line of a row stands in.
fn indent_of(line: usize) -> usize {
    match line {
        0 => 0,
        _ => 3,
    }
}

/// The columns on each line of a row, on as few lines as they fit, the widest line as narrow as it can be; nothing when there would be
/// too many lines.
fn stacked(spans: &[Span], width: usize) -> Vec<Range<usize>> {
    let fits = |part: &Range<usize>, line: usize| {
        fit(&spans[part.clone()], width.saturating_sub(indent_of(line))).is_some()
    };
    for lines in 2..=MOST_LINES {
        let best = splits(spans.len(), lines)
            .into_iter()
            .filter(|parts| parts.iter().enumerate().all(|(n, part)| fits(part, n)))
            .min_by_key(|parts| {
                let natural = |part: &Range<usize>| {
                    spans[part.clone()]
                        .iter()
                        .map(|s| s.natural + 2)
                        .sum::<usize>()
                };
                parts.iter().map(natural).max()
            });
        if let Some(parts) = best {
            return parts;
        }
    }
    Vec::new()
}

/// All ways to cut `columns` columns into that many runs, none of them empty.
fn splits(columns: usize, runs: usize) -> Vec<Vec<Range<usize>>> {
    let mut all: Vec<Vec<Range<usize>>> = Vec::new();
    if runs <= 1 {
        let whole = 0..columns;
        all.push(vec![whole]);
        return all;
    }
    for last in 1..columns {
        for mut parts in splits(last, runs - 1) {
            parts.push(last..columns);
            all.push(parts);
        }
    }
    all
}

/// A row whose cells may take several lines; nothing when all are empty.
fn put_wrapped<'a>(
    out: &mut String,
    indent: usize,
    cells: impl Iterator<Item = &'a str>,
    widths: &[usize],
    right: &[bool],
    cut: &mut bool,
) {
    let cells: Vec<Vec<String>> = cells
        .zip(widths)
        .map(|(cell, width)| wrapped(cell, *width, cut))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let cells = cells.iter().zip(widths).zip(right);
        put_line(
            out,
            indent,
            cells.map(|((cell, width), right)| {
                (cell.get(line).map_or("", String::as_str), *width, *right)
            }),
        );
    }
}

/// The words of a text on lines of a width; a word that is wider is cut.
fn wrapped(text: &str, width: usize, cut: &mut bool) -> Vec<String> {
    if wide(text) <= width {
        return match text.is_empty() {
            true => Vec::new(),
            false => vec![text.to_string()],
        };
    }
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let (word, short) = cut_to(word, width);
        *cut |= short;
        let needs = wide(&word);
        match lines.last_mut() {
            Some(line) if used + 1 + needs <= width => {
                line.push(' ');
                line.push_str(&word);
                used += 1 + needs;
            }
            _ => {
                lines.push(word);
                used = needs;
            }
        }
    }
    lines
}

fn paragraphs(names: &[String], rows: &[Vec<String>], width: usize, cut: &mut bool) -> String {
    let widest = names.iter().map(|n| wide(n)).max().unwrap_or(0);
    let widest = widest.min(width / 2).max(1);
    let room = width.saturating_sub(widest + 3).max(1);
    let mut text = String::new();
    for (n, row) in rows.iter().enumerate() {
        if n > 0 {
            text.push('\n');
        }
        for (name, cell) in names.iter().zip(row) {
            let name = cut_to(name, widest).0;
            for (line, part) in wrapped(cell, room, cut).iter().enumerate() {
                let name = if line == 0 { name.as_str() } else { "" };
                put_line(
                    &mut text,
                    0,
                    [(name, widest, false), (part.as_str(), 0, false)].into_iter(),
                );
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-05-20T19:40:05Z";

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|c| (*c).to_string()).collect()
    }

    fn widest(text: &str) -> usize {
        text.lines().map(wide).max().unwrap_or(0)
    }

    #[test]
    fn in_a_pipe_a_row_is_a_line_and_cells_are_whole() {
        let long = "x".repeat(5000);
        let rows = [row(&["a", "10"]), row(&[&long, "2"]), row(&["b\nc", "3"])];
        let text = lines(&["name", "n"], &rows, &[1]);
        let told: Vec<&str> = text.lines().collect();
        assert_eq!(told.len(), 4);
        assert!(told[2].contains(&long));
        // One long value does not make the other lines long.
        assert!(told[1].len() < 200, "{}", told[1].len());
        let rows = [row(&["a", "10"]), row(&["ab", "2"])];
        assert_eq!(
            lines(&["name", "n"], &rows, &[1]),
            " name   n\n a     10\n ab     2\n"
        );
    }

    #[test]
    fn an_answer_fits_and_no_word_time_or_id_is_broken() {
        let id = "4fa1ff3d-2c1e-44a6-9c3f-0a1b2c3d4e5f";
        let text = "a text of many words that goes on and on beyond what there is room for";
        let rows = [row(&[TIME, id, text])];
        let shown = answer(&["TimeGenerated", "Id", "Text"], &rows, &[], 90);
        assert!(widest(&shown.text) <= 90);
        assert!(shown.text.contains(TIME) && shown.text.contains(id));
        assert!(shown.cut && shown.text.contains('…'));
        assert_eq!(shown.columns, 3);
    }

    #[test]
    fn columns_without_room_are_left_out_in_the_middle() {
        let names: Vec<String> = (0..135).map(|n| format!("Column{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let rows = [vec![TIME.to_string(); 135]];
        let shown = answer(&names, &rows, &[], 120);
        assert!(widest(&shown.text) <= 120);
        assert_eq!(shown.text.lines().count(), 2);
        assert_eq!(shown.columns, 5);
        for name in ["Column0 ", "Column1 ", "…", "Column134"] {
            assert!(shown.text.contains(name), "{name}");
        }
        // Too narrow for a few of them: a line a column, and nothing is left out.
        let shown = answer(&names, &rows, &[], 60);
        assert!(widest(&shown.text) <= 60);
        assert_eq!(shown.text.lines().count(), 136);
        assert_eq!(shown.columns, 135);
    }

    #[test]
    fn a_row_of_a_list_is_a_line_and_what_it_is_called_by_stays() {
        let header = ["rule", "pack", "severity", "tactics", "name"];
        let id = "agent-made-or-published-and-shared-with-others";
        let name = "Copilot Studio agent made, published, shared or given tools";
        let rows = [
            row(&[id, "copilot", "Informational", "Persistence", name]),
            row(&["a", "copilot", "Low", "", "A short one"]),
        ];
        for width in [40, 60, 80, 120, 300] {
            let shown = list(&header, &rows, &[0, 2, 4, 1, 3], width);
            assert!(widest(&shown.text) <= width, "{width}: {}", shown.text);
            assert_eq!(shown.text.lines().count(), 3, "{width}: {}", shown.text);
            assert_eq!(shown.text.contains(id), width >= 80, "{width}");
            assert_eq!(shown.cut || shown.columns < 5, width < 300, "{width}");
        }
        let shown = list(&header, &rows, &[0, 2, 4, 1, 3], 80).text;
        assert!(shown.contains("Informational") && shown.contains('…'));
    }

    #[test]
    fn messages_keep_every_row_and_every_word() {
        let header = ["severity", "time", "rule", "about"];
        let about = "frank.fletcher@contoso.com · 198.51.100.25 · Tender 05 Terms.docx · 2 records";
        let rule = "label-removed-then-shared-or-downloaded";
        let rows = [row(&["High", TIME, rule, about])];
        for width in [60, 80, 100, 200] {
            let text = fitted(&header, &rows, &[], width);
            assert!(widest(&text) <= width, "{width}: {text}");
            for word in [TIME, rule].into_iter().chain(about.split(' ')) {
                assert!(text.contains(word), "{width}: {word}: {text}");
            }
        }
    }

    #[test]
    fn long_and_wide_values_take_no_time_and_no_room() {
        let long = "x".repeat(20_000_000);
        let marks = format!("a{}", "\u{301}".repeat(1_000_000));
        let letters = "\u{6f22}".repeat(1000);
        for value in [&long, &marks, &letters] {
            let (cell, cut) = safe(value, 80);
            assert!(cut && wide(&cell) <= 80 && cell.len() < 2000);
            let text = fitted(&["a", "b"], &[row(&["1", value])], &[], 80);
            assert!(widest(&text) <= 80 && text.len() < 10_000);
        }
    }

    #[test]
    fn empty_values_take_no_line_in_a_block() {
        let rows = [row(&["log", "", "b c"])];
        let text = blocks(&["check", "table", "found"], &rows, 20);
        assert_eq!(text, " check  log\n found  b c\n");
    }
}
