//! Where the lines made of a sheet stand in it, by the numbers of rows that its user sees, and what was passed over below its table.

use std::sync::Mutex;

/// Rows that a sheet has at most; of a crafted one with more, those behind have no number.
const MAX_ROWS: usize = 1 << 20;

const UNBROKEN: &str = "nobody panics with it";

/// What is known of a sheet while it is read.
#[derive(Debug, Default)]
pub struct Marks(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Where each line begins, and its row.
    lines: Vec<(u64, u64)>,
    /// Rows below the table.
    footers: u64,
    /// Numbers with more digits than spreadsheets keep.
    long: u64,
}

impl Marks {
    /// The row, from 1, of what stands at this byte of the sheet's text.
    pub fn row_at(&self, offset: u64) -> Option<u64> {
        let known = self.0.lock().expect(UNBROKEN);
        let lines = &known.lines;
        let at = lines.partition_point(|(start, _)| *start <= offset);
        // The last line that is known may be any behind it.
        let line = lines[..at].last().filter(|_| at < MAX_ROWS)?;
        Some(line.1)
    }

    /// What is to be said of the sheet at its end.
    pub fn note(&self) -> String {
        let known = self.0.lock().expect(UNBROKEN);
        let mut notes = Vec::new();
        if known.footers > 0 {
            notes.push(format!(
                "rows with one cell below its table, passed over: {}",
                known.footers
            ));
        }
        if known.long > 0 {
            notes.push(format!(
                "numbers of more than 15 digits, of which spreadsheets lose the last: {}",
                known.long
            ));
        }
        notes.join("; ")
    }

    pub(super) fn line(&self, offset: u64, row: u64) {
        let mut known = self.0.lock().expect(UNBROKEN);
        if known.lines.len() < MAX_ROWS {
            known.lines.push((offset, row));
        }
    }

    pub(super) fn ended(&self, footers: u64, long: u64) {
        let mut known = self.0.lock().expect(UNBROKEN);
        known.footers += footers;
        known.long += long;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_line_are_those_of_its_row() {
        let marks = Marks::default();
        assert_eq!(marks.row_at(0), None);
        for (offset, row) in [(0, 4), (10, 5), (25, 9)] {
            marks.line(offset, row);
        }
        let rows = [0, 9, 10, 24, 25, 99].map(|offset| marks.row_at(offset));
        assert_eq!(rows, [4, 4, 5, 5, 9, 9].map(Some));
    }
}
