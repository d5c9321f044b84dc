//! `externaldata`: lists that a rule fetches from the web. Here they are files of a folder, found by the last part of the address;
//! nothing is fetched.

use std::path::Path;

use datafusion::common::TableReference;

use super::lower::Lower;
use super::relation::Relation;
use super::{Failure, Purpose};
use crate::function::value::{Json, Type, Value};
use crate::ingest::csv::{self, Fields, Next};
use crate::ingest::input;
use crate::kql::ast::{ExprKind, ExternalData, Literal, Span};

/// The file name of an address, without what follows `?` or `;`.
fn file_name(address: &str) -> &str {
    let address = address.split(['?', ';', '#']).next().unwrap_or(address);
    address.rsplit(['/', '\\']).next().unwrap_or(address)
}

impl Lower<'_> {
    pub(super) fn external_data(
        &mut self,
        data: &ExternalData,
        span: Span,
    ) -> Result<Relation, Failure> {
        let columns: Vec<(String, Type)> = data
            .schema
            .columns
            .iter()
            .map(|c| (c.name.text.clone(), c.ty.ty))
            .collect();
        let property = |name: &str| {
            let setting = data.properties.iter().find(|p| p.name.text == name)?;
            match &setting.value.kind {
                ExprKind::Literal(Literal::String(text)) => Some(text.to_lowercase()),
                ExprKind::Literal(Literal::Bool(b)) => Some(b.to_string()),
                ExprKind::Name(word) => Some(word.to_lowercase()),
                _ => None,
            }
        };
        let skip = property("ignoreFirstRecord").as_deref() == Some("true");
        let format_of = |name: &str| {
            property("format").unwrap_or_else(|| {
                let extension = name.rsplit('.').next().unwrap_or_default();
                extension.to_lowercase()
            })
        };
        // A name is a name: it does not lead out of the folder.
        let names_none = |name: &str| matches!(name, "" | "." | "..");
        if self.options.purpose != Purpose::Run {
            for address in &data.addresses {
                let text = self.constant(address)?.text().into_owned();
                let name = file_name(&text);
                if names_none(name) {
                    return Err(Failure::at(address.span, "the address names no file"));
                }
                // Of no rows, only the format can be wrong.
                read("", &format_of(name), skip, &columns, &mut Vec::new())
                    .map_err(|why| Failure::at(address.span, why))?;
                let folder = self.options.external.as_ref();
                if !folder.is_some_and(|folder| folder.join(name).is_file()) {
                    self.needs.external.insert(name.into());
                }
            }
            return self.planned_rows(TableReference::bare("externaldata"), &columns);
        }
        let Some(folder) = self.options.external.clone() else {
            return Err(Failure::at(
                span,
                "`externaldata` is never fetched: put its file into a folder and name that with --external-data",
            ));
        };
        let mut rows = Vec::new();
        for address in &data.addresses {
            let text = self.constant(address)?.text().into_owned();
            let name = file_name(&text);
            if names_none(name) {
                return Err(Failure::at(address.span, "the address names no file"));
            }
            let path = folder.join(name);
            let content = own_file(&folder, &path)
                .and_then(|()| std::fs::read_to_string(&path).map_err(|e| cannot_read(&path, &e)))
                .map_err(|why| Failure::at(address.span, why))?;
            let format = format_of(name);
            read(&content, &format, skip, &columns, &mut rows)
                .map_err(|why| Failure::at(address.span, format!("`{}`: {why}", path.display())))?;
        }
        self.rows(&columns, &rows)
    }
}

fn cannot_read(path: &Path, e: &std::io::Error) -> String {
    format!("cannot read `{}`: {e}", path.display())
}

/// Refuses what is no file of the folder: a link that leads out of it, a folder, a pipe or a device.
fn own_file(folder: &Path, path: &Path) -> Result<(), String> {
    let real = |path: &Path| dunce::canonicalize(path).map_err(|e| cannot_read(path, &e));
    if !real(path)?.starts_with(real(folder)?) {
        let name = path.display();
        return Err(format!("`{name}` is a link that leads out of the folder"));
    }
    input::regular(path).map_err(|e| e.to_string())
}

/// Adds the rows of one file; a record that cannot be read is said with its place, never left out.
fn read(
    content: &str,
    format: &str,
    skip: bool,
    columns: &[(String, Type)],
    rows: &mut Vec<Vec<Value>>,
) -> Result<(), String> {
    let content = content.trim_start_matches('\u{feff}');
    let delimiter = match format {
        "txt" | "raw" => {
            let lines = content.lines().skip(usize::from(skip));
            rows.extend(lines.map(|line| of_line(line, columns)));
            return Ok(());
        }
        "json" | "multijson" | "jsonl" => {
            let records = objects(content)?;
            rows.extend(
                records
                    .into_iter()
                    .map(|record| of_object(&record, columns)),
            );
            return Ok(());
        }
        "csv" => b',',
        "tsv" | "tsve" => b'\t',
        "psv" => b'|',
        "scsv" => b';',
        other => return Err(format!("`format={other}` is not supported")),
    };
    separated(content, delimiter, skip, columns, rows)
}

/// The row of a line of text: all of it is the first column.
fn of_line(line: &str, columns: &[(String, Type)]) -> Vec<Value> {
    let mut row: Vec<Value> = columns.iter().map(|c| Value::Null.fit(c.1)).collect();
    if let (Some(first), Some((_, ty))) = (row.first_mut(), columns.first()) {
        *first = Value::string(line).convert(*ty);
    }
    row
}

/// The records of JSON: those of an array, one alone, or one a line.
fn objects(content: &str) -> Result<Vec<Json>, String> {
    match Json::parse(content) {
        Some(Json::Array(all)) => Ok(all),
        Some(one) => Ok(vec![one]),
        None => content
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(i, line)| Json::parse(line).ok_or_else(|| format!("line {} is not JSON", i + 1)))
            .collect(),
    }
}

fn of_object(record: &Json, columns: &[(String, Type)]) -> Vec<Value> {
    let value = |name: &str| record.member(name).cloned().unwrap_or_default();
    columns
        .iter()
        .map(|(name, ty)| Value::dynamic(value(name)).convert(*ty).fit(*ty))
        .collect()
}

/// Adds the rows of records whose fields stand between delimiters.
fn separated(
    content: &str,
    delimiter: u8,
    skip: bool,
    columns: &[(String, Type)],
    rows: &mut Vec<Vec<Value>>,
) -> Result<(), String> {
    let mut fields = Fields::default();
    let (mut at, mut number) = (0, 0);
    loop {
        fields.clear();
        match csv::next_record(content.as_bytes(), at, delimiter, &mut fields) {
            Next::Record { next, .. } => {
                at = next;
                number += 1;
                if skip && number == 1 {
                    continue;
                }
                let cell = |i: usize| fields.get(i).map(String::from_utf8_lossy);
                rows.push(
                    columns
                        .iter()
                        .enumerate()
                        .map(|(i, (_, ty))| match cell(i) {
                            Some(text) => Value::string(text).convert(*ty).fit(*ty),
                            None => Value::Null.fit(*ty),
                        })
                        .collect(),
                );
            }
            Next::Unclosed { .. } => {
                return Err(format!(
                    "record {} opens a quote that is never closed",
                    number + 1
                ));
            }
            Next::End => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{file_name, read};
    use crate::function::value::Type;

    #[test]
    fn an_address_gives_its_last_part() {
        for (address, name) in [
            ("https://example.com/a/b.csv", "b.csv"),
            ("https://example.com/b.csv?sv=1&sig=2/3", "b.csv"),
            ("https://account.blob.example.com/c/d.json;key", "d.json"),
            ("../../etc/passwd", "passwd"),
            ("plain.txt", "plain.txt"),
        ] {
            assert_eq!(file_name(address), name);
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_said() {
        let columns = [("Name".to_string(), Type::String)];
        let mut rows = Vec::new();
        let lines = "{\"Name\":\"a\"}\n\n{\"Name\":\"b\"}\n";
        assert_eq!(read(lines, "json", false, &columns, &mut rows), Ok(()));
        assert_eq!(rows.len(), 2);
        for (content, format, why) in [
            (
                "{\"Name\":\"a\"}\n\n{\"Name\":\n",
                "json",
                "line 3 is not JSON",
            ),
            (
                "a\n\"b",
                "csv",
                "record 2 opens a quote that is never closed",
            ),
            ("a", "parquet", "`format=parquet` is not supported"),
        ] {
            let read = read(content, format, false, &columns, &mut rows);
            assert_eq!(read, Err(why.to_string()));
        }
    }
}
