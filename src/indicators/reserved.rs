//! Addresses and names that nobody on the internet has, and those that are reserved for documentation.
//!
//! Addresses are those of IANA's registries of special-purpose addresses of both families
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>) that are not
//! globally reachable or that everybody may announce (AS112, RFC 7534; AMT, RFC 7450), and what is outside of the space of unicast: groups and what
//! is kept for the future. Names are those of RFC 2606, 6761, 6762, 8375 and of ICANN's decision on `internal` of 2024.

use std::net::IpAddr;
use std::sync::LazyLock;

use super::ranges::{Ranges, is_only_embedded};

/// Addresses that nobody on the internet has. Of IPv6 only 2000::/3 is given out.
const LOCAL: [&str; 27] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/3",
    "2001:1::/32",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2620:4f:8000::/48",
    "4000::/3",
    "6000::/3",
    "8000::/1",
];
/// Reserved for documentation (RFC 5737, 6676, 3849, 9637).
const DOCUMENTED: [&str; 6] = [
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "233.252.0.0/24",
    "2001:db8::/32",
    "3fff::/20",
];
/// The same, of names; what is below them too.
const DOCUMENTED_NAMES: [&str; 6] = [
    "example",
    "example.com",
    "example.net",
    "example.org",
    "invalid",
    "test",
];
/// Names that mean something else in each network; what is below them too.
const LOCAL_NAMES: [&str; 5] = ["home.arpa", "internal", "local", "localdomain", "localhost"];

static LOCAL_RANGES: LazyLock<Ranges> = LazyLock::new(|| Ranges::of(&LOCAL));
static DOCUMENTED_RANGES: LazyLock<Ranges> = LazyLock::new(|| Ranges::of(&DOCUMENTED));

/// Whether nobody on the internet has an address. One that only stands for another is as that one is.
pub(super) fn is_local(address: IpAddr) -> bool {
    let stands_for = matches!(address, IpAddr::V6(v6) if is_only_embedded(v6));
    !stands_for && LOCAL_RANGES.has(address)
}

/// Whether an address is reserved for documentation.
pub(super) fn is_documented(address: IpAddr) -> bool {
    DOCUMENTED_RANGES.has(address)
}

/// Whether a name is reserved for documentation.
pub(super) fn is_documented_name(host: &str) -> bool {
    is_below_any(host, &DOCUMENTED_NAMES)
}

/// Whether the host of a URL, or a domain, is of some network's own.
pub(super) fn is_local_name(host: &str) -> bool {
    // A name without a point is completed by each network.
    let is_bare = !host.contains('.') && !is_documented_name(host);
    is_bare || is_below_any(host, &LOCAL_NAMES)
}

/// Whether a host is a domain or lies below it.
pub(super) fn is_below(host: &str, domain: &str) -> bool {
    let rest = host.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The same of one of several.
pub(super) fn is_below_any(host: &str, domains: &[&str]) -> bool {
    domains.iter().any(|domain| is_below(host, domain))
}
