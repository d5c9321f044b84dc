//! All tables, by name.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::described::described;
use super::table::Table;
use super::{published, side_tables};

/// All tables.
pub struct Catalog {
    tables: Vec<Table>,
    index: HashMap<String, usize>,
    derived: Vec<Table>,
    pub(super) foreign: Vec<Table>,
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::read);

/// The catalog.
pub fn catalog() -> &'static Catalog {
    &CATALOG
}

/// The table of that name, which the catalog itself promises.
pub fn table(name: &str) -> &'static Table {
    CATALOG
        .get(name)
        .unwrap_or_else(|| panic!("catalog: no table {name}"))
}

/// The stored rows of the view `LabelEvents`.
pub fn label_events() -> &'static Table {
    CATALOG
        .stored_table(side_tables::LABEL_EVENTS)
        .expect("the catalog makes it")
}

/// The table into which Log Analytics puts a category of Entra's diagnostic settings.
pub fn diagnostic(category: &str) -> Option<&'static Table> {
    let category = category.to_ascii_lowercase();
    let name = match category.as_str() {
        "signinlogs" => "SigninLogs",
        "noninteractiveusersigninlogs" => "AADNonInteractiveUserSignInLogs",
        "serviceprincipalsigninlogs" => "AADServicePrincipalSignInLogs",
        "managedidentitysigninlogs" => "AADManagedIdentitySignInLogs",
        "provisioninglogs" => "AADProvisioningLogs",
        "riskyusers" => "AADRiskyUsers",
        "userriskevents" => "AADUserRiskEvents",
        "riskyserviceprincipals" => "AADRiskyServicePrincipals",
        "serviceprincipalriskevents" => "AADServicePrincipalRiskEvents",
        // AuditLogs, ADFSSignInLogs, MicrosoftGraphActivityLogs.
        same => same,
    };
    CATALOG.get(name).filter(|t| t.by_day)
}

impl Catalog {
    /// The table of that name; the case does not matter.
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.index
            .get(&name.to_ascii_lowercase())
            .map(|i| &self.tables[*i])
    }

    /// A table that rules ask beside ours. Its rows, where there are any, are in `OtherRecords`.
    pub fn foreign(&self, name: &str) -> Option<&Table> {
        let own = self.foreign.iter().find(|t| t.name == name);
        own.or_else(|| published::get(name))
    }

    /// Whether a table has this name, ours or one that rules ask beside them; the case does not matter.
    pub fn is_named(&self, name: &str) -> bool {
        let is_it = |table: &Table| table.name.eq_ignore_ascii_case(name);
        self.get(name).is_some() || self.foreign.iter().any(is_it) || published::all().any(is_it)
    }

    /// Event tables, by name.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter()
    }

    /// All tables of an archive: the event tables, and those that are derived from them.
    pub fn stored(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().chain(&self.derived)
    }

    /// The table of an archive of that name, as it is spelled there.
    pub fn stored_table(&self, name: &str) -> Option<&Table> {
        let derived = self.derived.iter().find(|t| t.name == name);
        derived.or_else(|| self.get(name))
    }

    fn read() -> Catalog {
        let mut tables = described(include_str!("tables.txt"));
        tables.extend(side_tables::tables());
        let index = tables
            .iter()
            .enumerate()
            .map(|(i, t)| (t.name.to_ascii_lowercase(), i))
            .collect();
        Catalog {
            tables,
            index,
            derived: vec![side_tables::label_events()],
            foreign: described(include_str!("foreign.txt")),
        }
    }
}
