//! `bag_unpack`, `narrow`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::argument::{Columns, Rows, scalar};
use super::call::Call;
use super::definition::Plugin;
use crate::function::value::{Json, Type, Value};

/// What happens where a property is named as a column that is there.
#[derive(Clone, Copy, PartialEq)]
enum Conflict {
    Error,
    ReplaceSource,
    KeepSource,
}

/// The type of a column for such values; nothing for null, which says nothing.
fn column_type(json: &Json) -> Option<Type> {
    match json {
        Json::Null => None,
        Json::Array(_) | Json::Bag(_) => Some(Type::Dynamic),
        scalar => scalar.scalar()?.ty(),
    }
}

/// Properties and their types, by name. A property with values of several types is `dynamic`.
fn properties<'a>(bags: impl Iterator<Item = &'a Value>) -> BTreeMap<Arc<str>, Type> {
    let mut found: BTreeMap<Arc<str>, Type> = BTreeMap::new();
    for (key, value) in bags.flat_map(|bag| bag.bag().unwrap_or_default()) {
        let Some(ty) = column_type(value) else {
            continue;
        };
        match found.get_mut(key) {
            Some(known) if *known == ty => {}
            Some(known) => *known = Type::Dynamic,
            None => {
                found.insert(Arc::clone(key), ty);
            }
        }
    }
    found
}

fn conflict(call: &Call) -> Result<Conflict, String> {
    match call.optional(2)?.map(Value::text).as_deref() {
        None | Some("error") => Ok(Conflict::Error),
        Some("replace_source") => Ok(Conflict::ReplaceSource),
        Some("keep_source") => Ok(Conflict::KeepSource),
        Some(_) => {
            Err("`columnsConflict` must be \"error\", \"replace_source\" or \"keep_source\"".into())
        }
    }
}

fn bag_unpack(call: &Call) -> Result<Rows, String> {
    let at = call.column(0)?;
    if call
        .columns
        .get(at)
        .is_none_or(|(_, ty)| *ty != Type::Dynamic)
    {
        return Err("a dynamic column is unpacked".into());
    }
    let prefix = call.optional(1)?.map(Value::text).unwrap_or_default();
    let conflict = conflict(call)?;
    let ignored = call.optional(3)?.and_then(Value::array).unwrap_or_default();
    let bags = call.rows.iter().filter_map(|row| row.get(at));
    let mut found = properties(bags);
    for name in ignored {
        found.remove(name.show().as_str());
    }
    /// Where a column comes from.
    enum From {
        Source(usize),
        Bag(Arc<str>),
    }
    let mut columns: Vec<(String, Type)> = Vec::new();
    let mut from = Vec::new();
    for (i, column) in call.columns.iter().enumerate().filter(|(i, _)| *i != at) {
        columns.push(column.clone());
        from.push(From::Source(i));
    }
    let kept = columns.len();
    for (key, ty) in found {
        let name = format!("{prefix}{key}");
        let same = columns
            .iter()
            .take(kept)
            .position(|(known, _)| *known == name);
        match (same, conflict) {
            (None, _) => {
                columns.push((super::argument::fresh(&name, &columns), ty));
                from.push(From::Bag(key));
            }
            (Some(_), Conflict::KeepSource) => {}
            (Some(place), Conflict::ReplaceSource) => {
                // `same` is a position of both.
                if let (Some(column), Some(from)) = (columns.get_mut(place), from.get_mut(place)) {
                    column.1 = ty;
                    *from = From::Bag(key);
                }
            }
            (Some(_), Conflict::Error) => {
                return Err(format!(
                    "there is a column `{name}` already: give a prefix or `columnsConflict`"
                ));
            }
        }
    }
    let rows = call.rows.iter().map(|row| {
        let cell = |(from, (_, ty)): (&From, &(String, Type))| {
            let value = match from {
                From::Source(at) => row.get(*at).cloned().unwrap_or_default(),
                From::Bag(key) => {
                    let bag = row.get(at).and_then(Value::bag).unwrap_or_default();
                    let property = bag.iter().find(|(known, _)| known == key);
                    property.map_or(Value::Null, |(_, json)| Value::dynamic(json.clone()))
                }
            };
            value.fit(*ty)
        };
        from.iter().zip(&columns).map(cell).collect()
    });
    let rows = rows.collect();
    Ok(Rows { columns, rows })
}

fn narrow(call: &Call) -> Result<Rows, String> {
    let mut rows = Vec::new();
    for (i, row) in call.rows.iter().enumerate() {
        let number = i64::try_from(i).unwrap_or(i64::MAX);
        for ((name, _), value) in call.columns.iter().zip(row) {
            rows.push(vec![
                Value::Long(number),
                Value::from(name.as_str()),
                Value::from(value.show()),
            ]);
        }
    }
    let columns = vec![
        ("Row".to_owned(), Type::Long),
        ("Column".to_owned(), Type::String),
        ("Value".to_owned(), Type::String),
    ];
    Ok(Rows { columns, rows })
}

pub(super) const TABLE: &[Plugin] = &[
    Plugin {
        name: "bag_unpack",
        arguments: (1, 4),
        parameters: &[
            scalar("Column"),
            scalar("OutputColumnPrefix"),
            scalar("columnsConflict"),
            scalar("ignoredProperties"),
        ],
        columns: Columns::FromData,
        doc: "bag_unpack(column, prefix, columnsConflict = \"error\", ignoredProperties): a column for each property of a dynamic column, by name",
        example: "datatable(d:dynamic)[dynamic({\"b\": 1, \"a\": \"x\"}), dynamic({\"b\": 2})] | evaluate bag_unpack(d, \"d_\")",
        answer: "d_a, d_b; x, 1; , 2",
        rows: bag_unpack,
    },
    Plugin {
        name: "narrow",
        arguments: (0, 0),
        parameters: &[],
        columns: Columns::Fixed,
        doc: "narrow(): a row for each cell: number of its row, name of its column, its text",
        example: "datatable(a:long, b:string)[1, \"x\", 2, \"y\"] | evaluate narrow()",
        answer: "Row, Column, Value; 0, a, 1; 0, b, x; 1, a, 2; 1, b, y",
        rows: narrow,
    },
];
