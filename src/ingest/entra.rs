//! Sign-ins and audits of Entra in other spellings than Sentinel's: what is a part of a column, stands in another place or in other words.
//!
//! Azure Monitor makes the columns of its tables from the same objects that Microsoft Graph gives; here it is done for the others, so that
//! a sign-in is the same row whether it came from Log Analytics, Graph, its PowerShell or the portal's CSV. The names are in
//! [`crate::catalog::spellings`]. Knows nothing of containers.

use std::borrow::Cow;
use std::sync::Arc;

use super::json;
use super::rows::{Row, Slot};
use crate::catalog::Table;
use crate::catalog::spellings::{self, Spellings};

mod sort;
mod tree;

pub use sort::{ByRow, Sort};
use tree::{Node, Step};

/// A name that is another spelling of a column, or of a part of one.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// As the export has it.
    name: String,
    /// The column, where the table has it.
    column: Option<usize>,
    /// Steps below it.
    path: Vec<Step>,
    rule: Rule,
    /// The column as Sentinel names it.
    head: &'static str,
    /// Whether the table itself writes the name otherwise.
    other: bool,
}

impl Place {
    /// The name as the export has it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// A part of the object in the column.
    Part,
    /// The value may come in other words.
    Words(&'static str),
    /// An object or a list, perhaps as PowerShell writes it.
    Nested,
    /// The place of a sign-in: an object, `Bern, Bern, CH`, or a country.
    Place,
    /// What became of a sign-in: an object, or a word.
    Status,
    /// Two columns share the name, and a value that begins so is of the other one.
    Shared(&'static str, Option<usize>),
}

/// Where the values under a name go.
#[derive(Debug)]
pub enum Found {
    /// Into a column, as they are.
    Column(usize),
    /// Where [`Parts`] says.
    Place(Arc<Place>),
}

/// Columns whose values are objects or lists, also where their type is `string`.
const NESTED: [&str; 25] = [
    "AdditionalDetails",
    "Agent",
    "AppliedConditionalAccessPolicies",
    "AppliedEventListeners",
    "AuthenticationContextClassReferences",
    "AuthenticationDetails",
    "AuthenticationProcessingDetails",
    "AuthenticationRequirementPolicies",
    "ConditionalAccessPolicies",
    "DeviceDetail",
    "InitiatedBy",
    "LocationDetails",
    "ManagedServiceIdentity",
    "MfaDetail",
    "ModifiedProperties",
    "NetworkLocationDetails",
    "ProvisioningStatusInfo",
    "ProvisioningSteps",
    "ServicePrincipal",
    "SessionLifetimePolicies",
    "SourceIdentity",
    "SourceSystem",
    "TargetIdentity",
    "TargetResources",
    "TargetSystem",
];

/// Columns whose values are words of Graph's, or lists of them, which an SDK writes with `_` between their parts as it does its names.
const CODED: [&str; 16] = [
    "AuthenticationProtocol",
    "ClientCredentialType",
    "CrossTenantAccessType",
    "DetectionTimingType",
    "IncomingTokenType",
    "ProvisioningAction",
    "RiskDetail",
    "RiskEventType",
    "RiskEventTypes",
    "RiskEventTypes_V2",
    "RiskLevelAggregated",
    "RiskLevelDuringSignIn",
    "RiskState",
    "SignInEventTypes",
    "TokenIssuerType",
    "UserType",
];

/// What Graph calls the policies, and a column of one table beside those.
const APPLIED: &str = "AppliedConditionalAccessPolicies";

/// Where values under this name go in this table; nothing where it is no spelling of a column.
pub fn find(table: &Table, name: &str) -> Option<Found> {
    // `_ResourceId` of Log Analytics, `_id` of a store: no spelling of `Resource ID` or `Id`, which is compared without its `_`.
    if name.starts_with('_') {
        return None;
    }
    let kind = spellings::of(table.name)?;
    if kind.kind == "risky" && name.eq_ignore_ascii_case("type") {
        // The portal writes there whether a user is a member or a guest.
        return Some(Found::Place(Arc::new(Place {
            name: name.to_string(),
            column: None,
            path: Vec::new(),
            rule: Rule::Shared("AAD", table.export_position("Type")),
            head: "Type",
            other: false,
        })));
    }
    let (spelling, numbers) = kind.find(name)?;
    let mut columns = spelling.columns.iter().copied();
    let own = columns.find_map(|c| Some((c, table.export_position(c)?)));
    let (mut head, mut column) = match own {
        Some((name, i)) => (name, Some(i)),
        None => (spelling.columns[0], None),
    };
    if head == "ConditionalAccessPolicies"
        && let Some(i) = table.export_position(APPLIED)
        && spellings::fold(name) == spellings::fold(APPLIED)
    {
        (head, column) = (APPLIED, Some(i));
    }
    let mut numbers = numbers.into_iter();
    let mut path = Vec::new();
    for step in spelling.path.split('.').filter(|s| !s.is_empty()) {
        path.push(match step {
            "#" => Step::Element(numbers.next()?),
            key => Step::Key(key),
        });
    }
    let sign_in = kind.kind == "sign-in";
    let shared = |begin| {
        // The table's own column of this very name.
        Rule::Shared(begin, table.export_position(name))
    };
    let rule = match head {
        _ if !path.is_empty() => Rule::Part,
        "Status" if sign_in => Rule::Status,
        "Location" if sign_in => Rule::Place,
        "ResourceDisplayName" if spellings::fold(name) == "resource" => shared("Microsoft."),
        "ResourceIdentity" if spellings::fold(name) == "resourceid" => shared("/"),
        "Location" | "TokenProtectionStatusDetails" => Rule::Nested,
        head if NESTED.contains(&head) => Rule::Nested,
        head if kind.has_words(head) => Rule::Words(head),
        head if CODED.contains(&head) && tree::is_snake(name) => Rule::Words(head),
        _ => return column.map(Found::Column),
    };
    Some(Found::Place(Arc::new(Place {
        name: name.to_string(),
        column,
        path,
        rule,
        head,
        other: name != head && !matches!(rule, Rule::Shared(..)),
    })))
}

/// What is known of a row of Entra before it is finished.
pub struct Parts<'a> {
    kind: &'static Spellings,
    values: Vec<(Arc<Place>, Slot<'a>)>,
    code: String,
    reason: String,
    country: String,
    /// The row is not as the table writes it.
    other: bool,
}

impl<'a> Parts<'a> {
    /// For rows of this table; nothing for a table without other spellings.
    pub fn of(table: &Table) -> Option<Parts<'a>> {
        Some(Parts {
            kind: spellings::of(table.name)?,
            values: Vec::new(),
            code: String::new(),
            reason: String::new(),
            country: String::new(),
            other: false,
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.values.clear();
        self.code.clear();
        self.reason.clear();
        self.country.clear();
        self.other = false;
    }

    /// Takes a value.
    pub fn set(&mut self, place: &Arc<Place>, value: Slot<'a>, row: &mut Row<'a>) {
        if value.text().trim().is_empty() {
            return;
        }
        self.other |= place.other;
        match place.rule {
            Rule::Part => {
                let text = value.text().trim();
                match place.path.last() {
                    Some(Step::Key("errorCode")) => self.code = text.to_string(),
                    Some(Step::Key("failureReason")) => self.reason = text.to_string(),
                    Some(Step::Key("countryOrRegion")) => self.country = text.to_string(),
                    _ => {}
                }
                self.values.push((Arc::clone(place), value));
            }
            Rule::Words(column) => {
                let word: Option<Cow<'a, str>> = match self.kind.word(column, value.text()) {
                    Some(known) => Some(Cow::Borrowed(known)),
                    None if tree::is_snake(&place.name) => tree::word(value.text()).map(Cow::Owned),
                    None => None,
                };
                let value = word.map_or(value, Slot::Text);
                put(place, place.column, value, row);
            }
            Rule::Nested => self.nested(place, value, row),
            Rule::Place => self.place(place, value, row),
            Rule::Status => {
                let value = self.settled(value);
                if !is_object(value.text()) {
                    self.values.push((Arc::clone(place), value));
                    return;
                }
                let [code, reason] = members(value.text(), ["errorCode", "failureReason"]);
                if self.code.is_empty() {
                    self.code = code;
                }
                if self.reason.is_empty() {
                    self.reason = reason;
                }
                put(place, place.column, value, row);
            }
            Rule::Shared(begin, own) => {
                let own = own.filter(|_| value.text().starts_with(begin));
                put(place, own.or(place.column), value, row);
            }
        }
    }

    /// Takes back what stands under a name, because an equal key follows.
    pub fn take_back(&mut self, place: &Arc<Place>, row: &mut Row<'a>) -> Slot<'a> {
        if let Some(i) = self.values.iter().position(|(p, _)| p == place) {
            return self.values.remove(i).1;
        }
        if place.rule == Rule::Status {
            self.code.clear();
            self.reason.clear();
        }
        let own = match place.rule {
            Rule::Shared(_, own) => own.filter(|i| *row.get(*i) != Slot::Empty),
            _ => None,
        };
        own.or(place.column).map_or(Slot::Empty, |i| row.take(i))
    }

    fn nested(&mut self, place: &Place, value: Slot<'a>, row: &mut Row<'a>) {
        let value = self.settled(value);
        let column = place.column.filter(|_| !is_type_name(value.text()));
        if place.head == "LocationDetails" && self.country.is_empty() {
            let [country] = members(value.text(), ["countryOrRegion"]);
            self.country = country;
        }
        put(place, column, value, row);
    }

    /// The place of a sign-in. The column `Location` is the country, the rest is in `LocationDetails`.
    fn place(&mut self, place: &Arc<Place>, value: Slot<'a>, row: &mut Row<'a>) {
        let value = self.settled(value);
        let text = value.text();
        if is_object(text) {
            let [country] = members(text, ["countryOrRegion"]);
            self.country = country;
            self.other = true;
            self.values.push((Arc::clone(place), value));
        } else if text.contains(", ") {
            // City, state, country; of a city `Washington, D.C.` the last two are the others.
            let mut pieces = text.rsplitn(3, ", ");
            let country = pieces.next().unwrap_or_default();
            let state = pieces.next().unwrap_or_default();
            let keys = match pieces.next() {
                Some(city) => vec![("city", city), ("state", state)],
                None => vec![("city", state)],
            };
            let mut details = Node::default();
            for (key, piece) in keys.into_iter().chain([("countryOrRegion", country)]) {
                details.insert(&[Step::Key(key)], tree::text(piece));
            }
            self.country = country.trim().to_string();
            self.other = true;
            let details = Slot::Text(Cow::Owned(details.json()));
            self.values.push((Arc::clone(place), details));
        } else {
            let column = place.column.filter(|_| !is_type_name(text));
            put(place, column, value, row);
        }
    }

    /// A value as Graph writes it, where PowerShell wrote it otherwise.
    fn settled(&mut self, value: Slot<'a>) -> Slot<'a> {
        match tree::settled(value.text()) {
            Some(json) => {
                self.other = true;
                Slot::Text(Cow::Owned(json))
            }
            None => value,
        }
    }

    /// Finishes a row: makes objects of their parts, and fills the columns that Azure Monitor takes from within them.
    pub fn finish(&mut self, table: &'static Table, row: &mut Row<'a>) {
        match self.kind.kind {
            "sign-in" => self.sign_in(table, row),
            "audit" => self.audit(table, row),
            "provisioning" => self.provisioning(table, row),
            _ => self.parts(row),
        }
        self.clear();
    }

    fn sign_in(&mut self, table: &'static Table, row: &mut Row<'a>) {
        let mut success = false;
        let mut rest = Vec::with_capacity(self.values.len());
        for (place, value) in std::mem::take(&mut self.values) {
            match place.rule {
                Rule::Place => {
                    put(&place, table.export_position("LocationDetails"), value, row);
                }
                Rule::Status => {
                    success = self.kind.word("Status", value.text()) == Some("Success");
                    row.extra(&place.name, &value);
                }
                _ => rest.push((place, value)),
            }
        }
        self.values = rest;
        self.parts(row);
        if self.code.is_empty() || !self.code.bytes().all(|b| b.is_ascii_digit()) {
            // The portal leaves the code of a success out, or writes `None`.
            self.code = if success { "0".into() } else { String::new() };
        }
        let code = std::mem::take(&mut self.code);
        let reason = std::mem::take(&mut self.reason);
        // Azure Monitor gives no reason with a success, where Graph says `Other.`
        let reason = if code == "0" { String::new() } else { reason };
        fill(table, row, "ResultType", code);
        fill(table, row, "ResultDescription", reason);
        fill(table, row, "Location", std::mem::take(&mut self.country));
        if self.other
            && let Some(from) = table.export_position(APPLIED)
            && let Some(to) = table.export_position("ConditionalAccessPolicies")
            && *row.get(to) == Slot::Empty
        {
            let policies = row.take(from);
            row.set(to, policies);
        }
        if self.other {
            fill(table, row, "OperationName", "Sign-in activity".into());
            fill(table, row, "Category", category(table).into());
            copy(table, row, "UserDisplayName", "Identity");
        }
    }

    fn audit(&mut self, table: &'static Table, row: &mut Row<'a>) {
        let kind = |step: &Step| *step == Step::Key("type");
        let said = self
            .values
            .iter()
            .find(|(p, _)| p.path.first().is_some_and(kind));
        let has = |key: &'static str| {
            let mut values = self.values.iter();
            values.any(|(p, _)| p.path.last() == Some(&Step::Key(key)) && is_actor(p))
        };
        // `Application`, `Aplicación`, `Anwendung`.
        let app = match said {
            Some((_, value)) => value.text().trim().to_lowercase().starts_with('a'),
            None => !has("userPrincipalName") && has("servicePrincipalId"),
        };
        let mut named = None;
        for (place, value) in &mut self.values {
            if !is_actor(place) {
                continue;
            }
            if place.path.last() == Some(&Step::Key("displayName"))
                || (named.is_none() && place.path.last() == Some(&Step::Key("userPrincipalName")))
            {
                named = Some(value.text().to_string());
            }
            if app && let [Step::Key("user"), rest] = place.path.as_slice() {
                let path = vec![Step::Key("app"), rest.clone()];
                *place = Arc::new(Place {
                    name: place.name.clone(),
                    column: place.column,
                    path,
                    rule: place.rule,
                    head: place.head,
                    other: true,
                });
            }
        }
        // It says which of both the actor is, which shows.
        self.values
            .retain(|(p, _)| !(is_actor(p) && p.path.len() == 1));
        self.parts(row);
        copy(table, row, "ActivityDisplayName", "OperationName");
        if self.other {
            fill(table, row, "Identity", named.unwrap_or_default());
        }
    }

    fn provisioning(&mut self, table: &'static Table, row: &mut Row<'a>) {
        self.parts(row);
        let info = table.export_position("ProvisioningStatusInfo");
        let info = info.map_or("", |i| row.get(i).text());
        let [status] = members(info, ["status"]);
        let mut letters = status.chars();
        // `success` of Graph is `Success` there.
        let Some(first) = letters.next() else {
            return;
        };
        let status: String = first.to_uppercase().chain(letters).collect();
        fill(table, row, "ResultType", status);
        fill(table, row, "OperationName", "Provisioning activity".into());
        fill(table, row, "Category", "ProvisioningLogs".into());
    }

    /// Makes an object of the parts of each column; a part of what stands there already is kept under its own name.
    fn parts(&mut self, row: &mut Row<'a>) {
        let mut made: Vec<(usize, Node)> = Vec::new();
        for (place, value) in std::mem::take(&mut self.values) {
            let free = place.column.filter(|i| *row.get(*i) == Slot::Empty);
            let taken = free.is_some_and(|column| {
                let i = match made.iter().position(|(c, _)| *c == column) {
                    Some(i) => i,
                    None => {
                        made.push((column, Node::default()));
                        made.len() - 1
                    }
                };
                let leaf = tree::leaf(&place.path, value.text());
                leaf.is_some_and(|leaf| made[i].1.insert(&place.path, leaf))
            });
            if !taken {
                row.extra(&place.name, &value);
            }
        }
        for (column, node) in made {
            if !node.is_empty() {
                row.set(column, Slot::Text(Cow::Owned(node.json())));
            }
        }
    }
}

/// Sets a column, or keeps the value under its own name.
fn put<'a>(place: &Place, column: Option<usize>, value: Slot<'a>, row: &mut Row<'a>) {
    match column {
        Some(i) => {
            let copy = value.clone();
            if !row.set(i, value) && *row.get(i) != copy {
                row.extra(&place.name, &copy);
            }
        }
        None => row.extra(&place.name, &value),
    }
}

/// Fills a column that is empty.
fn fill(table: &Table, row: &mut Row<'_>, column: &str, value: String) {
    if let Some(i) = table.export_position(column)
        && !value.is_empty()
    {
        // A value that stands there already counts.
        row.set(i, Slot::Text(Cow::Owned(value)));
    }
}

fn copy(table: &Table, row: &mut Row<'_>, from: &str, to: &str) {
    if let Some(i) = table.export_position(from) {
        let value = row.get(i).text().to_string();
        fill(table, row, to, value);
    }
}

/// Whether a part is of who did it.
fn is_actor(place: &Place) -> bool {
    matches!(place.path.first(), Some(Step::Key("user" | "app" | "type")))
}

/// The category under which Azure Monitor delivers the rows of a table.
fn category(table: &Table) -> &'static str {
    match table.name {
        "SigninLogs" => "SignInLogs",
        "AADNonInteractiveUserSignInLogs" => "NonInteractiveUserSignInLogs",
        "AADServicePrincipalSignInLogs" => "ServicePrincipalSignInLogs",
        "AADManagedIdentitySignInLogs" => "ManagedIdentitySignInLogs",
        "ADFSSignInLogs" => "ADFSSignInLogs",
        _ => "",
    }
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Whether PowerShell wrote the name of a type where the value should be.
fn is_type_name(text: &str) -> bool {
    ["Microsoft.Graph.", "Microsoft.Open.", "System."]
        .iter()
        .any(|begin| text.starts_with(begin))
}

/// The texts of members of an object; empty for what is not there or is no text or number.
fn members<const N: usize>(text: &str, names: [&str; N]) -> [String; N] {
    let mut found = [const { String::new() }; N];
    if is_object(text) {
        // What is no object has no members.
        let _ = json::entries(text, |key, raw| {
            if let Some(i) = names.iter().position(|n| *n == &*key) {
                found[i] = raw.text().map(Cow::into_owned).unwrap_or_default();
            }
        });
    }
    found
}
