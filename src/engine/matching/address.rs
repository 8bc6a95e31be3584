//! IP addresses as others write them: proxies in headers, clients in the host.

use std::net::{IpAddr, SocketAddr};

/// An address in any of the forms that proxies write: `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`, and
/// IPv6 with a zone (`fe80::1%2`), which is not kept. An IPv4-mapped IPv6 address is the IPv4 address.
pub(super) fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let (address, zone) = match inner.unwrap_or(text).split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (inner.unwrap_or(text), None),
    };
    let address: IpAddr = address.parse().ok()?;
    let only_v6 = inner.is_some() || zone.is_some();
    (address.is_ipv6() || !only_v6).then(|| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form_that_proxies_write() {
        for (text, ip) in [
            ("1.2.3.4", Some("1.2.3.4")),
            ("1.2.3.4:80", Some("1.2.3.4")),
            ("::1", Some("::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("::ffff:1.2.3.4", Some("1.2.3.4")),
            ("[::ffff:1.2.3.4]:80", Some("1.2.3.4")),
            ("fe80::1%2", Some("fe80::1")),
            ("[fe80::1%2]:80", Some("fe80::1")),
            ("[1.2.3.4]", None),
            ("1.2.3.4%1", None),
            ("[::1", None),
            ("::1]", None),
            ("1.2.3.4:", None),
            ("1.2.3.4:99999", None),
        ] {
            assert_eq!(parse(text.as_bytes()), ip.map(|ip| ip.parse().unwrap()), "{text}");
        }
        assert_eq!(parse(b"1.2.3.4\xff"), None);
    }
}
