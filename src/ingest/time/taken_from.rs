//! From which columns the times of rows were taken that have none of their own, to be said beside the file.

use crate::text::count;

/// Names that are told; hostile input may have endless different ones.
const NAMES: usize = 8;

/// Columns that gave the times, each with how many rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TakenFrom {
    from: Vec<TimeName>,
    /// Rows whose date stands without a clock, where a clock stands elsewhere in the row.
    alone: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TimeName {
    name: String,
    /// Name of the clock beside a date.
    clock: String,
    rows: u64,
}

impl TakenFrom {
    /// Counts a row whose time was under this name, with the name of the clock beside it, which may be empty.
    pub fn count(&mut self, name: &str, clock: &str) {
        self.count_rows(name, clock, 1);
    }

    /// Counts a row that has a date alone and a clock of which nobody knows whether it belongs to it.
    pub fn count_alone(&mut self) {
        self.alone += 1;
    }

    fn count_rows(&mut self, name: &str, clock: &str, rows: u64) {
        let is = |from: &&mut TimeName| from.name == name && from.clock == clock;
        if let Some(from) = self.from.iter_mut().find(is) {
            from.rows += rows;
        } else if self.from.len() < NAMES {
            self.from.push(TimeName {
                name: name.to_string(),
                clock: clock.to_string(),
                rows,
            });
        }
    }

    /// Adds those of other rows.
    pub fn add(&mut self, other: &TakenFrom) {
        self.alone += other.alone;
        for from in &other.from {
            self.count_rows(&from.name, &from.clock, from.rows);
        }
    }

    /// What is to be said of them, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let name = |from: &TimeName| match from.clock.as_str() {
            "" => format!("`{}`", from.name),
            clock => format!("`{}` and `{clock}`", from.name),
        };
        match self.from.as_slice() {
            [] => {}
            [only] => notes.push(format!("times are those of {}", name(only))),
            several => {
                let told = several.iter().map(|from| match from.rows {
                    1 => format!("{} (1 row)", name(from)),
                    rows => format!("{} ({} rows)", name(from), count(rows)),
                });
                let told: Vec<String> = told.collect();
                notes.push(format!("times are those of {}", told.join(", ")));
            }
        }
        if self.alone > 0 {
            let times = match self.alone {
                1 => "1 time is".to_string(),
                alone => format!("{} times are", count(alone)),
            };
            notes.push(format!(
                "{times} the midnight of a date: whether the clock in another column belongs to it is not known"
            ));
        }
        notes
    }
}
