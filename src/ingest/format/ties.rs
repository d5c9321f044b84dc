//! The table of rows that do not say it: by the names of their columns, then by what stands in them, and as a last hint by the file's name.
//! Where several tables fit, all are named.

use super::found::{Format, Kind, OTHER};
use super::reason::{ALIKE, NOT_STORED, ROWS_OF, SAID, inner};
use super::{evidence, spelled};
use crate::catalog::{self, TIME, Table, catalog, spellings};

/// Of the names at least this part are columns of the table.
const SHARE: f64 = 0.6;

/// Columns that name the table of their row: those of Log Analytics and Kusto (a search, a `find`), and what `union withsource=` is given as a name.
const NAMING: [&str; 6] = [
    "Type",
    "$table",
    "source_",
    "SourceTable",
    "TableName",
    "Table",
];

/// Tables that are not stored and fit alike; of more the names tell nothing.
const FOREIGN: usize = 8;

/// In a reason: the file's name decided.
const BY_NAME: &str = "by the file's name";

/// One table under the name that it had before and under the one that it has: no tie.
const RENAMED: [(&str, &str); 2] = [
    ("EntraIdSignInEvents", "AADSignInEventsBeta"),
    ("EntraIdSpnSignInEvents", "AADSpnSignInEventsBeta"),
];

fn is_renamed(one: &str, other: &str) -> bool {
    let mut pairs = RENAMED.iter();
    pairs.any(|(new, old)| (one, other) == (*new, *old) || (one, other) == (*old, *new))
}

/// The table whose columns most of these names are, and what to say of it: how they are its columns (`most keys are columns of`), whether it is
/// stored, and others that have as many. `value` gives the first value of a column.
pub(super) fn closest(
    names: &[String],
    how: &str,
    value: &dyn Fn(&str) -> Option<String>,
) -> Option<(&'static Table, String)> {
    let all = catalog().closest(names, SHARE);
    let foreign = catalog::closest_foreign(names, all.first().copied());
    if (1..=FOREIGN).contains(&foreign.len()) {
        let names: Vec<&str> = foreign.iter().map(|t| t.name).collect();
        let tie = alike(&names[1..]);
        let why = format!("{how} {}{NOT_STORED}{tie}", names[0]);
        return Some((catalog::table(OTHER), why));
    }
    let table = *all.first()?;
    if spelled::is_sign_ins(table) && !may_be_sign_ins(names, value) {
        return None;
    }
    if all.len() > 1
        && let Some((said, by)) = evidence::told(&all, names, value)
    {
        return Some((said, format!("{how} {}, {by}", said.name)));
    }
    let others: Vec<&str> = all[1..]
        .iter()
        .map(|t| t.name)
        .filter(|name| !is_renamed(table.name, name))
        .collect();
    Some((table, format!("{how} {}{}", table.name, alike(&others))))
}

/// Whether names that are mostly columns of sign-ins may be theirs: lists of people, of applications and of other things that were created once
/// have an id, a name and that time, too.
fn may_be_sign_ins(names: &[String], value: &dyn Fn(&str) -> Option<String>) -> bool {
    /// What only sign-ins have.
    const OWN: [&str; 7] = [
        "ClientAppUsed",
        "ConditionalAccessStatus",
        "DeviceDetail",
        "IsInteractive",
        "ResultType",
        "RiskLevelDuringSignIn",
        "SignInEventTypes",
    ];
    const APP: [&str; 2] = ["AppDisplayName", "AppId"];
    const USER: [&str; 3] = ["UserPrincipalName", "UserDisplayName", "UserId"];
    const PRINCIPAL: [&str; 2] = ["ServicePrincipalId", "ServicePrincipalName"];
    let names: Vec<String> = names.iter().map(|name| spellings::fold(name)).collect();
    let has = |column: &str| names.contains(&spellings::fold(column));
    let any = |columns: &[&str]| columns.iter().any(|column| has(column));
    // That of a sign-in is an object, of which nothing is given here, or one of few words; that of a person is another word.
    let outcome = |text: &str| {
        let begins = [
            "{",
            "@{",
            "class ",
            "microsoft.",
            "success",
            "failure",
            "interrupted",
        ];
        let text = text.trim().to_ascii_lowercase();
        text.is_empty() || begins.iter().any(|begin| text.starts_with(begin))
    };
    let (app, user) = (any(&APP), any(&USER));
    // Log Analytics gives each row of events the first of these, and hunting the second.
    any(&[TIME, catalog::SECOND_TIME])
        || any(&OWN)
        || (has("IPAddress") && (app || user || any(&PRINCIPAL)))
        || (user && app)
        || (user && has("Status") && value("Status").is_none_or(|text| outcome(&text)))
}

fn alike(others: &[&str]) -> String {
    match others.is_empty() {
        true => String::new(),
        false => format!("{ALIKE}{}", listed(others)),
    }
}

/// `A, B and C`
fn listed(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// Whether a key beside `Type` names the table of its row.
pub fn names_table(key: &str) -> bool {
    NAMING[1..].contains(&key)
}

/// The columns of a header that may say which table a row is of, the best first.
pub(super) fn naming(names: &[String]) -> Vec<usize> {
    let places = NAMING.iter().filter_map(|naming| {
        let is = |name: &String| name.eq_ignore_ascii_case(naming);
        names.iter().position(is)
    });
    places.collect()
}

/// The table of rows one of whose columns says it, with that column and what to say of it; `value` gives the first value of a column by its place.
pub(super) fn named(
    names: &[String],
    value: &dyn Fn(usize) -> Option<String>,
) -> Option<(&'static Table, usize, String)> {
    naming(names).into_iter().find_map(|at| {
        let says = value(at)?;
        let own = catalog().get(says.trim()).filter(|t| t.by_day);
        let table = own.or_else(|| catalog().foreign(says.trim()));
        // Counts by table have none of the table's columns.
        if is_vague(&names[at]) && !table.is_some_and(|t| has_columns(t, names)) {
            return None;
        }
        if let Some(table) = own {
            let why = format!("column `{}` says {}", names[at], table.name);
            return Some((table, at, why));
        }
        // Other columns than these two have names of anything.
        if is_ours(&names[at]) || catalog().foreign(says.trim()).is_some() {
            let why = of_unknown_table(&says, names)?;
            return Some((catalog::table(OTHER), at, why));
        }
        None
    })
}

/// Whether a reason is that each object says its table.
pub(super) fn is_said(why: &str) -> bool {
    let mut naming = NAMING.iter();
    inner(why).starts_with(ROWS_OF)
        || naming.any(|name| why.contains(&format!("objects with {name} `")))
}

/// Whether only Log Analytics and Kusto give a column this name.
fn is_ours(name: &str) -> bool {
    NAMING[..3].iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Whether a name of a column that may name the table is one that many other things have.
pub fn is_vague(name: &str) -> bool {
    name.eq_ignore_ascii_case("Table")
}

/// Whether some of these names, beside those that every table has, are columns of a table.
fn has_columns(table: &Table, names: &[String]) -> bool {
    let (own, _) = own_and_other(table, names.iter().map(String::as_str));
    own >= SOME
}

/// So many columns of a table are some.
pub const SOME: usize = 2;

/// Whether most of these names, beside those that every table has, are columns of a table.
fn looks_like<'n>(table: &Table, names: impl Iterator<Item = &'n str>) -> bool {
    let (own, other) = own_and_other(table, names);
    own > 2 * other
}

/// How many of these names are columns of a table and how many are not, beside those that every table has.
fn own_and_other<'n>(table: &Table, names: impl Iterator<Item = &'n str>) -> (usize, usize) {
    const EVERYWHERE: [&str; 4] = ["TimeGenerated", "Type", "TenantId", "SourceSystem"];
    let (mut own, mut other) = (0, 0);
    for name in names.filter(|n| !EVERYWHERE.contains(n) && !n.starts_with('_')) {
        match table.position(name) {
            Some(_) => own += 1,
            None => other += 1,
        }
    }
    (own, other)
}

/// Whether the `Type` of a row names a table of a workspace that is not stored: a custom one, one of those that rules ask beside ours, or any
/// in a row of Log Analytics.
pub fn is_unknown_table(name: &str, log_analytics: bool) -> bool {
    is_table_name(name)
        && catalog().get(name).is_none_or(|t| !t.by_day)
        && (log_analytics || name.ends_with("_CL") || catalog().foreign(name).is_some())
}

/// What rows are said to be that name a table which is not stored, where they look like no other.
pub(super) fn of_unknown_table(name: &str, names: &[String]) -> Option<String> {
    let name = name.trim();
    let log_analytics = names.iter().any(|n| n.eq_ignore_ascii_case(TIME));
    if !is_unknown_table(name, log_analytics) {
        return None;
    }
    // A projection may have put something else under `Type`, which does not end as custom tables do.
    let fits = |t: &&Table| looks_like(t, names.iter().map(String::as_str));
    if !name.ends_with("_CL") && catalog().closest(names, SHARE).first().is_some_and(fits) {
        return None;
    }
    Some(format!("{ROWS_OF}{name}{NOT_STORED}"))
}

/// Whether a text may be the name of a table.
pub fn is_table_name(name: &str) -> bool {
    const LONGEST: usize = 128;
    name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The tables that fit as well as the one that was taken, by the reason that was given for it.
fn rivals(why: &str) -> Vec<&'static str> {
    let Some((before, rest)) = why.split_once(ALIKE) else {
        return Vec::new();
    };
    // What the user said leaves nothing open; names out of the file stand in brackets.
    if why.starts_with(SAID) || before.contains('(') {
        return Vec::new();
    }
    let list = rest.split(';').next().unwrap_or_default();
    let table = |name: &str| catalog().get(name).or_else(|| catalog().foreign(name));
    let names = list.split(" and ").flat_map(|names| names.split(", "));
    names.filter_map(table).map(|t| t.name).collect()
}

/// The name of the table that rows are taken for, where each does not say it.
fn name_of(format: &Format) -> Option<&str> {
    match &format.kind {
        // What a column says of each row counts more.
        Kind::Cells {
            table, named: None, ..
        }
        | Kind::Objects { table } => Some(format.called.as_deref().unwrap_or(table.name)),
        _ => None,
    }
}

/// Takes the file's name as a last hint, where the columns leave several tables open.
pub fn by_name(format: &mut Format, file: &str) {
    spelled::by_name(format, file);
    let others = rivals(&format.why);
    let Some(own) = name_of(format).filter(|_| !others.is_empty()) else {
        return;
    };
    if format.why.contains(BY_NAME) {
        return;
    }
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let file = spellings::fold(file);
    // One name may be a part of another.
    let named = others
        .into_iter()
        .chain([own])
        .filter(|name| file.contains(&spellings::fold(name)))
        .max_by_key(|name| name.len());
    let Some(named) = named.map(str::to_string) else {
        return;
    };
    if named != own {
        match catalog().get(&named).filter(|t| t.by_day) {
            Some(table) => spelled::move_to(format, table),
            None => format.called = Some(named.clone()),
        }
    }
    format.why = format!("{}; {named} {BY_NAME}", format.why);
}

/// What is to be said of a file whose columns leave several tables open.
pub fn tie(format: &Format) -> Option<String> {
    let name = name_of(format)?;
    if rivals(&format.why).is_empty() {
        return None;
    }
    let taken = format!("taken for {name}, say --as TABLE for another one");
    Some(match format.called {
        // It is noted already why.
        Some(_) => taken,
        None => format!("{}: {taken}", format.why),
    })
}

#[cfg(test)]
mod tests {
    use super::super::reason::called;
    use super::super::{Detected, Hints, detect};
    use super::*;

    const SIGN_INS: &str = "TimeGenerated,Id,UserPrincipalName,AppDisplayName,IPAddress,ResultType";

    fn taken(head: &str, file: &str) -> (String, Option<String>) {
        match detect(head.as_bytes(), &Hints::default()) {
            Detected::Known(mut format) => {
                by_name(&mut format, file);
                (format.kind_name().to_string(), tie(&format))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ties_are_said_and_decided_by_the_name_at_last() {
        let rows = format!("{SIGN_INS}\n2026-06-01T00:00:00Z,a,u@contoso.com,x,192.0.2.1,0\n");
        let (table, said) = taken(&rows, "export.csv");
        assert_eq!(table, "SigninLogs");
        let said = said.expect("it is a tie");
        assert!(said.contains("AADNonInteractiveUserSignInLogs"), "{said}");
        let (table, said) = taken(&rows, "case/ADFSSignInLogs-05.csv");
        assert_eq!(table, "ADFSSignInLogs");
        let said = said.expect("it is said");
        assert!(said.contains("ADFSSignInLogs by the file's name"), "{said}");
        // A column that only one of them has decides, and nothing is to be said.
        let rows = rows.replacen("AppDisplayName", "FlaggedForReview", 1);
        assert_eq!(taken(&rows, "x.csv"), ("SigninLogs".into(), None));
    }

    #[test]
    fn rows_of_a_table_that_is_not_stored_are_no_others() {
        let custom = r#"{"TimeGenerated":"2026-05-14T10:00:00Z","Type":"M365AuditGeneral_CL","TenantId":"t","Operation":"DLPRuleMatch","Workload":"Endpoint","RecordType":63,"UserId":"ada@contoso.com","Id":"a","DeviceName":"ws-1","TargetFilePath":"E:\\plan.docx","Extra":1}"#;
        assert_eq!(taken(custom, "x.jsonl").0, "OtherRecords");
        let csv = "TimeGenerated,Type,Operation,Workload,UserId,Colour,Shape\n2026-05-14T10:00:00Z,Mine_CL,a,b,c,d,e\n";
        assert_eq!(taken(csv, "x.csv").0, "OtherRecords");
    }

    #[test]
    fn only_reasons_of_ours_name_tables() {
        for hostile in [
            "columns of no known table (a, and as many of SigninLogs)",
            "--as X; by itself most columns are those of Y, and as many of SigninLogs",
        ] {
            assert!(rivals(hostile).is_empty(), "{hostile}");
        }
        let ours = "most columns are those of X, and as many of SigninLogs and AuditLogs; AuditLogs by the file's name";
        assert_eq!(rivals(ours), ["SigninLogs", "AuditLogs"]);
        let three = ["SigninLogs", "AuditLogs", "EmailEvents"];
        let ours = format!("most columns are those of X{}", alike(&three));
        assert!(ours.ends_with(" of SigninLogs, AuditLogs and EmailEvents"));
        assert_eq!(rivals(&ours), three);
        assert_eq!(
            called("columns of no known table (SecurityEvent, which is not stored)"),
            None
        );
        let ours = "most keys are columns of SecurityEvent, which is not stored";
        assert_eq!(called(ours).as_deref(), Some("SecurityEvent"));
    }

    #[test]
    fn rows_are_told_by_what_stands_in_them_where_names_do_not() {
        for (rows, table) in [
            (
                "Timestamp,ActionType,Application,AccountUpn,DeviceName,IPAddress\n2026-06-01T00:00:00Z,LogonSuccess,Active Directory,a@contoso.com,d,192.0.2.1\n",
                "IdentityLogonEvents",
            ),
            (
                "TimeGenerated,SourceSystem,Operation,UserId,ClientIP\n2026-06-01T00:00:00Z,OfficeActivityManager,FileDownloaded,a@contoso.com,192.0.2.1\n",
                "OfficeActivity",
            ),
            (
                "TimeGenerated,ServicePrincipalName,AppId,IPAddress,ResultType\n2026-06-01T00:00:00Z,x,y,192.0.2.1,0\n",
                "AADServicePrincipalSignInLogs",
            ),
            (
                "Timestamp,DeviceName,ActionType,FileName,FolderPath,InitiatingProcessFileName\n2026-06-01T00:00:00Z,d,FileCreated,f,p,i\n",
                "OtherRecords",
            ),
            (
                "TableName,TimeGenerated,UserPrincipalName,IPAddress,ResultType\nAADNonInteractiveUserSignInLogs,2026-06-01T00:00:00Z,a@contoso.com,192.0.2.1,0\n",
                "AADNonInteractiveUserSignInLogs",
            ),
        ] {
            assert_eq!(taken(rows, "x.csv").0, table, "{rows}");
        }
    }
}
