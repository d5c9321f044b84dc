//! The tables that coldtrail knows: columns, Kusto types, identity, and the paths of the audit record kept as columns.
//!
//! One description drives ingest, the archive's schema, the views, `tables --columns` and the tests. The facts are in
//! `tables.txt` (Sentinel's and Defender XDR's tables), `foreign.txt` (tables that rules ask beside them), `published.txt` (further
//! ones of Microsoft's references) and `audit.txt` (paths of the audit record).
//! Knows nothing of files, Parquet or queries.

pub mod audit;
mod column;
pub mod copilot;
mod described;
mod enumeration;
pub mod explorer;
pub mod labels;
mod lake;
mod matching;
pub mod places;
mod published;
mod side_tables;
pub mod spellings;
mod table;
mod tables;

pub use column::{
    Column, DATE, EXTRA, FINGERPRINT, INGEST_ID, Kusto, Origin, RECORD, ROW, SECOND_TIME, STORE_ID,
    TIME, TYPE,
};
pub use enumeration::words_of;
pub use lake::is_lake_only;
pub use matching::closest_foreign;
pub use side_tables::{ALERTS, INCIDENTS, LABEL_EVENTS};
pub use table::Table;
pub use tables::{Catalog, catalog, diagnostic, label_events, table};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalog_reads_and_has_the_tables_of_the_label_story() {
        for name in [
            "UnifiedAuditLog",
            "CloudAppEvents",
            "OfficeActivity",
            "SigninLogs",
            "InformationProtectionLogs_CL",
            "AipServiceUserLog",
            "Ingests",
            "Quarantine",
            "Revisions",
        ] {
            assert_eq!(table(name).name, name);
        }
        assert!(catalog().tables().count() >= 48);
        for t in catalog().tables().filter(|t| t.by_day) {
            assert!(t.position(TIME).is_some(), "{} has no time", t.name);
            assert!(!t.doc.is_empty(), "{} has no doc", t.name);
        }
    }

    #[test]
    fn legacy_columns_are_shown_and_not_stored() {
        let t = table("EmailEvents");
        assert_eq!(t.position("PhishFilterVerdict"), None);
        assert_eq!(t.export_position("PhishFilterVerdict"), None);
        assert_eq!(t.kusto("PhishFilterVerdict"), Some(Kusto::String));
        let t = table("EntraIdSignInEvents");
        assert_eq!(t.kusto("RiskLevelDuringSignIn"), Some(Kusto::Int));
        let names: Vec<&str> = t.shown().map(|c| c.name).collect();
        let at = |name: &str| names.iter().position(|n| *n == name);
        assert_eq!(names.len(), t.columns.len() + t.legacy.len());
        assert!(at("EndpointCall") < at("RiskLevelDuringSignIn"));
        assert!(at("IsSignInThroughGlobalSecureAccess") < at(EXTRA));
        for t in catalog().tables().chain(&catalog().foreign) {
            for c in &t.legacy {
                assert_eq!(t.position(c.name), None, "{} stores {}", t.name, c.name);
            }
        }
    }

    #[test]
    fn the_product_has_one_name_of_the_time_or_both() {
        let names = |name: &str| {
            let product = &table(name).product;
            (product.contains(&TIME), product.contains(&SECOND_TIME))
        };
        assert_eq!(names("AuditLogs"), (true, false));
        assert_eq!(names("EntraIdSignInEvents"), (false, true));
        assert_eq!(names("CloudAppEvents"), (true, true));
        for t in catalog().tables().chain(&catalog().foreign) {
            for name in &t.product {
                let known = *name == SECOND_TIME || t.position(name).is_some();
                assert!(known, "{} has no column {name}", t.name);
            }
        }
    }

    #[test]
    fn hidden_columns_are_those_of_log_analytics_that_are_not_stored() {
        let hidden = |t: &Table| t.hidden().map(|c| c.name).collect::<Vec<_>>();
        assert_eq!(
            hidden(table("SigninLogs")),
            ["_ItemId", "_TimeReceived", "_ResourceId", "_SubscriptionId"]
        );
        assert_eq!(
            hidden(table("BehaviorAnalytics")),
            ["_ItemId", "_TimeReceived"]
        );
        let syslog = catalog().foreign("Syslog").map(hidden);
        assert_eq!(syslog, Some(vec!["_ItemId", "_TimeReceived"]));
        assert!(hidden(table("UnifiedAuditLog")).is_empty());
        assert!(hidden(table("EntraIdSignInEvents")).is_empty());
    }

    #[test]
    fn column_names_are_found_whatever_their_case() {
        let t = table("CloudAppEvents");
        assert_eq!(t.position("isp"), t.position("ISP"));
        assert_eq!(t.position("nothing"), None);
        assert!(
            t.position("RawEventData_SensitivityLabelEventData_OldSensitivityLabelId")
                .is_some()
        );
    }
}
