//! Cells that a spreadsheet cut: what followed is not in the file.

/// Excel cuts a cell after so many characters.
const EXCEL: usize = 32_767;
/// So does Google Sheets.
const GOOGLE: usize = 50_000;

/// What is to be said of rows that were taken and have such a cell.
pub(super) const CUT: &str = "rows have a cell that Excel cut at 32,767 characters, or Google Sheets at 50,000: what followed is not in the file";

/// What cut a text, by its length.
pub(super) fn by(text: &str) -> Option<&'static str> {
    if text.len() < EXCEL {
        return None;
    }
    // Excel counts units of UTF-16; other programs that keep its limit count letters.
    let lengths = [text.encode_utf16().count(), text.chars().count()];
    if lengths.contains(&EXCEL) {
        Some("the cell was cut by Excel at 32,767 characters")
    } else if lengths.contains(&GOOGLE) {
        Some("the cell was cut by Google Sheets at 50,000 characters")
    } else {
        None
    }
}

/// Whether a cell that was taken as it is has lost its end. JSON that has it is so long by chance.
pub(super) fn is_cut(text: &str) -> bool {
    by(text).is_some() && !(text.starts_with('{') && text.ends_with('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_as_long_as_cells_can_be_was_cut() {
        let text = |letter: &str, n: usize| letter.repeat(n);
        assert!(is_cut(&text("a", EXCEL)));
        assert!(is_cut(&text("é", EXCEL)));
        // Two units each, and one.
        assert!(is_cut(&(text("😀", EXCEL / 2) + "a")));
        assert!(is_cut(&text("a", GOOGLE)));
        assert!(!is_cut(&text("a", EXCEL - 1)));
        assert!(!is_cut(&text("a", EXCEL + 1)));
        let json = format!("{{{}}}", text("a", EXCEL - 2));
        assert!(!is_cut(&json));
        assert!(by(&json).is_some());
    }
}
