//! `net.cidr_merge`: the fewest networks that hold the same addresses.

use std::net::{IpAddr, Ipv6Addr};

use regorus::{Value, value::Set};

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    cidr::{Network, is_mapped, mask, number},
    operands::operand,
};

pub(super) const OWN: &[OwnBuiltin] = &[OwnBuiltin { name: "net.cidr_merge", arity: 1, call: merge }];

/// 0.0.0.0 as an IPv6 address.
const FIRST_V4: u128 = 0xffff_0000_0000;

#[derive(Debug)]
struct Range {
    first: u128,
    last: u128,
    /// How the network was written, while nothing is merged into it.
    written: Option<String>,
}

fn merge(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let mut ranges: Vec<Range> = match operand(operands, 0) {
        Value::Array(items) => items.iter().map(range).collect::<Result<_, _>>()?,
        Value::Set(items) => items.iter_sorted().map(range).collect::<Result<_, _>>()?,
        _ => return Err(BuiltinError("operand must be an array".into())),
    };
    ranges.sort_by_key(|range| (range.last, range.first));
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    // From the highest down: a range takes in the one below as long as they touch.
    while let Some(mut below) = ranges.pop() {
        if let Some(above) = merged.pop_if(|above| before(above.first) <= below.last) {
            below = Range { first: below.first.min(above.first), last: above.last, written: None };
        }
        merged.push(below);
    }
    let mut networks = Set::new();
    for range in merged {
        match range.written {
            Some(written) => {
                networks.insert(Value::from(written));
            }
            None if is_mapped(range.first) != is_mapped(range.last) => {
                return Err(BuiltinError("networks of both families cannot be merged".into()));
            }
            None => {
                for network in cover(&range) {
                    networks.insert(Value::from(network));
                }
            }
        }
    }
    Ok(networks.into_value())
}

/// The range of a network, or of an address. As in OPA, an IPv4 address stands for the network of its historical class.
fn range(item: &Value) -> Result<Range, BuiltinError> {
    let Value::String(text) = item else {
        return Err(BuiltinError("element must be string".into()));
    };
    let network = match text.parse::<IpAddr>() {
        Ok(address) if is_mapped(number(address)) => {
            let address = number(address);
            let length = match (address >> 24) & 0xff {
                0..0x80 => 8,
                0x80..0xc0 => 16,
                _ => 24,
            };
            let network = Network { first: address & mask(96 + length), prefix: 96 + length, is_v4: true };
            return Ok(Range { written: Some(written(address, network.prefix)), first: network.first, last: network.last() });
        }
        Ok(_) => return Err(BuiltinError("IPv6 invalid: needs prefix length".into())),
        Err(_) => Network::read(text).ok_or_else(|| BuiltinError(format!("invalid CIDR address: {text}")))?,
    };
    if is_mapped(network.first) && !network.is_v4 {
        return Err(BuiltinError("a network of mapped addresses cannot be merged".into()));
    }
    Ok(Range { written: Some(written(network.first, network.prefix)), first: network.first, last: network.last() })
}

/// The address before, but nothing is before the first of a family.
fn before(address: u128) -> u128 {
    if address == FIRST_V4 { address } else { address.saturating_sub(1) }
}

/// The fewest networks with exactly the addresses of `range`.
fn cover(range: &Range) -> Vec<String> {
    let mut networks = Vec::new();
    let mut first = range.first;
    loop {
        let mut prefix = 128 - first.trailing_zeros().min(128);
        while first | !mask(prefix) > range.last {
            prefix += 1;
        }
        networks.push(written(first, prefix));
        match (first | !mask(prefix)).checked_add(1) {
            Some(next) if next <= range.last => first = next,
            _ => return networks,
        }
    }
}

fn written(address: u128, prefix: u32) -> String {
    let address = Ipv6Addr::from_bits(address);
    match address.to_ipv4_mapped() {
        Some(address) if prefix >= 96 => format!("{address}/{}", prefix - 96),
        _ => format!("{address}/{prefix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json, set_of};
    use super::*;

    fn merged(networks: &str) -> Result<Value, BuiltinError> {
        called("net.cidr_merge", &[json(networks)])
    }

    #[test]
    fn networks_that_touch_become_one() {
        for (networks, fewest) in [
            ("[]", "[]"),
            ("[\"192.0.128.0/24\", \"192.0.129.0/24\"]", "[\"192.0.128.0/23\"]"),
            ("[\"192.0.129.0/24\", \"192.0.130.0/24\"]", "[\"192.0.129.0/24\", \"192.0.130.0/24\"]"),
            ("[\"10.0.0.0/8\", \"10.1.0.0/16\", \"11.0.0.0/8\"]", "[\"10.0.0.0/7\"]"),
            ("[\"0.0.0.0/1\", \"128.0.0.0/1\"]", "[\"0.0.0.0/0\"]"),
            ("[\"2601:600:8a80:207e::/64\", \"2601:600:8a80:207f::/64\"]", "[\"2601:600:8a80:207e::/63\"]"),
            ("[\"::/1\", \"8000::/1\", \"10.0.0.0/8\"]", "[\"::/0\"]"),
            ("[\"1.0.0.0/8\", \"::1/128\"]", "[\"1.0.0.0/8\", \"::1/128\"]"),
        ] {
            assert_eq!(merged(networks), Ok(set_of(fewest)), "{networks}");
        }
        assert_eq!(called("net.cidr_merge", &[set_of("[\"1.0.0.0/9\", \"1.128.0.0/9\"]")]), Ok(set_of("[\"1.0.0.0/8\"]")));
    }

    #[test]
    fn an_address_stands_for_the_network_of_its_class() {
        assert_eq!(merged("[\"10.1.2.3\"]"), Ok(set_of("[\"10.1.2.3/8\"]")));
        assert_eq!(merged("[\"10.1.2.3\", \"10.9.9.9\"]"), Ok(set_of("[\"10.0.0.0/8\"]")));
        assert_eq!(merged("[\"192.168.7.7\"]"), Ok(set_of("[\"192.168.7.7/24\"]")));
    }

    #[test]
    fn what_cannot_be_merged_is_refused() {
        for wrong in ["\"10.0.0.0/8\"", "[1]", "[\"host\"]", "[\"2001:db8::1\"]", "[\"::ffff:10.0.0.0/104\"]"] {
            assert!(merged(wrong).is_err(), "{wrong}");
        }
    }
}
