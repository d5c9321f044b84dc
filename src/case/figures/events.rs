//! Label events as a query gives them, in no order, with what the figures ask of them.

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use super::asked::Asked;
use crate::case::changes::LOWERED;
use crate::case::rows::{of_users, within};
use crate::catalog::TIME;
use crate::engine::{Session, fitted};
use crate::fault::Result;
use crate::hunt::Window;

/// Actions after which something has another label.
pub(super) const CHANGES: [&str; 5] = [
    "LabelApplied",
    "LabelUpgraded",
    "LabelDowngraded",
    "LabelChanged",
    "LabelRemoved",
];
/// Tables of the Rights Management service and of Azure Information Protection, which tell what was opened and what was denied.
const BOTH_WAYS: [&str; 5] = [
    "InformationProtectionLogs_CL",
    "AipServiceUserLog",
    "AipServiceTrackingLog",
    "RMSData_CL",
    "RMSDataDetails_CL",
];

/// Numbers of a row: time, ranks of the labels before and after, whether it protects.
const NUMBERS: usize = 4;

/// Texts of a row, which stand behind its numbers in this order.
#[derive(Debug, Clone, Copy)]
enum Text {
    Action,
    User,
    FileName,
    FilePath,
    OldLabelId,
    OldLabelName,
    NewLabelId,
    NewLabelName,
    Justification,
    ActionSource,
    Application,
    DeviceName,
    IPAddress,
    Granted,
    SiteUrl,
}

/// A label event. A text that says nothing is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) at: i64,
    pub(super) action: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) file: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    /// The address of the site that its source names.
    pub(super) site: Option<&'a str>,
    pub(super) old: Option<Named<'a>>,
    pub(super) new: Option<Named<'a>>,
    pub(super) justification: Option<&'a str>,
    pub(super) how: Option<&'a str>,
    pub(super) application: Option<&'a str>,
    pub(super) device: Option<&'a str>,
    pub(super) address: Option<&'a str>,
    /// Whether it set, changed or took away a protection.
    pub(super) protects: bool,
    /// Whether it opened a document, by a log that also tells of denials.
    pub(super) granted: bool,
}

/// A label of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) rank: Option<i64>,
}

impl<'a> Named<'a> {
    /// What tells it from others: its id, else its name.
    pub(super) fn key(&self) -> &'a str {
        match self.id {
            "" => self.name,
            id => id,
        }
    }
}

impl Event<'_> {
    pub(super) fn is_change(&self) -> bool {
        CHANGES.contains(&self.action)
    }

    /// Whether something is less protected afterwards.
    pub(super) fn is_lowered(&self) -> bool {
        LOWERED.contains(&self.action)
    }
}

/// The times of the first and the last label event that is asked for.
pub(super) fn span(session: &Session, asked: &Asked<'_>) -> Result<Option<(i64, i64)>> {
    let sql = format!(
        "SELECT arrow_cast(min(e.\"{TIME}\"), 'Int64') AS \"First\", arrow_cast(max(e.\"{TIME}\"), 'Int64') AS \"Last\" \
         FROM \"LabelEvents\" AS e WHERE {} AND {}",
        within(asked.window, "e"),
        of_users(asked.users)
    );
    let mut span = None;
    let frame = fitted(session.plan(&sql)?)?;
    session.stream(frame, |batch| {
        let columns = Columns::of(batch, 2)?;
        if batch.num_rows() > 0 {
            span = columns.number(0, 0).zip(columns.number(1, 0));
        }
        Ok(())
    })?;
    Ok(span)
}

/// Shows the label events of a window, in no order. After each batch `after` is told.
pub(super) fn each<S>(
    session: &Session,
    (window, users): (Window, &[String]),
    state: &mut S,
    show: impl Fn(&mut S, &Event<'_>),
    after: impl Fn(&mut S) -> Result<()>,
) -> Result<()> {
    let denials = BOTH_WAYS.map(|table| format!("'{table}'")).join(", ");
    let changes = CHANGES.map(|action| format!("'{action}'")).join(", ");
    let sql = format!(
        "SELECT arrow_cast(e.\"{TIME}\", 'Int64') AS \"Time\", arrow_cast(e.\"OldLabelRank\", 'Int64') AS \"OldRank\", \
           arrow_cast(e.\"NewLabelRank\", 'Int64') AS \"NewRank\", \
           arrow_cast(CASE WHEN e.\"Action\" = 'ProtectionChanged' OR (e.\"Protected\" <> e.\"ProtectedBefore\" \
             AND e.\"Action\" IN ({changes})) THEN 1 ELSE 0 END, 'Int64') AS \"Protects\", \
           e.\"Action\", lower(trim(e.\"UserId\")) AS \"User\", e.\"FileName\", e.\"FilePath\", e.\"OldLabelId\", e.\"OldLabelName\", \
           e.\"NewLabelId\", e.\"NewLabelName\", e.\"Justification\", e.\"ActionSource\", e.\"Application\", e.\"DeviceName\", \
           e.\"IPAddress\", CASE WHEN e.\"Action\" = 'FileOpened' AND e.\"SourceTable\" IN ({denials}) THEN e.\"SourceTable\" END AS \"Granted\", \
           e.\"SiteUrl\" \
         FROM \"LabelEvents\" AS e WHERE {} AND {}",
        within(window, "e"),
        of_users(users)
    );
    let frame = fitted(session.plan(&sql)?)?;
    session.stream(frame, |batch| {
        let columns = Columns::of(batch, NUMBERS)?;
        for row in 0..batch.num_rows() {
            if let Some(event) = columns.event(row) {
                show(state, &event);
            }
        }
        after(state)
    })
}

/// The columns of a batch: first numbers, then texts.
struct Columns {
    numbers: Vec<Int64Array>,
    texts: Vec<StringArray>,
}

impl Columns {
    fn of(batch: &RecordBatch, numbers: usize) -> Result<Columns> {
        let mut columns = Columns {
            numbers: Vec::with_capacity(numbers),
            texts: Vec::with_capacity(batch.num_columns()),
        };
        for (at, column) in batch.columns().iter().enumerate() {
            if at < numbers {
                let column = cast(column, &DataType::Int64)?;
                columns
                    .numbers
                    .push(column.as_primitive::<Int64Type>().clone());
            } else {
                let column = cast(column, &DataType::Utf8)?;
                columns.texts.push(column.as_string::<i32>().clone());
            }
        }
        Ok(columns)
    }

    fn number(&self, column: usize, row: usize) -> Option<i64> {
        let numbers = self.numbers.get(column)?;
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    /// A text without blanks around it.
    fn text(&self, which: Text, row: usize) -> Option<&str> {
        let texts = self.texts.get(which as usize)?;
        let text = match texts.is_valid(row) {
            true => texts.value(row).trim(),
            false => "",
        };
        (!text.is_empty()).then_some(text)
    }

    fn label(&self, id: Text, name: Text, rank: usize, row: usize) -> Option<Named<'_>> {
        let (id, name) = (self.text(id, row), self.text(name, row));
        if id.is_none() && name.is_none() {
            return None;
        }
        Some(Named {
            id: id.unwrap_or_default(),
            name: name.unwrap_or_default(),
            rank: self.number(rank, row),
        })
    }

    /// The event of a row. The window lets none without a time pass.
    fn event(&self, row: usize) -> Option<Event<'_>> {
        Some(Event {
            at: self.number(0, row)?,
            action: self.text(Text::Action, row).unwrap_or("Other"),
            user: self.text(Text::User, row),
            file: self.text(Text::FileName, row),
            path: self.text(Text::FilePath, row),
            site: self.text(Text::SiteUrl, row),
            old: self.label(Text::OldLabelId, Text::OldLabelName, 1, row),
            new: self.label(Text::NewLabelId, Text::NewLabelName, 2, row),
            justification: self.text(Text::Justification, row),
            how: self.text(Text::ActionSource, row),
            application: self.text(Text::Application, row),
            device: self.text(Text::DeviceName, row),
            address: self.text(Text::IPAddress, row),
            protects: self.number(3, row) == Some(1),
            granted: self.text(Text::Granted, row).is_some(),
        })
    }
}

/// What a report calls where a file lies, by its path or the address of its site: the site of SharePoint or OneDrive, the host of another address, the share of a server, the drive of a device.
pub(super) fn site(path: &str) -> Option<String> {
    let small = path.get(..8).unwrap_or(path).to_ascii_lowercase();
    if small.starts_with("https://") || small.starts_with("http://") {
        let rest = path.split_once("://")?.1;
        let rest = rest.split(['?', '#']).next().unwrap_or(rest);
        let mut parts = rest.split('/');
        let host = parts.next()?.to_ascii_lowercase();
        let below = parts.next().unwrap_or_default();
        let is_site = ["sites", "teams", "personal", "portals"]
            .iter()
            .any(|known| below.eq_ignore_ascii_case(known));
        return Some(match parts.next().filter(|_| is_site) {
            Some(name) if !name.is_empty() => {
                format!("{host}/{}/{name}", below.to_ascii_lowercase())
            }
            _ => host,
        });
    }
    if let Some(rest) = path.strip_prefix(r"\\") {
        let mut parts = rest.split('\\').filter(|part| !part.is_empty());
        let server = parts.next()?.to_lowercase();
        return Some(match parts.next() {
            Some(share) => format!(r"\\{server}\{}", share.to_lowercase()),
            None => format!(r"\\{server}"),
        });
    }
    let mut letters = path.chars();
    match (letters.next(), letters.next()) {
        (Some(drive), Some(':')) if drive.is_ascii_alphabetic() => {
            Some(format!("{}: on a device", drive.to_ascii_uppercase()))
        }
        _ => None,
    }
}

/// The extension of a file's name in lower case; `none` where it has none.
pub(super) fn extension(name: &str) -> String {
    /// Longer ones are words behind a full stop.
    const LONGEST: usize = 12;
    match name.rsplit_once('.') {
        Some((stem, end))
            if !stem.is_empty()
                && (1..=LONGEST).contains(&end.len())
                && end.chars().all(char::is_alphanumeric) =>
        {
            end.to_lowercase()
        }
        _ => "none".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_lies_is_a_site_a_share_or_a_drive() {
        for (path, wanted) in [
            (
                "https://Contoso.sharepoint.com/sites/sales/Shared Documents/a.xlsx",
                Some("contoso.sharepoint.com/sites/sales"),
            ),
            (
                "https://contoso-my.sharepoint.com/Personal/a_contoso_com/Documents/b.docx",
                Some("contoso-my.sharepoint.com/personal/a_contoso_com"),
            ),
            (
                "https://contoso.sharepoint.com/Plan.docx",
                Some("contoso.sharepoint.com"),
            ),
            ("http://x", Some("x")),
            (r"\\FS01\Share\Folder\a.docx", Some(r"\\fs01\share")),
            (r"c:\Users\a.docx", Some("C: on a device")),
            ("<C8E8@mail.contoso.com>", None),
            ("Plan.docx", None),
            ("", None),
            ("ééééé", None),
        ] {
            assert_eq!(site(path).as_deref(), wanted, "{path}");
        }
    }

    #[test]
    fn an_extension_is_what_stands_behind_the_last_full_stop() {
        for (name, wanted) in [
            ("a.DOCX", "docx"),
            ("a.tar.gz", "gz"),
            (".profile", "none"),
            ("Budget figures for the lease", "none"),
            ("Re: plan. And what comes next", "none"),
            ("a.", "none"),
        ] {
            assert_eq!(extension(name), wanted, "{name}");
        }
    }
}
