//! Which table names of columns are of.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::column::{Origin, SECOND_TIME, TIME};
use super::published;
use super::table::Table;
use super::tables::{Catalog, catalog};

/// Of tables that cover the names alike, those that public rules ask most come first, in this order.
const ASKED: [&str; 33] = [
    "SigninLogs",
    "AuditLogs",
    "CloudAppEvents",
    "EmailEvents",
    "SecurityAlert",
    "OfficeActivity",
    "IdentityInfo",
    "AADNonInteractiveUserSignInLogs",
    "EmailUrlInfo",
    "AADSignInEventsBeta",
    "EmailAttachmentInfo",
    "AlertEvidence",
    "IdentityLogonEvents",
    "AlertInfo",
    "SecurityIncident",
    "BehaviorAnalytics",
    "IdentityDirectoryEvents",
    "MicrosoftGraphActivityLogs",
    "UrlClickEvents",
    "AADServicePrincipalSignInLogs",
    "EntraIdSignInEvents",
    "ThreatIntelIndicators",
    "DeviceNetworkEvents",
    "DeviceFileEvents",
    "SecurityEvent",
    "DeviceEvents",
    "CommonSecurityLog",
    "AzureActivity",
    "DeviceInfo",
    "AzureDiagnostics",
    "DeviceLogonEvents",
    "DeviceProcessEvents",
    "EmailPostDeliveryEvents",
];

/// What a name counts that only one table has; one that several have counts its part of it. Whole numbers, so that equal sums are equal.
const ALONE: usize = 720_720;

/// Names that a table must have, however few there are.
const FEWEST: usize = 3;

/// How well a table covers names: how many are columns of it, and how rare these are among all tables.
struct Cover<'c> {
    table: &'c Table,
    hits: usize,
    rare: usize,
}

impl<'c> Cover<'c> {
    fn new(table: &'c Table) -> Self {
        Cover {
            table,
            hits: 0,
            rare: 0,
        }
    }

    fn equals(&self, other: &Cover<'_>) -> bool {
        self.hits == other.hits && self.rare == other.rare
    }

    /// What decides where the names do not: what is asked first, then the smaller table, which is the closer description.
    fn order(&self) -> (usize, usize, &str) {
        let name = self.table.name;
        let asked = ASKED.iter().position(|asked| *asked == name);
        (asked.unwrap_or(ASKED.len()), self.table.columns.len(), name)
    }
}

/// Those of the tables that cover the names best, of which at least `share` must be columns of them.
fn best<'c>(mut covers: Vec<Cover<'c>>, names: usize, share: f64) -> Vec<&'c Table> {
    covers.retain(|c| c.hits >= FEWEST && c.hits as f64 >= share * names as f64);
    covers.sort_by(|a, b| {
        let names = b.hits.cmp(&a.hits).then(b.rare.cmp(&a.rare));
        names.then_with(|| a.order().cmp(&b.order()))
    });
    let alike = covers.iter().take_while(|c| c.equals(&covers[0]));
    alike.map(|c| c.table).collect()
}

impl Catalog {
    /// The event tables whose columns best cover these names, if at least `share` of the names are columns of them. Where they are several,
    /// the names do not tell them apart, and the first is the one to take.
    ///
    /// More names win; between equals those that fewer tables have.
    pub fn closest(&self, names: &[String], share: f64) -> Vec<&Table> {
        let tables: Vec<&Table> = self.tables().filter(|t| t.by_day).collect();
        let has = |table: &Table, name: &str| table.export_position(name).is_some();
        let mut covers: Vec<Cover<'_>> = tables.iter().copied().map(Cover::new).collect();
        for name in names {
            let own: Vec<bool> = tables.iter().map(|t| has(t, name)).collect();
            let count = own.iter().filter(|own| **own).count();
            for (cover, _) in covers.iter_mut().zip(own).filter(|(_, own)| *own) {
                cover.hits += 1;
                cover.rare += ALONE / count;
            }
        }
        best(covers, names.len(), share)
    }
}

/// Which of the tables that are not stored have a column of a name, by their places.
static FOREIGN: OnceLock<HashMap<String, Vec<usize>>> = OnceLock::new();

/// The tables that are not stored whose columns best cover these names: nearly all of them, and more than the stored one does, or as many
/// where rules ask for them and not for that one.
pub fn closest_foreign(names: &[String], stored: Option<&Table>) -> Vec<&'static Table> {
    /// Of ten names at least eight: there are many such tables, and a few common names are columns of some of them.
    const NEARLY_ALL: f64 = 0.8;
    let is_asked = |table: &Table| ASKED.contains(&table.name);
    let is_time = |name: &str| name.eq_ignore_ascii_case(SECOND_TIME);
    let own = |table: &Table| {
        let own = |n: &&String| is_time(n) || table.export_position(n).is_some();
        names.iter().filter(own).count()
    };
    let hits = stored.map_or(0, own);
    let settled = hits as f64 >= NEARLY_ALL * names.len() as f64;
    if names.is_empty() || (settled && stored.is_some_and(is_asked)) {
        return Vec::new();
    }
    let foreign = catalog().foreign.iter();
    let tables: Vec<&'static Table> = foreign.chain(published::all()).collect();
    let columns = FOREIGN.get_or_init(|| places(&tables));
    let mut covers: Vec<Cover<'static>> = tables.iter().copied().map(Cover::new).collect();
    for name in names {
        let name = if is_time(name) { TIME } else { name.as_str() };
        let having = columns.get(&name.to_ascii_lowercase());
        let having = having.map_or(&[][..], Vec::as_slice);
        for at in having {
            covers[*at].hits += 1;
            covers[*at].rare += ALONE / having.len();
        }
    }
    let may_equal = stored.is_some_and(|table| !is_asked(table));
    covers.retain(|c| {
        let more = c.hits > hits || (c.hits == hits && may_equal && is_asked(c.table));
        more && c.hits > FEWEST
    });
    best(covers, names.len(), NEARLY_ALL)
}

/// The places of the tables that have a column of a name.
fn places(tables: &[&Table]) -> HashMap<String, Vec<usize>> {
    let mut columns: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, table) in tables.iter().enumerate() {
        let own = table.columns.iter().filter(|c| c.origin == Origin::Export);
        for column in own {
            let name = column.name.to_ascii_lowercase();
            columns.entry(name).or_default().push(at);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use crate::catalog::catalog;

    fn closest(names: &str) -> Vec<&'static str> {
        let names: Vec<String> = names.split(' ').map(String::from).collect();
        let found = catalog().closest(&names, 0.6);
        found.iter().map(|t| t.name).collect()
    }

    #[test]
    fn names_of_columns_tell_the_table() {
        for (names, first) in [
            (
                "TimeGenerated ActionType Application AccountObjectId RawEventData",
                "CloudAppEvents",
            ),
            (
                "TimeGenerated OperationName TargetResources InitiatedBy Result",
                "AuditLogs",
            ),
            (
                "Timestamp NetworkMessageId SenderFromAddress RecipientEmailAddress DeliveryAction",
                "EmailEvents",
            ),
        ] {
            assert_eq!(closest(names).first(), Some(&first), "{names}");
        }
        assert!(closest("a b c").is_empty());
        assert!(closest("TimeGenerated a b c d").is_empty());
    }

    #[test]
    fn tables_that_are_not_stored_are_told_by_more_names() {
        let foreign = |names: &str| -> Vec<&'static str> {
            let names: Vec<String> = names.split(' ').map(String::from).collect();
            let stored = catalog().closest(&names, 0.6).first().copied();
            let found = super::closest_foreign(&names, stored);
            found.iter().map(|t| t.name).collect()
        };
        let names = "Timestamp DeviceName ActionType RemoteIP RemotePort InitiatingProcessFileName";
        assert_eq!(foreign(names).first(), Some(&"DeviceNetworkEvents"));
        let names = "TimeGenerated UserPrincipalName AppDisplayName IPAddress ResultType x";
        assert!(foreign(names).is_empty());
    }

    #[test]
    fn tables_that_names_do_not_tell_apart_are_all_given() {
        let signins =
            closest("TimeGenerated Id UserPrincipalName AppDisplayName IPAddress ResultType");
        assert_eq!(signins.first(), Some(&"SigninLogs"));
        assert!(signins.contains(&"AADNonInteractiveUserSignInLogs"));
        // A column that only one of them has decides.
        let one =
            closest("TimeGenerated Id UserPrincipalName IPAddress ResultType FlaggedForReview");
        assert_eq!(one, ["SigninLogs"]);
    }
}
