//! Cookies of a request, read as browsers send them (RFC 6265 section 4.2), forgiving like servers
//! must be: several `Cookie` lines, spaces, quoted values, `=` inside values, pairs without `=`.

/// All cookies in the order sent: name (case-sensitive) and value. Quotes around a value are not part
/// of it. A pair without `=` has no name and is passed over.
pub fn cookies<'r>(
    lines: impl Iterator<Item = &'r [u8]>,
) -> impl Iterator<Item = (&'r [u8], &'r [u8])> {
    lines.flat_map(|line| line.split(|b| *b == b';')).filter_map(|pair| {
        let equals = pair.iter().position(|b| *b == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        let value = value.strip_prefix(b"=")?.trim_ascii();
        let quoted = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\""));
        Some((name.trim_ascii(), quoted.unwrap_or(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(lines: &[&str], name: &str) -> Vec<String> {
        cookies(lines.iter().map(|l| l.as_bytes()))
            .filter(|(n, _)| *n == name.as_bytes())
            .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
            .collect()
    }

    #[test]
    fn cookies_are_read_as_they_are_sent() {
        for (line, found) in [
            ("uid=ada", vec!["ada"]),
            ("a=1; uid=ada; b=2", vec!["ada"]),
            ("a=1;uid=ada;b=2", vec!["ada"]),
            ("  uid =  ada ", vec!["ada"]),
            ("uid=\"ada\"", vec!["ada"]),
            ("uid=\"ada", vec!["\"ada"]),
            ("uid=\"", vec!["\""]),
            ("uid=\"\"", vec![""]),
            ("uid=a=b==", vec!["a=b=="]),
            ("uid", vec![]),
            ("uid;uid=ada", vec!["ada"]),
            ("uid=", vec![""]),
            ("uid=; uid=ada", vec!["", "ada"]),
            ("xuid=1; uid2=2; UID=3", vec![]),
            ("x=uid=1", vec![]),
            ("=ada", vec![]),
            (";;;", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(values(&[line], "uid"), found, "{line}");
        }
    }

    #[test]
    fn every_cookie_line_is_read() {
        assert_eq!(values(&["a=1", "b=2; uid=ada"], "uid"), ["ada"]);
    }

    #[test]
    fn bytes_that_are_not_text_come_through() {
        let line = b"uid=\xff\xfe; a=1".as_slice();
        let found: Vec<_> = cookies([line].into_iter()).collect();
        assert_eq!(found, [(b"uid".as_slice(), b"\xff\xfe".as_slice()), (b"a", b"1")]);
    }
}
