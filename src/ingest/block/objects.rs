//! Records that are JSON objects.

use std::sync::Arc;

use super::super::columns::{Filler, Target, is_named};
use super::super::entra::Sort;
use super::super::format::{
    Format, Kind, OTHER, SOME, by_itself, is_unknown_table, is_vague, names_table,
    repeats_the_record,
};
use super::super::json::{self, Raw};
use super::super::recast::{self, Recast};
use super::super::rows::{Row, Slot};
use super::super::{answers, audit, behind, mended, suffixed, time, wrappers};
use super::piece::Converted;
use crate::catalog::{self, Table, catalog, table};

/// What the table of a streamed record is called: as its `Type` says, and where it has none, as its category.
fn called<'s>(transport: &'s [(String, Slot<'_>)], category: &'s str) -> &'s str {
    let own = transport.iter().rfind(|(name, _)| name == "Type");
    let own = own.map(|(_, value)| value.text());
    own.filter(|own| !own.is_empty()).unwrap_or(category)
}

/// Converts JSON records.
pub(super) struct Objects<'f, 'a> {
    format: &'f Arc<Format>,
    audit: Row<'a>,
    fillers: Vec<(&'static Table, Filler<'a>)>,
    /// What is around the record in the object of another tool.
    around: &'a [(String, Slot<'a>)],
    /// The time that it has there.
    time: Option<i64>,
}

impl<'f, 'a> Objects<'f, 'a> {
    pub(super) fn new(format: &'f Arc<Format>) -> Self {
        Objects {
            format,
            audit: Row::new(table("UnifiedAuditLog")),
            fillers: Vec::new(),
            around: &[],
            time: None,
        }
    }

    /// Whether most keys of an object, beside those that every table has, are columns of a table.
    fn looks_like(&self, table: &Table, text: &str) -> bool {
        let (own, other) = own_and_other(table, text);
        own > 2 * other
    }

    fn filler(&mut self, table: &'static Table) -> &mut Filler<'a> {
        let i = match self.fillers.iter().position(|f| std::ptr::eq(f.0, table)) {
            Some(i) => i,
            None => {
                let filler = Filler::new(table, self.format.order, self.format.zone)
                    .timed_by(self.format.time_column.as_deref())
                    .called(self.format.called.as_deref());
                let filler = match self.format.kind {
                    Kind::Objects { .. } | Kind::Recast { .. } => filler,
                    // The name may stand anywhere in other objects.
                    _ => filler.timed_where_seen(),
                };
                self.fillers.push((table, filler));
                self.fillers.len() - 1
            }
        };
        &mut self.fillers[i].1
    }

    pub(super) fn add(&mut self, bytes: &'a [u8], offset: usize, out: &mut Converted) {
        if let Err(reason) = self.try_add(bytes, out) {
            out.reject(offset, reason, bytes);
        }
    }

    /// Adds a record, or says why it cannot be.
    pub(super) fn try_add(&mut self, bytes: &'a [u8], out: &mut Converted) -> Result<(), String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "not valid UTF-8".to_string())?;
        let format = self.format;
        if let Err(reason) = self.convert(&format.kind, text, out) {
            let json = mended::object(text).ok_or_else(|| reason.clone())?;
            Objects::new(format)
                .convert(&format.kind, &json, out)
                .map_err(|_| reason)?;
            out.remark(mended::MENDED);
        }
        out.records += 1;
        Ok(())
    }

    /// Adds the record of a line, which may stand behind something else there.
    pub(super) fn add_line(&mut self, line: &'a [u8], offset: usize, out: &mut Converted) {
        if line.first() == Some(&b'{') {
            return self.add(line, offset, out);
        }
        let is_log = behind::is_of(&self.format.why);
        match behind::object(line) {
            Some(at) => {
                out.remark(behind::BEHIND);
                self.add(&line[at..], offset + at, out);
            }
            None if is_log => out.remark(behind::LINES),
            None if behind::is_remark(line) => out.remark(behind::REMARKS),
            None => self.add(line, offset, out),
        }
    }

    /// Adds a record that stood in an object of another tool, with what is around it there; the caller counts it.
    pub(super) fn held(
        &mut self,
        kind: &Kind,
        text: &'a str,
        around: &'a [(String, Slot<'a>)],
        time: Option<i64>,
        out: &mut Converted,
    ) -> Result<(), String> {
        self.around = around;
        self.time = self.asked_around(around).or(time);
        let done = self.convert(kind, text, out);
        self.around = &[];
        self.time = None;
        done
    }

    fn convert(&mut self, kind: &Kind, text: &'a str, out: &mut Converted) -> Result<(), String> {
        match kind {
            Kind::Audit => self.audit_record(text, out),
            Kind::AuditWrapped => self.wrapped(text, out),
            Kind::Objects { table } => self.object(table, text, out),
            Kind::Streamed => self.streamed(text, out),
            Kind::Recast { recast } if recast.is_of(text) => self.recast(recast, text, out),
            Kind::Recast { .. } => match by_itself(text) {
                Kind::Recast { recast } => self.recast(recast, text, out),
                kind => self.convert(&kind, text, out),
            },
            // Detection gives JSON no other kind, and a record none that holds another.
            Kind::AuditCell { .. }
            | Kind::AuditFlat { .. }
            | Kind::Cells { .. }
            | Kind::Wrapped { .. }
            | Kind::WrappedCell { .. } => Err("not of this container".into()),
        }
        .map_err(|reason| answers::no_event(text).unwrap_or(reason))
    }

    /// The time under the key that the user named, for an audit record that has none of its own.
    fn asked(&self, text: &str) -> Option<i64> {
        let column = self.format.time_column.as_deref()?;
        let mut found = None;
        // What is no object is said when it is read.
        let _ = json::entries(text, |key, raw| {
            if is_named(&key, column) {
                found = raw.text().and_then(|t| time::parse(&t, self.format.order));
            }
        });
        found
    }

    /// The same of what is around a record.
    fn asked_around(&self, around: &[(String, Slot<'_>)]) -> Option<i64> {
        let column = self.format.time_column.as_deref()?;
        let is_it = |name: &str| {
            let own = name.rsplit('.').next().unwrap_or(name);
            is_named(name, column) || is_named(own, column)
        };
        let (_, value) = around.iter().find(|(name, _)| is_it(name))?;
        time::parse(value.text(), self.format.order)
    }

    fn audit_record(&mut self, text: &'a str, out: &mut Converted) -> Result<(), String> {
        if answers::says_nothing(text) {
            return Err(answers::NOTHING.into());
        }
        if self.format.why.contains(suffixed::WHY) {
            return match suffixed::record(text) {
                Some(made) => self.made_again(text, &made, out),
                None => self.object(catalog::table(OTHER), text, out),
            };
        }
        let record = out.records as i64;
        let time = self.time.or_else(|| self.asked(text));
        let rows = out.rows(table("UnifiedAuditLog"), self.format);
        for (name, value) in self.around {
            self.audit.extra_quietly(name, value);
        }
        audit::push(text, &mut self.audit, rows, record, time).map_err(|refusal| match refusal {
            // Here the record is the whole text, not a cell called AuditData.
            audit::Refusal::Json(fault) => fault.to_string(),
            other => other.to_string(),
        })
    }

    /// Adds an audit record that was made again of its parts, with these beside it.
    fn made_again(&self, text: &str, made: &str, out: &mut Converted) -> Result<(), String> {
        let record = out.records as i64;
        let rows = out.rows(table("UnifiedAuditLog"), self.format);
        let mut row = Row::new(rows.table);
        for (name, value) in self.around {
            row.extra_quietly(name, value);
        }
        json::entries(text, |key, raw| {
            if !matches!(raw, Raw::Null) {
                row.extra_quietly(&key, &Slot::from(raw));
            }
        })
        .map_err(|fault| fault.to_string())?;
        audit::push(made, &mut row, rows, record, self.time).map_err(|refusal| refusal.to_string())
    }

    fn wrapped(&mut self, text: &'a str, out: &mut Converted) -> Result<(), String> {
        let mut inner = None;
        let mut fallback = self.time;
        let order = self.format.order;
        let mut others: Vec<(String, Slot<'a>)> = self.around.to_vec();
        json::entries(text, |key, raw| match key.as_ref() {
            "AuditData" | "auditData" => inner = Some(raw),
            "CreationDate" | "createdDateTime" => {
                fallback = raw.text().and_then(|t| time::parse(&t, order));
            }
            other if repeats_the_record(other) => {}
            other => others.push((other.to_string(), raw.into())),
        })
        .map_err(|fault| fault.to_string())?;
        fallback = self.asked(text).or(fallback);
        for (name, value) in &others {
            if !value.text().is_empty() {
                self.audit.extra_quietly(name, value);
            }
        }
        let record = out.records as i64;
        let rows = out.rows(table("UnifiedAuditLog"), self.format);
        let pushed = match inner {
            Some(Raw::Other(json)) => audit::push(json, &mut self.audit, rows, record, fallback),
            Some(Raw::Text {
                inner,
                escaped: false,
            }) => audit::push(inner, &mut self.audit, rows, record, fallback),
            Some(Raw::Text { inner, .. }) => {
                let text = json::unescape(inner);
                let mut row = Row::new(rows.table);
                for (name, value) in others.iter().filter(|o| !o.1.text().is_empty()) {
                    row.extra_quietly(name, value);
                }
                self.audit.clear();
                audit::push(&text, &mut row, rows, record, fallback)
            }
            Some(Raw::Null) | None => {
                self.audit.clear();
                Err(audit::Refusal::Empty)
            }
        };
        // In quotes once more, or in an AuditData of its own.
        let deeper = match &pushed {
            Err(audit::Refusal::Json(_) | audit::Refusal::NotAudit) => inner
                .and_then(Raw::text)
                .and_then(|text| wrappers::audit_record(&text)),
            _ => None,
        };
        let pushed = match deeper {
            None => pushed,
            Some(text) => {
                let mut row = Row::new(rows.table);
                for (name, value) in others.iter().filter(|o| !o.1.text().is_empty()) {
                    row.extra_quietly(name, value);
                }
                audit::push(&text, &mut row, rows, record, fallback)
            }
        };
        pushed.map_err(|refusal| refusal.to_string())
    }

    fn object(
        &mut self,
        default: &'static Table,
        text: &'a str,
        out: &mut Converted,
    ) -> Result<(), String> {
        // Objects of a known table are not looked through for it.
        let nothing = match default.name {
            OTHER => answers::no_event(text),
            _ if answers::says_nothing(text) => Some(answers::NOTHING.into()),
            _ => answers::error_answer(text),
        };
        if let Some(reason) = nothing {
            return Err(reason);
        }
        let mut own = None;
        // What another key says, and whether the row has it as its `Type` anyway.
        let (mut other, mut kept, mut vague) = (None, true, false);
        let mut sort = Sort::applies_to(default).then(Sort::default);
        if default.position("Type").is_some() || default.name == OTHER {
            // Rows of several tables may stand in one file.
            json::entries(text, |key, raw| match key.as_ref() {
                "Type" => own = raw.text(),
                "$table" | "source_" => (other, kept, vague) = (raw.text(), true, false),
                key if names_table(key) => {
                    (other, kept, vague) = (raw.text(), false, is_vague(key));
                }
                key => {
                    if let Some(sort) = &mut sort {
                        sort.note_raw(key, raw);
                    }
                }
            })
            .map_err(|fault| fault.to_string())?;
        }
        let stored = |name: &str| catalog().get(name.trim()).filter(|t| t.by_day);
        // Other keys may hold anything.
        let other = other.filter(|name| match stored(name) {
            // Counts by table have none of the table's columns.
            Some(table) => !vague || own_and_other(table, text).0 >= SOME,
            None => is_unknown_table(name, false),
        });
        let says = [&own, &other].into_iter().flatten();
        let chosen = match says.clone().find_map(|name| stored(name)) {
            Some(table) => table,
            None => match says.into_iter().find(|name| !name.is_empty()) {
                None => sort.map_or(default, |sort| sort.table(default)),
                // A projection may have put something else there, which does not end as custom tables do; then the other columns tell.
                Some(name) if !name.ends_with("_CL") && self.looks_like(default, text) => default,
                Some(name) => {
                    // Objects of no known kind may have anything there, and of the first the file's note says it.
                    let is_table = default.name != OTHER || is_unknown_table(name, false);
                    if is_table && !self.format.why.contains(&**name) {
                        out.unknown(name);
                    }
                    if own.is_none() && !kept {
                        let named = [("Type".to_string(), Slot::Text(name.clone()))];
                        return self.row(catalog::table(OTHER), text, &named, out);
                    }
                    catalog::table(OTHER)
                }
            },
        };
        self.row(chosen, text, &[], out)
    }

    /// Adds one object as a row, with what its transport said.
    fn row(
        &mut self,
        table: &'static Table,
        text: &'a str,
        transport: &[(String, Slot<'a>)],
        out: &mut Converted,
    ) -> Result<(), String> {
        self.filler(table)
            .set_object(text)
            .map_err(|f| f.to_string())?;
        self.push(table, transport, out);
        Ok(())
    }

    /// Adds the row that was set, with what its transport said.
    fn push(
        &mut self,
        table: &'static Table,
        transport: &[(String, Slot<'a>)],
        out: &mut Converted,
    ) {
        let (format, around) = (self.format, self.around);
        let filler = self.filler(table);
        for (name, value) in around {
            filler.note_time(name, value);
            filler.transport(name, value);
        }
        for (name, value) in transport {
            filler.note_time(name, value);
            match (name.as_str(), table.position("TenantId")) {
                ("tenantId", Some(i)) => filler.set(&Target::Column(i), value.clone()),
                _ => filler.transport(name, value),
            }
        }
        let record = out.records as i64;
        filler.push(out.rows(table, format), record);
    }

    fn streamed(&mut self, text: &'a str, out: &mut Converted) -> Result<(), String> {
        let mut category = None;
        let mut properties = None;
        let mut filled: Option<&'static Table> = None;
        let mut twice = false;
        let mut transport: Vec<(String, Slot<'a>)> = Vec::new();
        let walked = json::members(text, |key, value| {
            match key {
                // The row was read by what the first of them said.
                "category" | "properties" if filled.is_some() => {
                    value.raw()?;
                    twice = true;
                }
                "category" => category = value.raw()?.text(),
                "properties" => {
                    // Where the table is known by now, the row is read in the same go.
                    let known = category.as_deref().and_then(hunting_table);
                    match known.filter(|_| value.is_object() && filled.is_none()) {
                        Some(table) => {
                            self.filler(table).set_value(value)?;
                            filled = Some(table);
                        }
                        None => properties = Some(value.raw()?),
                    }
                }
                // It says `Publish` always.
                "operationName" => {}
                other => transport.push((other.to_string(), value.raw()?.into())),
            }
            Ok(())
        });
        if let Err(fault) = walked {
            if let Some(table) = filled {
                self.filler(table).clear();
            }
            return Err(fault.to_string());
        }
        if let Some(table) = filled {
            if twice {
                self.filler(table).clear();
                return Err("`category` or `properties` stands there twice".into());
            }
            self.push(table, &transport, out);
            return Ok(());
        }
        let category =
            category.ok_or("no `category`: neither of the streaming API nor of Azure Monitor")?;
        let Some(Raw::Other(properties)) = properties.filter(|p| is_text_of_object(*p)) else {
            return Err("no `properties` object".into());
        };
        if let Some(name) = category.strip_prefix("AdvancedHunting-") {
            return match hunting_table(&category) {
                Some(table) => self.row(table, properties, &transport, out),
                None => {
                    out.unknown(called(&transport, name));
                    transport.push(("category".into(), Slot::Text(category)));
                    self.row(catalog::table(OTHER), properties, &transport, out)
                }
            };
        }
        transport.push(("category".into(), Slot::Text(category.clone())));
        match catalog::diagnostic(&category) {
            Some(table) => self.diagnostic(table, properties, &transport, out),
            None => {
                out.unknown(called(&transport, &category));
                self.row(catalog::table(OTHER), text, &[], out)
            }
        }
    }

    /// Adds a record of Azure Monitor's diagnostic settings: the row is in Graph's spelling, and columns of the table stand around it.
    fn diagnostic(
        &mut self,
        table: &'static Table,
        properties: &'a str,
        envelope: &[(String, Slot<'a>)],
        out: &mut Converted,
    ) -> Result<(), String> {
        let (format, around) = (self.format, self.around);
        let filler = self.filler(table);
        let mut made = Slot::Empty;
        json::entries(properties, |key, raw| match key.as_ref() {
            "createdDateTime" | "activityDateTime" | "timeGenerated" => {
                made = raw.into();
                filler.note_time(&key, &made);
                filler.offer(&key, &made);
            }
            key => {
                filler.note_time(key, &raw.into());
                filler.spell(key, raw.into());
            }
        })
        .map_err(|fault| {
            filler.clear();
            fault.to_string()
        })?;
        for (name, value) in envelope {
            filler.note_time(name, value);
            let taken = match name.as_str() {
                // Sign-ins are delivered up to 18 minutes after they happened.
                "time" => {
                    if made == Slot::Empty {
                        made = value.clone();
                    }
                    false
                }
                "tenantId" => filler.offer("AADTenantId", value),
                "callerIpAddress" => filler.offer("IPAddress", value),
                name => filler.offer(name, value),
            };
            if !taken {
                filler.transport(name, value);
            }
        }
        for (name, value) in around {
            filler.note_time(name, value);
            filler.transport(name, value);
        }
        filler.set(&Target::Time(0), made);
        let record = out.records as i64;
        filler.push(out.rows(table, format), record);
        Ok(())
    }

    /// Adds an event in the spelling of another interface.
    fn recast(
        &mut self,
        recast: &'static Recast,
        text: &'a str,
        out: &mut Converted,
    ) -> Result<(), String> {
        let values = recast.values(text).map_err(|fault| fault.to_string())?;
        if recast.table == recast::AUDIT {
            let text = values.audit_record();
            let time = values.column("CreationTime").map(Slot::text);
            let time = time.and_then(|t| time::parse(t, self.format.order));
            let record = out.records as i64;
            let rows = out.rows(table(recast::AUDIT), self.format);
            let mut row = Row::new(rows.table);
            for (name, value) in self.around {
                row.extra_quietly(name, value);
            }
            audit::push(&text, &mut row, rows, record, time.or(self.time))
                .map_err(|refusal| refusal.to_string())?;
            if recast.lacks_record() {
                out.remark(recast::LACKING);
            }
            return Ok(());
        }
        let stored = catalog().get(recast.table).filter(|t| t.by_day);
        let table = stored.unwrap_or(catalog::table(OTHER));
        if stored.is_none() {
            out.unknown(recast.table);
        }
        let is_timed = self.format.time_column.is_some();
        let filler = self.filler(table);
        if stored.is_none() {
            let name = Slot::Text(recast.table.into());
            filler.set(&Target::Extra("Type".into()), name);
        }
        for (column, value) in values.columns {
            if column == catalog::TIME {
                filler.set(&Target::Time(2), value);
            } else if !filler.offer(column, &value) {
                filler.set(&Target::Extra(column.into()), value);
            }
        }
        if is_timed {
            // What is no object was said above.
            let _ = json::entries(text, |key, raw| filler.note_time(&key, &raw.into()));
        }
        for (name, raw) in values.others {
            filler.set(&Target::Extra(name.into_owned()), raw.into());
        }
        self.push(table, &[], out);
        Ok(())
    }
}

/// How many keys of an object are columns of a table and how many are not, beside those that every table has.
fn own_and_other(table: &Table, text: &str) -> (usize, usize) {
    let (mut own, mut other) = (0, 0);
    // What is no object is said by the caller's next look at it.
    let _ = json::entries(text, |key, _| match key.as_ref() {
        "TimeGenerated" | "Type" | "TenantId" | "SourceSystem" => {}
        key if key.starts_with('_') => {}
        key if table.position(key).is_some() => own += 1,
        _ => other += 1,
    });
    (own, other)
}

/// The table that a category of the streaming API names.
fn hunting_table(category: &str) -> Option<&'static Table> {
    let name = category.strip_prefix("AdvancedHunting-")?;
    catalog().get(name).filter(|t| t.by_day)
}

fn is_text_of_object(raw: Raw<'_>) -> bool {
    matches!(raw, Raw::Other(text) if text.starts_with('{'))
}

/// Whether the bytes are one JSON object.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|t| json::entries(t, |_, _| {}).is_ok())
}
