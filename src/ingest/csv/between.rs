//! Rows that are none, and rows that stand in quotes as a whole.

use super::super::behind;
use crate::text::csv::{Fields, MARK, Next, next_record};

/// What is said of lines that are no rows.
pub const NO_ROWS: &str =
    "lines between or below the rows are none (counts of rows, dashes): passed over";

/// Why a header with other columns is refused inside a file.
pub const OTHER_HEADER: &str = "the header of another file, with other columns: the rows below it stand in wrong ones, read the files apart";

/// Whether these fields, from the first of a record on, are names of the header in another order, or some of them with others between.
pub fn is_other_header(header: &[String], fields: &Fields, first: usize) -> bool {
    let is_name = |field: &[u8]| {
        let field = field.trim_ascii();
        let is_it = |name: &String| field.eq_ignore_ascii_case(name.trim().as_bytes());
        header.iter().any(is_it)
    };
    // Most rows end here.
    if header.len() < 2 || !fields.get(first).is_some_and(is_name) {
        return false;
    }
    let filled = (first..fields.len())
        .filter_map(|i| fields.get(i))
        .filter(|field| !field.trim_ascii().is_empty());
    let (all, names) = filled.fold((0usize, 0usize), |(all, names), field| {
        (all + 1, names + usize::from(is_name(field)))
    });
    all > 1 && names * 3 >= all * 2
}

/// Whether these fields, from the first of a record on, say the names of the header again, as files do that were joined; some tools write
/// them in another case.
pub fn repeats(header: &[String], fields: &Fields, first: usize) -> bool {
    let is_name = |name: &String, field: &[u8]| {
        let field = field.strip_prefix(MARK).unwrap_or(field);
        let name = name.trim_start_matches('\u{feff}').trim();
        field.trim_ascii().eq_ignore_ascii_case(name.as_bytes())
    };
    fields.len() >= first + header.len()
        && !header.is_empty()
        && header
            .iter()
            .enumerate()
            .all(|(i, name)| fields.get(first + i).is_some_and(|f| is_name(name, f)))
        && (first + header.len()..fields.len()).all(|i| is_empty(fields, i))
}

fn is_empty(fields: &Fields, field: usize) -> bool {
    fields
        .get(field)
        .is_some_and(|field| field.trim_ascii().is_empty())
}

/// Whether these fields are the dashes that query tools write below a header, or a count of rows below the last one. A row that has a value in
/// every column is a row.
pub fn is_no_row(width: usize, fields: &Fields, first: usize) -> bool {
    /// Such lines are short.
    const LONGEST: usize = 256;
    if fields.text_from(first).len() > LONGEST || width < 2 {
        return false;
    }
    let filled = move || {
        (first..fields.len())
            .filter_map(move |i| fields.get(i))
            .filter(|field| !field.trim_ascii().is_empty())
    };
    let is_rule = |field: &[u8]| field.len() > 1 && field.iter().all(|b| matches!(b, b'-' | b'='));
    if filled().all(is_rule) && filled().any(|field| field.len() > 3) {
        return true;
    }
    if !(1..width.min(3)).contains(&filled().take(3).count()) {
        return false;
    }
    let words: Vec<&[u8]> = filled().collect();
    behind::is_count(&String::from_utf8_lossy(&words.join(&b' ')))
}

/// Finds the record that begins at `from` as [`next_record`] does; one that stands in quotes as a whole, as tools leave it that took a line
/// for a cell, is taken apart where it then has the width of the header: `"1,b,""c"""`.
pub fn next_row(
    input: &[u8],
    from: usize,
    delimiter: u8,
    width: usize,
    fields: &mut Fields,
) -> Next {
    let first = fields.len();
    let next = next_record(input, from, delimiter, fields);
    if width > 1 && fields.len() == first + 1 {
        take_apart(delimiter, Some(width), fields, first);
    }
    next
}

/// Takes the only field from this one on apart, where it is a row of so many fields; of any number but one where none is said.
pub fn take_apart(delimiter: u8, width: Option<usize>, fields: &mut Fields, first: usize) -> bool {
    let Some(line) = fields.get(first).map(<[u8]>::to_vec) else {
        return false;
    };
    // The commas of JSON are between no cells.
    if !line.contains(&delimiter) || line.trim_ascii_start().starts_with(b"{") {
        return false;
    }
    fields.cut_back(first);
    let read = next_record(&line, 0, delimiter, fields);
    let cells = fields.len() - first;
    let whole = matches!(read, Next::Record { start: 0, next } if next == line.len())
        && width.map_or(cells > 1, |width| cells == width);
    if !whole {
        fields.cut_back(first);
        fields.push(&line);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str, width: usize) -> Vec<String> {
        let mut fields = Fields::default();
        next_row(line.as_bytes(), 0, b',', width, &mut fields);
        let text = |f: &[u8]| String::from_utf8_lossy(f).into_owned();
        fields.iter().map(text).collect()
    }

    #[test]
    fn rows_in_quotes_are_taken_apart_where_they_fit() {
        assert_eq!(fields("\"a,\"\"b,c\"\",d\"\n", 3), ["a", "b,c", "d"]);
        assert_eq!(fields("\"a,b,c,d\"\n", 3), ["a,b,c,d"]);
        assert_eq!(fields("a,b\n", 2), ["a", "b"]);
        assert_eq!(fields("\"a,\"\"b\"\n", 2), ["a,\"b"]);
    }

    #[test]
    fn lines_that_are_no_rows_are_told() {
        let is = |line: &str, width: usize| {
            let mut fields = Fields::default();
            next_record(line.as_bytes(), 0, b',', &mut fields);
            is_no_row(width, &fields, 0)
        };
        assert!(is("------,-----", 2));
        assert!(is("(2 rows affected)", 2));
        assert!(is("Total: 5", 2) && is("Total,5,,", 4));
        assert!(!is("total,5", 2) && !is("a,b", 3) && !is("-,-", 2) && !is("5", 2));
        let header = ["Id".to_string(), "Date".to_string()];
        let again = |line: &str| {
            let mut fields = Fields::default();
            next_record(line.as_bytes(), 0, b',', &mut fields);
            repeats(&header, &fields, 0)
        };
        assert!(again("Id,Date") && again("\u{feff}id, DATE,,"));
        assert!(!again("Id") && !again("Id,Date,x") && !again("Date,Id"));
        let other = |line: &str| {
            let mut fields = Fields::default();
            next_record(line.as_bytes(), 0, b',', &mut fields);
            is_other_header(&header, &fields, 0)
        };
        assert!(other("Date,Id") && other("id,Case,date"));
        assert!(!other("Id,1") && !other("1,Date") && !other("Id") && !other("Id,,"));
    }
}
