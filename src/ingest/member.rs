//! Members of archives and sheets of workbooks, as inputs, read without unpacking anything to disk. A member's name is a name and nothing
//! else: it never becomes a path, and two members may have one name.

use std::collections::HashMap;
use std::sync::Arc;

use super::input::Input;
use super::packing::Packing;
use super::tar::{self, Stretch};
use super::workbook::{Book, Sheet};
use super::zip::{self, Packed};
use crate::fault::Result;

mod content;

use content::Content;
pub(super) use content::{MAX_MEMBERS, is_lock};
pub use content::{Member, Opened};

/// Archives around one another that are read.
const MAX_DEPTH: usize = 3;
/// Said of those further in.
const TOO_DEEP: &str =
    "archives inside archives, too deep: more than three, unpack the outermost first";

impl Member {
    /// A file in memory.
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Member {
        Member {
            name: name.into(),
            size: Some(bytes.len() as u64),
            depth: 0,
            content: Arc::new(Packed::of_bytes(bytes)),
        }
    }
}

impl Content for Packed {
    fn open(&self, name: &str) -> Result<Opened> {
        Packed::open(self, name).map(Opened::from)
    }
}

impl Content for Stretch {
    fn open(&self, name: &str) -> Result<Opened> {
        Stretch::open(self, name).map(Opened::from)
    }
}

impl Content for Sheet {
    fn open(&self, name: &str) -> Result<Opened> {
        let (bytes, note, marks) = Sheet::open(self, name)?;
        Ok(Opened {
            bytes,
            note,
            marks: Some(marks),
        })
    }

    fn is_sheet(&self) -> bool {
        true
    }
}

/// What holds members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holder {
    /// A zip archive.
    #[default]
    Zip,
    /// A tar archive.
    Tar,
    /// An Excel workbook.
    Workbook,
}

impl Holder {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Holder::Zip => "zip archive",
            Holder::Tar => "tar archive",
            Holder::Workbook => "Excel workbook",
        }
    }

    /// What is in it.
    pub fn parts(self) -> &'static str {
        match self {
            Holder::Zip | Holder::Tar => "members",
            Holder::Workbook => "sheets",
        }
    }
}

/// The members of an archive, and what was passed over.
#[derive(Debug, Default)]
pub struct Members {
    /// What they are members of.
    pub holder: Holder,
    /// Those to read, in the order of the archive.
    pub inputs: Vec<Input>,
    /// How many were passed over: hidden ones, `README.md`, links and devices, what a Mac adds, charts.
    pub passed_over: usize,
    /// Sheets among those to read that Excel does not show.
    pub hidden: usize,
    /// Names of watchlists, which are taken from folders only.
    pub watchlists: Vec<String>,
    /// Members whose name another one has: a number was added.
    pub renamed: usize,
    /// Bytes that belong to no member that the archive names.
    pub stray: u64,
    /// Why not all of the archive's members may be here.
    pub damage: Option<String>,
    /// Names given, with the number that the next member of that name gets.
    names: HashMap<String, usize>,
}

impl Members {
    /// Whether a member is passed over; it is counted then.
    fn passes_over(&mut self, own: &str, size: u64) -> bool {
        let parts: Vec<&str> = own.split('/').collect();
        let last = parts.last().copied().unwrap_or_default();
        let is_hidden = last.starts_with('.') || own.starts_with("__MACOSX/");
        if is_hidden || is_lock(last, size) || last == "README.md" {
            self.passed_over += 1;
            return true;
        }
        let below = parts.len().checked_sub(2).map(|i| parts[i]);
        if below == Some("watchlists") && last.to_ascii_lowercase().ends_with(".csv") {
            self.watchlists.push(own.to_string());
            return true;
        }
        false
    }

    /// Adds a member under a name that no other has.
    fn add(&mut self, archive: &str, own: String, member: Member) {
        let own = match self.names.get(&own) {
            None => own,
            Some(first) => {
                let mut next = *first;
                let mut name = format!("{own} ({next})");
                while self.names.contains_key(&name) {
                    next += 1;
                    name = format!("{own} ({next})");
                }
                self.names.insert(own, next + 1);
                self.renamed += 1;
                name
            }
        };
        self.inputs.push(Input::Member(Member {
            name: format!("{archive}/{own}"),
            ..member
        }));
        self.names.insert(own, 2);
    }
}

/// Lists the members of an archive, or the sheets of a workbook, which is a zip archive. Nothing is unpacked.
///
/// # Errors
/// When the archive cannot be read, or means harm.
pub fn members(input: &Input, packing: Packing) -> Result<Members> {
    let holder = match packing {
        Packing::Tar => Holder::Tar,
        _ => Holder::Zip,
    };
    let depth = match input {
        Input::File(_) | Input::Stored(_) => 0,
        Input::Member(member) => member.depth + 1,
        Input::Pipe(_) | Input::Stdin => {
            let from = match input {
                Input::Stdin => "standard input",
                _ => "a pipe",
            };
            let what = holder.name();
            let reason = format!("a {what} cannot be read from {from}: name the file");
            return Err(input.unusable(&reason));
        }
    };
    match holder {
        Holder::Tar => of_tar(input, depth),
        Holder::Zip | Holder::Workbook => of_zip(input, depth),
    }
}

fn of_zip(input: &Input, depth: usize) -> Result<Members> {
    if depth > MAX_DEPTH {
        return Err(input.unusable(TOO_DEEP));
    }
    let listing = zip::list(input)?;
    let archive = input.name();
    let mut found = Members {
        passed_over: listing.links,
        stray: listing.stray,
        damage: listing.damage,
        ..Members::default()
    };
    if let Some(book) = Book::find(input, &listing.parts)? {
        found.holder = Holder::Workbook;
        found.passed_over = book.charts;
        found.hidden = book.hidden;
        for (name, sheet) in book.sheets() {
            let member = Member {
                name: String::new(),
                size: None,
                depth,
                content: Arc::new(sheet),
            };
            found.add(&archive, name, member);
        }
        return Ok(found);
    }
    // A workbook may be one further in.
    if depth >= MAX_DEPTH {
        return Err(input.unusable(TOO_DEEP));
    }
    for (own, packed) in listing.parts {
        if found.passes_over(&own, packed.size) {
            continue;
        }
        let member = Member {
            name: String::new(),
            size: Some(packed.size),
            depth,
            content: Arc::new(packed),
        };
        found.add(&archive, own, member);
    }
    Ok(found)
}

fn of_tar(input: &Input, depth: usize) -> Result<Members> {
    if depth >= MAX_DEPTH {
        return Err(input.unusable(TOO_DEEP));
    }
    let listing = tar::list(input)?;
    let archive = input.name();
    let mut found = Members {
        holder: Holder::Tar,
        passed_over: listing.passed_over,
        stray: listing.stray,
        damage: listing.damage,
        ..Members::default()
    };
    for (own, stretch) in listing.parts {
        if found.passes_over(&own, stretch.size) {
            continue;
        }
        let member = Member {
            name: String::new(),
            size: Some(stretch.size),
            depth,
            content: Arc::new(stretch),
        };
        found.add(&archive, own, member);
    }
    Ok(found)
}
