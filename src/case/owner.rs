//! To whom a document belongs: a person, a service, or nobody knows.
//!
//! A service reads no mail, and what is no address cannot get one: such owners go to the security team. A service is told by the names that
//! Microsoft 365 gives to its own, by `IdentityInfo`, and by the watchlist `ServiceAccounts`; not by guessing from a person's name.

use std::collections::HashSet;

use super::denial::Owner;
use super::reference;
use super::rows::each;
use crate::engine::Session;
use crate::fault::Result;

/// Watchlist of accounts that are no persons.
pub const SERVICE_ACCOUNTS: &str = "ServiceAccounts";

/// Columns of that watchlist with the account, the likelier first; blanks and case do not count.
const ACCOUNT: [&str; 6] = [
    "serviceuserprincipalname",
    "userprincipalname",
    "serviceaccount",
    "account",
    "upn",
    "user",
];

/// How the part before the @ begins of accounts that Microsoft 365 makes for itself, and of mailboxes that nobody reads.
const BEGINNINGS: [&str; 14] = [
    "aadrm_",
    "discoverysearchmailbox{",
    "do-not-reply",
    "donotreply",
    "federatedemail.",
    "healthmailbox",
    "mailer-daemon",
    "microsoftrmsonline",
    "migration.8f3e7716-",
    "no-reply",
    "noreply",
    "sync_",
    "systemmailbox{",
    "spo_system",
];

/// Texts without an @ that stand for a service, by how they begin.
const NAMED: [&str; 8] = [
    "aadrm_",
    "nt authority\\",
    "nt service\\",
    "s-1-5-18",
    "s-1-7-",
    "serviceprincipal_",
    "sharepoint\\",
    "system",
];

/// The accounts that are known to be services.
#[derive(Debug, Default)]
pub(super) struct Services(HashSet<String>);

impl Services {
    /// Those that the archive knows.
    pub(super) fn of(session: &Session) -> Result<Services> {
        let mut known = HashSet::new();
        for row in reference::rows(session, SERVICE_ACCOUNTS, &[&ACCOUNT])? {
            known.extend(row.into_iter().flatten().map(|a| a.to_lowercase()));
        }
        if session.has("IdentityInfo") {
            let sql = "SELECT lower(i.\"AccountUPN\") FROM stored.\"IdentityInfo\" AS i \
                 WHERE i.\"IsServiceAccount\" GROUP BY 1";
            each(
                session,
                sql,
                |_| Ok(()),
                |row| {
                    known.extend(row.text(0)?);
                    Ok(())
                },
            )?;
        }
        Ok(Services(known))
    }

    /// Who it is that a record names as owner.
    pub(super) fn owner(&self, said: Option<&str>) -> Owner {
        let Some(said) = said.map(str::trim).filter(|said| !said.is_empty()) else {
            return Owner::Unknown(None);
        };
        let small = said.to_lowercase();
        if self.0.contains(&small) || is_service(&small) {
            return Owner::Service(small);
        }
        let address = invited(&small).unwrap_or(small);
        match is_address(&address) {
            true => Owner::Person(address),
            false => Owner::Unknown(Some(said.to_string())),
        }
    }
}

/// Whether an owner, in lower case, is an account of Microsoft 365 itself or a mailbox that nobody reads.
fn is_service(said: &str) -> bool {
    let Some((name, domain)) = said.split_once('@') else {
        return NAMED.iter().any(|known| said.starts_with(known));
    };
    let begins = BEGINNINGS.iter().any(|known| name.starts_with(known));
    // `app@sharepoint`; ids of applications at a tenant.
    begins || domain == "sharepoint" || domain.ends_with(".aadrm.com") || is_guid(name)
}

fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let is_hex = |group: &&str| group.bytes().all(|b| b.is_ascii_hexdigit());
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(is_hex)
}

/// The address of a guest's own, of the account that it has in the tenant: `eve_fabrikam.com#ext#@contoso.onmicrosoft.com`.
pub(super) fn invited(account: &str) -> Option<String> {
    let (own, _) = account.split_once("#ext#@")?;
    let (name, domain) = own.rsplit_once('_')?;
    Some(format!("{name}@{domain}"))
}

/// Whether a mail could be addressed so: one name, one domain with a point, and nothing that is not written so in addresses of accounts.
pub fn is_address(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let labels: Vec<&str> = domain.split('.').collect();
    let is_label = |label: &&str| {
        let inside = label.chars().all(|c| c.is_alphanumeric() || c == '-');
        inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_name = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(plain)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..");
    is_name && domain.len() <= 253 && labels.len() > 1 && labels.iter().all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_persons_services_or_unknown() {
        let services = Services(HashSet::from(["scanner@contoso.com".to_string()]));
        let person = |said: &str| Owner::Person(said.into());
        let service = |said: &str| Owner::Service(said.into());
        for (said, expected) in [
            (" Alice@Contoso.com ", person("alice@contoso.com")),
            (
                "eve_x_fabrikam.com#EXT#@contoso.onmicrosoft.com",
                person("eve_x@fabrikam.com"),
            ),
            ("Scanner@contoso.com", service("scanner@contoso.com")),
            (
                "microsoftrmsonline@0c0c0c0c.rms.eu.aadrm.com",
                service("microsoftrmsonline@0c0c0c0c.rms.eu.aadrm.com"),
            ),
            ("app@sharepoint", service("app@sharepoint")),
            ("NT AUTHORITY\\SYSTEM", service("nt authority\\system")),
            (
                "0c0c0c0c-0000-4000-8000-00000000000a@contoso.com",
                service("0c0c0c0c-0000-4000-8000-00000000000a@contoso.com"),
            ),
            ("alice", Owner::Unknown(Some("alice".into()))),
            (
                "a@contoso.com, b@contoso.com",
                Owner::Unknown(Some("a@contoso.com, b@contoso.com".into())),
            ),
            ("  ", Owner::Unknown(None)),
        ] {
            assert_eq!(services.owner(Some(said)), expected, "{said}");
        }
        assert_eq!(services.owner(None), Owner::Unknown(None));
    }

    #[test]
    fn an_address_has_one_name_and_a_domain_and_no_line_break() {
        for good in ["a@b.example", "o'neil+x@contoso.com", "jörg@contoso.com"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "a@b",
            "@contoso.com",
            "a@",
            "a@contoso.com\r\nBcc: b@contoso.com",
            "<a@contoso.com>",
            "a@b@contoso.com",
            "a@contoso..com",
            "a@-contoso.com",
            ".a@contoso.com",
            "a b@contoso.com",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
