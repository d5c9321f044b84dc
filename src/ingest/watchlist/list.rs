//! The rows of a list.

/// Most columns of a list; more are no list but another file, or one made to take memory.
pub(super) const MAX_COLUMNS: usize = 1000;

/// Why a list is refused; the caller knows its file.
pub(super) type Result<T> = std::result::Result<T, String>;

/// How a list came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rows of cells.
    Csv,
    /// Objects, as interfaces and `ConvertTo-Json` write them.
    Json,
    /// Objects, as `Export-Clixml` writes them.
    Clixml,
    /// Objects, as `Format-List` prints them.
    FormatList,
}

impl Form {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Form::Csv => "CSV",
            Form::Json => "JSON",
            Form::Clixml => "CLIXML",
            Form::FormatList => "Format-List",
        }
    }
}

/// The rows of a list.
#[derive(Debug)]
pub struct Watchlist {
    pub(super) header: Vec<String>,
    pub(super) rows: usize,
    /// All cells, row by row.
    pub(super) text: String,
    /// Where each cell ends in the text.
    pub(super) ends: Vec<usize>,
    /// How it came.
    pub(super) form: Form,
    /// What is to be said of how it was read.
    pub(super) remarks: Vec<String>,
}

impl Watchlist {
    /// What is to be said of how it was read.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// How it came. The archive has all lists as CSV.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The list as CSV in UTF-8.
    pub fn to_csv(&self) -> Vec<u8> {
        let mut out = String::new();
        let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
        let header: Vec<String> = self.header.iter().map(|name| quoted(name)).collect();
        out.push_str(&header.join(","));
        out.push('\n');
        let mut start = 0;
        for (i, end) in self.ends.iter().enumerate() {
            out.push_str(&quoted(&self.text[start..*end]));
            start = *end;
            let last = (i + 1) % self.header.len() == 0;
            out.push(if last { '\n' } else { ',' });
        }
        out.into_bytes()
    }

    /// Changes the cells of a column.
    pub(super) fn change(&mut self, column: usize, change: impl Fn(&str) -> &str) {
        let mut text = String::with_capacity(self.text.len());
        let mut start = 0;
        for (i, end) in self.ends.iter_mut().enumerate() {
            let cell = &self.text[start..*end];
            start = *end;
            text.push_str(match i % self.header.len() == column {
                true => change(cell),
                false => cell,
            });
            *end = text.len();
        }
        self.text = text;
    }

    /// Names of the columns, without blanks around them.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The cells of a column, from 0; nothing where a cell is empty.
    pub fn column(&self, column: usize) -> impl Iterator<Item = Option<&str>> {
        (0..self.rows).map(move |row| {
            let cell = row * self.header.len() + column;
            let start = match cell {
                0 => 0,
                i => self.ends[i - 1],
            };
            Some(&self.text[start..self.ends[cell]]).filter(|text| !text.is_empty())
        })
    }
}
