//! `ipv4_lookup`, `ipv6_lookup`: rows joined to the networks that an address is in.

use std::collections::{BTreeMap, HashMap};

use super::argument::{Columns, Form, Given, Parameter, Rows, fresh, scalar};
use super::call::Call;
use super::definition::Plugin;
use crate::function::value::{Key, Value};
use crate::function::{self, Env};

/// Bits of an address.
const BITS: u32 = 128;

/// Which addresses are looked up.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    V4,
    /// IPv4 too, as `::ffff:a.b.c.d`.
    V6,
}

/// Networks of a table: for each length of prefix, rows by the bits of the prefix and the further keys.
type Networks = BTreeMap<u32, HashMap<(u128, Vec<Key>), Vec<usize>>>;

fn prefix_of(address: u128, prefix: u32) -> u128 {
    address
        & u128::MAX
            .checked_shl(BITS.saturating_sub(prefix))
            .unwrap_or(0)
}

fn scalar_function(name: &str, argument: &str) -> Value {
    let arguments = [Value::from(argument)];
    function::get(name).map_or(Value::Null, |known| {
        (known.eval)(&Env::default(), &arguments)
    })
}

/// The first address of a network and the length of its prefix; of an address, that is all its bits.
fn network(text: &str, family: Family) -> Option<(u128, u32)> {
    let text = text.trim();
    // `::192.0.2.1/24` counts as IPv4, and so does its prefix.
    let own = scalar_function(
        "ipv4_netmask_suffix",
        text.strip_prefix("::").unwrap_or(text),
    );
    let prefix = match (own.to_long(), text.split_once('/')) {
        (Some(prefix), _) => u32::try_from(prefix).ok()? + 96,
        (None, _) if family == Family::V4 => return None,
        (None, Some((_, prefix))) => prefix.parse().ok()?,
        (None, None) => BITS,
    };
    let groups = scalar_function("parse_ipv6", text).text().replace(':', "");
    let address = u128::from_str_radix(&groups, 16).ok()?;
    Some((prefix_of(address, prefix), prefix.min(BITS)))
}

fn keys(row: &[Value], at: &[usize]) -> Vec<Key> {
    let value = |at: &usize| row.get(*at).map_or(Key::Null, Value::key);
    at.iter().map(value).collect()
}

/// Rows whose network and that of the address agree in the bits that both have.
fn matches(networks: &Networks, (address, own): (u128, u32), keys: &[Key]) -> Vec<usize> {
    let mut found = Vec::new();
    for (prefix, rows) in networks {
        if *prefix <= own {
            let key = (prefix_of(address, *prefix), keys.to_vec());
            found.extend(rows.get(&key).into_iter().flatten());
        } else {
            let inside = |key: &(u128, Vec<Key>)| prefix_of(key.0, own) == address && key.1 == keys;
            let inside = rows.iter().filter(|(key, _)| inside(key));
            found.extend(inside.flat_map(|(_, rows)| rows));
        }
    }
    found.sort_unstable();
    found
}

fn lookup(call: &Call, family: Family) -> Result<Rows, String> {
    let table = call.table(0)?;
    let source = call.scalar(1)?;
    let key = call.column(2)?;
    let mut unmatched = false;
    // The further keys, in the input and in the table.
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for at in 3..call.arguments.len() {
        match call.given(at) {
            Some(Given::Constant(Value::Bool(value), _)) => unmatched = *value,
            Some(Given::Column(at)) => {
                let name = call.columns.get(*at).map_or("", |(name, _)| name);
                let there = table.columns.iter().position(|(known, _)| known == name);
                own.push(*at);
                theirs.push(there.ok_or_else(|| format!("the table has no column `{name}`"))?);
            }
            Some(_) => return Err("a further key must be a column of both tables".into()),
            None => {}
        }
    }
    let mut networks = Networks::new();
    for (at, row) in table.rows.iter().enumerate() {
        let text = row.get(key).map(Value::text).unwrap_or_default();
        if let Some((address, prefix)) = network(&text, family) {
            let rows = networks.entry(prefix).or_default();
            rows.entry((address, keys(row, &theirs)))
                .or_default()
                .push(at);
        }
    }
    let added: Vec<usize> = (0..table.columns.len())
        .filter(|at| !theirs.contains(at))
        .collect();
    let mut columns = call.columns.to_vec();
    for (name, ty) in added.iter().filter_map(|at| table.columns.get(*at)) {
        columns.push((fresh(name, &columns), *ty));
    }
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (at, row) in call.rows.iter().enumerate() {
        let address = network(&source.value(at).text(), family);
        let found = match address {
            Some(address) => matches(&networks, address, &keys(row, &own)),
            None => Vec::new(),
        };
        if found.is_empty() && unmatched {
            let missing = columns.iter().skip(row.len());
            let missing = missing.map(|(_, ty)| Value::Null.fit(*ty));
            rows.push(row.iter().cloned().chain(missing).collect());
        }
        for other in found.into_iter().filter_map(|at| table.rows.get(at)) {
            let other = added
                .iter()
                .map(|at| other.get(*at).cloned().unwrap_or_default());
            rows.push(row.iter().cloned().chain(other).collect());
        }
    }
    // Documented answers of `ipv6_lookup` have the columns of the table first.
    if family == Family::V6 {
        let count = call.columns.len();
        columns.rotate_left(count);
        for row in &mut rows {
            let count = count.min(row.len());
            row.rotate_left(count);
        }
    }
    Ok(Rows { columns, rows })
}

const V4: Plugin = Plugin {
    name: "ipv4_lookup",
    arguments: (3, usize::MAX),
    parameters: &[
        Parameter {
            name: "LookupTable",
            form: Form::Table,
        },
        scalar("SourceIPv4Key"),
        Parameter {
            name: "IPv4LookupKey",
            form: Form::TableColumn,
        },
        // Further keys stand here too.
        scalar("return_unmatched"),
    ],
    columns: Columns::Fixed,
    doc: "ipv4_lookup(table, address, network column of the table, further keys, …, return_unmatched = false): rows with the rows of the table whose network the address is in",
    example: "let nets = datatable(net:string, site:string)[\"192.0.2.0/25\", \"north\", \"192.0.2.128/25\", \"south\"]; datatable(ip:string)[\"192.0.2.200\", \"198.51.100.1\"] | evaluate ipv4_lookup(nets, ip, net, return_unmatched = true)",
    answer: "ip, net, site; 192.0.2.200, 192.0.2.128/25, south; 198.51.100.1, , ",
    rows: |call| lookup(call, Family::V4),
};

pub(super) const TABLE: &[Plugin] = &[
    V4,
    Plugin {
        name: "ipv6_lookup",
        doc: "ipv6_lookup(table, address, network column of the table, return_unmatched = false): as `ipv4_lookup`, of IPv6 and IPv4; the columns of the table come first",
        example: "let nets = datatable(net:string, site:string)[\"2001:db8:1::/48\", \"north\", \"2001:db8:2::/48\", \"south\"]; datatable(ip:string)[\"2001:db8:2::7\", \"2001:db8:3::7\"] | evaluate ipv6_lookup(nets, ip, net)",
        answer: "net, site, ip; 2001:db8:2::/48, south, 2001:db8:2::7",
        parameters: &[
            Parameter {
                name: "LookupTable",
                form: Form::Table,
            },
            scalar("SourceIPv6Key"),
            Parameter {
                name: "IPv6LookupKey",
                form: Form::TableColumn,
            },
            scalar("return_unmatched"),
        ],
        rows: |call| lookup(call, Family::V6),
        ..V4
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_both_families() {
        let mapped = |address: u128| (0xffff << 32) | address;
        let v4 = |text| network(text, Family::V4);
        assert_eq!(v4("192.0.2.77/24"), Some((mapped(0xc000_0200), 120)));
        assert_eq!(v4("0.0.0.0/0"), Some((mapped(0), 96)));
        for none in ["", "2001:db8::1", "192.0.2.1/33", "192.0.2", "é"] {
            assert_eq!(v4(none), None, "{none}");
        }
        let v6 = |text| network(text, Family::V6);
        assert_eq!(v6("2001:db8::7/32"), Some((0x2001_0db8 << 96, 32)));
        assert_eq!(v6("::/0"), Some((0, 0)));
        assert_eq!(v6("192.0.2.1"), Some((mapped(0xc000_0201), 128)));
        assert_eq!(v6("2001:db8::/129"), None);
    }
}
