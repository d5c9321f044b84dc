//! What was raised, as people and programs read it: alerts and incidents as a table, or in the columns of Sentinel.

use std::path::Path;

use chrono_tz::Tz;
use serde_json::Value;

use super::answer::{Shape, format_among, text_into_file};
use super::layout;
use super::remarks::is_guid;
use super::ui::{self, answer, count, time_text};
use crate::archive::conclusions::Row;
use crate::catalog::{self, ALERTS, INCIDENTS, Kusto};
use crate::engine::output::{Format, in_zone};
use crate::fault::{Error, Result};
use crate::hunt::replay::AlertEntity;
use crate::hunt::replay::alert::{Alert, Workspace};
use crate::hunt::replay::incident::Incident;
use crate::report;
use crate::rules::Rule;

/// Where an answer goes, and how it is shown there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// As a table, or in a format for programs.
    pub(super) shape: Shape,
    file: Option<&'a Path>,
    zone: Option<Tz>,
}

/// Extensions of files with findings.
const WRITTEN: [&str; 6] = ["json", "ndjson", "jsonl", "csv", "md", "txt"];

impl<'a> Place<'a> {
    /// A file, or standard output, in the format that is asked for or that the file's name says.
    ///
    /// # Errors
    /// When the file exists and may not be replaced, or when its name says a format that is not written.
    pub(super) fn of(
        file: Option<&'a Path>,
        format: Option<Shape>,
        clobber: bool,
        zone: Option<Tz>,
    ) -> Result<Place<'a>> {
        let Some(path) = file else {
            let shape = format.unwrap_or(Shape::Table);
            return Ok(Place { shape, file, zone });
        };
        let shape = format_among(path, format, &WRITTEN)?;
        if let Shape::Other(Format::Parquet | Format::Kusto) = shape {
            return Err(Error::Usage(format!(
                "-o {}: findings are written as .json, .ndjson, .csv, .md or .txt",
                path.display()
            )));
        }
        refuse_existing(path, clobber)?;
        Ok(Place { shape, file, zone })
    }

    /// Whether it is a file.
    pub(super) fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Writes a text that is made for a terminal of this width, or for what is none.
    pub(super) fn put(&self, text: impl FnOnce(Option<usize>) -> String) -> Result<()> {
        match self.file {
            Some(path) => text_into_file(path, &text(None)),
            None => answer(&text(ui::columns())),
        }
    }

    /// Writes alerts.
    pub(super) fn put_alerts(&self, alerts: &[(&Rule, &Alert)]) -> Result<()> {
        let Shape::Other(format) = self.shape else {
            return self.put(|width| self.alert_table(alerts, width));
        };
        let workspace = Workspace::default();
        let rows = alerts
            .iter()
            .map(|(rule, alert)| alert.row(rule, &workspace));
        let rows = self.shown(ALERTS, rows.collect());
        self.put(|_| report::alerts(format, &rows))
    }

    /// Writes incidents.
    pub(super) fn put_incidents(&self, incidents: &[Incident]) -> Result<()> {
        let Shape::Other(format) = self.shape else {
            return self.put(|width| self.incident_table(incidents, width));
        };
        let workspace = Workspace::default();
        let rows = incidents.iter().map(|incident| incident.row(&workspace));
        let rows = self.shown(INCIDENTS, rows.collect());
        self.put(|_| report::incidents(format, &rows))
    }

    /// A time, in microseconds, as it is shown there.
    pub(super) fn time(&self, time: i64) -> String {
        let text = time_text(time);
        match self.zone {
            Some(zone) => in_zone(&text, zone).into_owned(),
            None => text,
        }
    }

    /// Rows of a table with their times as they are shown there.
    fn shown(&self, table: &str, mut rows: Vec<Row>) -> Vec<Row> {
        let Some(zone) = self.zone else {
            return rows;
        };
        let columns = catalog::table(table).columns.iter();
        for column in columns.filter(|column| column.kusto == Kusto::DateTime) {
            for row in &mut rows {
                if let Some(Value::String(time)) = row.get_mut(column.name) {
                    *time = in_zone(time, zone).into_owned();
                }
            }
        }
        rows
    }

    fn alert_table(&self, alerts: &[(&Rule, &Alert)], width: Option<usize>) -> String {
        const HEADER: [&str; 6] = ["time", "rule", "severity", "title", "entities", "events"];
        let rows: Vec<Vec<String>> = alerts
            .iter()
            .map(|(rule, alert)| {
                let called = match is_guid(&alert.rule) && !rule.name.is_empty() {
                    true => &rule.name,
                    false => &alert.rule,
                };
                vec![
                    self.time(alert.time()),
                    called.clone(),
                    alert.severity.name().to_string(),
                    alert.name.clone(),
                    named(&alert.entities),
                    format!("{} to {}", self.time(alert.start), self.time(alert.end)),
                ]
            })
            .collect();
        self.table(&HEADER, &rows, &[], width)
    }

    fn incident_table(&self, incidents: &[Incident], width: Option<usize>) -> String {
        const HEADER: [&str; 7] = [
            "number",
            "created",
            "severity",
            "title",
            "alerts",
            "first event",
            "last event",
        ];
        let rows: Vec<Vec<String>> = incidents
            .iter()
            .map(|incident| {
                vec![
                    incident.number.to_string(),
                    self.time(incident.created),
                    incident.severity.name().to_string(),
                    incident.title.clone(),
                    incident.alerts.len().to_string(),
                    self.time(incident.first_activity),
                    self.time(incident.last_activity),
                ]
            })
            .collect();
        self.table(&HEADER, &rows, &[0, 4], width)
    }

    /// A table. Where it has no rows its header alone tells nothing; a file has it all the same.
    fn table(
        &self,
        header: &[&str],
        rows: &[Vec<String>],
        right: &[usize],
        width: Option<usize>,
    ) -> String {
        match rows.is_empty() && !self.is_file() {
            true => String::new(),
            false => laid_out(header, rows, right, width),
        }
    }
}

/// Refuses to replace a file without being told to.
pub(super) fn refuse_existing(path: &Path, clobber: bool) -> Result<()> {
    if path.is_file() && !clobber {
        return Err(Error::Exists(path.to_path_buf()));
    }
    Ok(())
}

/// A table for a terminal of this width, or for what is none.
pub(super) fn laid_out(
    header: &[&str],
    rows: &[Vec<String>],
    right: &[usize],
    width: Option<usize>,
) -> String {
    match width {
        Some(width) => layout::fitted(header, rows, right, width),
        None => layout::lines(header, rows, right),
    }
}

/// Entities of an alert that a line names.
const NAMED: usize = 3;

fn named(entities: &[AlertEntity]) -> String {
    let mut text: Vec<String> = entities
        .iter()
        .take(NAMED)
        .map(AlertEntity::called)
        .collect();
    if let Some(more) = entities.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push(format!("and {} more", count(more as u64)));
    }
    text.join(", ")
}
