//! Addresses: IPv4, IPv6 and the networks they are in.

use std::net::Ipv6Addr;

use super::arguments::{Typed, Want, json_text, long, or_null, take, text};
use super::definition::{BARE, Function, lifted};
use crate::function::value::{Cell, Json, Type, Value};

/// Private networks, each with the length of its prefix.
const PRIVATE: [(u32, u32); 3] = [(0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16)];

fn mask4(prefix: u32) -> u32 {
    u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0)
}

fn mask6(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0)
}

/// Four numbers up to 255 with points between them.
fn address4(text: &str) -> Option<u32> {
    let mut address = 0;
    let mut count = 0;
    for part in text.split('.') {
        let plain = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let value: u32 = if plain {
            part.parse().ok()?
        } else {
            return None;
        };
        if value > 255 || count == 4 {
            return None;
        }
        address = (address << 8) | value;
        count += 1;
    }
    (count == 4).then_some(address)
}

/// An address or network: `10.0.0.1`, `10.0.0.0/8`.
fn network4(text: &str) -> Option<(u32, u32)> {
    let text = text.trim();
    match text.split_once('/') {
        None => Some((address4(text)?, 32)),
        Some((address, prefix)) => Some((address4(address)?, prefix_length(prefix, 32)?)),
    }
}

fn prefix_length(text: &str, most: u32) -> Option<u32> {
    let plain = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let prefix: u32 = if plain {
        text.parse().ok()?
    } else {
        return None;
    };
    (prefix <= most).then_some(prefix)
}

/// An IPv6 address or network; those of IPv4 become `::ffff:a.b.c.d`.
fn network6(text: &str) -> Option<(u128, u32)> {
    const MAPPED: u128 = 0xffff << 32;
    if let Some((address, prefix)) = network4(text) {
        return Some((MAPPED | u128::from(address), prefix + 96));
    }
    let text = text.trim();
    let (address, prefix) = match text.split_once('/') {
        None => (text, None),
        Some((address, prefix)) => (address, Some(prefix)),
    };
    // `::192.168.1.1` is an IPv4 address, and so is its prefix.
    if let Some(inner) = address.strip_prefix("::")
        && let Some(address) = address4(inner)
    {
        let prefix = prefix.map_or(Some(32), |prefix| prefix_length(prefix, 32))?;
        return Some((MAPPED | u128::from(address), prefix + 96));
    }
    let address: Ipv6Addr = address.parse().ok()?;
    let prefix = prefix.map_or(Some(128), |prefix| prefix_length(prefix, 128))?;
    Some((u128::from(address), prefix))
}

/// The prefix that an optional argument gives, the longest one without; nothing where it is no prefix.
fn prefix(given: Option<Option<i64>>, most: u32) -> Option<u32> {
    match given {
        None => Some(most),
        Some(prefix) => u32::try_from(prefix?).ok().filter(|prefix| *prefix <= most),
    }
}

fn compare4(a: &[Cell]) -> Option<i64> {
    let ((x, own), (y, other)) = (network4(&a[0].text())?, network4(&a[1].text())?);
    let given = a.get(2).map(|prefix| prefix.to_long());
    let mask = mask4(own.min(other).min(prefix(given, 32)?));
    Some((x & mask).cmp(&(y & mask)) as i64)
}

fn compare6(a: &[Cell]) -> Option<i64> {
    let ((x, own), (y, other)) = (network6(&a[0].text())?, network6(&a[1].text())?);
    let given = a.get(2).map(|prefix| prefix.to_long());
    let mask = mask6(own.min(other).min(prefix(given, 128)?));
    Some((x & mask).cmp(&(y & mask)) as i64)
}

fn is_private(address: &str) -> Option<bool> {
    let (address, own) = network4(address)?;
    let address = address & mask4(own);
    let mut known = PRIVATE.iter();
    Some(known.any(|(network, prefix)| address & mask4(*prefix) == *network))
}

/// The networks of all arguments from the second on, elements of arrays one by one.
fn networks(a: &[Value]) -> Vec<String> {
    let mut networks = Vec::new();
    for value in a.iter().skip(1) {
        match value.array() {
            Some(items) => networks.extend(items.iter().map(|item| item.show())),
            None => networks.push(value.text().into_owned()),
        }
    }
    networks
}

fn in_any4(a: &[Value]) -> Option<bool> {
    let (address, own) = network4(&text(a, 0))?;
    let inside = |(network, prefix): (u32, u32)| {
        let mask = mask4(prefix.min(own));
        address & mask == network & mask
    };
    Some(
        networks(a)
            .iter()
            .filter_map(|text| network4(text))
            .any(inside),
    )
}

fn in_any6(a: &[Value]) -> Option<bool> {
    let (address, own) = network6(&text(a, 0))?;
    let inside = |(network, prefix): (u128, u32)| {
        let mask = mask6(prefix.min(own));
        address & mask == network & mask
    };
    Some(
        networks(a)
            .iter()
            .filter_map(|text| network6(text))
            .any(inside),
    )
}

fn show4(address: u32) -> String {
    let [a, b, c, d] = address.to_be_bytes();
    format!("{a}.{b}.{c}.{d}")
}

fn show6(address: u128) -> String {
    let groups: Vec<String> = (0..8)
        .map(|i| format!("{:04x}", (address >> (112 - 16 * i)) & 0xffff))
        .collect();
    groups.join(":")
}

/// The network of an address, given as text or number, with a prefix.
fn formatted(a: &[Value]) -> Option<(u32, u32)> {
    let prefix = prefix(a.get(1).map(Value::to_long), 32)?;
    let (address, own) = match a.first()? {
        Value::Int(_) | Value::Long(_) => (u32::try_from(long(a, 0)?).ok()?, 32),
        other => network4(&other.text())?,
    };
    let prefix = prefix.min(own);
    Some((address & mask4(prefix), prefix))
}

/// IPv4 addresses in a text that have no letter or digit beside them.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '.')
        .filter(|word| word.contains('.'))
        .map(|word| word.trim_matches('.'))
        .filter(|word| address4(word).is_some())
}

fn has_address(source: &str, wanted: &str) -> bool {
    address4(wanted).is_some() && addresses(source).any(|found| found == wanted)
}

/// `10.`, `10.1.`, `10.1.2.`, or a whole address.
fn has_prefix(source: &str, prefix: &str) -> bool {
    let whole = address4(prefix).is_some();
    let parts = prefix.trim_end_matches('.').split('.').count();
    let part = prefix.ends_with('.')
        && (1..=3).contains(&parts)
        && address4(&format!("{prefix}{}", ["0", "0.0", "0.0.0"][3 - parts])).is_some();
    (part && addresses(source).any(|found| found.starts_with(prefix)))
        || (whole && has_address(source, prefix))
}

/// The fewest networks that hold the addresses from one to another.
fn range_networks(a: &[Value]) -> Option<Vec<Json>> {
    let bound = |at| network4(&text(a, at)).map(|(address, prefix)| address & mask4(prefix));
    let (mut first, last) = (u64::from(bound(0)?), u64::from(bound(1)?));
    let mut networks = Vec::new();
    while first <= last {
        // As large as the address allows and as there is room for.
        let bits = first
            .trailing_zeros()
            .min((last - first + 1).ilog2())
            .min(32);
        let address = show4(u32::try_from(first).ok()?);
        networks.push(json_text(format!("{address}/{}", 32 - bits)));
        first += 1 << bits;
    }
    (!networks.is_empty()).then_some(networks)
}

fn ranges(arguments: &[Type]) -> Typed {
    take(arguments, &[Want::Text], Type::Bool)
}

const IS_MATCH: Function = lifted! {
    0b11,
    |a, _| compare4(a).map_or(Cell::Null, |order| Cell::Bool(order == 0)),
    name: "ipv4_is_match",
    arguments: (2, 3),
    doc: "ipv4_is_match(a, b, prefix = 32): whether both are the same in the bits of the shortest prefix; null of what is none",
    example: "print x = ipv4_is_match(\"192.168.1.1/24\", \"192.168.1.255\")",
    answer: "True",
    ty: |a| take(a, &[Want::Text, Want::Text, Want::Integer], Type::Bool),
};

const IN_RANGE: Function = lifted! {
    0b11,
    |a, _| compare4(a).map_or(Cell::Null, |order| Cell::Bool(order == 0)),
    name: "ipv4_is_in_range",
    arguments: (2, 2),
    doc: "ipv4_is_in_range(address, network): whether the address is in the network; null of what is none",
    example: "print x = ipv4_is_in_range(\"192.168.1.6\", \"192.168.1.1/24\")",
    answer: "True",
    ty: |a| take(a, &[Want::Text], Type::Bool),
};

const IN_ANY: Function = Function {
    name: "ipv4_is_in_any_range",
    arguments: (2, usize::MAX),
    doc: "ipv4_is_in_any_range(address, network or array, …): whether the address is in one of the networks; null of what is no address",
    example: "print x = ipv4_is_in_any_range(\"10.1.2.3\", \"192.168.0.0/16\", \"10.0.0.0/8\")",
    answer: "True",
    ty: ranges,
    eval: |_, a| or_null(in_any4(a)),
    ..BARE
};

const COMPARE: Function = lifted! {
    0b11,
    |a, _| compare4(a).map_or(Cell::Null, Cell::Long),
    name: "ipv4_compare",
    arguments: (2, 3),
    doc: "ipv4_compare(a, b, prefix = 32): -1, 0 or 1 by the bits of the shortest prefix; null of what is no address",
    example: "print x = ipv4_compare(\"192.168.1.1\", \"192.168.1.255\", 24)",
    answer: "0",
    ty: |a| take(a, &[Want::Text, Want::Text, Want::Integer], Type::Long),
};

const HAS: Function = Function {
    name: "has_ipv4",
    arguments: (2, 2),
    doc: "has_ipv4(text, address): whether the address stands in the text, with no letter or digit beside it",
    example: "print x = has_ipv4(\"05:04 127.0.0.1 GET\", \"127.0.0.1\")",
    answer: "True",
    ty: ranges,
    eval: |_, a| Value::Bool(has_address(&text(a, 0), &text(a, 1))),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    IS_MATCH,
    lifted! {
        0b11,
        |a, _| compare6(a).map_or(Cell::Null, |order| Cell::Bool(order == 0)),
        name: "ipv6_is_match",
        arguments: (2, 3),
        doc: "ipv6_is_match(a, b, prefix = 128): as `ipv4_is_match`, of IPv6 and IPv4",
        example: "print x = ipv6_is_match(\"192.168.1.1\", \"::ffff:c0a8:0101\")",
        answer: "True",
        ty: |a| take(a, &[Want::Text, Want::Text, Want::Integer], Type::Bool),
    },
    IN_RANGE,
    lifted! {
        0b11,
        |a, _| compare6(a).map_or(Cell::Null, |order| Cell::Bool(order == 0)),
        name: "ipv6_is_in_range",
        arguments: (2, 2),
        doc: "ipv6_is_in_range(address, network): as `ipv4_is_in_range`, of IPv6 and IPv4",
        example: "print x = ipv6_is_in_range(\"fe80::1\", \"fe80::/10\")",
        answer: "True",
        ty: |a| take(a, &[Want::Text], Type::Bool),
    },
    IN_ANY,
    Function {
        name: "ipv6_is_in_any_range",
        doc: "ipv6_is_in_any_range(address, network or array, …): as `ipv4_is_in_any_range`, of IPv6 and IPv4",
        example: "print x = ipv6_is_in_any_range(\"fe80::1\", dynamic([\"fe80::/10\"]))",
        body: None,
        eval: |_, a| or_null(in_any6(a)),
        ..IN_ANY
    },
    COMPARE,
    lifted! {
        0b11,
        |a, _| compare6(a).map_or(Cell::Null, Cell::Long),
        name: "ipv6_compare",
        arguments: (2, 3),
        doc: "ipv6_compare(a, b, prefix = 128): as `ipv4_compare`, of IPv6 and IPv4",
        example: "print x = ipv6_compare(\"fe80::1\", \"fe80::2\", 120)",
        answer: "0",
        ty: |a| take(a, &[Want::Text, Want::Text, Want::Integer], Type::Long),
    },
    lifted! {
        0b1,
        |a, _| is_private(&a[0].text()).map_or(Cell::Null, Cell::Bool),
        name: "ipv4_is_private",
        arguments: (1, 1),
        doc: "ipv4_is_private(address): whether it is in 10/8, 172.16/12 or 192.168/16; null of what is no address",
        example: "print x = ipv4_is_private(\"10.1.2.3\")",
        answer: "True",
        ty: |a| take(a, &[Want::Text], Type::Bool),
    },
    Function {
        name: "ipv4_netmask_suffix",
        arguments: (1, 1),
        doc: "ipv4_netmask_suffix(network): length of its prefix, 32 of an address; null of what is none",
        example: "print x = ipv4_netmask_suffix(\"192.168.1.1/24\")",
        answer: "24",
        ty: |a| take(a, &[Want::Text], Type::Long),
        eval: |_, a| or_null(network4(&text(a, 0)).map(|(_, prefix)| i64::from(prefix))),
        ..BARE
    },
    Function {
        name: "ipv4_range_to_cidr_list",
        arguments: (2, 2),
        doc: "ipv4_range_to_cidr_list(first, last): an array of the networks that hold just these addresses; null of what is no range",
        example: "print x = ipv4_range_to_cidr_list(\"1.1.128.0\", \"1.1.140.255\")",
        answer: "[\"1.1.128.0/21\",\"1.1.136.0/22\",\"1.1.140.0/24\"]",
        ty: |a| take(a, &[Want::Text], Type::Dynamic),
        eval: |_, a| {
            range_networks(a).map_or(Value::Null, |list| Value::dynamic(Json::Array(list)))
        },
        ..BARE
    },
    lifted! {
        0b1,
        |a, _| {
            let network = network4(&a[0].text());
            let first = network.map(|(address, prefix)| i64::from(address & mask4(prefix)));
            first.map_or(Cell::Null, Cell::Long)
        },
        name: "parse_ipv4",
        arguments: (1, 1),
        doc: "parse_ipv4(address): its number, of a network that of its first address; null of what is none",
        example: "print x = parse_ipv4(\"192.168.1.1/24\")",
        answer: "3232235776",
        ty: |a| take(a, &[Want::Text], Type::Long),
    },
    Function {
        name: "parse_ipv4_mask",
        arguments: (2, 2),
        doc: "parse_ipv4_mask(address, prefix): number of the network's first address; null of what is none",
        example: "print x = parse_ipv4_mask(\"127.0.0.1\", 24)",
        answer: "2130706432",
        ty: |a| take(a, &[Want::Text, Want::Integer], Type::Long),
        eval: |_, a| {
            let network = || {
                let (address, own) = network4(&text(a, 0))?;
                Some(i64::from(
                    address & mask4(own.min(prefix(a.get(1).map(Value::to_long), 32)?)),
                ))
            };
            or_null(network())
        },
        ..BARE
    },
    Function {
        name: "format_ipv4",
        arguments: (1, 2),
        doc: "format_ipv4(address or number, prefix = 32): the network's first address; empty of what is none",
        example: "print x = format_ipv4(\"192.168.1.1\", 24)",
        answer: "192.168.1.0",
        ty: |a| take(a, &[Want::Any, Want::Integer], Type::String),
        eval: |_, a| {
            Value::from(
                formatted(a)
                    .map(|(address, _)| show4(address))
                    .unwrap_or_default(),
            )
        },
        ..BARE
    },
    Function {
        name: "format_ipv4_mask",
        arguments: (1, 2),
        doc: "format_ipv4_mask(address or number, prefix = 32): the network as `address/prefix`; empty of what is none",
        example: "print x = format_ipv4_mask(\"192.168.1.1\", 24)",
        answer: "192.168.1.0/24",
        ty: |a| take(a, &[Want::Any, Want::Integer], Type::String),
        eval: |_, a| {
            let shown =
                formatted(a).map(|(address, prefix)| format!("{}/{prefix}", show4(address)));
            Value::from(shown.unwrap_or_default())
        },
        ..BARE
    },
    Function {
        name: "parse_ipv6",
        arguments: (1, 1),
        doc: "parse_ipv6(address): its eight groups of four digits, of IPv4 and networks too; empty of what is none",
        example: "print x = parse_ipv6(\"192.168.255.255/24\")",
        answer: "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
        ty: |a| take(a, &[Want::Text], Type::String),
        eval: |_, a| {
            let network = network6(&text(a, 0));
            Value::from(
                network
                    .map(|(address, prefix)| show6(address & mask6(prefix)))
                    .unwrap_or_default(),
            )
        },
        ..BARE
    },
    Function {
        name: "parse_ipv6_mask",
        arguments: (2, 2),
        doc: "parse_ipv6_mask(address, prefix): the network's first address in eight groups; empty of what is none",
        example: "print x = parse_ipv6_mask(\"192.168.255.255\", 120)",
        answer: "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
        ty: |a| take(a, &[Want::Text, Want::Integer], Type::String),
        eval: |_, a| {
            let shown = || {
                let (address, own) = network6(&text(a, 0))?;
                Some(show6(
                    address & mask6(own.min(prefix(a.get(1).map(Value::to_long), 128)?)),
                ))
            };
            Value::from(shown().unwrap_or_default())
        },
        ..BARE
    },
    HAS,
    Function {
        name: "has_ipv4_prefix",
        doc: "has_ipv4_prefix(text, prefix): whether an address that begins with `10.1.` or the like stands in the text",
        example: "print x = has_ipv4_prefix(\"05:04 127.0.0.1 GET\", \"127.0.\")",
        body: None,
        eval: |_, a| Value::Bool(has_prefix(&text(a, 0), &text(a, 1))),
        ..HAS
    },
    Function {
        name: "has_any_ipv4",
        arguments: (2, usize::MAX),
        doc: "has_any_ipv4(text, address or array, …): whether one of the addresses stands in the text",
        example: "print x = has_any_ipv4(\"05:04 127.0.0.1 GET\", dynamic([\"127.0.0.1\", \"127.0.0.2\"]))",
        body: None,
        eval: |_, a| {
            Value::Bool(
                networks(a)
                    .iter()
                    .any(|wanted| has_address(&text(a, 0), wanted)),
            )
        },
        ..HAS
    },
    Function {
        name: "has_any_ipv4_prefix",
        arguments: (2, usize::MAX),
        doc: "has_any_ipv4_prefix(text, prefix or array, …): whether an address with one of the prefixes stands in the text",
        example: "print x = has_any_ipv4_prefix(\"05:04 127.0.0.1 GET\", \"127.0.\", \"192.168.\")",
        body: None,
        eval: |_, a| {
            Value::Bool(
                networks(a)
                    .iter()
                    .any(|prefix| has_prefix(&text(a, 0), prefix)),
            )
        },
        ..HAS
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_becomes_the_fewest_networks() {
        let networks = |first: &str, last: &str| {
            let list = range_networks(&[first.into(), last.into()]);
            list.map(|list| Json::Array(list).text())
        };
        for (first, last, expected) in [
            ("0.0.0.0", "255.255.255.255", r#"["0.0.0.0/0"]"#),
            ("192.0.2.1", "192.0.2.1", r#"["192.0.2.1/32"]"#),
            (
                "192.0.2.1",
                "192.0.2.4",
                r#"["192.0.2.1/32","192.0.2.2/31","192.0.2.4/32"]"#,
            ),
            (
                "255.255.255.254",
                "255.255.255.255",
                r#"["255.255.255.254/31"]"#,
            ),
        ] {
            assert_eq!(networks(first, last).as_deref(), Some(expected));
        }
        assert_eq!(networks("192.0.2.2", "192.0.2.1"), None);
        assert_eq!(networks("192.0.2.2", "x"), None);
    }
}
