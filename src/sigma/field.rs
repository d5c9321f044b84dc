//! Where a table has what rules call by many names: `eventName`, `properties.message`, `TargetResources.modifiedProperties.newValue`.
//!
//! Names are found without regard to case, and without what Event Hubs and Elastic put before them. A name that stands for none of the table's
//! columns is refused by name; only the audit record has fields beyond its columns, and there it is a path of the record.

use crate::catalog::audit::LISTS;
use crate::catalog::{Column, Kusto, Table, catalog};

use super::logsource::Route;
use super::quote::member;
use super::vocabulary::{self, Known, Spelled, Words};

/// Where the value of a field is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// An expression of KQL that gives text.
    Text(String),
    /// A column that is not text.
    Typed(String),
    /// Text of JSON, anywhere in which the value may stand.
    Anywhere(String),
    /// The same for the whole record, which some events came without.
    Event(String),
    /// The same for values that are a piece of JSON; others are not there.
    Fragment(String),
    /// A property of that name at any depth of this text of JSON.
    Property { json: String, name: String },
    /// In this text of JSON, the value of the item of a list that has that name.
    Item { json: String, name: String },
    /// Where this text of JSON is a list, any of its items, or what has that name in any of them.
    Listed { json: String, name: Option<String> },
}

/// Where a table has a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// Any of these.
    pub(super) places: Vec<Place>,
    /// What the log writes for a word of rules.
    words: Words,
    /// It is no column and may be in no record.
    pub(super) is_path: bool,
}

impl Found {
    /// A value, and what the log may have for it.
    pub(super) fn spellings(&self, value: &str) -> Vec<String> {
        let mut spellings = vec![value.to_string()];
        for (word, logged) in self.words {
            if word.eq_ignore_ascii_case(value) {
                spellings.extend(logged.iter().map(ToString::to_string));
            }
        }
        spellings
    }
}

/// The table of a route.
pub(super) fn table(route: Route) -> &'static Table {
    let known = catalog();
    known
        .get(route.table)
        .or_else(|| known.foreign(route.table))
        .expect("a test holds that the catalog has the table of each route")
}

/// The whole record as text, where the rows of a route have it.
pub(super) fn record(route: Route) -> Option<String> {
    let table = table(route);
    let record = table.record.map(|at| table.columns[at].name);
    record.map(|record| format!("tostring({record})"))
}

/// Where the rows of a route have a field; nothing where they have none of that name.
pub(super) fn find(route: Route, name: &str) -> Option<Found> {
    let name = name.trim();
    let bare = without_prefix(name);
    let found = spelled_so(route, bare);
    if found.is_some() || table(route).record.is_some() {
        return found;
    }
    if bare.contains('_')
        && let Some(found) = spelled_so(route, &in_one_word(bare))
    {
        return Some(found);
    }
    // Azure's activities have most of what they say in there.
    let before = name[..name.len() - bare.len()].to_ascii_lowercase();
    match before.ends_with("properties.") && table(route).position("Properties").is_some() {
        true => spelled_so(route, &format!("Properties.{bare}")),
        false => None,
    }
}

/// Where the rows of a route have a field that is spelled like this, whatever its case.
fn spelled_so(route: Route, bare: &str) -> Option<Found> {
    let table = table(route);
    let lower = bare.to_ascii_lowercase();
    let known = vocabulary::of(route).iter().find(|k| k.is(&lower));
    if let Some(known) = known {
        return Some(found(known, table));
    }
    let column = |name: &str| table.position(name).map(|at| &table.columns[at]);
    let places = |places: Vec<Place>, is_path: bool| Found {
        places,
        words: &[],
        is_path,
    };
    if let Some(column) = column(bare) {
        let mut found = vec![of_column(column.name, column.kusto)];
        if column.kusto == Kusto::Dynamic || vocabulary::LISTED.contains(&column.name) {
            let json = as_text(column.name, column.kusto);
            found.push(Place::Listed { json, name: None });
        }
        return Some(places(found, false));
    }
    let path: Vec<&str> = bare.split('.').collect();
    if let [first, inner @ .., last] = path.as_slice() {
        let root = vocabulary::ROOTS
            .iter()
            .find(|(of, name, _)| *of == table.name && name.eq_ignore_ascii_case(first));
        let columns = root.map_or(std::slice::from_ref(first), |(_, _, columns)| *columns);
        let columns: Vec<_> = columns.iter().filter_map(|name| column(name)).collect();
        let place = |column: &&Column| {
            let json = as_text(column.name, column.kusto);
            let is_list = vocabulary::LISTS.contains(&column.name) || LISTS.contains(&column.name);
            match (is_list, table.record) {
                (true, Some(_)) => of_items(json, &path[1..]),
                (true, None) => Place::Property {
                    json,
                    name: spelled(last),
                },
                (false, _) => Place::Text(spelled_path(column.name, column.kusto, inner, last)),
            }
        };
        if !columns.is_empty() {
            return Some(places(columns.iter().map(place).collect(), false));
        }
        if table.record.is_some() && vocabulary::ELASTIC.contains(first) {
            return None;
        }
    }
    let record = table.columns[table.record?].name;
    Some(places(in_record(record, bare, &path), true))
}

/// Where a record may have what no column has. What is a list has a value in each of its items.
fn in_record(record: &str, bare: &str, path: &[&str]) -> Vec<Place> {
    let text = |steps: &[&str]| {
        let steps: String = steps.iter().map(|step| member(step)).collect();
        format!("tostring({record}{steps})")
    };
    let mut places = vec![
        Place::Text(text(path)),
        Place::Listed {
            json: text(path),
            name: None,
        },
        Place::Item {
            json: text(&[]),
            name: bare.to_string(),
        },
    ];
    if let [lists @ .., name] = path
        && !lists.is_empty()
    {
        places.push(Place::Listed {
            json: text(lists),
            name: Some((*name).to_string()),
        });
    }
    places
}

/// Below a list of the record: the item of that name (`Parameters.ForwardTo`, `ModifiedProperties.Role.DisplayName.NewValue`), or what all items
/// have (`ModifiedProperties.NewValue`, `Actor.ID`).
fn of_items(json: String, steps: &[&str]) -> Place {
    let is = |step: &str, names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(step));
    let name = match steps {
        [own]
            if is(
                own,
                &["Name", "Value", "NewValue", "OldValue", "ID", "Type"],
            ) =>
        {
            let name = (*own).to_string();
            return Place::Property { json, name };
        }
        [.., last] if is(last, &["OldValue"]) => {
            let name = (*last).to_string();
            return Place::Property { json, name };
        }
        [name @ .., last] if is(last, &["NewValue", "Value"]) => name.join("."),
        all => all.join("."),
    };
    Place::Item { json, name }
}

/// The names that a field of a route's rows may have, for a question.
pub(super) fn names(route: Route) -> Vec<String> {
    let columns = table(route).columns.iter().map(|c| c.name.to_string());
    columns.filter(|name| !name.starts_with('_')).collect()
}

/// What stands before names in exports of Event Hubs, in Elastic's documents, and in rules that say which column the record is in.
const PREFIXES: [&str; 13] = [
    "azure.auditlogs.",
    "azure.signinlogs.",
    "azure.activitylogs.",
    "azure.identityprotection.",
    "azure.identity_protection.",
    "o365.audit.",
    "o365audit.",
    "microsoft365.audit.",
    "auditdata.",
    "raweventdata.",
    "records.",
    "properties.",
    "identity.",
];

fn without_prefix(name: &str) -> &str {
    let mut bare = name;
    for prefix in PREFIXES {
        if let Some(start) = bare.get(..prefix.len())
            && start.eq_ignore_ascii_case(prefix)
        {
            bare = &bare[prefix.len()..];
        }
    }
    bare
}

/// A name as its service spells it: Elastic makes `app_display_name` of `appDisplayName`.
fn in_one_word(name: &str) -> String {
    let mut letters = name.chars();
    let mut word = String::new();
    while let Some(c) = letters.next() {
        match c {
            '_' => word.extend(letters.next().map(|c| c.to_ascii_uppercase())),
            c => word.push(c),
        }
    }
    word
}

fn found(known: &Known, table: &Table) -> Found {
    let places = known.places.iter().map(|place| match *place {
        Spelled::Is(text) => match table.position(text) {
            Some(at) => of_column(text, table.columns[at].kusto),
            None => Place::Text(text.to_string()),
        },
        Spelled::Anywhere(text) => Place::Anywhere(text.to_string()),
        Spelled::Event(text) => Place::Event(text.to_string()),
        Spelled::Fragment(text) => Place::Fragment(text.to_string()),
        Spelled::Property(json, name) => Place::Property {
            json: json.to_string(),
            name: name.to_string(),
        },
        Spelled::Item(json, name) => Place::Item {
            json: json.to_string(),
            name: name.to_string(),
        },
    });
    Found {
        places: places.collect(),
        words: known.words,
        is_path: false,
    }
}

fn of_column(name: &str, kusto: Kusto) -> Place {
    match kusto {
        Kusto::String | Kusto::Guid => Place::Text(name.to_string()),
        Kusto::Dynamic => Place::Text(as_text(name, kusto)),
        _ => Place::Typed(name.to_string()),
    }
}

/// A column as text.
fn as_text(name: &str, kusto: Kusto) -> String {
    match kusto {
        Kusto::String | Kusto::Guid => name.to_string(),
        _ => format!("tostring({name})"),
    }
}

/// A path into a column of JSON. Entra spells its properties with a small letter in front, however rules do.
fn spelled_path(column: &str, kusto: Kusto, inner: &[&str], last: &str) -> String {
    let mut base = match kusto {
        Kusto::Dynamic => column.to_string(),
        _ => format!("parse_json({column})"),
    };
    for step in inner.iter().chain([&last]) {
        base.push_str(&member(&spelled(step)));
    }
    format!("tostring({base})")
}

/// A property as the log spells it: those that are not known begin with a small letter.
fn spelled(property: &str) -> String {
    let property = in_one_word(property);
    let known = vocabulary::PROPERTIES
        .iter()
        .find(|p| p.eq_ignore_ascii_case(&property));
    let mut letters = property.chars();
    let small = letters.next().map(|c| c.to_ascii_lowercase());
    let small: String = small.into_iter().chain(letters).collect();
    known.map_or(small, |known| (*known).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigma::vocabulary::ROUTED;

    fn places(table: &str, name: &str) -> Vec<Place> {
        find(route_of(table), name).map_or(Vec::new(), |f| f.places)
    }

    fn route_of(table: &str) -> Route {
        let service = match table {
            "UnifiedAuditLog" => "{product: m365, service: audit}",
            "AuditLogs" => "{product: azure, service: auditlogs}",
            "SigninLogs" => "{product: azure, service: signinlogs}",
            "AzureActivity" => "{product: azure, service: activitylogs}",
            _ => "{product: azure, service: riskdetection}",
        };
        let nodes = crate::sigma::yaml::documents(service).expect("it is YAML");
        crate::sigma::logsource::route(&nodes[0]).expect("it is known")
    }

    fn text(t: &str) -> Place {
        Place::Text(t.to_string())
    }

    #[test]
    fn a_field_is_found_in_whatever_spelling() {
        for name in ["Workload", "workload", "eventSource", "event.provider"] {
            assert_eq!(
                places("UnifiedAuditLog", name),
                [text("Workload")],
                "{name}"
            );
        }
        for name in [
            "ConditionalAccessStatus",
            "properties.conditionalAccessStatus",
        ] {
            assert_eq!(
                places("SigninLogs", name),
                [text("ConditionalAccessStatus")]
            );
        }
        let device = [text("tostring(DeviceDetail.isCompliant)")];
        assert_eq!(places("SigninLogs", "DeviceDetail.isCompliant"), device);
        assert_eq!(
            places(
                "SigninLogs",
                "azure.signinlogs.properties.deviceDetail.IsCompliant"
            ),
            device
        );
        assert_eq!(
            places("SigninLogs", "DeviceDetail.trusttype"),
            [text("tostring(DeviceDetail.trustType)")]
        );
        let property = Place::Property {
            json: "tostring(TargetResources)".into(),
            name: "newValue".into(),
        };
        assert_eq!(
            places("AuditLogs", "TargetResources.ModifiedProperties.NewValue"),
            [property]
        );
        assert_eq!(
            places("AADUserRiskEvents", "riskEventType"),
            [text("RiskEventType")]
        );
        assert!(places("AzureActivity", "operationName").contains(&text("OperationNameValue")));
    }

    #[test]
    fn the_audit_record_has_fields_beyond_its_columns_and_no_other_table_has() {
        let found = find(route_of("UnifiedAuditLog"), "DeliveryAction").expect("it is a path");
        assert!(found.is_path);
        assert_eq!(found.places[0], text("tostring(AuditData.DeliveryAction)"));
        assert_eq!(find(route_of("SigninLogs"), "DeliveryAction"), None);
        assert_eq!(find(route_of("AADUserRiskEvents"), "Workload"), None);
    }

    #[test]
    fn what_is_spelled_here_is_in_the_catalog() {
        for (table, known) in ROUTED {
            let table = table_of(table);
            for place in known.iter().flat_map(|k| k.places) {
                let text = match *place {
                    Spelled::Is(t) | Spelled::Anywhere(t) | Spelled::Fragment(t) => t,
                    Spelled::Event(t) | Spelled::Property(t, _) | Spelled::Item(t, _) => t,
                };
                let (query, faults) = crate::kql::parse(text);
                assert_eq!(faults, [], "{text}");
                assert_eq!(query.statements.len(), 1, "{text}");
                let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let is_column = |w: &&str| {
                    let letters = w.trim_start_matches('_');
                    letters.starts_with(|c: char| c.is_ascii_uppercase())
                };
                let first = words.find(is_column).expect("it names a column");
                assert!(
                    table.position(first).is_some(),
                    "{} has no {first}",
                    table.name
                );
            }
        }
    }

    fn table_of(name: &str) -> &'static Table {
        table(route_of(name))
    }

    #[test]
    fn words_of_rules_are_what_the_log_writes() {
        let found = find(route_of("UnifiedAuditLog"), "status").expect("it is known");
        assert!(
            found
                .spellings("success")
                .contains(&"Succeeded".to_string())
        );
        let found = find(route_of("SigninLogs"), "ClientApp").expect("it is known");
        assert_eq!(
            found.spellings("Other client"),
            ["Other client", "Other clients"]
        );
    }
}
