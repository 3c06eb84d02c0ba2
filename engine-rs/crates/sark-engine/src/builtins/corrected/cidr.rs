//! Networks; an IPv4 address written as IPv6 is an IPv4 address.

use std::net::{IpAddr, Ipv6Addr};

use regorus::Value;

use super::super::{BuiltinError, Circumstances, OwnBuiltin, operands::string};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[OwnBuiltin { name: "net.cidr_contains", arity: 2, call: contains }];

/// The addresses from `first` to `last`, of one family.
#[derive(Debug, Clone, Copy)]
struct Network {
    is_v4: bool,
    first: u128,
    last: u128,
}

fn network(text: &str) -> Option<Network> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
    if !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let host_bits = bits.checked_sub(length.parse().ok()?)?;
    let (is_v4, number) = match address {
        IpAddr::V4(address) => (true, u128::from(u32::from(address))),
        IpAddr::V6(address) => (false, u128::from(address)),
    };
    let hosts = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
    let first = number & !hosts;
    let network = Network { is_v4, first, last: first | hosts };
    // The network's address alone says what family it is; a part of it then counts in that family.
    Some(match Ipv6Addr::from(first).to_ipv4_mapped() {
        Some(mapped) if !is_v4 && host_bits <= 32 => {
            let first = u128::from(u32::from(mapped));
            Network { is_v4: true, first, last: first | hosts }
        }
        _ => network,
    })
}

fn address(text: &str) -> Option<(bool, u128)> {
    match text.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => Some((true, u128::from(u32::from(address)))),
        IpAddr::V6(address) => Some((false, u128::from(address))),
    }
}

fn contains(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (outer, inner) = (string(operands, 0)?, string(operands, 1)?);
    let invalid = |text: &str| BuiltinError(format!("invalid CIDR address: {text}"));
    let outer = network(outer).ok_or_else(|| invalid(outer))?;
    if let Some((is_v4, address)) = address(inner) {
        return Ok(Value::from(is_v4 == outer.is_v4 && (outer.first..=outer.last).contains(&address)));
    }
    let inner = network(inner).ok_or_else(|| invalid(inner))?;
    Ok(Value::from(inner.is_v4 == outer.is_v4 && outer.first <= inner.first && inner.last <= outer.last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::called;

    #[test]
    fn addresses_and_networks_are_contained() {
        for (outer, inner, is_contained) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("2001:db8::/32", "2001:db8::1", true),
            ("::/0", "2001:db8::/48", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::/0", "::ffff:10.0.0.1", false),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::/0", "10.0.0.1", false),
        ] {
            let answer = called("net.cidr_contains", &[outer.into(), inner.into()]);
            assert_eq!(answer, Ok(Value::from(is_contained)), "{outer} {inner}");
        }
    }

    #[test]
    fn what_is_no_network_has_no_answer() {
        for (outer, inner) in
            [("10.0.0.0", "10.0.0.1"), ("10.0.0.0/33", "10.0.0.1"), ("10.0.0.0/8", "x"), ("10.0.0.0/8", "010.1.1.1")]
        {
            assert!(called("net.cidr_contains", &[outer.into(), inner.into()]).is_err(), "{outer} {inner}");
        }
    }
}
