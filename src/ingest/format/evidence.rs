//! What the first row of a file says of its table, where the names of its columns leave several open.

use crate::catalog::{self, Table};

/// Values that only one of tables with alike columns has: the column, a part of the value, the table. The first that holds counts.
///
/// As the references of the tables have them: <https://learn.microsoft.com/defender-xdr/advanced-hunting-identitylogonevents-table> and its
/// neighbours, <https://learn.microsoft.com/azure/azure-monitor/reference/tables/officeactivity>.
const SAYS: [(&str, &str, &str); 8] = [
    ("SourceSystem", "OfficeActivityManager", "OfficeActivity"),
    ("ActionType", "Logon", "IdentityLogonEvents"),
    ("ActionType", " query", "IdentityQueryEvents"),
    ("Application", "Active Directory", "IdentityDirectoryEvents"),
    ("Application", "Microsoft ", "CloudAppEvents"),
    (
        "Operation",
        "Label",
        "MicrosoftPurviewInformationProtection",
    ),
    (
        "RecordType",
        "Label",
        "MicrosoftPurviewInformationProtection",
    ),
    ("RecordType", "Aip", "MicrosoftPurviewInformationProtection"),
];

/// The one of these tables that the first row is of, and what says so. `value` gives the first value of a column.
pub(super) fn told(
    all: &[&'static Table],
    names: &[String],
    value: &dyn Fn(&str) -> Option<String>,
) -> Option<(&'static Table, String)> {
    let one = |name: &str| all.iter().copied().find(|t| t.name == name);
    if let Some(category) = value("Category")
        && let Some(table) = catalog::diagnostic(&category).and_then(|t| one(t.name))
    {
        return Some((table, "by its Category".into()));
    }
    for (column, part, table) in SAYS {
        if let Some(table) = one(table)
            && value(column).is_some_and(|text| text.contains(part))
        {
            return Some((table, format!("by its {column}")));
        }
    }
    let has = |begin: &str| {
        let mut names = names.iter();
        names.any(|name| {
            name.get(..begin.len())
                .is_some_and(|own| own.eq_ignore_ascii_case(begin))
        })
    };
    if has("ServicePrincipal") && !has("User") {
        let table = one("AADServicePrincipalSignInLogs")?;
        return Some((table, "as it names no user".into()));
    }
    None
}
