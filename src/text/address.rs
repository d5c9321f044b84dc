//! Addresses as the logs spell them, made clean.

use std::net::{IpAddr, Ipv6Addr};

/// Returns the address in `text` without port, brackets, blanks and IPv4 mapping, or nothing where there is none.
///
/// Seen in real records: `52.179.168.21:53108`, `[2603:1036:4:3f::5]:1672`, `::ffff:10.11.12.13`, `[10.11.12.13]:12345`,
/// `1.1.1.1 `, `fe80::1%5`, `localhost`, `NOTANIPV4 (10.9000.0.1)`.
///
/// ```
/// use coldtrail::text::address::clean;
/// assert_eq!(clean("[2001:db8::1]:443").as_deref(), Some("2001:db8::1"));
/// assert_eq!(clean("::ffff:192.0.2.7").as_deref(), Some("192.0.2.7"));
/// assert_eq!(clean("localhost"), None);
/// ```
pub fn clean(text: &str) -> Option<String> {
    let host = host(text)?;
    Some(match host.parse::<IpAddr>().ok()? {
        // It is read in one spelling only: without zeros in front.
        IpAddr::V4(_) => host.to_string(),
        IpAddr::V6(v6) => unmap(v6).to_string(),
    })
}

/// The same as an address.
pub fn parse(text: &str) -> Option<IpAddr> {
    Some(match host(text)?.parse::<IpAddr>().ok()? {
        IpAddr::V6(v6) => unmap(v6),
        v4 => v4,
    })
}

/// What stands there without port, brackets, zone and blanks.
fn host(text: &str) -> Option<&str> {
    let text = text.trim();
    let host = if let Some(rest) = text.strip_prefix('[') {
        rest.split_once(']').map(|(host, _)| host)?
    } else if text.bytes().filter(|b| *b == b':').count() == 1 {
        // One colon cannot be IPv6: it separates a port.
        text.split_once(':').map(|(host, _)| host)?
    } else {
        text
    };
    let host = host.split_once('%').map_or(host, |(host, _zone)| host);
    Some(host.trim())
}

fn unmap(v6: Ipv6Addr) -> IpAddr {
    match v6.to_ipv4_mapped() {
        Some(v4) => IpAddr::V4(v4),
        None => IpAddr::V6(v6),
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn every_spelling_seen_in_real_records() {
        for (text, want) in [
            ("52.179.168.21:53108", Some("52.179.168.21")),
            ("[2603:1036:4:3f::5]:1672", Some("2603:1036:4:3f::5")),
            ("::ffff:10.11.12.13", Some("10.11.12.13")),
            ("[10.11.12.13]:12345", Some("10.11.12.13")),
            ("[::ffff:192.0.2.7]:80", Some("192.0.2.7")),
            ("NOTANIPV4 (10.9000.0.1)", None),
            ("1.1.1.1 ", Some("1.1.1.1")),
            (" 192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.01", None),
            ("2001:DB8::1", Some("2001:db8::1")),
            ("fe80::1%5", Some("fe80::1")),
            ("localhost", None),
            ("host:443", None),
            ("<null>", None),
            ("", None),
            ("[", None),
            ("]:", None),
        ] {
            assert_eq!(clean(text).as_deref(), want, "{text:?}");
        }
    }
}
