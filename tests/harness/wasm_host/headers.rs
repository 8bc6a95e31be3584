//! Header lists as Envoy keeps them: raw bytes, lower-case names, a name as often as it was sent.

use std::fmt;

/// The headers of a request or a response, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// What Envoy shows of `GET http://authority/path`.
    pub fn get(authority: &str, path: &str) -> Self {
        Self::new()
            .with(":authority", authority)
            .with(":path", path)
            .with(":method", "GET")
            .with(":scheme", "http")
    }

    /// What Envoy shows of a response with this status and nothing else.
    pub fn status(code: u16) -> Self {
        Self::new().with(":status", code.to_string())
    }

    /// The same headers and one more line; a name that is there already is then there twice.
    pub fn with(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.add(name.as_ref(), value.as_ref());
        self
    }

    /// The value of the first line of that name.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The value of the first line of that name as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        self.first(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The values of all lines of that name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let name = name.to_ascii_lowercase().into_bytes();
        self.0.iter().filter(move |(n, _)| *n == name).map(|(_, value)| value.as_slice())
    }

    /// All lines, in order.
    pub fn pairs(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.0
    }

    /// Adds a line at the end.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// Leaves one line of that name, at the end.
    pub(super) fn replace(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every line of that name.
    pub(super) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// The value of the first line of that name, given as bytes.
    pub(super) fn lookup(&self, name: &[u8]) -> Option<&[u8]> {
        let line = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(&line.1)
    }

    /// As Envoy's HTTP/1 codec does: what came as `Host` is `:authority` from then on.
    pub(super) fn with_authority(mut self) -> Self {
        for (name, _) in &mut self.0 {
            if name == b"host" {
                *name = b":authority".to_vec();
            }
        }
        self
    }

    /// Why Envoy could not send these headers, if it could not. Envoy itself does not look: it
    /// would send them, and a line break in a value would be a header of the client's making.
    pub(super) fn problem(&self) -> Option<String> {
        self.0.iter().find_map(|(name, value)| {
            let bare = name.strip_prefix(b":").unwrap_or(name);
            let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
            let shown = String::from_utf8_lossy(name);
            if bare.is_empty() || !bare.iter().all(token) {
                return Some(format!("`{shown}` is no header name"));
            }
            let broken = value.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'));
            broken.then(|| {
                format!(
                    "the value of `{shown}` has a line break or a NUL: {:?}",
                    String::from_utf8_lossy(value)
                )
            })
        })
    }

    /// The form in which lists of headers cross into the VM and out of it.
    pub(super) fn to_wire(&self) -> Vec<u8> {
        let mut wire = (self.0.len() as u32).to_le_bytes().to_vec();
        for (name, value) in &self.0 {
            wire.extend((name.len() as u32).to_le_bytes());
            wire.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in &self.0 {
            wire.extend(name);
            wire.push(0);
            wire.extend(value);
            wire.push(0);
        }
        wire
    }

    /// Reads the form above; no bytes at all mean no headers.
    pub(super) fn from_wire(wire: &[u8]) -> Option<Self> {
        if wire.is_empty() {
            return Some(Self::new());
        }
        let word = |at: usize| -> Option<usize> {
            let bytes = wire.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        let count = word(0)?;
        let mut at = 4 + count.checked_mul(8)?;
        let mut take = |length: usize| -> Option<&[u8]> {
            let bytes = wire.get(at..at.checked_add(length)?)?;
            at += length + 1;
            Some(bytes)
        };
        let mut headers = Self::new();
        for i in 0..count {
            let name = take(word(4 + i * 8)?)?;
            let value = take(word(8 + i * 8)?)?;
            headers.add(name, value);
        }
        Some(headers)
    }
}

/// `[":path: /", "x-user: \xff"]`
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |(name, value): &(Vec<u8>, Vec<u8>)| {
            format!("{}: {}", name.escape_ascii(), value.escape_ascii())
        };
        f.debug_list().entries(self.0.iter().map(line)).finish()
    }
}

impl From<Vec<(Vec<u8>, Vec<u8>)>> for Headers {
    fn from(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        pairs.iter().fold(Self::new(), |headers, (name, value)| headers.with(name, value))
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const C: usize> From<[(N, V); C]> for Headers {
    fn from(pairs: [(N, V); C]) -> Self {
        pairs.iter().fold(Self::new(), |headers, (name, value)| headers.with(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_way_into_the_vm_and_back() {
        for headers in [
            Headers::new(),
            Headers::get("shop.example.com", "/"),
            Headers::from([("Cookie", &b"a=1"[..]), ("cookie", b"b=\xff"), ("x-empty", b"")]),
        ] {
            assert_eq!(Headers::from_wire(&headers.to_wire()), Some(headers));
        }
        assert_eq!(Headers::from_wire(b""), Some(Headers::new()));
    }

    #[test]
    fn a_list_that_is_cut_short_is_refused_and_never_read_past_its_end() {
        let wire = Headers::get("shop.example.com", "/").to_wire();
        for length in 1..wire.len() - 1 {
            assert_eq!(
                Headers::from_wire(&wire[..length]),
                None,
                "{length} of {} bytes",
                wire.len()
            );
        }
        assert_eq!(Headers::from_wire(&[0xff; 64]), None);
    }

    #[test]
    fn replacing_a_header_leaves_one_line_of_it_and_removing_leaves_none() {
        let mut headers = Headers::from([("x", "1"), ("y", "2"), ("X", "3")]);
        headers.replace(b"x", b"4");
        assert_eq!(headers, Headers::from([("y", "2"), ("x", "4")]));
        headers.remove(b"X");
        assert_eq!(headers, Headers::from([("y", "2")]));
    }

    #[test]
    fn headers_that_cannot_be_sent_are_named() {
        assert_eq!(Headers::get("a", "/").with("x-user", b"\xff\t ").problem(), None);
        for (name, value) in
            [("x", "a\r\nset-cookie: b"), ("x", "a\0"), ("", "a"), ("a b", "c"), (":", "a")]
        {
            assert!(Headers::new().with(name, value).problem().is_some(), "{name:?}: {value:?}");
        }
    }
}
