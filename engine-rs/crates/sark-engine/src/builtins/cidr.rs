//! Networks of IP addresses.
//!
//! An IPv4 address is the IPv6 address it is mapped to, so that one number stands for either. As in OPA, a network holds
//! addresses of its family only, and `::ffff:1.2.3.4` is of the family of IPv4.

use std::net::{IpAddr, Ipv6Addr};

use regorus::{
    Value,
    value::{Array, Set},
};

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{operand, string, wrong_type},
};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "net.cidr_contains_matches", arity: 2, call: contains_matches },
    OwnBuiltin { name: "net.cidr_intersects", arity: 2, call: intersects },
    OwnBuiltin {
        name: "net.cidr_overlap",
        arity: 2,
        call: |operands, _| Ok(Value::from(contains(operand(operands, 0), operand(operands, 1))?)),
    },
];

#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    pub first: u128,
    /// Length of the prefix of 128 bits.
    pub prefix: u32,
    /// Whether it was written as an IPv4 network.
    pub is_v4: bool,
}

impl Network {
    pub(super) fn read(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let is_v4 = address.is_ipv4();
        let length = Some(length).filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u32>().ok()?;
        let prefix = if is_v4 { length.checked_add(96)? } else { length };
        (prefix <= 128).then(|| Self { first: number(address) & mask(prefix), prefix, is_v4 })
    }

    pub(super) fn last(self) -> u128 {
        self.first | !mask(self.prefix)
    }

    fn holds(self, address: u128) -> bool {
        is_mapped(self.first) == is_mapped(address) && (self.first ^ address) & mask(self.prefix) == 0
    }

    fn holds_network(self, other: Self) -> bool {
        let are_plain_v6 = !is_mapped(self.first) && !is_mapped(other.first);
        if are_plain_v6 {
            return self.prefix <= other.prefix && (self.first ^ other.first) & mask(self.prefix) == 0;
        }
        self.holds(other.first) && self.holds(other.last())
    }
}

pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

pub(super) fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0)
}

pub(super) fn is_mapped(address: u128) -> bool {
    Ipv6Addr::from_bits(address).to_ipv4_mapped().is_some()
}

fn network(operands: &[Value], index: usize) -> Result<Network, BuiltinError> {
    let text = string(operands, index)?;
    Network::read(text).ok_or_else(|| BuiltinError(format!("invalid CIDR address: {text}")))
}

fn intersects(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (left, right) = (network(operands, 0)?, network(operands, 1)?);
    Ok(Value::from(left.holds(right.first) || right.holds(left.first)))
}

/// An address or a network.
#[derive(Debug, Clone, Copy)]
enum Held {
    Address(u128),
    Network(Network),
}

impl Held {
    fn read(value: &Value) -> Result<Self, BuiltinError> {
        let Value::String(text) = value else {
            return Err(wrong_type(1, "string", value));
        };
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(number(address)));
        }
        let no_address = || BuiltinError(format!("not a valid textual representation of an IP address or CIDR: {text}"));
        Network::read(text).map(Self::Network).ok_or_else(no_address)
    }

    fn is_in(self, outer: Network) -> bool {
        match self {
            Self::Address(address) => outer.holds(address),
            Self::Network(network) => outer.holds_network(network),
        }
    }
}

/// Whether the network contains the address or network.
fn contains(outer: &Value, inner: &Value) -> Result<bool, BuiltinError> {
    let outer = network(std::slice::from_ref(outer), 0)?;
    Ok(Held::read(inner)?.is_in(outer))
}

/// Work of putting a pair into the answer, where looking at one is a step.
const PAIR_STEPS: usize = 32;

/// Pairs of the places of a network in the first operand and of something in the second that it contains.
fn contains_matches(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let inners: Vec<_> =
        entries(operand(operands, 1)).into_iter().map(|inner| inner.map(|(inner, place)| (Held::read(inner), place))).collect();
    let mut matches = Set::new();
    for outer in entries(operand(operands, 0)) {
        let (outer, outer_place) = outer.map_err(|_| not_an_entry(1))?;
        let outer = network(std::slice::from_ref(outer), 0);
        for inner in &inners {
            circumstances.work(1)?;
            let (inner, inner_place) = inner.as_ref().map_err(|_| not_an_entry(2))?;
            let (outer, inner) = (outer.as_ref().map_err(Clone::clone)?, inner.as_ref().map_err(Clone::clone)?);
            if inner.is_in(*outer) {
                circumstances.work(PAIR_STEPS)?;
                matches.insert(Array::from(vec![outer_place.clone(), inner_place.clone()]).into_value());
            }
        }
    }
    Ok(matches.into_value())
}

fn not_an_entry(operand: usize) -> BuiltinError {
    BuiltinError(format!("operand {operand}: element must be string or non-empty array"))
}

struct NoEntry;

/// What a collection offers for comparison, and the place of each: a string stands for itself, an array counts its entries,
/// a set has them for places, an object its keys. Anything else offers nothing.
fn entries(operand: &Value) -> Vec<Result<(&Value, Value), NoEntry>> {
    match operand {
        Value::String(_) => vec![Ok((operand, operand.clone()))],
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| Ok((entry(item)?, Value::from(at)))).collect(),
        Value::Set(items) => items.iter_sorted().map(|item| Ok((entry(item)?, item.clone()))).collect(),
        Value::Object(fields) => fields.iter_sorted().map(|(key, item)| Ok((entry(item)?, key.clone()))).collect(),
        _ => Vec::new(),
    }
}

/// A string, or the first of an array.
fn entry(item: &Value) -> Result<&Value, NoEntry> {
    match item {
        Value::String(_) => Ok(item),
        Value::Array(items) => items.first().ok_or(NoEntry),
        _ => Err(NoEntry),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json, set_of};
    use super::*;

    fn of(name: &str, left: &str, right: &str) -> Result<Value, BuiltinError> {
        called(name, &[Value::from(left), Value::from(right)])
    }

    #[test]
    fn networks_intersect_within_their_family() {
        for (left, right, meets) in [
            ("192.168.1.0/25", "192.168.1.64/25", true),
            ("192.168.1.0/25", "192.168.1.128/25", false),
            ("0.0.0.0/0", "10.0.0.0/8", true),
            ("::/0", "10.0.0.0/8", false),
            ("::/0", "::ffff:10.0.0.0/104", false),
            ("::ffff:10.0.0.0/104", "10.1.0.0/16", true),
            ("fd1e:5bfe::/32", "fd1e:5bfe:8af3::/48", true),
        ] {
            assert_eq!(of("net.cidr_intersects", left, right), Ok(Value::from(meets)), "{left} {right}");
        }
    }

    #[test]
    fn a_network_contains_addresses_and_networks() {
        for (outer, inner, holds) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "10.0.0.0/7", false),
            ("10.0.0.0/8", "10.255.0.0/16", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::/80", "::/80", true),
            ("::/0", "::ffff:0:0/96", false),
            ("2001:db8::/32", "2001:db8::1", true),
        ] {
            assert_eq!(of("net.cidr_overlap", outer, inner), Ok(Value::from(holds)), "{outer} {inner}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "010.0.0.0/8", "::1%eth0/64", "::/129"]
        {
            assert!(of("net.cidr_intersects", text, "10.0.0.0/8").is_err(), "{text}");
        }
        assert!(of("net.cidr_overlap", "10.0.0.0/8", "host").is_err());
    }

    #[test]
    fn matches_are_pairs_of_places() {
        let matches = |left: &str, right: &str| called("net.cidr_contains_matches", &[json(left), json(right)]);
        assert_eq!(matches("[\"1.1.1.0/24\", \"2.0.0.0/8\"]", "\"1.1.1.1\""), Ok(set_of("[[0, \"1.1.1.1\"]]")));
        let named = matches("{\"x\": [\"1.1.1.0/24\", \"kept\"]}", "[\"1.1.1.1\", \"2.2.2.2\"]");
        assert_eq!(named, Ok(set_of("[[\"x\", 0]]")));
        assert_eq!(matches("7", "[]"), Ok(set_of("[]")));
        assert_eq!(matches("[[]]", "[]").unwrap_err().0, "operand 1: element must be string or non-empty array");
        assert_eq!(matches("[\"1.1.1.0/24\"]", "[1]").unwrap_err().0, "operand 2: element must be string or non-empty array");
        assert_eq!(matches("[\"no\"]", "[]"), Ok(set_of("[]")));
    }
}
