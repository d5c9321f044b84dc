//! What is Microsoft's own: where Microsoft 365 answers from, its hosts, the accounts under which it acts, and its applications.
//!
//! | what | source |
//! |---|---|
//! | addresses | "Microsoft 365 URLs and IP address ranges" (worldwide) of 14 August 2026, sets 1, 2, 9 to 12, 31, 46, 56 and 64: <https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges> |
//! | hosts | the same page; `portal.azure.com` and `management.azure.com`: <https://learn.microsoft.com/azure/azure-portal/azure-portal-safelist-urls> |
//! | applications | "Verify first-party Microsoft applications in sign-in reports" of 5 December 2023, <https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in>; three by the owner that Microsoft Graph gives for their service principals |
//! | accounts, programs of Office | records of the audit log |
//!
//! In Azure's other ranges anybody may rent a machine. Hosts on which anybody may put something (`sharepoint.com`, `blob.core.windows.net`,
//! `forms.office.com`, `forms.cloud.microsoft`) are not Microsoft's own here.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use super::ranges::Ranges;
use super::reserved::is_below_any;
use crate::hunt::exclusions::is_like;

/// Where Microsoft 365 answers from.
const ADDRESSES: [&str; 85] = [
    "13.107.6.152/31",
    "13.107.6.171/32",
    "13.107.6.192/32",
    "13.107.9.192/32",
    "13.107.18.10/31",
    "13.107.18.15/32",
    "13.107.128.0/22",
    "13.107.136.0/22",
    "13.107.140.6/32",
    "20.20.32.0/19",
    "20.190.128.0/18",
    "20.231.128.0/19",
    "23.103.160.0/20",
    "40.92.0.0/15",
    "40.96.0.0/13",
    "40.104.0.0/15",
    "40.107.0.0/16",
    "40.108.128.0/17",
    "40.126.0.0/18",
    "52.96.0.0/14",
    "52.100.0.0/14",
    "52.104.0.0/14",
    "52.108.0.0/14",
    "52.112.0.0/14",
    "52.122.0.0/15",
    "52.238.78.88/32",
    "52.244.37.168/32",
    "104.47.0.0/17",
    "104.146.128.0/17",
    "131.253.33.215/32",
    "132.245.0.0/16",
    "150.171.32.0/22",
    "150.171.40.0/22",
    "204.79.197.215/32",
    "2603:1006::/40",
    "2603:1006:1400::/40",
    "2603:1006:2000::/48",
    "2603:1007:200::/48",
    "2603:1016::/36",
    "2603:1016:1400::/48",
    "2603:1016:2400::/40",
    "2603:1017::/48",
    "2603:1026::/36",
    "2603:1026:2400::/40",
    "2603:1026:3000::/48",
    "2603:1027::/47",
    "2603:1036::/36",
    "2603:1036:2400::/40",
    "2603:1036:3000::/48",
    "2603:1037::/47",
    "2603:1046::/36",
    "2603:1046:1400::/40",
    "2603:1046:2000::/48",
    "2603:1047::/47",
    "2603:1056::/36",
    "2603:1056:1400::/40",
    "2603:1056:2000::/48",
    "2603:1057::/48",
    "2603:1057:2::/48",
    "2603:1061:1300::/40",
    "2603:1063::/38",
    "2603:1063:2000::/38",
    "2603:1063:6000::/35",
    "2620:1ec:4::152/127",
    "2620:1ec:4::192/128",
    "2620:1ec:6::/48",
    "2620:1ec:c::10/127",
    "2620:1ec:c::15/128",
    "2620:1ec:d::10/127",
    "2620:1ec:40::/42",
    "2620:1ec:8f0::/46",
    "2620:1ec:8f8::/46",
    "2620:1ec:8fc::6/128",
    "2620:1ec:900::/46",
    "2620:1ec:908::/46",
    "2620:1ec:a92::152/127",
    "2620:1ec:a92::171/128",
    "2620:1ec:a92::192/128",
    "2a01:111:f100:2000::a83e:3019/128",
    "2a01:111:f100:2002::8975:2d79/128",
    "2a01:111:f100:2002::8975:2da8/128",
    "2a01:111:f100:7000::6fdd:6cd5/128",
    "2a01:111:f100:a004::bfeb:88cf/128",
    "2a01:111:f400::/48",
    "2a01:111:f402::/47",
];
/// Hosts of Microsoft 365 and of what is below them.
const HOSTS: [&str; 29] = [
    "aadrm.com",
    "admin.microsoft.com",
    "auth.microsoft.com",
    "azurerms.com",
    "compliance.microsoft.com",
    "defender.microsoft.com",
    "graph.microsoft.com",
    "graph.windows.net",
    "informationprotection.azure.com",
    "login.live.com",
    "login.microsoft.com",
    "login.windows.net",
    "manage.office.com",
    "management.azure.com",
    "microsoftonline.com",
    "msauth.net",
    "msftauth.net",
    "outlook.cloud.microsoft",
    "outlook.office.com",
    "outlook.office365.com",
    "portal.azure.com",
    "protection.office.com",
    "protection.outlook.com",
    "purview.microsoft.com",
    "security.microsoft.com",
    "smtp.office365.com",
    "teams.cloud.microsoft",
    "teams.microsoft.com",
    "www.office.com",
];
/// Accounts under which the services themselves act, in lower case; `*` stands for any letters.
const ACCOUNTS: [&str; 17] = [
    "app@sharepoint",
    "sharepoint\\system",
    "spo_system*",
    "nt authority\\*",
    "nt service\\*",
    "aadrm_*",
    "microsoftrmsonline@*",
    "*aadrm.com",
    "discoverysearchmailbox{*",
    "federatedemail.*",
    "healthmailbox*",
    "migration.8f3e7716-*",
    "systemmailbox{*",
    "s-1-0-0",
    "s-1-5-18",
    "s-1-5-20",
    "system account",
];
/// Programs as records of labels call them, in lower case; `*` stands for any letters.
const PROGRAMS: [&str; 17] = [
    "excel",
    "excel.exe",
    "explorer",
    "microsoft azure information protection *",
    "microsoft purview information protection *",
    "msip.app.exe",
    "onedrive",
    "onenote",
    "outlook",
    "outlook.exe",
    "powerpnt.exe",
    "powerpoint",
    "sharepoint",
    "teams",
    "visio",
    "winword.exe",
    "word",
];

static RANGES: LazyLock<Ranges> = LazyLock::new(|| Ranges::of(&ADDRESSES));

/// Ids and names of applications, in lower case. An id stands alone where anybody might call an application so.
static APPLICATIONS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let lines = include_str!("microsoft-apps.txt").lines();
    lines
        .flat_map(|line| line.splitn(2, ' '))
        .map(str::to_lowercase)
        .collect()
});

/// Whether Microsoft 365 answers from an address.
pub(super) fn is_address(address: IpAddr) -> bool {
    RANGES.has(address)
}

/// Whether a host, in lower case, is one of Microsoft 365.
pub(super) fn is_host(host: &str) -> bool {
    is_below_any(host, &HOSTS)
}

/// Whether an account, in lower case, is one under which a service acts.
pub(super) fn is_account(name: &str) -> bool {
    ACCOUNTS.iter().any(|called| is_like(called, name))
}

/// Whether an application, by its id or its name, is Microsoft's. Anybody may call one as Microsoft does; but whoever watches for that name
/// finds Microsoft's.
pub(super) fn is_application(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    APPLICATIONS.contains(&name) || PROGRAMS.iter().any(|called| is_like(called, &name))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_application_has_an_id() {
        let lines: Vec<&str> = include_str!("microsoft-apps.txt").lines().collect();
        assert!(lines.is_sorted());
        for line in lines {
            let id = line.split(' ').next().unwrap_or_default();
            assert!(Uuid::try_parse(id).is_ok(), "{line}");
        }
    }

    #[test]
    fn all_that_is_published_is_known() {
        for address in [
            "13.107.9.192",
            "52.238.78.88",
            "2603:1063:6000::1",
            "2603:1063:2000::1",
            "2603:1027:1::7",
            "2620:1ec:4::153",
            "2620:1ec:a92::192",
            "2a01:111:f403::1",
            "2a01:111:f100:a004::bfeb:88cf",
        ] {
            let found = is_address(address.parse().expect("an address"));
            assert!(found, "{address}");
        }
        // Given back, or never Microsoft 365's.
        for address in ["52.238.119.141", "52.120.0.1", "2a01:111:f401::1"] {
            let found = is_address(address.parse().expect("an address"));
            assert!(!found, "{address}");
        }
    }
}
