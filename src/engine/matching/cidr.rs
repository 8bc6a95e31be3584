//! Networks of addresses, as `10.0.0.0/8` and `2001:db8::/32`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network of IP addresses. An IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) counts as IPv4, here
/// and in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr(Network);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    V4 { address: u32, mask: u32 },
    V6 { address: u128, mask: u128 },
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
        let network = match address {
            IpAddr::V4(v4) => Network::v4(v4, prefix),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                // The 96 bits before the IPv4 address are all fixed.
                Some(v4) if prefix >= 96 => Network::v4(v4, prefix.saturating_sub(96)),
                _ => Network::v6(v6, prefix),
            },
        };
        let cut = network.cut();
        if cut == network { Ok(Self(network)) } else { Err(CidrError::HostBits(Self(cut))) }
    }

    /// Whether an address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.0, address.to_canonical()) {
            (Network::V4 { address, mask }, IpAddr::V4(v4)) => v4.to_bits() & mask == address,
            (Network::V6 { address, mask }, IpAddr::V6(v6)) => v6.to_bits() & mask == address,
            _ => false,
        }
    }

    /// The first address of the network.
    pub fn first(&self) -> IpAddr {
        match self.0 {
            Network::V4 { address, .. } => Ipv4Addr::from_bits(address).into(),
            Network::V6 { address, .. } => Ipv6Addr::from_bits(address).into(),
        }
    }
}

impl Network {
    fn v4(address: Ipv4Addr, prefix: u8) -> Self {
        let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        Self::V4 { address: address.to_bits(), mask: !host }
    }

    fn v6(address: Ipv6Addr, prefix: u8) -> Self {
        let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
        Self::V6 { address: address.to_bits(), mask: !host }
    }

    /// Without bits beyond the prefix.
    const fn cut(self) -> Self {
        match self {
            Self::V4 { address, mask } => Self::V4 { address: address & mask, mask },
            Self::V6 { address, mask } => Self::V6 { address: address & mask, mask },
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
        let (prefix, bits) = match self.0 {
            Network::V4 { mask, .. } => (mask.leading_ones(), 32),
            Network::V6 { mask, .. } => (mask.leading_ones(), 128),
        };
        write!(f, "{}", self.first())?;
        if prefix == bits { Ok(()) } else { write!(f, "/{prefix}") }
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
