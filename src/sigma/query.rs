//! Queries in KQL: a rule's events, and what correlations make of them.

use std::fmt::Write;

use super::conversion::{Conversion, Entity};
use super::correlation::{Correlation, Counted};
use super::field;
use super::logsource::Route;
use super::lowering::{self, Beside, Lowering};
use super::quote::{Predicate, column};
use super::refusal::Refusal;
use super::rule::{Body, Document};

/// How deep correlations may refer to correlations.
const MAX_CHAIN: usize = 8;
/// Most rules that a query is made of.
const MAX_MADE: usize = 200;
/// Most events that one correlation counts: it looks so many rows back.
const MOST_EVENTS: u64 = 100_000;
/// Most events that a row of a correlation lists.
const MOST_SOURCES: usize = 10_000;
/// Columns that a correlation has beside those that it groups by.
const OWN_COLUMNS: [&str; 4] = ["TimeGenerated", "StartTime", "EndTime", "Count"];

/// The query of a document.
pub(super) fn convert(documents: &[Document], document: &Document) -> Result<Conversion, Refusal> {
    let body = document.body.as_ref().map_err(Clone::clone)?;
    let mut beside = Beside::default();
    let text = written(documents, body, false, &mut beside)?;
    let traced = match body {
        Body::Rule { .. } => format!("{}\n| extend _Source", text.query),
        Body::Correlation(correlation) if is_flat(documents, correlation) => {
            written(documents, body, true, &mut beside)?.query
        }
        Body::Correlation(_) => text.query.clone(),
    };
    let (_, faults) = crate::kql::parse(&text.query);
    if let Some(fault) = faults.first() {
        // Brackets nest too deep, or the like.
        let message = format!("its query cannot be used: {}", fault.message);
        return Err(Refusal::new(document.about.at, message));
    }
    let (entities, seconds) = match body {
        Body::Rule { route, .. } => (entities(route.table), None),
        Body::Correlation(correlation) => (Vec::new(), Some(correlation.seconds)),
    };
    Ok(Conversion {
        text: text.query,
        traced,
        tables: text.tables,
        watchlists: lowering::watchlists(&beside),
        record_paths: beside.paths.into_iter().collect(),
        unused_searches: beside.unused.into_iter().collect(),
        entities,
        seconds,
    })
}

/// A query, and the tables that it reads.
struct Written {
    query: String,
    tables: Vec<&'static str>,
}

/// Writes the query of a rule or a correlation; of the latter with the events that it counts, where they are wanted.
fn written(
    documents: &[Document],
    body: &Body,
    traced: bool,
    beside: &mut Beside,
) -> Result<Written, Refusal> {
    let mut building = Building {
        documents,
        traced,
        lets: String::new(),
        tables: Vec::new(),
        made: 0,
    };
    let rows = match body {
        Body::Rule { .. } => building.events(body, beside)?,
        Body::Correlation(correlation) => building.correlation(correlation, beside, 0)?,
    };
    let Building {
        lets, mut tables, ..
    } = building;
    tables.sort_unstable();
    tables.dedup();
    Ok(Written {
        query: format!("{}{lets}{rows}", lowering::lets(beside)),
        tables,
    })
}

/// Entities that the rows of a table name.
fn entities(table: &str) -> Vec<Entity> {
    let (account, address) = match table {
        "UnifiedAuditLog" => ("UserId", "IPAddress"),
        "SigninLogs" => ("UserPrincipalName", "IPAddress"),
        "AADUserRiskEvents" => ("UserPrincipalName", "IpAddress"),
        "AzureActivity" => ("Caller", "CallerIpAddress"),
        _ => return Vec::new(),
    };
    let entity = |kind, identifier, column| Entity {
        kind,
        identifier,
        column,
    };
    vec![
        entity("Account", "FullName", account),
        entity("IP", "Address", address),
    ]
}

/// A query while it is made.
struct Building<'d> {
    documents: &'d [Document],
    /// Whether a correlation lists the events that it counts.
    traced: bool,
    /// Statements before the query.
    lets: String,
    tables: Vec<&'static str>,
    /// How many statements have a number in their name.
    made: usize,
}

impl Building<'_> {
    /// The events that a rule is about.
    fn events(&mut self, body: &Body, beside: &mut Beside) -> Result<String, Refusal> {
        let Body::Rule {
            route,
            searches,
            condition,
            at,
        } = body
        else {
            return Ok(String::new());
        };
        let mut lowering = Lowering {
            route: *route,
            searches,
            beside,
        };
        let condition = lowering.condition(condition, *at)?;
        self.tables.push(route.table);
        let rows = match route.rows {
            "" => String::new(),
            rows => Predicate::Is(rows.to_string()).filters(),
        };
        Ok(format!("{}{rows}{}", route.table, condition.filters()))
    }

    /// The rows of a correlation: its groups, the time of the first and the last event, and how many were counted.
    fn correlation(
        &mut self,
        correlation: &Correlation,
        beside: &mut Beside,
        depth: usize,
    ) -> Result<String, Refusal> {
        let at = correlation.at;
        if depth > MAX_CHAIN {
            let message = "the rules refer to each other, or to too many others";
            return Err(Refusal::new(at, message));
        }
        let groups = &correlation.group_by;
        let taken = |name: &String| name.starts_with('_') || OWN_COLUMNS.contains(&name.as_str());
        if let Some(name) = groups.iter().find(|name| taken(name)) {
            let message = format!("`group-by` cannot have the name `{name}`");
            return Err(Refusal::new(at, message));
        }
        let mut sources = Vec::new();
        for (number, name) in correlation.rules.iter().enumerate() {
            let source = self.source(correlation, name, number, beside, depth)?;
            self.made += 1;
            if self.made > MAX_MADE {
                let message = format!("a correlation is made of at most {MAX_MADE} rules");
                return Err(Refusal::new(at, message));
            }
            let name = format!("Events_{}", self.made);
            // Writing to a String cannot fail.
            let _ = writeln!(self.lets, "let {name} = {source};");
            sources.push(name);
        }
        let events = match sources.as_slice() {
            [one] => one.clone(),
            several => format!("union {}", several.join(", ")),
        };
        let shape = Shape {
            groups: groups.iter().map(|g| column(g)).collect(),
            span: &correlation.span,
        };
        let value = match correlation.kind {
            Counted::Values => "_Value",
            _ => "tostring(_Rule)",
        };
        let rows = match (correlation.kind, correlation.at_least()) {
            (Counted::RulesInOrder, _) => shape.in_order(&events, correlation.rules.len()),
            (Counted::Events, Some(n)) if n <= MOST_EVENTS => shape.many_events(&events, n),
            (Counted::Events, Some(n)) => {
                let message =
                    format!("{n} events are more than the {MOST_EVENTS} that are counted");
                return Err(Refusal::new(at, message));
            }
            (_, Some(n)) => {
                self.made += 1;
                let seen = format!("Seen_{}", self.made);
                let _ = writeln!(self.lets, "let {seen} = {};", shape.seen(&events, value));
                shape.many_values(&seen, n)
            }
            (kind, None) => {
                let count = match kind {
                    Counted::Events => "count()".to_string(),
                    _ => format!("count_distinct({value})"),
                };
                shape.windows(&events, &count, &correlation.holds)
            }
        };
        Ok(match self.traced {
            true => shape.with_sources(&rows, &events),
            false => rows,
        })
    }

    /// The events of one of a correlation's rules, with the number of the rule and the values of its groups.
    fn source(
        &mut self,
        correlation: &Correlation,
        name: &str,
        number: usize,
        beside: &mut Beside,
        depth: usize,
    ) -> Result<String, Refusal> {
        let at = correlation.at;
        let documents = self.documents;
        let none = || Refusal::new(at, format!("no rule has the id or name `{name}`"));
        let document = &documents[refers(documents, name).ok_or_else(none)?];
        let unusable = |refusal: Refusal| Refusal {
            at,
            message: format!("its rule `{name}` cannot be used: {refusal}"),
            hint: refusal.hint,
        };
        let body = document
            .body
            .as_ref()
            .map_err(Clone::clone)
            .map_err(unusable)?;
        let about = &document.about;
        let names: Vec<&str> = [about.name.as_deref(), Some(about.id.as_str()), Some(name)]
            .into_iter()
            .flatten()
            .collect();
        let (events, origin) = match body {
            Body::Rule { route, .. } => (
                self.events(body, beside).map_err(unusable)?,
                Origin::Table(*route),
            ),
            Body::Correlation(inner) => (
                self.correlation(inner, beside, depth + 1)?,
                Origin::Groups(&inner.group_by),
            ),
        };
        let mut columns = String::new();
        let mut keys = Vec::new();
        for group in &correlation.group_by {
            let field = correlation.field(group, &names);
            let value = origin.value(field, beside, correlation)?;
            let group = column(group);
            let _ = write!(columns, ", {group} = {value}");
            keys.push(group);
        }
        if !correlation.fields.is_empty() {
            let values = correlation.fields.iter().map(|field| {
                let field = correlation.field(field, &names);
                origin.value(field, beside, correlation)
            });
            let values = values.collect::<Result<Vec<_>, _>>()?;
            let _ = write!(columns, ", _Value = {}", joined(&values));
        }
        let time = match origin {
            Origin::Table(_) => "TimeGenerated",
            Origin::Groups(_) => "TimeGenerated = EndTime",
        };
        if self.traced {
            columns.push_str(", _Source");
        }
        let mut text = format!("{events}\n| project {time}, _Rule = {number}{columns}");
        // What is not there ties no events together.
        if !keys.is_empty() {
            let some: Vec<String> = keys.iter().map(|k| format!("isnotempty({k})")).collect();
            let _ = write!(text, "\n| where {}", some.join(" or "));
        }
        if !correlation.fields.is_empty() {
            text.push_str("\n| where isnotempty(_Value)");
        }
        let _ = write!(text, "\n| extend _Group = {}", joined(&keys));
        Ok(text)
    }
}

/// The document that a correlation refers to.
pub(super) fn refers(documents: &[Document], name: &str) -> Option<usize> {
    let by_id = documents.iter().position(|d| d.about.id == name);
    let named = |d: &Document| d.about.name.as_deref() == Some(name);
    by_id.or_else(|| documents.iter().position(named))
}

/// Whether a correlation counts the events of rules only.
fn is_flat(documents: &[Document], correlation: &Correlation) -> bool {
    let rules = correlation.rules.iter();
    let mut rules = rules.filter_map(|name| refers(documents, name));
    rules.all(|i| !matches!(documents[i].body, Ok(Body::Correlation(_))))
}

/// Where the values of a correlation's groups come from.
enum Origin<'c> {
    Table(Route),
    /// The groups of another correlation.
    Groups(&'c [String]),
}

impl Origin<'_> {
    fn value(
        &self,
        field: &str,
        beside: &mut Beside,
        correlation: &Correlation,
    ) -> Result<String, Refusal> {
        let at = correlation.at;
        match self {
            Origin::Table(route) => {
                let mut lowering = Lowering {
                    route: *route,
                    searches: &[],
                    beside,
                };
                let found = lowering.find(field, at)?;
                lowering::grouped(&found).ok_or_else(|| {
                    let table = field::table(*route).name;
                    let message =
                        format!("`{field}` of `{table}` is no column and no path: it cannot group");
                    Refusal::new(at, message)
                })
            }
            Origin::Groups(groups) => {
                let group = groups.iter().find(|g| g.eq_ignore_ascii_case(field));
                let group = group.ok_or_else(|| {
                    let message =
                        format!("a correlation that it counts does not group by `{field}`");
                    Refusal::new(at, message)
                })?;
                Ok(column(group))
            }
        }
    }
}

/// Texts as one.
fn joined(parts: &[String]) -> String {
    match parts {
        [] => "\"\"".into(),
        [one] => one.clone(),
        several => format!("strcat({})", several.join(", \"\\u001f\", ")),
    }
}

/// What the rows of a correlation look like.
struct Shape<'c> {
    /// Columns of the groups, as KQL spells them.
    groups: Vec<String>,
    span: &'c str,
}

impl Shape<'_> {
    /// The groups, each with a comma before it.
    fn listed(&self) -> String {
        self.groups.iter().map(|g| format!(", {g}")).collect()
    }

    /// Rows in which a window that is full ends, each with the time of its first event.
    fn many_events(&self, events: &str, least: u64) -> String {
        let back = least.saturating_sub(1);
        let full = match back {
            0 => "\n| extend StartTime = TimeGenerated, _At = row_number()".to_string(),
            _ => format!(
                "\n| extend StartTime = prev(TimeGenerated, {back}), _Same = prev(_Group, {back}) == _Group, _At = row_number()\n| where _Same and TimeGenerated - StartTime <= {}",
                self.span
            ),
        };
        let sorted = format!("{events}\n| sort by _Group asc, TimeGenerated asc");
        let count = format!("max(_At) - min(_At) + {}", back + 1);
        self.joined(&format!("{sorted}{full}"), &count)
    }

    /// The first and the last time of each value of each group in windows side by side: of a window that slides, its end lies in one of them and
    /// its start in the one before.
    fn seen(&self, events: &str, value: &str) -> String {
        format!(
            "materialize({events}\n| summarize _First = min(TimeGenerated), _Last = max(TimeGenerated) by _Group{}, _Counted = {value}, _Window = bin(TimeGenerated, {}))",
            self.listed(),
            self.span
        )
    }

    /// Windows that end where a value comes in and hold enough of them.
    fn many_values(&self, seen: &str, least: u64) -> String {
        let (groups, span) = (self.listed(), self.span);
        let full = format!(
            "{seen}
| distinct _Group{groups}, _Window, TimeGenerated = _First
| join kind=inner ({seen}
    | mv-expand _Time = pack_array(_First, _Last) to typeof(datetime)
    | mv-expand _Window = pack_array(_Window, _Window + {span}) to typeof(datetime)
    | project _Group, _Window, _Counted, _Time) on _Group, _Window
| where _Time between ((TimeGenerated - {span}) .. TimeGenerated)
| summarize _Values = count_distinct(_Counted), StartTime = min(_Time) by _Group{groups}, TimeGenerated
| where _Values >= {least}"
        );
        self.joined(&full, "max(_Values)")
    }

    /// Windows in which all rules came one after the other: for each of them the latest time at which its chain can have begun.
    fn in_order(&self, events: &str, rules: usize) -> String {
        let last = rules.saturating_sub(1);
        let declared: Vec<String> = (0..rules).map(|r| format!("_Begun{r}: datetime")).collect();
        let kept = |r: usize| format!("iff(s._Group == _Group, s._Begun{r}, datetime(null))");
        let steps: Vec<String> = (0..rules)
            .map(|r| {
                let begun = match r {
                    0 => "TimeGenerated".to_string(),
                    _ => kept(r - 1),
                };
                format!("_Begun{r} = iff(_Rule == {r}, {begun}, {})", kept(r))
            })
            .collect();
        let full = format!(
            "{events}
| sort by _Group asc, TimeGenerated asc, _Rule asc
| scan declare ({}) with (step s: true => {};)
| where _Rule == {last} and TimeGenerated - _Begun{last} <= {}
| extend StartTime = _Begun{last}",
            declared.join(", "),
            steps.join(", "),
            self.span
        );
        self.joined(&full, "count()")
    }

    /// Windows that overlap as one row.
    fn joined(&self, full: &str, count: &str) -> String {
        let groups = self.listed();
        format!(
            "{full}
| sort by _Group asc, TimeGenerated asc
| extend _Run = row_cumsum(iff(prev(_Group) == _Group and StartTime <= prev(TimeGenerated), 0, 1))
| summarize StartTime = min(StartTime), EndTime = max(TimeGenerated), Count = {count} by _Group{groups}, _Run
| project TimeGenerated = StartTime, EndTime{groups}, Count"
        )
    }

    /// The rows with the events of each.
    fn with_sources(&self, rows: &str, events: &str) -> String {
        let (groups, group) = (self.listed(), joined(&self.groups));
        format!(
            "{rows}
| extend _Group = {group}
| join kind=leftouter ({events}
    | project _Group, _Time = TimeGenerated, _Source) on _Group
| where _Time between (TimeGenerated .. EndTime)
| summarize _Sources = make_list(_Source, {MOST_SOURCES}) by TimeGenerated, EndTime{groups}, Count"
        )
    }

    /// Windows side by side whose count fits.
    fn windows(&self, events: &str, count: &str, holds: &[(&str, u64)]) -> String {
        let groups = self.listed();
        let holds: Vec<String> = holds
            .iter()
            .map(|(op, n)| format!("Count {op} {n}"))
            .collect();
        format!(
            "{events}
| summarize StartTime = min(TimeGenerated), EndTime = max(TimeGenerated), Count = {count} by _Group{groups}, _Window = bin(TimeGenerated, {})
| where {}
| project TimeGenerated = StartTime, EndTime{groups}, Count",
            self.span,
            holds.join(" and ")
        )
    }
}
