//! Which table of sign-ins a row is of, from what its own keys or cells say.

use super::super::json::Raw;
use crate::catalog::{Table, catalog};

/// What the keys of a sign-in say about the table that it is of.
#[derive(Debug, Default)]
pub struct Sort {
    events: String,
    interactive: Option<bool>,
    user: bool,
    principal: bool,
    managed: bool,
}

impl Sort {
    /// Whether rows of this table may be of one of its neighbours.
    pub fn applies_to(table: &Table) -> bool {
        matches!(
            table.name,
            "SigninLogs"
                | "AADNonInteractiveUserSignInLogs"
                | "AADServicePrincipalSignInLogs"
                | "AADManagedIdentitySignInLogs"
        )
    }

    /// Notes a key and its value.
    pub fn note(&mut self, key: &str, value: &str) {
        let is = |names: [&str; 2]| names.iter().any(|n| key.eq_ignore_ascii_case(n));
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        if is(["signInEventTypes", "sign_in_event_types"]) {
            // `non_interactive_user` is an SDK's.
            self.events = value.to_ascii_lowercase().replace('_', "");
        } else if is(["isInteractive", "is_interactive"]) {
            self.interactive = value.to_ascii_lowercase().parse().ok();
        } else if is(["userPrincipalName", "user_principal_name"]) || is(["userId", "user_id"]) {
            self.user = true;
        } else if is(["servicePrincipalId", "service_principal_id"]) {
            self.principal = true;
        } else if is(["managedServiceIdentity", "managedIdentity"])
            || is(["managed_service_identity", "managed_identity"])
        {
            self.managed = value.contains("Assigned") || value.contains("_assigned");
        }
    }

    /// The same for a value of JSON.
    pub fn note_raw(&mut self, key: &str, raw: Raw<'_>) {
        match raw {
            Raw::Null => {}
            Raw::Text { inner, .. } => self.note(key, inner),
            Raw::Other(json) => self.note(key, json),
        }
    }

    /// The table of the row.
    pub fn table(&self, default: &'static Table) -> &'static Table {
        let name = if self.events.contains("noninteractive") {
            "AADNonInteractiveUserSignInLogs"
        } else if self.events.contains("managedidentity") {
            "AADManagedIdentitySignInLogs"
        } else if self.events.contains("serviceprincipal") {
            "AADServicePrincipalSignInLogs"
        } else if self.events.contains("interactive") {
            "SigninLogs"
        } else if self.principal && !self.user {
            match (default.name, self.managed) {
                ("AADServicePrincipalSignInLogs" | "AADManagedIdentitySignInLogs", false) => {
                    default.name
                }
                (_, true) => "AADManagedIdentitySignInLogs",
                (_, false) => "AADServicePrincipalSignInLogs",
            }
        } else {
            match self.interactive {
                Some(true) => "SigninLogs",
                Some(false) if self.user => "AADNonInteractiveUserSignInLogs",
                _ => default.name,
            }
        };
        catalog().get(name).unwrap_or(default)
    }
}

/// The tables of the rows of a CSV, each of which says its own.
#[derive(Debug)]
pub struct ByRow<'f> {
    default: &'static Table,
    header: &'f [String],
}

impl<'f> ByRow<'f> {
    /// For rows with this header; nothing where none of its columns tells one kind of sign-ins from another.
    pub fn new(default: &'static Table, header: &'f [String]) -> Option<ByRow<'f>> {
        const TELLING: [&str; 4] = [
            "signInEventTypes",
            "sign_in_event_types",
            "isInteractive",
            "is_interactive",
        ];
        let tells = |name: &String| TELLING.iter().any(|t| name.eq_ignore_ascii_case(t));
        let applies = Sort::applies_to(default) && header.iter().any(tells);
        applies.then_some(ByRow { default, header })
    }

    /// The name of the table of a row with these cells.
    pub fn table<'c>(&self, cells: impl Iterator<Item = &'c str>) -> &'static str {
        let mut sort = Sort::default();
        for (name, cell) in self.header.iter().zip(cells) {
            sort.note(name, cell);
        }
        sort.table(self.default).name
    }
}
