//! Lists that are Format-List text: a line `Name   : value` for each property, and a blank line between objects.
//!
//! PowerShell breaks long values and sets the rest below the value, behind blanks. What it cuts (`{a, b...}`) stays cut.

use super::list::Result;
use super::pages::Rows;

/// Longest name of a property.
const LONGEST_NAME: usize = 128;

/// Whether a list is such text: its first two lines that say something are properties.
pub(super) fn is_paragraphs(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !is_gap(line));
    let mut next = || lines.next().is_some_and(|line| property(line).is_some());
    next() && next()
}

/// Reads the objects of a list, a row each.
///
/// # Errors
/// When a line belongs to no property, or there are too many properties.
pub(super) fn read(text: &str) -> Result<Rows> {
    let mut rows = Rows::default();
    // Which columns the object has so far; nothing where none has begun.
    let mut seen: Vec<usize> = Vec::new();
    let mut gap = true;
    for (number, line) in (1..).zip(text.lines()) {
        if is_gap(line) {
            gap = true;
            continue;
        }
        let Some((name, value)) = property(line) else {
            let rest = line.starts_with([' ', '\t']);
            match (rest, seen.last(), rows.cells.last_mut()) {
                (true, Some(column), Some(row)) => {
                    let cell = &mut row[*column];
                    if !cell.is_empty() {
                        cell.push(' ');
                    }
                    cell.push_str(line.trim());
                }
                _ => return Err(format!("line {number} is no `Name : value` of Format-List")),
            }
            continue;
        };
        let column = rows.column(name)?;
        // Objects of one kind begin with one property, and none has a property twice.
        let begins = seen.contains(&column) || (gap && column == 0);
        if seen.is_empty() || begins {
            seen.clear();
            rows.cells.push(Vec::new());
        }
        gap = false;
        seen.push(column);
        if let Some(row) = rows.cells.last_mut() {
            if row.len() <= column {
                row.resize(column + 1, String::new());
            }
            row[column] = value.to_string();
        }
    }
    Ok(rows)
}

/// Whether a line stands between objects: a blank one, or what PowerShell's console shows before a command.
fn is_gap(line: &str) -> bool {
    line.trim().is_empty() || (line.starts_with("PS ") && line.contains('>'))
}

/// Name and value of a line. Format-List sets blanks before its colons, or nothing behind them.
fn property(line: &str) -> Option<(&str, &str)> {
    let (name, value) = match line.split_once(" : ") {
        Some(both) => both,
        None => (line.trim_end().strip_suffix(" :")?, ""),
    };
    let name = name.trim_end();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '@');
    let begins = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let whole = begins && name.len() <= LONGEST_NAME && name.chars().all(is_name);
    whole.then_some((name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_apart_and_broken_values_put_together() {
        let text = "\r\n\r\nImmutableId : 1\r\nDisplayName : Public\r\nTooltip     : For everybody : also\r\n              outside\r\n\
                    ParentId    :\r\n\r\n\r\nImmutableId : 2\r\nDisplayName : Secret\r\nPriority    : 4\r\n\r\n";
        assert!(is_paragraphs(text));
        let rows = read(text).expect("a list");
        assert_eq!(
            rows.header,
            [
                "ImmutableId",
                "DisplayName",
                "Tooltip",
                "ParentId",
                "Priority"
            ]
        );
        assert_eq!(
            rows.cells,
            [
                vec!["1", "Public", "For everybody : also outside", ""],
                vec!["2", "Secret", "", "", "4"],
            ]
        );
        let copied = "PS C:\\> Get-Label | fl\n\na : 1\nb : 2\n\nPS C:\\>\n";
        assert!(is_paragraphs(copied));
        assert_eq!(read(copied).expect("a list").cells, [vec!["1", "2"]]);
        // Without blank lines a name that comes again begins an object.
        let rows = read("a : 1\nb : 2\nb : 3\n").expect("a list");
        assert_eq!(rows.cells, [vec!["1", "2"], vec!["", "3"]]);
    }

    #[test]
    fn other_text_is_no_such_list() {
        for text in ["Id,Name\n1,a : b\n", "", "a : 1\n", "[{}]", "a: 1\nb: 2\n"] {
            assert!(!is_paragraphs(text), "{text}");
        }
        let why = read("a : 1\nb : 2\nxyz\n").expect_err("no list");
        assert_eq!(why, "line 3 is no `Name : value` of Format-List");
    }
}
