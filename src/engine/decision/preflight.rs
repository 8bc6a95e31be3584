//! CORS preflights: what a browser sends before a request to another origin, without the user's
//! cookies and headers. It tells the method and the names of the headers that will come.

use crate::host::Host;

/// What a preflight says of the request that it announces.
#[derive(Debug)]
pub(super) struct Preflight<'r> {
    /// The method.
    pub(super) method: &'r [u8],
    /// The lines that list its headers.
    headers: Vec<&'r [u8]>,
}

impl<'r> Preflight<'r> {
    /// The method that every preflight has.
    pub(super) const METHOD: &'static str = "OPTIONS";

    /// Walks over the headers of a request once more; `None` where it is no preflight.
    #[cold]
    pub(super) fn find<H: Host + ?Sized>(host: &'r H) -> Option<Self> {
        let (mut origin, mut method, mut headers) = (false, None, Vec::new());
        for (name, value) in host.headers() {
            match name {
                b"origin" => origin = true,
                b"access-control-request-method" => method = method.or(Some(value)),
                b"access-control-request-headers" => headers.push(value),
                _ => {}
            }
        }
        Some(Self { method: method.filter(|_| origin)?, headers })
    }

    /// Whether the request will have this header; lower case.
    pub(super) fn announces(&self, header: &str) -> bool {
        let names = self.headers.iter().flat_map(|line| line.split(|b| *b == b','));
        let mut names = names.map(<[u8]>::trim_ascii);
        // Cookies are never announced, and come.
        header == "cookie" || names.any(|name| name.eq_ignore_ascii_case(header.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_has_an_origin_and_announces_a_method() {
        const ORIGIN: (&str, &str) = ("origin", "https://app.test");
        const METHOD: (&str, &str) = ("access-control-request-method", "PUT");
        let is_one = |request: &[(&str, &str)]| Preflight::find(request).is_some();
        assert!(is_one(&[ORIGIN, METHOD]) && is_one(&[METHOD, ("x", ""), ORIGIN]));
        assert!(!is_one(&[ORIGIN]) && !is_one(&[METHOD]) && !is_one(&[]));
    }

    #[test]
    fn headers_are_announced_in_any_case_on_any_line() {
        let request = [
            ("origin", ""),
            ("access-control-request-headers", "content-type, X-User-Id,,x"),
            ("access-control-request-headers", "x-tier"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-method", "GET"),
        ];
        let preflight = Preflight::find(request.as_slice()).unwrap();
        assert_eq!(preflight.method, b"PUT");
        for (header, announced) in [
            ("x-user-id", true),
            ("x-tier", true),
            ("x-user", false),
            ("cookie", true),
            ("y", false),
        ] {
            assert_eq!(preflight.announces(header), announced, "{header}");
        }
    }
}
