//! The list of sensitivity labels in the spellings in which it is exported: `Get-Label` of Exchange's PowerShell, Graph, and ours.
//!
//! `Get-Label` (<https://learn.microsoft.com/powershell/module/exchangepowershell/get-label>) has the label's GUID in `ImmutableId` and
//! `Guid`, a path of the directory in `Id`, and a name that nobody sees in `Name`. Graph
//! (<https://learn.microsoft.com/graph/api/resources/security-sensitivitylabel>) has `id`, `name`, `sensitivity` and `parent`; Dataverse
//! (<https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/sensitivitylabel>) `parentsensitivitylabelid`.

use super::list::{Result, Watchlist};
use crate::catalog::labels as known;
use crate::ingest::json;
use crate::ingest::rows::guid;

/// Columns that a list of labels has, each with its names in exports, the best first.
const COLUMNS: [(&str, &[&str]); 4] = [
    (
        "Id",
        &[
            "id",
            "immutableid",
            "guid",
            "labelid",
            "labelguid",
            "sensitivitylabelid",
            "exchangeobjectid",
        ],
    ),
    (
        "Name",
        &["name", "displayname", "labelname", "labeldisplayname"],
    ),
    (
        "Rank",
        &["rank", "priority", "labelpriority", "sensitivity", "order"],
    ),
    (
        "Parent",
        &[
            "parent",
            "parentid",
            "parentlabelid",
            "parentsensitivitylabelid",
            "parentguid",
            "parent.id",
        ],
    ),
];

/// What a list of labels needs.
const NEEDED: &str = "it needs the columns Id and Name, and Rank and Parent where known; \
    of `Get-Label` these are ImmutableId, DisplayName, Priority and ParentId";

/// A column's name by its letters alone: `Label Id`, `label_id` and `LabelId` are one, and so is `LabelId_g` of Log Analytics.
fn fold(name: &str) -> String {
    let suffixes = ["_s", "_g", "_d"];
    let bare = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
    let name = bare.unwrap_or(name);
    name.chars()
        .filter(|c| c.is_alphanumeric() || *c == '.')
        .flat_map(char::to_lowercase)
        .collect()
}

/// Where a column stands in a header; `first` gives the first value of a column. A column of ids is one of GUIDs, if any is.
fn find<'v>(
    header: &[String],
    column: &str,
    names: &[&str],
    first: &dyn Fn(usize) -> Option<&'v str>,
) -> Option<usize> {
    let all: Vec<usize> = names
        .iter()
        .filter_map(|name| header.iter().position(|own| fold(own) == *name))
        .collect();
    let has = |name: &str| header.iter().any(|own| fold(own) == name);
    match column {
        "Id" => {
            let is_id = |i: &&usize| first(**i).is_some_and(is_guid);
            all.iter().find(is_id).or(all.first()).copied()
        }
        // Ours says the name that people see, also where another column stands beside it.
        "Name" if !has("rank") => {
            let shown = |i: &&usize| fold(&header[**i]).ends_with("displayname");
            all.iter().find(shown).or(all.first()).copied()
        }
        _ => all.first().copied(),
    }
}

fn is_guid(text: &str) -> bool {
    guid(bare(text).as_bytes()).is_some()
}

/// An id without the braces in which some tools write it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    inner.unwrap_or(text)
}

/// Whether a cell has the id of no label, which some tools write as the parent of a label that has none.
fn is_nothing(text: &str) -> bool {
    is_guid(text) && known::id(text).is_none()
}

/// Whether a cell says of which type an object was, and nothing of it.
fn is_type(text: &str) -> bool {
    let text = text.trim();
    ["Microsoft.", "System."]
        .iter()
        .any(|t| text.starts_with(t))
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._[]".contains(&b))
}

/// Takes braces off ids, and leaves out parents of which only the type is there. Says what can match nothing.
pub(super) fn settle(list: &mut Watchlist) {
    let place = |list: &Watchlist, name: &str| {
        let mut header = list.header.iter();
        header.position(|own| own.eq_ignore_ascii_case(name))
    };
    if let Some(id) = place(list, "Id") {
        list.change(id, |cell| if is_guid(cell) { bare(cell) } else { cell });
        if list.rows > 0 && !list.column(id).flatten().any(is_guid) {
            list.remarks.push(
                "no value of its column Id is a GUID: it names no label; of `Get-Label` the GUID is ImmutableId".into(),
            );
        }
    }
    if let Some(parent) = place(list, "Parent") {
        let types = list.column(parent).flatten().filter(|c| is_type(c)).count();
        list.change(parent, |cell| match cell {
            _ if is_type(cell) || is_nothing(cell) => "",
            _ if is_guid(cell) => bare(cell),
            _ => cell,
        });
        if types > 0 {
            list.remarks.push(format!(
                "{types} parents are only the name of a type and are left out: ConvertTo-Json keeps them"
            ));
        }
    }
    if let Some(rank) = place(list, "Rank") {
        let is_number = |cell: &&str| cell.trim().parse::<f64>().is_ok();
        let odd = list
            .column(rank)
            .flatten()
            .filter(|cell| !is_number(cell))
            .count();
        if odd > 0 {
            list.remarks.push(format!(
                "{odd} ranks are no numbers: those labels have no order"
            ));
        }
    }
}

/// Gives the columns of a list of labels the names that the views ask for; one that had such a name and means something else is called by it
/// and `of the export`.
///
/// # Errors
/// When there are no columns for the label's id and name.
pub(super) fn rename<'v>(
    header: &[String],
    first: &dyn Fn(usize) -> Option<&'v str>,
) -> Result<Vec<String>> {
    let mut out = header.to_vec();
    for (column, names) in COLUMNS {
        let Some(at) = find(header, column, names, first) else {
            if matches!(column, "Id" | "Name") {
                return Err(NEEDED.into());
            }
            continue;
        };
        // As the views find them, in whatever case.
        if header[at].eq_ignore_ascii_case(column) {
            continue;
        }
        for (i, name) in out.iter_mut().enumerate() {
            if i != at && name.eq_ignore_ascii_case(column) {
                name.push_str(" of the export");
            }
        }
        out[at] = column.into();
    }
    Ok(out)
}

/// The label's id out of what Graph and `ConvertTo-Json` write as its parent: an object; else the text as it is.
pub(super) fn parent_of(text: &str) -> String {
    let mut id = None;
    let read = json::entries(text, |key, value| {
        if matches!(fold(&key).as_str(), "id" | "immutableid" | "guid") && id.is_none() {
            id = value.text().map(|id| id.into_owned());
        }
    });
    match (read, id) {
        (Ok(()), Some(id)) => id,
        _ => text.to_string(),
    }
}

/// Whether a header is that of a list of labels that no other table has: one of the GUIDs of `Get-Label` or Graph's, a name and a rank.
pub(super) fn is_header(header: &[String]) -> bool {
    let has = |names: &[&str]| header.iter().any(|own| names.contains(&fold(own).as_str()));
    let [id, name, rank, parent] = COLUMNS.map(|(_, names)| has(names));
    // Events have a time.
    let event = header.iter().any(|own| {
        let own = fold(own);
        own.starts_with("timegenerated") || own.starts_with("timestamp") || own == "operation"
    });
    id && name && (rank || parent) && !event
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "22222222-0000-4000-8000-000000000001";

    fn renamed(header: &[&str], row: &[&'static str]) -> Result<Vec<String>> {
        let header: Vec<String> = header.iter().map(|n| n.to_string()).collect();
        rename(&header, &|i| row.get(i).copied())
    }

    #[test]
    fn lists_of_labels_have_one_header_whoever_exported_them() {
        for (header, row, want) in [
            (
                vec!["DisplayName", "ImmutableId", "Priority", "ParentId"],
                vec!["Public", GUID, "0", ""],
                vec!["Name", "Id", "Rank", "Parent"],
            ),
            (
                vec!["Id", "Name", "DisplayName", "Guid", "Priority"],
                vec!["contoso/Labels/x", "x", "Public", GUID, "0"],
                vec![
                    "Id of the export",
                    "Name of the export",
                    "Name",
                    "Id",
                    "Rank",
                ],
            ),
            (
                vec!["id", "name", "sensitivity", "parent"],
                vec![GUID, "Public", "0", ""],
                vec!["id", "name", "Rank", "parent"],
            ),
            (
                vec!["Id", "Name", "Rank", "DisplayName"],
                vec!["not a guid", "Public", "0", "x"],
                vec!["Id", "Name", "Rank", "DisplayName"],
            ),
            (
                vec!["Label Id", "Label name", "label_priority"],
                vec![GUID, "Public", "0"],
                vec!["Id", "Name", "Rank"],
            ),
            // MPARR's table of labels.
            (
                vec!["Guid_g", "Name_s", "DisplayName_s", "Priority_d"],
                vec![GUID, GUID, "Public", "0"],
                vec!["Id", "Name_s", "Name", "Rank"],
            ),
        ] {
            let out = renamed(&header, &row).expect("a list of labels");
            assert_eq!(out, want, "{header:?}");
        }
        assert_eq!(renamed(&["Id", "Rank"], &[]), Err(NEEDED.into()));
        assert_eq!(renamed(&["Name", "Rank"], &[]), Err(NEEDED.into()));
    }

    #[test]
    fn only_lists_of_labels_have_the_header_of_one() {
        let is = |names: &str| {
            let header: Vec<String> = names.split(',').map(String::from).collect();
            is_header(&header)
        };
        assert!(is("Id,Name,Rank,Parent"));
        assert!(is("DisplayName,ImmutableId,Priority,ParentId,ContentType"));
        assert!(is("id,name,description,sensitivity,tooltip"));
        assert!(!is("Id,Name"));
        assert!(!is("TimeGenerated [UTC],Id,Name,Priority"));
        assert!(!is("RecordId,CreationDate,AuditData"));
    }

    #[test]
    fn a_parent_is_an_id_also_where_it_was_an_object() {
        assert_eq!(parent_of(r#"{"name":"x","id":"7"}"#), "7");
        assert_eq!(parent_of(GUID), GUID);
        assert_eq!(parent_of("{broken"), "{broken");
    }
}
