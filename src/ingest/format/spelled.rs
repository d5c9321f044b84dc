//! Lists of Entra in other spellings than Sentinel's: which they are, from the names of their columns, and as a last hint from the file's
//! name.

use super::super::columns::{self, Target};
use super::super::csv::{self, Fields, Next};
use super::super::entra::{ByRow, Sort};
use super::super::time::names as times;
use super::found::{Format, Kind, OTHER};
use super::reason::{ALIKE, SAID};
use crate::catalog::spellings::{self, Spellings};
use crate::catalog::{Table, catalog};

/// Why, for lists whose columns leave two tables open.
pub(super) const SIGN_INS: &str = "sign-ins in the spelling of Entra's portal, Graph or PowerShell";
/// Why, for lists whose time is no column of their table.
pub(super) const PROVISIONING: &str = "provisioning in the spelling of Entra's portal or Graph";

/// The columns that names stand for, each with the path below it.
struct Seen<'n> {
    columns: Vec<(&'static str, &'static str)>,
    /// The names, by their letters and digits.
    folded: &'n [String],
}

impl<'n> Seen<'n> {
    fn of(kind: &'static Spellings, folded: &'n [String]) -> Seen<'n> {
        let columns = folded
            .iter()
            .filter_map(|name| kind.find(name))
            .map(|(spelling, _)| (spelling.columns[0], spelling.path))
            .collect();
        Seen { columns, folded }
    }

    /// Whether one of these names is there, by letters and digits.
    fn names(&self, names: &[&str]) -> bool {
        self.folded.iter().any(|n| names.contains(&n.as_str()))
    }

    /// Whether a column is there, or a part of it.
    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|(c, _)| *c == column)
    }

    /// How many of these are there.
    fn count(&self, columns: &[&str]) -> usize {
        columns.iter().filter(|c| self.has(c)).count()
    }

    /// Whether most names are known.
    fn most(&self) -> bool {
        self.columns.len() * 10 >= self.folded.len() * 6
    }

    fn of_a_user(&self) -> bool {
        self.count(&["UserPrincipalName", "UserDisplayName", "UserId"]) > 0
    }
}

/// The table of a list whose columns have these names, and why; nothing where it is no list of Entra, or one in Sentinel's own spelling.
pub(super) fn table_of(names: &[String]) -> Option<(&'static Table, String)> {
    // Rows of Log Analytics and of advanced hunting have these. A `Type` that names a table was looked at before.
    const OWN: [&str; 3] = ["TimeGenerated", "Timestamp", "$table"];
    if names
        .iter()
        .any(|n| OWN.iter().any(|own| n.eq_ignore_ascii_case(own)))
    {
        return None;
    }
    let names: Vec<&String> = names.iter().filter(|n| !is_of_the_transport(n)).collect();
    let folded: Vec<String> = names.iter().map(|name| spellings::fold(name)).collect();
    spellings::kinds().iter().find_map(|kind| {
        let seen = Seen::of(kind, &folded);
        let (table, why) = match kind.kind {
            "sign-in" => (sign_in(&seen)?, SIGN_INS),
            "audit" => (
                audit(&seen)?,
                "audits in the spelling of Entra's portal or Graph",
            ),
            "risk" => (risk(&seen)?, "risk detections in Graph's spelling"),
            "provisioning" => (provisioning(&seen, &names)?, PROVISIONING),
            _ => (
                risky(&seen)?,
                "users or applications at risk in Graph's spelling",
            ),
        };
        Some((catalog().get(table)?, why.to_string()))
    })
}

/// Whether rows of a table are sign-ins.
pub(super) fn is_sign_ins(table: &Table) -> bool {
    spellings::of(table.name).is_some_and(|kind| kind.kind == "sign-in")
}

/// Whether an answer of Graph, by its `@odata.context`, has no sign-ins: `…/$metadata#users(displayName,signInActivity)`. That of a query
/// names a type instead of a set.
pub(super) fn is_of_another_set(context: &str) -> bool {
    let Some((_, set)) = context.split_once("$metadata#") else {
        return false;
    };
    let set = set.split('(').next().unwrap_or_default();
    let mut steps = set.split('/');
    !set.is_empty()
        && set != "Collection"
        && !set.contains('.')
        && !steps.any(|step| step.eq_ignore_ascii_case("signIns"))
}

/// Keys that the transport or an SDK adds.
pub(super) fn is_of_the_transport(name: &str) -> bool {
    name.contains("@odata.")
        || [
            "AdditionalProperties",
            "additional_data",
            "backing_store",
            "odata_type",
            "RunspaceId",
            "PSComputerName",
        ]
        .contains(&name)
}

/// Whether the time or the user has a name that lists of anything give it: tickets, web logs, lists of VPNs.
fn is_loose(seen: &Seen<'_>) -> bool {
    const TIMES: [&str; 3] = ["createddatetime", "dateutc", "fechautc"];
    const USERS: [&str; 3] = ["user", "utilisateur", "usuario"];
    // Other names of who it was are Entra's.
    let others = seen.folded.iter().filter(|n| !USERS.contains(&n.as_str()));
    let others: Vec<String> = others.cloned().collect();
    let kind = spellings::of("SigninLogs");
    let user = kind.is_some_and(|kind| Seen::of(kind, &others).of_a_user());
    let principal = seen.count(&["ServicePrincipalId", "ServicePrincipalName"]) > 0;
    !seen.names(&TIMES) || !(user || principal)
}

/// Whether a name is there that only sign-ins have.
fn is_only_of_sign_ins(seen: &Seen<'_>) -> bool {
    /// Of columns that have other names, too, which lists of anything have: `Id`, `Error code`.
    const NAMES: [&str; 8] = [
        "requestid",
        "iddedemande",
        "iddelademande",
        "iddesolicitud",
        "signinerrorcode",
        "statuserrorcode",
        "codederreurdeconnexion",
        "códigodeerrordeiniciodesesión",
    ];
    const COLUMNS: [&str; 14] = [
        "AuthenticationDetails",
        "AuthenticationProcessingDetails",
        "AuthenticationRequirement",
        "ClientAppUsed",
        "ConditionalAccessPolicies",
        "ConditionalAccessStatus",
        "CorrelationId",
        "CrossTenantAccessType",
        "IncomingTokenType",
        "IsInteractive",
        "MfaDetail",
        "RiskLevelDuringSignIn",
        "SignInEventTypes",
        "TokenIssuerType",
    ];
    seen.names(&NAMES) || seen.count(&COLUMNS) > 0
}

fn sign_in(seen: &Seen<'_>) -> Option<&'static str> {
    /// What was done, which is no sign-in: of the activity log of Defender for Cloud Apps, of tickets.
    const DONE: [&str; 7] = [
        "activity",
        "activité",
        "actividad",
        "activitytype",
        "activityid",
        "description",
        "action",
    ];
    let app = seen.count(&["AppDisplayName", "AppId", "ResourceDisplayName"]) > 0;
    let outcome = seen.count(&["Status", "ResultType", "ConditionalAccessStatus"]) > 0;
    let marks = [
        app,
        outcome,
        seen.has("IPAddress"),
        seen.has("ClientAppUsed"),
    ];
    let marks = marks.iter().filter(|m| **m).count();
    let principal = seen.count(&["ServicePrincipalId", "ServicePrincipalName"]) > 0;
    let user = seen.of_a_user();
    let certain = seen.has("CreatedDateTime") && (user || principal);
    if !certain || marks < 2 || (marks < 3 && !seen.most()) {
        return None;
    }
    if is_loose(seen) && (seen.names(&DONE) || !is_only_of_sign_ins(seen)) {
        return None;
    }
    Some(match (user, seen.has("ManagedServiceIdentity")) {
        (true, _) => "SigninLogs",
        (false, true) => "AADManagedIdentitySignInLogs",
        (false, false) => "AADServicePrincipalSignInLogs",
    })
}

fn audit(seen: &Seen<'_>) -> Option<&'static str> {
    let marks = seen.count(&[
        "InitiatedBy",
        "TargetResources",
        "LoggedByService",
        "Category",
        "Result",
    ]);
    let certain = seen.has("ActivityDateTime") && seen.has("ActivityDisplayName");
    let close = seen.has("InitiatedBy") || seen.has("TargetResources") || seen.most();
    // Other lists of what was done have a date, an address and a result, too.
    let own = seen.count(&["TargetResources", "CorrelationId"]) > 0
        || (seen.has("LoggedByService") && seen.has("Category"))
        || seen.names(&["activitydatetime", "dateutc", "fechautc"])
        || seen.names(&["initiatedby", "actoruserprincipalname", "actordisplayname"]);
    (certain && close && own && marks >= 2).then_some("AuditLogs")
}

fn provisioning(seen: &Seen<'_>, names: &[&String]) -> Option<&'static str> {
    let job = seen.count(&["JobId", "CycleId", "ChangeId"]);
    let what = seen.count(&[
        "ProvisioningAction",
        "ProvisioningStatusInfo",
        "ProvisioningSteps",
        "SourceIdentity",
        "SourceSystem",
        "TargetIdentity",
        "TargetSystem",
    ]);
    let timed = names.iter().any(|name| times::rank(name).is_some());
    (timed && job >= 2 && what >= 3 && seen.most()).then_some("AADProvisioningLogs")
}

fn risk(seen: &Seen<'_>) -> Option<&'static str> {
    let time = seen.count(&["DetectedDateTime", "ActivityDateTime"]) > 0;
    let level = seen.count(&["RiskLevel", "RiskState"]) > 0;
    if !time || !level || !seen.has("RiskEventType") || !seen.most() {
        return None;
    }
    Some(match seen.of_a_user() {
        true => "AADUserRiskEvents",
        false => "AADServicePrincipalRiskEvents",
    })
}

fn risky(seen: &Seen<'_>) -> Option<&'static str> {
    let level = seen.count(&["RiskLevel", "RiskState"]) > 0;
    if !level || !seen.has("RiskLastUpdatedDateTime") || !seen.most() {
        return None;
    }
    Some(match seen.of_a_user() {
        true => "AADRiskyUsers",
        false => "AADRiskyServicePrincipals",
    })
}

/// The table that all of the first rows of a CSV say they are of, where a column of it says that; else this one.
pub(super) fn by_rows(
    table: &'static Table,
    names: &[String],
    rows: &[u8],
    delimiter: u8,
) -> &'static Table {
    /// Rows that are asked.
    const ROWS: usize = 64;
    if !Sort::applies_to(table) {
        return table;
    }
    let mut said: Option<&'static Table> = None;
    let mut fields = Fields::default();
    let mut at = 0;
    for _ in 0..ROWS {
        fields.clear();
        let Next::Record { next, .. } = csv::next_record(rows, at, delimiter, &mut fields) else {
            break;
        };
        at = next;
        let mut sort = Sort::default();
        for (name, field) in names.iter().zip(fields.iter()) {
            sort.note(name, &String::from_utf8_lossy(field));
        }
        let row = sort.table(table);
        if said.is_some_and(|before| before.name != row.name) {
            return table;
        }
        said = Some(row);
    }
    said.unwrap_or(table)
}

/// The tables of the rows of a CSV of sign-ins, where each says its own and the user said none.
pub fn by_row(format: &Format) -> Option<ByRow<'_>> {
    match &format.kind {
        Kind::Cells {
            table, named: None, ..
        } if !format.why.starts_with(SAID) => ByRow::new(table, &format.header),
        _ => None,
    }
}

/// What to say of a list in a language whose names of columns are not known.
pub(super) fn in_another_language(names: &[String]) -> Option<String> {
    let language = spellings::language(names)?;
    Some(format!(
        "a list of Entra's portal in {language}, whose names of columns are not known: set the portal's language to English and export it again"
    ))
}

/// Takes the file's name as a last hint: the lists of interactive and of other sign-ins that the portal saves have the same columns.
pub(super) fn by_name(format: &mut Format, file: &str) {
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let file = spellings::fold(file);
    let said = |words: &[&str]| words.iter().any(|w| file.contains(w));
    let table = match &format.kind {
        // What a column says of each row counts more.
        Kind::Cells { named: Some(_), .. } => return,
        Kind::Cells { table, .. } | Kind::Objects { table } => *table,
        _ => return,
    };
    let open = format.why.starts_with(SIGN_INS) || format.why.contains(ALIKE);
    if !Sort::applies_to(table) || !open || format.why.starts_with(SAID) {
        return;
    }
    let name = match table.name {
        "SigninLogs" if said(&["noninteractive", "noninteractif"]) => {
            "AADNonInteractiveUserSignInLogs"
        }
        "AADServicePrincipalSignInLogs" if said(&["msisignin", "managedidentity"]) => {
            "AADManagedIdentitySignInLogs"
        }
        _ => return,
    };
    let Some(other) = catalog().get(name) else {
        return;
    };
    move_to(format, other);
    format.why = format!("{}; {name} by the file's name", format.why);
}

/// Takes rows for those of another table.
pub(super) fn move_to(format: &mut Format, other: &'static Table) {
    match &mut format.kind {
        Kind::Cells { table, targets, .. } => {
            for target in targets.iter_mut() {
                *target = moved(target, table, other);
            }
            *table = other;
            if other.name == OTHER {
                columns::number(targets, &format.header);
            }
        }
        Kind::Objects { table } => *table = other,
        _ => {}
    }
}

/// Where in another table the values go that go there in this one.
fn moved(target: &Target, from: &Table, to: &Table) -> Target {
    match target {
        Target::Column(i) => columns::target(to, from.columns[*i].name),
        Target::Spelled(place) => columns::target(to, place.name()),
        Target::Extra(name) => columns::target(to, name),
        // What the user named goes before all others in any table.
        Target::Timed(timed) if timed.rank == 0 => {
            columns::target_timed(to, &timed.name, Some(&timed.name))
        }
        Target::Timed(timed) => columns::target(to, &timed.name),
        Target::Local(inner) => match moved(inner, from, to) {
            Target::Extra(name) => Target::Extra(name),
            inner => Target::Local(Box::new(inner)),
        },
        Target::East(minutes, inner) => match (&**inner, moved(inner, from, to)) {
            // Its name says by which clock it is, as the whole name does.
            (Target::Timed(timed), _) if timed.rank > 0 => columns::target(to, &timed.name),
            (_, Target::Extra(name)) => Target::Extra(name),
            (_, inner @ Target::East(..)) => inner,
            (_, inner) => Target::East(*minutes, Box::new(inner)),
        },
        Target::Time(_) | Target::HalfTime(_) | Target::Skip => target.clone(),
    }
}
