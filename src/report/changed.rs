//! Labels that were lowered or removed, as a document of its own: for the tenant, or for a manager.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use minijinja::{AutoEscape, Environment};
use serde_json::json;

use super::heading::Heading;
use super::tables::{Table, Value};
use crate::case::figures::picture::Lowered;
use crate::engine::output;
use crate::fault::{Error, Result};
use crate::ingest::own::GENERATOR;
use crate::text::counted;
use crate::text::workbook::{Book, ROWS};

/// The template of the page.
const PAGE: &str = "changes.html";
/// Width of a column of a workbook.
const WIDTH: f64 = 24.0;

/// For whom a document of changes is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// The security team: all that is known.
    Team,
    /// A manager, who learns nothing of addresses, devices and applications.
    Manager(String),
}

/// Changes for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The changes, by time.
    pub rows: Vec<Lowered>,
    /// For whom they are.
    pub reader: Reader,
    /// Changes that have no time, and so are not among them.
    pub untimed: u64,
}

impl Changes {
    /// As one HTML file.
    ///
    /// # Errors
    /// When the template fails, which is a fault of coldtrail.
    pub fn html(&self, heading: &Heading) -> Result<String> {
        let count = |action: &str| self.rows.iter().filter(|row| row.action == action).count();
        let people: BTreeSet<&str> = self.rows.iter().map(|row| row.user.as_str()).collect();
        let manager = match &self.reader {
            Reader::Team => None,
            Reader::Manager(manager) => Some(manager),
        };
        let context = json!({
            "generator": GENERATOR,
            "made": heading.iso(heading.now),
            "zone": heading.zone.map_or("UTC", |zone| zone.name()),
            "from": heading.from.map(|t| heading.iso(t)),
            "to": heading.to.map(|t| heading.iso(t)),
            "manager": manager,
            "team": manager.is_none(),
            "lowered": count("LabelDowngraded"),
            "removed": count("LabelRemoved"),
            "people": people.len(),
            "managed": self.rows.iter().any(|row| row.manager.is_some()),
            "untimed": (self.untimed > 0).then(|| counted(self.untimed, "change")),
            "rows": self.rows,
        });
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_filter("seen", output::seen);
        let wrong = |e: minijinja::Error| Error::Unusable {
            path: PAGE.into(),
            reason: e.to_string(),
        };
        environment
            .add_template(PAGE, include_str!("changes.html"))
            .map_err(wrong)?;
        environment
            .get_template(PAGE)
            .and_then(|page| page.render(&context))
            .map_err(wrong)
    }

    /// As CSV.
    pub fn csv(&self) -> String {
        let table = self.table();
        let mut out = format!("{}\n", table.columns.join(","));
        for row in &table.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|value| match value {
                    Value::Text(text) => output::csv(text),
                    other => other.text().into_owned(),
                })
                .collect();
            out += &cells.join(",");
            out.push('\n');
        }
        out
    }

    /// As a workbook, whose rows lie in a folder until it is written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn workbook(&self, out: impl Write + Send, folder: Option<&Path>) -> io::Result<()> {
        let table = self.table();
        let mut book = Book::new(GENERATOR, ROWS, folder)?;
        let columns: Vec<(&str, f64)> = table.columns.iter().map(|name| (*name, WIDTH)).collect();
        book.sheet(table.name, &columns)?;
        for row in &table.rows {
            book.row(row.iter().map(Value::cell))?;
        }
        book.finish(out)
    }

    fn table(&self) -> Table<'_> {
        let is_team = self.reader == Reader::Team;
        let mut columns = vec![
            "time",
            "action",
            "user",
            "file",
            "label_before",
            "label_after",
            "justification",
        ];
        if is_team {
            columns.extend([
                "manager",
                "application",
                "device",
                "address",
                "ingest",
                "record",
            ]);
        }
        Table::new("Label changes", &columns).with(&self.rows, |row| {
            let mut cells = vec![
                Value::Time(&row.time),
                Value::from(&row.action),
                Value::from(&row.user),
                Value::said(row.file.as_ref()),
                Value::said(row.old.as_ref()),
                Value::said(row.new.as_ref()),
                Value::said(row.justification.as_ref()),
            ];
            if is_team {
                cells.extend([
                    Value::said(row.manager.as_ref()),
                    Value::said(row.application.as_ref()),
                    Value::said(row.device.as_ref()),
                    Value::said(row.address.as_ref()),
                    Value::from(row.ingest),
                    Value::from(row.record),
                ]);
            }
            cells
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(reader: Reader) -> Changes {
        Changes {
            rows: vec![Lowered {
                time: "2026-05-20T19:40:05Z".into(),
                at: 0,
                action: "LabelRemoved".into(),
                user: "eve@contoso.com".into(),
                manager: Some("alice@contoso.com".into()),
                file: Some("<script>alert(1)</script>.docx".into()),
                old: Some("{{ 7 * 7 }}".into()),
                new: None,
                justification: Some("=cmd|' /C calc'!A0\u{202e}".into()),
                application: None,
                device: Some("WS-EVE".into()),
                address: Some("192.0.2.7".into()),
                ingest: 1,
                record: 2,
            }],
            reader,
            untimed: 0,
        }
    }

    fn heading() -> Heading {
        Heading {
            archive: "a".into(),
            now: 0,
            from: None,
            to: None,
            zone: None,
        }
    }

    #[test]
    fn hostile_text_stays_text_in_every_format() {
        let changes = changes(Reader::Team);
        let html = changes.html(&heading()).expect("a page");
        assert!(
            !html.contains("<script") && !html.contains('\u{202e}'),
            "{html}"
        );
        assert!(
            html.contains("&lt;script&gt;") && html.contains("{{ 7 * 7 }}"),
            "{html}"
        );
        assert!(html.contains("192.0.2.7"));
        let csv = changes.csv();
        assert!(csv.contains(",'=cmd|"), "{csv}");
        let mut book = Vec::new();
        changes.workbook(&mut book, None).expect("a workbook");
        assert!(book.starts_with(b"PK"));
    }

    #[test]
    fn managers_have_a_column_where_one_is_known() {
        const COLUMN: &str = ">Manager</th>";
        let mut changes = changes(Reader::Team);
        let html = changes.html(&heading()).expect("a page");
        assert!(html.contains(COLUMN), "{html}");
        changes.rows[0].manager = None;
        let html = changes.html(&heading()).expect("a page");
        assert!(!html.contains(COLUMN), "{html}");
        assert!(html.contains("eve@contoso.com"));
    }

    #[test]
    fn a_manager_learns_no_address_and_no_device() {
        let changes = changes(Reader::Manager("alice@contoso.com".into()));
        let html = changes.html(&heading()).expect("a page");
        let csv = changes.csv();
        for text in [&html, &csv] {
            assert!(
                !text.contains("192.0.2.7") && !text.contains("WS-EVE"),
                "{text}"
            );
            assert!(text.contains("eve@contoso.com"));
        }
        assert!(
            html.contains("report to <bdi>alice@contoso.com</bdi>"),
            "{html}"
        );
    }
}
