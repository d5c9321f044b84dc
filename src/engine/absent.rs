//! Why an answer has no rows: tables of which the archive holds nothing, and times at which they have nothing.
//!
//! Says only what it knows; which condition of a query let no row pass is not worked out.

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::options::{PUBLIC, STORED, TimeRange};
use super::session::Session;
use super::views;
use crate::catalog::{TIME, catalog};
use crate::fault::Result;

/// Tables of one query that are looked into. A search over all of them would take long to explain.
const MOST: usize = 8;
/// Names that one reason lists.
const NAMED: usize = 3;
/// `now()` this long after the last event is a reason, in microseconds.
const LATE: i64 = 3_600_000_000;
const DAY: i64 = 86_400_000_000;

/// Tables of sign-ins of people.
const SIGN_INS: &[&str] = &[
    "SigninLogs",
    "AADNonInteractiveUserSignInLogs",
    "EntraIdSignInEvents",
    "AADSignInEventsBeta",
    "IdentityLogonEvents",
];
/// Tables of alerts. An incident is something else.
const ALERTS: &[&str] = &["SecurityAlert", "AlertInfo", "AlertEvidence"];

/// Tables that hold the same kind of events, for who asks the one and has the other.
const NEIGHBOURS: [&[&str]; 6] = [
    SIGN_INS,
    &[
        "AADServicePrincipalSignInLogs",
        "AADManagedIdentitySignInLogs",
        "EntraIdSpnSignInEvents",
        "AADSpnSignInEventsBeta",
    ],
    &[
        "LabelEvents",
        "InformationProtectionLogs_CL",
        "InformationProtectionEvents",
        "MicrosoftPurviewInformationProtection",
        "AipServiceUserLog",
        "AipServiceTrackingLog",
        "ActivityExplorer",
        "DataSecurityEvents",
    ],
    &["UnifiedAuditLog", "CloudAppEvents", "OfficeActivity"],
    ALERTS,
    &["AADUserRiskEvents", "AADRiskyUsers"],
];

/// Some records of a table that say what others hold.
#[derive(Debug, PartialEq)]
struct Elsewhere {
    /// The tables that are asked for it.
    of: &'static [&'static str],
    /// What the records are called.
    called: &'static str,
    table: &'static str,
    /// Which they are, in SQL. Numbers of record types are those of the Management Activity API's schema.
    condition: &'static str,
}

static ELSEWHERE: [Elsewhere; 9] = [
    Elsewhere {
        of: SIGN_INS,
        called: "`UserLoggedIn` records",
        table: "UnifiedAuditLog",
        condition: "\"Operation\" IN ('UserLoggedIn', 'UserLoginFailed')",
    },
    Elsewhere {
        of: &["AuditLogs"],
        called: "`AzureActiveDirectory` records",
        table: "UnifiedAuditLog",
        condition: "\"RecordType\" = 8",
    },
    Elsewhere {
        of: &["UnifiedAuditLog", "CloudAppEvents"],
        called: "changes in the directory",
        table: "AuditLogs",
        condition: "true",
    },
    Elsewhere {
        of: ALERTS,
        called: "`AlertTriggered` records",
        table: "UnifiedAuditLog",
        condition: "\"Operation\" IN ('AlertTriggered', 'AlertEntityGenerated', 'AlertUpdated')",
    },
    Elsewhere {
        of: &["EmailEvents"],
        called: "message traces",
        table: "OtherRecords",
        // Of the cmdlets, and of the reports that the portal makes.
        condition: "coalesce(\"ExtraColumns\"->>'MessageTraceId', \"ExtraColumns\"->>'recipient_status') IS NOT NULL",
    },
    Elsewhere {
        of: &["EmailEvents"],
        called: "`ThreatIntelligence` records",
        table: "UnifiedAuditLog",
        condition: "\"RecordType\" = 28",
    },
    Elsewhere {
        of: &["UrlClickEvents"],
        called: "`ThreatIntelligenceUrl` records",
        table: "UnifiedAuditLog",
        condition: "\"RecordType\" = 41",
    },
    Elsewhere {
        of: &["CopilotActivity"],
        called: "`CopilotInteraction` records",
        table: "UnifiedAuditLog",
        condition: "\"RecordType\" = 261",
    },
    Elsewhere {
        of: &["PowerBIActivity"],
        called: "`PowerBIAudit` records",
        table: "UnifiedAuditLog",
        condition: "\"RecordType\" = 20",
    },
];

/// What an archive holds of a table, at whatever time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    /// Rows, of which no time is known.
    Rows,
    /// Rows between these times, in microseconds.
    Between(i64, i64),
}

/// A table that a query read.
struct Read<'a> {
    name: &'a str,
    holds: Holds,
    /// Tables of the same kind that have rows; asked for where the table has none.
    neighbours: Vec<&'static str>,
    /// The same of records elsewhere.
    elsewhere: Vec<&'static Elsewhere>,
}

impl Session {
    /// Names of the archive's tables that a plan reads, each once.
    ///
    /// # Errors
    /// When the plan cannot be gone through.
    pub fn reads(&self, plan: &LogicalPlan) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        plan.apply_with_subqueries(|node| {
            // A view is its query under the view's name.
            let reference = match node {
                LogicalPlan::SubqueryAlias(alias) => &alias.alias,
                LogicalPlan::TableScan(scan) => &scan.table_name,
                _ => return Ok(TreeNodeRecursion::Continue),
            };
            let name = reference.table();
            let known = matches!(reference.schema(), None | Some(PUBLIC | STORED))
                && views::exists(name)
                && !self.files.iter().any(|file| file == name);
            if !known {
                return Ok(TreeNodeRecursion::Continue);
            }
            if !names.iter().any(|n| n == name) {
                names.push(name.to_string());
            }
            Ok(TreeNodeRecursion::Jump)
        })?;
        Ok(names)
    }

    /// Reasons for a query over these tables to find nothing, where there are any to see. `now` is what `now()` says, in microseconds.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn absence(&self, tables: &[String], query: &str, now: i64) -> Result<Vec<String>> {
        if tables.len() > MOST {
            return Ok(Vec::new());
        }
        let mut read = Vec::new();
        for name in tables {
            let holds = self.block_on(self.holds(name))?;
            let (mut neighbours, elsewhere) = match holds {
                Holds::Nothing => self.block_on(self.beside(name))?,
                _ => (Vec::new(), Vec::new()),
            };
            // Rows of a table that the query reads as well were seen.
            let read_too = |other: &str| tables.iter().any(|table| table == other);
            neighbours.retain(|other| !read_too(other));
            read.push(Read {
                name,
                holds,
                neighbours,
                elsewhere,
            });
        }
        Ok(reasons(&read, self.range, query, now))
    }

    async fn holds(&self, name: &str) -> Result<Holds> {
        let reference = || TableReference::bare(name);
        if !self.whole.table_exist(reference())? {
            views::make(self, name).await?;
        }
        let columns = self.whole.table(reference()).await?;
        let events = catalog().get(name).is_none_or(|table| table.by_day);
        let time = [TIME, "Time"]
            .into_iter()
            .find(|time| events && columns.schema().has_column_with_unqualified_name(time));
        let times = time.map_or(String::new(), |t| format!(", min(\"{t}\"), max(\"{t}\")"));
        let sql = format!("SELECT count(*){times} FROM \"{name}\"");
        let batches = self.whole.sql(&sql).await?.collect().await?;
        let Some(batch) = batches.first().filter(|batch| batch.num_rows() > 0) else {
            return Ok(Holds::Nothing);
        };
        if batch.column(0).as_primitive::<Int64Type>().value(0) == 0 {
            return Ok(Holds::Nothing);
        }
        let time = |column: usize| {
            let array = batch.columns().get(column)?;
            let times = array.as_primitive_opt::<TimestampMicrosecondType>()?;
            times.iter().next().flatten()
        };
        Ok(match (time(1), time(2)) {
            (Some(first), Some(last)) => Holds::Between(first, last),
            _ => Holds::Rows,
        })
    }

    /// Tables of the same kind that have rows, and records elsewhere.
    async fn beside(&self, name: &str) -> Result<(Vec<&'static str>, Vec<&'static Elsewhere>)> {
        let mut found = Vec::new();
        for kind in NEIGHBOURS.iter().filter(|kind| kind.contains(&name)) {
            for other in kind.iter().filter(|other| **other != name) {
                if self.has(other) || self.holds(other).await? != Holds::Nothing {
                    found.push(*other);
                }
            }
        }
        let mut records = Vec::new();
        for one in ELSEWHERE.iter().filter(|one| one.of.contains(&name)) {
            if self.has_records(one).await? {
                records.push(one);
            }
        }
        Ok((found, records))
    }

    async fn has_records(&self, of: &Elsewhere) -> Result<bool> {
        let (table, condition) = (of.table, of.condition);
        if !self.whole.table_exist(TableReference::bare(table))? {
            views::make(self, table).await?;
        }
        let sql = format!("SELECT 1 FROM \"{table}\" WHERE {condition} LIMIT 1");
        let batches = self.whole.sql(&sql).await?.collect().await?;
        Ok(batches.iter().any(|batch| batch.num_rows() > 0))
    }
}

/// The reasons, the plainest first.
fn reasons(tables: &[Read<'_>], range: TimeRange, query: &str, now: i64) -> Vec<String> {
    let mut out = Vec::new();
    let lacking = || tables.iter().filter(|t| t.holds == Holds::Nothing);
    let names: Vec<&str> = lacking().map(|t| t.name).collect();
    if !names.is_empty() {
        out.push(format!("this archive holds no {}", listed(&names, "or")));
    }
    for table in lacking().filter(|t| !t.neighbours.is_empty()) {
        let verb = match table.neighbours.len() {
            1 => "has",
            _ => "have",
        };
        out.push(format!(
            "{} {verb} events of the kind of `{}`",
            listed(&table.neighbours, "and"),
            table.name
        ));
    }
    let mut told: Vec<&Elsewhere> = Vec::new();
    for one in lacking().flat_map(|t| t.elsewhere.iter().copied()) {
        if !told.contains(&one) {
            told.push(one);
            out.push(format!("{} are in `{}`", one.called, one.table));
        }
    }
    // Blanks stand where they like between a name and its bracket.
    let text: String = query.split_whitespace().collect::<String>().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let relative = has(&[
        "ago(",
        "now(",
        "current_timestamp",
        "current_date",
        "localtimestamp",
    ]);
    let timed = has(&["timegenerated", "timestamp"]);
    for table in tables {
        let Holds::Between(first, last) = table.holds else {
            continue;
        };
        let name = table.name;
        let between = || {
            format!(
                "the events of `{name}` lie between {} and {}",
                time_text(first),
                time_text(last)
            )
        };
        let outside =
            range.from.is_some_and(|from| last < from) || range.to.is_some_and(|to| first >= to);
        if outside {
            out.push(format!("{}, outside the time asked for", between()));
        } else if relative && now.saturating_sub(last) > LATE {
            out.push(format!(
                "the last event of `{name}` is of {}, and now() is {}: try --at {}",
                time_text(last),
                time_text(now),
                day_after(last)
            ));
        } else if relative && first > now {
            out.push(format!(
                "the first event of `{name}` is of {}, and now() is {}: try --at {}",
                time_text(first),
                time_text(now),
                day_after(last)
            ));
        } else if timed {
            out.push(between());
        }
    }
    out
}

/// `a`, `b` or `c`; when there are many, the first of them.
fn listed(names: &[&str], last: &str) -> String {
    let mut quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    if names.len() > NAMED {
        quoted.truncate(NAMED);
        quoted.push(format!("{} more", names.len() - NAMED));
    }
    match quoted.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn time_text(t: i64) -> String {
    chrono::DateTime::from_timestamp_micros(t).map_or_else(
        || t.to_string(),
        |t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

/// The day after a time: all of that day lies before it.
fn day_after(t: i64) -> String {
    let next = t.div_euclid(DAY).saturating_add(1).saturating_mul(DAY);
    chrono::DateTime::from_timestamp_micros(next).map_or_else(
        || next.to_string(),
        |next| next.format("%Y-%m-%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-05-28T20:11:36Z
    const LAST: i64 = 1_779_999_096_000_000;
    const ALL: TimeRange = TimeRange {
        from: None,
        to: None,
    };

    fn told(holds: Holds, range: TimeRange, query: &str, now: i64) -> String {
        let read = Read {
            name: "CloudAppEvents",
            holds,
            neighbours: Vec::new(),
            elsewhere: Vec::new(),
        };
        reasons(&[read], range, query, now).join("; ")
    }

    #[test]
    fn events_that_are_older_than_the_query_looks_are_said() {
        let holds = Holds::Between(LAST - 10 * DAY, LAST);
        let late = LAST + 180 * DAY;
        let said = told(holds, ALL, "T | where TimeGenerated > ago (30d)", late);
        assert_eq!(
            said,
            "the last event of `CloudAppEvents` is of 2026-05-28T20:11:36Z, and now() is 2026-11-24T20:11:36Z: try --at 2026-05-29"
        );
        let early = told(holds, ALL, "T | where x > now()", LAST - 20 * DAY);
        assert!(early.starts_with("the first event"), "{early}");
        // Where the query takes no time from now(), that it is late is no reason.
        assert_eq!(told(holds, ALL, "T | where x == 'y'", late), "");
        let fixed = told(
            holds,
            ALL,
            "T | where TimeGenerated > datetime(2027-01-01)",
            late,
        );
        assert!(fixed.starts_with("the events of `CloudAppEvents` lie between"));
    }

    #[test]
    fn a_time_without_events_is_said() {
        let holds = Holds::Between(LAST - DAY, LAST);
        let after = TimeRange {
            from: Some(LAST + 1),
            to: None,
        };
        let before = TimeRange {
            from: None,
            to: Some(LAST - DAY),
        };
        for range in [after, before] {
            let said = told(holds, range, "T", LAST);
            assert!(said.ends_with("outside the time asked for"), "{said}");
        }
    }

    #[test]
    fn a_table_without_rows_and_its_neighbours_are_named() {
        let read = |name, neighbours| Read {
            name,
            holds: Holds::Nothing,
            neighbours,
            elsewhere: Vec::new(),
        };
        let both = [
            read("AADSignInEventsBeta", vec!["SigninLogs"]),
            read("SecurityAlert", Vec::new()),
        ];
        assert_eq!(
            reasons(&both, ALL, "", 0).join("; "),
            "this archive holds no `AADSignInEventsBeta` or `SecurityAlert`; \
             `SigninLogs` has events of the kind of `AADSignInEventsBeta`"
        );
        let many = ["A", "B", "C", "D", "E"].map(|name| read(name, Vec::new()));
        let said = reasons(&many, ALL, "", 0).join("; ");
        assert_eq!(said, "this archive holds no `A`, `B`, `C` or 2 more");
    }

    #[test]
    fn neighbours_are_tables_that_can_be_asked() {
        let kinds = NEIGHBOURS.iter().flat_map(|kind| kind.iter());
        let elsewhere = ELSEWHERE.iter().flat_map(|e| e.of.iter().chain([&e.table]));
        for name in kinds.chain(elsewhere) {
            assert!(views::exists(name), "{name}");
        }
    }
}
