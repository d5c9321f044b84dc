//! Tables that exist in Sentinel's data lake and nowhere else, over which no analytics rule runs.

/// Microsoft's asset tables (`asset-data-tables` of its documentation, autumn 2026): ingested into the lake tier alone.
const ASSETS: [&str; 10] = [
    "ARGAuthorizationResources",
    "ARGResourceContainers",
    "ARGResources",
    "EntraApplications",
    "EntraGroupMemberships",
    "EntraGroups",
    "EntraMembers",
    "EntraOrganizations",
    "EntraServicePrincipals",
    "EntraUsers",
];

/// Whether a table of this name is in the data lake alone. Of others the workspace says it: any table can be moved there.
pub fn is_lake_only(name: &str) -> bool {
    // What a job of the lake writes back into it has this ending.
    ASSETS.contains(&name) || name.ends_with("_KQL")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::catalog;

    #[test]
    fn no_table_that_is_stored_is_in_the_lake_alone() {
        assert!(is_lake_only("EntraUsers"));
        assert!(!is_lake_only("Results_KQL_CL"));
        for table in catalog().tables() {
            assert!(!is_lake_only(table.name), "{}", table.name);
        }
    }
}
