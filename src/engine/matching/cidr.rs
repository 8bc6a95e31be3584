//! Networks of addresses, as `10.0.0.0/8` and `2001:db8::/32`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network of IP addresses. An IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) counts as IPv4, here
/// and in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CidrError {
    /// What comes before `/` is not an IP address.
    Address,
    /// What comes after `/` is not a number from 0 to this.
    Prefix(u8),
    /// The address has bits beyond the prefix; this is the network it is in.
    HostBits(Cidr),
}

impl Cidr {
    /// Parses an address with the length of its network prefix; without one it is that address alone.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(prefix) => read_prefix(prefix, bits).ok_or(CidrError::Prefix(bits))?,
        };
        let (address, prefix) = match address.to_canonical() {
            // The 96 bits before the IPv4 address are all fixed.
            v4 if v4 != address && prefix >= 96 => (v4, prefix.saturating_sub(96)),
            _ => (address, prefix),
        };
        let network = Self { first: first_of(address, prefix), prefix };
        if network.first == address { Ok(network) } else { Err(CidrError::HostBits(network)) }
    }

    /// Whether an address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        first_of(address.to_canonical(), self.prefix) == self.first
    }

    /// The first address of the network.
    pub const fn first(&self) -> IpAddr {
        self.first
    }
}

/// The first address of the network that an address is in.
fn first_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            (v4 & Ipv4Addr::from_bits(!host)).into()
        }
        IpAddr::V6(v6) => {
            let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
            (v6 & Ipv6Addr::from_bits(!host)).into()
        }
    }
}

/// A number in plain digits: no sign, no leading zero.
fn read_prefix(text: &str, bits: u8) -> Option<u8> {
    let plain = text == "0" || text.starts_with(|c: char| ('1'..='9').contains(&c));
    text.parse().ok().filter(|prefix| plain && *prefix <= bits)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.first.is_ipv4() { 32 } else { 128 };
        write!(f, "{}", self.first)?;
        if self.prefix == bits { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_their_networks() {
        for (network, address, contained) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.1.2.2/31", "10.1.2.3", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("::1", "::1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("::ffff:0:0/96", "1.2.3.4", true),
        ] {
            let cidr = Cidr::parse(network).unwrap();
            assert_eq!(cidr.contains(address.parse().unwrap()), contained, "{network} {address}");
        }
    }

    #[test]
    fn a_network_prints_in_its_shortest_form() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("::1/128", "::1"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            let cidr = Cidr::parse(text).unwrap();
            assert_eq!(cidr.to_string(), shown);
            assert_eq!(Cidr::parse(shown), Ok(cidr));
        }
    }

    #[test]
    fn bits_beyond_the_prefix_are_refused_with_the_network_meant() {
        for (text, meant) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("1.2.3.4/0", "0.0.0.0/0"),
        ] {
            let Err(CidrError::HostBits(network)) = Cidr::parse(text) else { panic!("{text}") };
            assert_eq!(network.to_string(), meant);
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "10.0.0", "10.0.0.0.0", "010.0.0.1", "localhost", "/8", "10.0.0.1:80", "[::1]"]
        {
            assert_eq!(Cidr::parse(text), Err(CidrError::Address), "{text}");
        }
        for text in [
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(Cidr::parse(text), Err(CidrError::Prefix(32)), "{text}");
        }
        assert_eq!(Cidr::parse("::/129"), Err(CidrError::Prefix(128)));
    }
}
