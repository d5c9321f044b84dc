//! Records that are JSON objects.

use std::sync::Arc;

use super::super::columns::{Filler, Target};
use super::super::detect::{Format, Kind, OTHER, repeats_the_record};
use super::super::json::{self, Raw};
use super::super::rows::{Row, Slot};
use super::super::{audit, time};
use super::{Block, Converted};
use crate::catalog::{self, Table, catalog, table};

/// Converts JSON records.
pub(super) struct Objects<'f, 'a> {
    format: &'f Arc<Format>,
    audit: Row<'a>,
    fillers: Vec<(&'static Table, Filler<'a>)>,
}

impl<'f, 'a> Objects<'f, 'a> {
    pub(super) fn new(format: &'f Arc<Format>) -> Self {
        Objects {
            format,
            audit: Row::new(table("UnifiedAuditLog")),
            fillers: Vec::new(),
        }
    }

    /// Whether most keys of an object, beside those that every table has, are columns of a table.
    fn looks_like(&self, table: &Table, text: &str) -> bool {
        let (mut own, mut other) = (0, 0);
        // What is no object is said by the caller's next look at it.
        let _ = json::entries(text, |key, _| match key.as_ref() {
            "TimeGenerated" | "Type" | "TenantId" | "SourceSystem" => {}
            key if key.starts_with('_') => {}
            key if table.position(key).is_some() => own += 1,
            _ => other += 1,
        });
        own > 2 * other
    }

    fn filler(&mut self, table: &'static Table) -> &mut Filler<'a> {
        let i = match self.fillers.iter().position(|f| std::ptr::eq(f.0, table)) {
            Some(i) => i,
            None => {
                self.fillers.push((
                    table,
                    Filler::new(table, self.format.order, self.format.zone),
                ));
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
        match &self.format.kind {
            Kind::Audit => self.audit_record(text, out),
            Kind::AuditWrapped => self.wrapped(text, out),
            Kind::Objects { table } => self.object(table, text, out),
            Kind::Streamed => self.streamed(text, out),
            // Detection gives JSON no other kind.
            Kind::AuditCell { .. } | Kind::AuditFlat { .. } | Kind::Cells { .. } => {
                Err("not of this container".into())
            }
        }?;
        out.records += 1;
        Ok(())
    }

    fn audit_record(&mut self, text: &'a str, out: &mut Converted) -> Result<(), String> {
        let record = out.records as i64;
        let rows = out.rows(table("UnifiedAuditLog"), self.format);
        audit::push(text, &mut self.audit, rows, record, None).map_err(|refusal| match refusal {
            // Here the record is the whole text, not a cell called AuditData.
            audit::Refusal::Json(fault) => fault.to_string(),
            other => other.to_string(),
        })
    }

    fn wrapped(&mut self, text: &'a str, out: &mut Converted) -> Result<(), String> {
        let mut inner = None;
        let mut fallback = None;
        let order = self.format.order;
        let mut others: Vec<(String, Slot<'a>)> = Vec::new();
        json::entries(text, |key, raw| match key.as_ref() {
            "AuditData" | "auditData" => inner = Some(raw),
            "CreationDate" | "createdDateTime" => {
                fallback = raw.text().and_then(|t| time::parse(&t, order));
            }
            other if repeats_the_record(other) => {}
            other => others.push((other.to_string(), raw.into())),
        })
        .map_err(|fault| fault.to_string())?;
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
        pushed.map_err(|refusal| refusal.to_string())
    }

    fn object(
        &mut self,
        default: &'static Table,
        text: &'a str,
        out: &mut Converted,
    ) -> Result<(), String> {
        let mut own = None;
        if default.position("Type").is_some() {
            // Rows of several tables may stand in one file.
            json::entries(text, |key, raw| {
                if key == "Type" {
                    own = raw.text();
                }
            })
            .map_err(|fault| fault.to_string())?;
        }
        let chosen = match own.as_deref().filter(|t| !t.is_empty()) {
            None => default,
            Some(name) => match catalog().get(name).filter(|t| t.by_day) {
                Some(table) => table,
                // A projection may have put something else under `Type`; then the other columns tell.
                None if self.looks_like(default, text) => default,
                None => {
                    out.unknown(name);
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
        let format = self.format;
        let filler = self.filler(table);
        for (name, value) in transport {
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
                    out.unknown(name);
                    transport.push(("category".into(), Slot::Text(category)));
                    self.row(catalog::table(OTHER), properties, &transport, out)
                }
            };
        }
        transport.push(("category".into(), Slot::Text(category.clone())));
        match catalog::diagnostic(&category) {
            Some(table) => self.diagnostic(table, properties, &transport, out),
            None => {
                out.unknown(&category);
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
        let format = self.format;
        let filler = self.filler(table);
        let details = table.position("LocationDetails");
        let mut made = Slot::Empty;
        json::entries(properties, |key, raw| match key.as_ref() {
            "createdDateTime" | "activityDateTime" | "timeGenerated" => {
                made = raw.into();
                filler.offer(&key, &made);
            }
            // The place as an object; the column `Location` is the country beside it.
            "location" if details.is_some() && matches!(raw, Raw::Other(_)) => {
                filler.offer("LocationDetails", &raw.into());
            }
            key => {
                let value = Slot::from(raw);
                if !filler.offer(key, &value) {
                    filler.set(&Target::Extra(key.to_string()), value);
                }
            }
        })
        .map_err(|fault| {
            filler.clear();
            fault.to_string()
        })?;
        for (name, value) in envelope {
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
        filler.set(&Target::Time(0), made);
        let record = out.records as i64;
        filler.push(out.rows(table, format), record);
        Ok(())
    }
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

/// Cuts a broken record at the lines that begin as its first one does: the same blanks and `{`.
pub(super) fn lines_that_begin_alike(
    block: &Block,
    start: usize,
    end: usize,
) -> Vec<(usize, usize)> {
    let bytes = &block.bytes;
    let line = match memchr::memrchr(b'\n', &bytes[..start]) {
        Some(i) => i + 1,
        // What stands before the record on its line is in the block before.
        None if block.mid_line => return Vec::new(),
        None => 0,
    };
    let indent = &bytes[line..start];
    // Hostile input may have a megabyte of blanks before each of a thousand broken records.
    if indent.len() > json::MAX_INDENT || !indent.iter().all(u8::is_ascii_whitespace) {
        return Vec::new();
    }
    let mut begins = vec![start];
    for i in memchr::memchr_iter(b'\n', &bytes[start..end]) {
        let next = start + i + 1;
        let rest = &bytes[next..end];
        if rest.starts_with(indent) && rest.get(indent.len()) == Some(&b'{') {
            begins.push(next + indent.len());
        }
    }
    let ends = begins[1..].iter().copied().chain([end]);
    begins.iter().copied().zip(ends).collect()
}
