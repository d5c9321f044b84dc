//! What an object is, from its keys.

use super::super::columns::bare_name;
use super::super::{json, recast, suffixed};
use super::found::{Kind, OTHER};
use super::{reason, spelled, ties};
use crate::catalog::catalog;

/// Key under which Graph says what its answer has.
pub(super) const CONTEXT: &str = "@odata.context";

/// Whether the answer itself says that it has no records of this kind.
pub(super) fn is_denied(kind: &Kind, context: &str) -> bool {
    let is_sign_ins = matches!(kind, Kind::Objects { table } if spelled::is_sign_ins(table));
    is_sign_ins && spelled::is_of_another_set(context)
}

/// Keys of an object with their short texts, and whether it breaks off.
pub(super) fn keys_of(text: &str) -> (Vec<(String, String)>, bool) {
    let mut keys: Vec<(String, String)> = Vec::new();
    let broken = json::entries(text, |key, raw| {
        if keys.len() < 512 {
            let value = match raw {
                json::Raw::Text { inner, .. } if inner.len() < 200 || key == CONTEXT => {
                    inner.to_string()
                }
                _ => String::new(),
            };
            keys.push((key.to_string(), value));
        }
    })
    .is_err();
    (keys, broken)
}

/// What an object is, from its keys (with the values that are short strings); of a `partial` one the last keys are missing.
pub(super) fn object_kind(keys: &[(String, String)], partial: bool) -> Option<(Kind, String)> {
    let has = |name: &str| keys.iter().any(|k| k.0 == name);
    let value = |name: &str| {
        keys.iter()
            .find(|k| k.0 == name)
            .map_or("", |k| k.1.as_str())
    };
    if has("properties")
        && (value("category").starts_with("AdvancedHunting-") || (has("category") && has("time")))
    {
        return Some((
            Kind::Streamed,
            format!("objects with category `{}`", value("category")),
        ));
    }
    if suffixed::is_of(keys.iter().map(|k| k.0.as_str())) {
        return Some((Kind::Audit, suffixed::WHY.into()));
    }
    if has("AuditData") || (has("auditData") && has("auditLogRecordType")) {
        return Some((Kind::AuditWrapped, "objects with AuditData".into()));
    }
    if (has("Operation") || (partial && has("Id") && has("CreationTime")))
        && (has("CreationTime") || has("RecordType"))
        && (has("Id") || has("CreationTime"))
        && !has("TimeGenerated")
    {
        return Some((
            Kind::Audit,
            "objects with Operation, CreationTime and RecordType".into(),
        ));
    }
    if let Some(table) = catalog().get(value("Type")).filter(|t| t.by_day) {
        return Some((
            Kind::Objects { table },
            format!("objects with Type `{}`", table.name),
        ));
    }
    if let Some(recast) = recast::of(keys.iter().map(|k| (k.0.as_str(), k.1.as_str()))) {
        return Some((Kind::Recast { recast }, recast.name.into()));
    }
    let names: Vec<String> = keys.iter().map(|k| bare_name(&k.0).to_string()).collect();
    if let Some((table, at, why)) = ties::named(&names, &|at| keys.get(at).map(|k| k.1.clone())) {
        let why = match table.name {
            OTHER => why,
            name => format!("objects with {} `{name}`", names[at]),
        };
        return Some((Kind::Objects { table }, why));
    }
    let allowed = |kind: &Kind| !is_denied(kind, value(CONTEXT));
    if let Some((table, why)) = spelled::table_of(&names) {
        let kind = Kind::Objects { table };
        return allowed(&kind).then_some((kind, why));
    }
    let first = |name: &str| {
        let key = keys.iter().find(|k| k.0.eq_ignore_ascii_case(name))?;
        Some(key.1.clone())
    };
    let (table, why) = ties::closest(&names, reason::KEYS, &first)?;
    let kind = Kind::Objects { table };
    allowed(&kind).then_some((kind, why))
}
