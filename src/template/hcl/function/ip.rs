//! Addresses and prefixes of IP networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Call, Called, Function, FunctionError, Wish, function, takes};
use crate::template::hcl::value::{Type, Value};

const SUBNET: &[super::Parameter] =
    &[takes("prefix", Wish::String), takes("newbits", Wish::Number), takes("netnum", Wish::Number)];

pub(super) const FUNCTIONS: &[Function] = &[
    function("cidrhost", &[takes("prefix", Wish::String), takes("hostnum", Wish::Number)], Wish::String, host),
    function("cidrnetmask", &[takes("prefix", Wish::String)], Wish::String, |c| {
        let prefix = Prefix::parse(c.text(0))?;
        Ok(prefix.address(prefix.mask()).to_string().into())
    }),
    function("cidrsubnet", SUBNET, Wish::String, subnet),
    function("cidrsubnets", &[takes("prefix", Wish::String)], Wish::Strings, subnets)
        .and(takes("newbits", Wish::Number)),
];

/// A network. Its address is kept in the low bits.
#[derive(Clone, Copy, Debug)]
struct Prefix {
    network: u128,
    length: u32,
    /// Bits of an address: 32 or 128.
    bits: u32,
}

impl Prefix {
    fn parse(text: &str) -> Result<Self, FunctionError> {
        let wrong = || FunctionError::at(0, format!("{text:?} is no network such as `10.0.0.0/16`"));
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let (address, bits) = match address.parse().map_err(|_| wrong())? {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let digits = !length.is_empty() && length.len() <= 3 && length.bytes().all(|b| b.is_ascii_digit());
        let length = length.parse().ok().filter(|n| digits && *n <= bits).ok_or_else(wrong)?;
        let mut prefix = Self { network: address, length, bits };
        prefix.network &= prefix.mask();
        Ok(prefix)
    }

    /// How many bits its hosts have.
    fn host_bits(&self) -> u32 {
        self.bits - self.length
    }

    fn hosts(&self) -> u128 {
        ones(self.host_bits())
    }

    fn mask(&self) -> u128 {
        ones(self.bits) & !self.hosts()
    }

    #[allow(clippy::cast_possible_truncation)] // an address of 32 bits
    fn address(&self, address: u128) -> IpAddr {
        if self.bits == 32 { Ipv4Addr::from(address as u32).into() } else { Ipv6Addr::from(address).into() }
    }

    /// Longer by so many bits, from 1 to 32.
    fn longer(&self, newbits: i64, index: usize) -> Result<u32, FunctionError> {
        let by = u32::try_from(newbits).map_err(|_| FunctionError::at(index, "a prefix cannot be made shorter"))?;
        if by > 32 {
            return Err(FunctionError::at(index, "a prefix can be made longer by up to 32 bits at a time"));
        }
        let length = self.length + by;
        if length > self.bits {
            let message =
                format!("a prefix of {} bits has no room for {by} more: addresses have {}", self.length, self.bits);
            return Err(FunctionError::at(index, message));
        }
        Ok(length)
    }
}

/// So many bits that are one.
fn ones(count: u32) -> u128 {
    1_u128.checked_shl(count).map_or(u128::MAX, |n| n - 1)
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.address(self.network), self.length)
    }
}

/// Counted from the end when negative.
fn host(call: &Call<'_>) -> Called {
    let (prefix, number) = (Prefix::parse(call.text(0))?, call.integer(1)?);
    let magnitude = u128::from(number.unsigned_abs());
    let host = if number < 0 {
        prefix.hosts().checked_add(1).map_or(Some(u128::MAX - (magnitude - 1)), |n| n.checked_sub(magnitude))
    } else {
        Some(magnitude)
    };
    let host = host
        .filter(|h| *h <= prefix.hosts())
        .ok_or_else(|| FunctionError::at(1, format!("a prefix of {} bits has no host {number}", prefix.length)))?;
    Ok(prefix.address(prefix.network | host).to_string().into())
}

fn subnet(call: &Call<'_>) -> Called {
    let prefix = Prefix::parse(call.text(0))?;
    let length = prefix.longer(call.integer(1)?, 1)?;
    let number = call.integer(2)?;
    let made = Prefix { length, ..prefix };
    let network = u128::try_from(number).ok().filter(|n| *n <= ones(length - prefix.length)).ok_or_else(|| {
        let count = ones(length - prefix.length);
        FunctionError::at(
            2,
            format!("{} more bits have networks 0 to {count}, and no {number}", length - prefix.length),
        )
    })?;
    let network = network.checked_shl(made.host_bits()).unwrap_or(0);
    Ok(Prefix { network: prefix.network | network, ..made }.to_string().into())
}

/// One after the other, each at the next place that it fits.
fn subnets(call: &Call<'_>) -> Called {
    let prefix = Prefix::parse(call.text(0))?;
    let (mut made, mut next) = (Vec::new(), Some(prefix.network));
    let end = prefix.network | prefix.hosts();
    for index in 1..call.arguments.len() {
        let newbits = call.integer(index)?;
        if newbits < 1 {
            return Err(FunctionError::at(index, "each must make the prefix longer by at least one bit"));
        }
        let subnet = Prefix { length: prefix.longer(newbits, index)?, ..prefix };
        let full = || FunctionError::at(index, format!("there is no room left for a prefix of {} bits", subnet.length));
        // Up to the next multiple of its size.
        let start = next.ok_or_else(full)?.checked_add(subnet.hosts()).ok_or_else(full)? & !subnet.hosts();
        let last = start | subnet.hosts();
        if last > end {
            return Err(full());
        }
        next = last.checked_add(1);
        made.push(Prefix { network: start, ..subnet }.to_string().into());
    }
    Ok(Value::list(Type::String, made))
}
