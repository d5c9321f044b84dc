//! What never becomes an indicator, and why: the organisation's own, what is nobody's, and Microsoft's own services.
//!
//! | what | from where |
//! |---|---|
//! | own addresses | trusted locations of sign-ins, [`Allow::add_own`] |
//! | whatever is allowed | the watchlist `Allowlist` and `--allow`, [`Allow::add`] |
//! | addresses and names that nobody on the internet has | built in, `reserved` |
//! | those that are reserved for documentation | the same; may be taken, for trials on invented data |
//! | addresses, hosts, accounts and applications of Microsoft 365 | built in, `microsoft` |
//!
//! An address of IPv6 that stands for one of IPv4 is judged as both.

use std::collections::HashSet;
use std::net::IpAddr;

use super::microsoft;
use super::observable::{Observable, host_of_url};
use super::ranges::spellings;
use super::reserved::{is_below, is_documented, is_documented_name, is_local, is_local_name};
use crate::hunt::exclusions::{is_in, is_like, range};

/// What stands in the place of a name that is not known, in lower case.
const NOBODY: [&str; 9] = [
    "-",
    "00000000-0000-0000-0000-000000000000",
    "anonymous",
    "n/a",
    "not available",
    "null",
    "unknown",
    "urn:spo:anon*",
    "unavailable",
];

/// Why something is left out, where it is no entry of a list.
const IS_LOCAL: &str = "a private or local address";
const IS_OWN: &str = "an own address, by the trusted locations of sign-ins";
const IS_MICROSOFT: &str = "Microsoft's own service";
const IS_NOBODY: &str = "names nobody";
const IS_LOCAL_NAME: &str = "a name of some network's own";
const IS_NO_URL: &str = "no address of the web";

/// A range of addresses: one of them, and how many of its first bits all have.
type Range = (IpAddr, u32);

/// What becomes of addresses and names that are reserved for documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documentation {
    /// They are left out.
    Refused,
    /// They are taken: for trials on invented data.
    Taken,
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// In lower case; `*` stands for any letters.
    called: String,
    range: Option<Range>,
    reason: String,
}

/// What never becomes an indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    entries: Vec<Entry>,
    own: HashSet<IpAddr>,
    documentation: Documentation,
}

impl Allow {
    /// Said where something is reserved for documentation.
    pub const DOCUMENTED: &'static str = "reserved for documentation";

    /// What is built in.
    pub fn new(documentation: Documentation) -> Allow {
        Allow {
            entries: Vec::new(),
            own: HashSet::new(),
            documentation,
        }
    }

    /// Allows an address, a range of addresses, an account, a domain with all that is below it, a host, a URL, an application or a file, in whatever
    /// case; `*` stands for any letters.
    ///
    /// # Errors
    /// When nothing or everything is meant.
    pub fn add(&mut self, value: &str, reason: &str) -> Result<(), String> {
        let called = value.trim().to_lowercase();
        // `@contoso.com` is how many write a domain of accounts.
        let called = called.strip_prefix('@').unwrap_or(&called).to_string();
        let whole = called.parse::<IpAddr>().ok().map(|address| match address {
            IpAddr::V4(_) => (address, 32),
            IpAddr::V6(_) => (address, 128),
        });
        let range = range(&called).or(whole);
        if range.is_some_and(|(_, bits)| bits == 0) || called.chars().all(|c| "*@.".contains(c)) {
            return Err(format!("`{value}` would leave out everything"));
        }
        if range.is_none() && looks_like_range(&called) {
            return Err(format!("`{value}` is no range of addresses"));
        }
        self.entries.push(Entry {
            called,
            range,
            reason: match reason.trim() {
                "" => "allowed".to_string(),
                reason => format!("allowed: {reason}"),
            },
        });
        Ok(())
    }

    /// Allows an address that the organisation says to be its own.
    pub fn add_own(&mut self, address: IpAddr) {
        self.own.insert(address);
    }

    /// Why something does not become an indicator; nothing where it does.
    pub fn reason(&self, observable: &Observable) -> Option<String> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.covers(observable)) {
            return Some(entry.reason.clone());
        }
        let built_in = match observable {
            Observable::Address(address) => self.of_address(*address),
            Observable::Account(name) => self.of_account(name),
            Observable::Application(name) => {
                microsoft::is_application(name).then_some(IS_MICROSOFT)
            }
            Observable::Url(_) | Observable::Domain(_) => match host(observable) {
                Some(host) => self.of_host(&host),
                None => Some(IS_NO_URL),
            },
            Observable::File(_) | Observable::Hash(..) => None,
        };
        built_in.map(String::from)
    }

    fn of_address(&self, address: IpAddr) -> Option<&'static str> {
        spellings(address).find_map(|address| {
            if self.own.contains(&address) {
                return Some(IS_OWN);
            }
            // One of the ranges for documentation lies in those for groups.
            if is_documented(address) {
                return self.of_documentation();
            }
            if is_local(address) {
                return Some(IS_LOCAL);
            }
            microsoft::is_address(address).then_some(IS_MICROSOFT)
        })
    }

    fn of_account(&self, name: &str) -> Option<&'static str> {
        if NOBODY.iter().any(|called| is_like(called, name)) {
            return Some(IS_NOBODY);
        }
        if microsoft::is_account(name) {
            return Some(IS_MICROSOFT);
        }
        let (_, domain) = name.rsplit_once('@')?;
        match is_documented_name(domain) {
            true => self.of_documentation(),
            false => None,
        }
    }

    fn of_host(&self, host: &str) -> Option<&'static str> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.of_address(address);
        }
        if is_documented_name(host) {
            return self.of_documentation();
        }
        if is_local_name(host) {
            return Some(IS_LOCAL_NAME);
        }
        microsoft::is_host(host).then_some(IS_MICROSOFT)
    }

    fn of_documentation(&self) -> Option<&'static str> {
        match self.documentation {
            Documentation::Refused => Some(Allow::DOCUMENTED),
            Documentation::Taken => None,
        }
    }
}

impl Entry {
    fn covers(&self, observable: &Observable) -> bool {
        if is_like(&self.called, &observable.value().to_lowercase()) {
            return true;
        }
        if let Observable::Address(address) = observable {
            return self.has(*address);
        }
        host(observable).is_some_and(|host| {
            let is_inside = host.parse().is_ok_and(|address: IpAddr| self.has(address));
            is_inside || is_like(&self.called, &host) || is_below(&host, &self.called)
        })
    }

    fn has(&self, address: IpAddr) -> bool {
        let inside = |range| spellings(address).any(|address| is_in(address, range));
        self.range.is_some_and(inside)
    }
}

/// Whether somebody meant a range of addresses: `10.1.0.0/33`, `10.1/16`.
fn looks_like_range(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_hexdigit() || ".:/".contains(c);
    text.contains('/') && text.contains(['.', ':']) && text.chars().all(is_part)
}

/// The host of a URL, or the domain of a name, in lower case.
fn host(observable: &Observable) -> Option<String> {
    match observable {
        Observable::Url(url) => host_of_url(url),
        Observable::Domain(name) => Some(name.clone()),
        Observable::Account(name) => {
            let (own, domain) = name.rsplit_once('@')?;
            // A guest is not of the domain where they are one: `eve_fabrikam.com#ext#@contoso.onmicrosoft.com`.
            let home = own
                .strip_suffix("#ext#")
                .and_then(|own| own.rsplit_once('_'));
            Some(home.map_or(domain, |(_, home)| home).to_string())
        }
        Observable::Address(_)
        | Observable::Application(_)
        | Observable::File(_)
        | Observable::Hash(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Observable {
        Observable::Address(text.parse().expect("an address"))
    }

    fn account(text: &str) -> Observable {
        Observable::Account(text.into())
    }

    fn url(text: &str) -> Observable {
        Observable::Url(text.into())
    }

    #[test]
    fn what_is_nobodys_or_microsofts_is_no_indicator() {
        let allow = Allow::new(Documentation::Refused);
        for (observable, reason) in [
            (address("10.1.2.3"), IS_LOCAL),
            (address("172.31.255.1"), IS_LOCAL),
            (address("100.64.0.1"), IS_LOCAL),
            (address("127.0.0.1"), IS_LOCAL),
            (address("fe80::1"), IS_LOCAL),
            (address("fd00::1"), IS_LOCAL),
            (address("203.0.113.9"), Allow::DOCUMENTED),
            (address("2001:db8::9"), Allow::DOCUMENTED),
            (account("eve@example.org"), Allow::DOCUMENTED),
            (url("https://evil.example.com/x"), Allow::DOCUMENTED),
            (address("40.97.1.1"), IS_MICROSOFT),
            (address("52.98.1.1"), IS_MICROSOFT),
            (address("2603:1026:1::1"), IS_MICROSOFT),
            (account("app@sharepoint"), IS_MICROSOFT),
            (account("nt authority\\system"), IS_MICROSOFT),
            (account("anonymous"), IS_NOBODY),
            (
                Observable::Application("Microsoft Teams".into()),
                IS_MICROSOFT,
            ),
            (
                Observable::Application(
                    "Microsoft Purview Information Protection Excel Labeler".into(),
                ),
                IS_MICROSOFT,
            ),
            (
                url("https://login.microsoftonline.com/common"),
                IS_MICROSOFT,
            ),
            (url("https://10.0.0.7/x"), IS_LOCAL),
            (url("https://167772167/x"), IS_LOCAL),
            (url("https://[::ffff:10.0.0.7]/x"), IS_LOCAL),
            (url("http://intranet/x"), IS_LOCAL_NAME),
            (url("http://localhost:8080/x"), IS_LOCAL_NAME),
            (url("https://srv.corp.local/x"), IS_LOCAL_NAME),
            (url("login.microsoftonline.com/common"), IS_NO_URL),
            (url("C:\\Work\\Plan.docx"), IS_NO_URL),
            (url("javascript:alert(1)"), IS_NO_URL),
            (address("192.88.99.1"), IS_LOCAL),
            (address("192.175.48.6"), IS_LOCAL),
            (address("100:0:0:1::1"), IS_LOCAL),
            (address("2001:2::1"), IS_LOCAL),
            (address("2001:20::1"), IS_LOCAL),
            (address("5f00::1"), IS_LOCAL),
            (address("4000::1"), IS_LOCAL),
            (address("2002:a00:1::1"), IS_LOCAL),
            (address("64:ff9b::a00:1"), IS_LOCAL),
            (address("2002:cb00:7109::1"), Allow::DOCUMENTED),
            (address("64:ff9b::2861:101"), IS_MICROSOFT),
            (address("2603:1063:6000::1"), IS_MICROSOFT),
            (url("https://[fe80::1]/x"), IS_LOCAL),
            (
                Observable::Application("00000003-0000-0000-C000-000000000000".into()),
                IS_MICROSOFT,
            ),
        ] {
            assert_eq!(
                allow.reason(&observable).as_deref(),
                Some(reason),
                "{observable:?}"
            );
        }
        for observable in [
            address("8.8.8.8"),
            address("20.10.0.1"),
            address("172.32.0.1"),
            address("2a00:1450::1"),
            account("eve@fabrikam.com"),
            account("eve@myexample.org"),
            url("https://fabrikam.sharepoint.com/a"),
            url("https://forms.office.com/r/x"),
            url("https://notgraph.microsoft.com.fabrikam.com/"),
            url("https://forms.cloud.microsoft/r/x"),
            address("64:ff9b::808:808"),
            address("2002:808:808::1"),
            Observable::Application("Microsoft Teams Helper".into()),
            Observable::File("Plan.docx".into()),
        ] {
            assert_eq!(allow.reason(&observable), None, "{observable:?}");
        }
        let taken = Allow::new(Documentation::Taken);
        assert_eq!(taken.reason(&address("203.0.113.9")), None);
        assert_eq!(taken.reason(&account("eve@example.org")), None);
        assert!(taken.reason(&address("10.0.0.1")).is_some());
    }

    #[test]
    fn a_list_can_be_extended() {
        let mut allow = Allow::new(Documentation::Taken);
        for value in [
            "198.51.100.0/24",
            "2001:DB8:0::7",
            "203.0.113.1*",
            "Contoso.com",
            "@northwind.test",
            "scanner@*",
            "payroll*.xlsx",
            "an-app",
        ] {
            allow.add(value, "ours").expect("an entry");
        }
        allow.add_own("203.0.113.200".parse().expect("an address"));
        for observable in [
            address("198.51.100.25"),
            address("2001:db8::7"),
            address("203.0.113.17"),
            account("ada@contoso.com"),
            account("ada@eu.contoso.com"),
            account("guest_contoso.com#ext#@fabrikam.onmicrosoft.com"),
            account("ada@northwind.test"),
            address("2002:c633:6419::1"),
            account("scanner@fabrikam.com"),
            url("https://www.contoso.com/x"),
            url("https://198.51.100.9/x"),
            Observable::Domain("contoso.com".into()),
            Observable::File("Payroll 2026.xlsx".into()),
            Observable::Application("An-App".into()),
        ] {
            let reason = allow.reason(&observable);
            assert_eq!(reason.as_deref(), Some("allowed: ours"), "{observable:?}");
        }
        assert_eq!(
            allow.reason(&address("203.0.113.200")).as_deref(),
            Some(IS_OWN)
        );
        for observable in [
            address("2001:db8::8"),
            account("ada@notcontoso.com"),
            account("eve_fabrikam.com#ext#@contoso.com"),
            url("https://contoso.com.fabrikam.com/"),
        ] {
            assert_eq!(allow.reason(&observable), None, "{observable:?}");
        }
        for wrong in [
            "",
            " ",
            "*",
            "*@*",
            "0.0.0.0/0",
            "::/0",
            "198.51.100.0/33",
            "198.51.100/24",
            "2001:db8::/129",
        ] {
            assert!(allow.add(wrong, "").is_err(), "{wrong}");
        }
    }
}
