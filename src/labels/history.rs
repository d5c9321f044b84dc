//! The label events of a document or of a person, in the order of time.
//!
//! A document is followed through the renamings that label events tell: its history begins under its first name. One that is asked for by its
//! name alone may be several; how many is said.

use std::collections::BTreeSet;

use super::event::{Happened, Named};
use crate::engine::{Session, fitted, output};
use crate::fault::Result;
use crate::text::like;

/// The columns of `LabelEvents`, in the order in which [`row`] reads them.
const COLUMNS: [&str; 21] = [
    "TimeGenerated",
    "Action",
    "UserId",
    "FileName",
    "FilePath",
    "PreviousFileName",
    "OldLabelId",
    "OldLabelName",
    "NewLabelId",
    "NewLabelName",
    "Justification",
    "ActionSource",
    "Application",
    "DeviceName",
    "SiteUrl",
    "Owner",
    "IPAddress",
    "Operation",
    "SourceTable",
    "EventId",
    "_Source",
];

/// What a history was made of.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Told {
    /// How many events there are.
    pub events: u64,
    /// How many places documents of the name that was asked for are in.
    pub places: usize,
    /// Other names and places of the document that was asked for, in lower case.
    pub other_names: Vec<String>,
}

/// Shows each event of a document (its name, path or address) or of a person, by time. `*` stands for any text; documents of a name with it are not
/// followed through renamings.
///
/// # Errors
/// When the archive cannot be asked, and what `show` says.
pub fn history(
    session: &Session,
    subject: &str,
    mut show: impl FnMut(&Happened) -> Result<()>,
) -> Result<Told> {
    let subject = subject.trim().to_lowercase();
    let is_pattern = subject.contains('*');
    let names = match is_pattern {
        true => BTreeSet::from([subject.clone()]),
        false => names_of(session, &subject)?,
    };
    let mut told = Told {
        other_names: names.iter().filter(|n| **n != subject).cloned().collect(),
        ..Told::default()
    };
    let mut places: BTreeSet<String> = BTreeSet::new();
    let list = names.iter().map(|name| quoted(name));
    let list = list.collect::<Vec<_>>().join(", ");
    let is_called = |column: &str, names: &str| match is_pattern {
        true => {
            let pattern = quoted(&like::pattern(&subject));
            format!("lower(e.\"{column}\") LIKE {pattern} ESCAPE '\\'")
        }
        false => format!("lower(e.\"{column}\") IN ({names})"),
    };
    let columns = COLUMNS.map(|name| format!("e.\"{name}\"")).join(", ");
    let sql = format!(
        "SELECT {columns} FROM \"LabelEvents\" AS e \
         WHERE {user} OR {path} OR {file} \
         ORDER BY e.\"TimeGenerated\" NULLS LAST, e.\"_IngestId\", e.\"_Record\", e.\"FilePath\", e.\"FileName\"",
        user = is_called("UserId", &quoted(&subject)),
        path = is_called("FilePath", &list),
        file = is_called("FileName", &list),
    );
    let frame = fitted(session.plan(&sql)?)?;
    session.stream(frame, |batch| {
        for number in 0..batch.num_rows() {
            let event = row(|column| output::cell(batch.column(column), number))?;
            told.events += 1;
            if event.file.to_lowercase() == subject && !event.path.is_empty() {
                places.insert(event.path.to_lowercase());
            }
            show(&event)?;
        }
        Ok(())
    })?;
    told.places = places.len();
    Ok(told)
}

/// An event of the cells of a row.
fn row(cell: impl Fn(usize) -> Result<String>) -> Result<Happened> {
    let label = |id: usize| -> Result<Named> {
        Ok(Named {
            id: cell(id)?,
            name: cell(id + 1)?,
        })
    };
    Ok(Happened {
        time: cell(0)?,
        action: cell(1)?,
        user: cell(2)?,
        file: cell(3)?,
        path: cell(4)?,
        previous_file: cell(5)?,
        old_label: label(6)?,
        new_label: label(8)?,
        justification: cell(10)?,
        how: cell(11)?,
        application: cell(12)?,
        device: cell(13)?,
        site: cell(14)?,
        owner: cell(15)?,
        address: cell(16)?,
        operation: cell(17)?,
        table: cell(18)?,
        event_id: cell(19)?,
        record: cell(20)?,
    })
}

/// A renaming: what a document was called before and is called after, names or places, in lower case.
type Renaming = ([String; 2], [String; 2]);

/// The subject, and what it was called before and is called since.
fn names_of(session: &Session, subject: &str) -> Result<BTreeSet<String>> {
    let mut renamings: Vec<Renaming> = Vec::new();
    let frame = session.plan(
        "SELECT DISTINCT lower(e.\"PreviousFileName\"), lower(e.\"FileName\"), lower(e.\"FilePath\") FROM \"LabelEvents\" AS e \
         WHERE e.\"PreviousFileName\" <> ''",
    )?;
    session.stream(fitted(frame)?, |batch| {
        for number in 0..batch.num_rows() {
            let cell = |column: usize| output::cell(batch.column(column), number);
            renamings.push(renaming(&cell(0)?, cell(1)?, cell(2)?));
        }
        Ok(())
    })?;
    Ok(followed(subject, &renamings))
}

fn renaming(previous: &str, file: String, path: String) -> Renaming {
    const SLASHES: [char; 2] = ['/', '\\'];
    let before = match (previous.rfind(SLASHES), path.rfind(SLASHES)) {
        (Some(at), _) => [previous[at + 1..].to_string(), previous.to_string()],
        (None, Some(at)) => [previous.to_string(), format!("{}{previous}", &path[..=at])],
        (None, None) => [previous.to_string(), previous.to_string()],
    };
    let after = match path.is_empty() {
        true => [file.clone(), file],
        false => [file, path],
    };
    (before, after)
}

/// All names of one that is called so, through all renamings. One that is asked for by its place is followed by places, else by names.
fn followed(subject: &str, renamings: &[Renaming]) -> BTreeSet<String> {
    let by = usize::from(subject.contains(['/', '\\']));
    let mut names = BTreeSet::from([subject.to_string()]);
    loop {
        let before = names.len();
        for (old, new) in renamings {
            let (old, new) = (&old[by], &new[by]);
            match (names.contains(old), names.contains(new)) {
                (true, false) if !new.is_empty() => names.insert(new.clone()),
                (false, true) if !old.is_empty() => names.insert(old.clone()),
                _ => false,
            };
        }
        if names.len() == before {
            return names;
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(previous: &str, path: &str) -> Renaming {
        let file = path.rsplit('/').next().unwrap_or_default();
        renaming(previous, file.into(), path.into())
    }

    #[test]
    fn a_document_is_followed_through_its_names() {
        let renamings = [
            renamed("b.docx", "https://x/sites/a/c.docx"),
            renamed("https://x/sites/a/a.docx", "https://x/sites/a/b.docx"),
            renamed("b.docx", "https://x/sites/other/z.docx"),
        ];
        let names =
            |subject: &str| -> Vec<String> { followed(subject, &renamings).into_iter().collect() };
        assert_eq!(
            names("https://x/sites/a/c.docx"),
            [
                "https://x/sites/a/a.docx",
                "https://x/sites/a/b.docx",
                "https://x/sites/a/c.docx"
            ]
        );
        // Names alone cannot tell documents apart.
        assert_eq!(names("a.docx"), ["a.docx", "b.docx", "c.docx", "z.docx"]);
        assert_eq!(names("ada@contoso.com"), ["ada@contoso.com"]);
    }
}
