//! Ranges of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::hunt::exclusions::{is_in, range};

/// Ranges of addresses: one address of each, and how many of its first bits all have.
pub(super) struct Ranges(Vec<(IpAddr, u32)>);

impl Ranges {
    /// Ranges of a list that is built in.
    pub(super) fn of(texts: &[&str]) -> Ranges {
        let read = |text: &&str| range(text).expect("the lists hold ranges");
        Ranges(texts.iter().map(read).collect())
    }

    /// Whether an address lies in one of them.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| is_in(address, *range))
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped or compatible (RFC 4291), of a translator (RFC 6052), 6to4 (RFC 3056) and
/// Teredo (RFC 4380), which has the bits of its client turned.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let high = |a: u16, b: u16| Ipv4Addr::from_bits((u32::from(a) << 16) | u32::from(b));
    let v4 = match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => high(a, b),
        // `::` and `::1` are of IPv6 itself.
        [0, 0, 0, 0, 0, 0, a, b] if a != 0 => high(a, b),
        [0x2002, a, b, ..] => high(a, b),
        [0x2001, 0, _, _, _, _, a, b] => high(!a, !b),
        _ => return None,
    };
    Some(v4.into())
}

/// An address and the one that it stands for.
pub(super) fn spellings(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    [Some(address), embedded(address)].into_iter().flatten()
}

/// Whether an IPv6 address is of a kind that only stands for one of IPv4.
pub(super) fn is_only_embedded(address: Ipv6Addr) -> bool {
    !matches!(address.segments(), [0x2001..=0x2002, ..]) && embedded(address.into()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_may_stand_for_one_of_ipv4() {
        for (text, stands_for) in [
            ("::ffff:10.1.2.3", Some("10.1.2.3")),
            ("::10.1.2.3", Some("10.1.2.3")),
            ("64:ff9b::10.1.2.3", Some("10.1.2.3")),
            ("2002:a01:203::9", Some("10.1.2.3")),
            ("2001:0:4136:e378:8000:63bf:f5fe:fdfc", Some("10.1.2.3")),
            ("::1", None),
            ("::", None),
            ("2001:db8::a01:203", None),
            ("10.1.2.3", None),
        ] {
            let address: IpAddr = text.parse().expect("an address");
            let found = embedded(address).map(|v4| v4.to_string());
            assert_eq!(found.as_deref(), stands_for, "{text}");
        }
    }
}
