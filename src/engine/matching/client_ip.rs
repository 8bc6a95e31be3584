//! The client's address: that of the connection, or one that trusted proxies have reported.

use std::borrow::Cow;
use std::net::IpAddr;

use super::address;

/// The address of the client, an IPv4-mapped IPv6 address as IPv4. Garbage is `None`.
///
/// With `trusted_hops` 0 it is the connection's address as the host gives it. Envoy's `source.address` is that of
/// its HTTP connection manager, which has already looked into `x-forwarded-for` as its own `use_remote_address`
/// and `xff_num_trusted_hops` say: where those are set right, 0 is right here.
///
/// With N from 1 it is the Nth address from the right of all `x-forwarded-for` lines taken together. Each proxy
/// appends one address, that of whoever connected to it, so N is how many proxies that you trust have appended
/// when the filter reads the header: **including this Envoy**, which appends before any filter runs if it has
/// `use_remote_address: true` (and not `skip_xff_append`), and not including it otherwise. Envoy's own
/// `xff_num_trusted_hops: H` looks at the header before it appends (`use_remote_address: true`), or skips H
/// addresses (`false`); either way the filter finds the same address with N = H + 1. What lies further left is
/// whatever the client has sent. Where there are fewer addresses than N, proxies did not report, and it is the
/// connection's address, as in Envoy.
///
/// `peer` is asked for the connection's address only where that is the answer; `lines` are those of
/// `x-forwarded-for`.
pub fn client_ip<'r>(
    peer: impl FnOnce() -> Option<Cow<'r, [u8]>>,
    lines: impl Iterator<Item = &'r [u8]> + Clone,
    trusted_hops: u8,
) -> Option<IpAddr> {
    // Empty places are no addresses.
    let entries = lines.flat_map(|line| line.split(|b| *b == b','));
    let reported = entries.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty());
    let hops = usize::from(trusted_hops);
    // Counted first: the lines can only be read from the left.
    let count = if hops == 0 { 0 } else { reported.clone().count() };
    if hops == 0 || count < hops {
        return address::parse(&peer()?);
    }
    address::parse({ reported }.nth(count.saturating_sub(hops))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(peer: Option<&str>, lines: &[&str], hops: u8) -> Option<String> {
        let peer = || peer.map(|peer| peer.as_bytes().into());
        let lines = lines.iter().map(|line| line.as_bytes());
        client_ip(peer, lines, hops).map(|ip| ip.to_string())
    }

    fn found(lines: &[&str], hops: u8) -> Option<String> {
        ask(Some("192.0.2.5:4711"), lines, hops)
    }

    #[test]
    fn the_client_is_the_address_that_the_outermost_trusted_proxy_saw() {
        // The header of Envoy's own documentation, Example 3 (two trusted proxies in front, this one appends).
        let lines = ["203.0.113.128, 203.0.113.10, 203.0.113.1, 192.0.2.5"];
        for (hops, ip) in [
            (0, "192.0.2.5"),
            (1, "192.0.2.5"),
            (2, "203.0.113.1"),
            (3, "203.0.113.10"),
            (4, "203.0.113.128"),
            (5, "192.0.2.5"),
            (255, "192.0.2.5"),
        ] {
            assert_eq!(found(&lines, hops).as_deref(), Some(ip), "{hops}");
        }
    }

    #[test]
    fn several_lines_are_one_list_and_empty_places_do_not_count() {
        let lines = ["1.1.1.1, 2.2.2.2", "", "3.3.3.3 ,,", " 4.4.4.4:80\t"];
        for (hops, ip) in [(1, "4.4.4.4"), (2, "3.3.3.3"), (3, "2.2.2.2"), (4, "1.1.1.1")] {
            assert_eq!(found(&lines, hops).as_deref(), Some(ip), "{hops}");
        }
    }

    #[test]
    fn without_trusted_hops_the_header_is_not_looked_at() {
        assert_eq!(found(&["6.6.6.6"], 0).as_deref(), Some("192.0.2.5"));
    }

    #[test]
    fn garbage_is_no_address() {
        for line in
            ["unknown", "_hidden", "1.2.3", "1.2.3.4.5", "a\u{fe}", "1.2.3.4;5", "999.1.1.1"]
        {
            assert_eq!(found(&[line], 1), None, "{line}");
            assert_eq!(found(&["1.1.1.1", line], 1), None, "{line}");
        }
        assert_eq!((ask(None, &[], 0), ask(None, &[], 1)), (None, None));
        for peer in ["", "/var/run/envoy.sock", "@", "envoy://internal"] {
            assert_eq!(ask(Some(peer), &[], 0), None, "{peer}");
        }
    }
}
