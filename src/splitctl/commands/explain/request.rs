//! The request to explain: described by options, by a curl command, or by both.

use std::borrow::Cow;

use anyhow::{Result, bail};
use engine::host::{AUTHORITY, Claim, Host, METHOD, PATH};

/// What options say about the request; they come before what a curl command says.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RequestArgs {
    /// The host, as in `shop.example.com`.
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,

    /// The path, with or without a query [default: /].
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,

    /// The method [default: GET].
    #[arg(long, value_name = "METHOD")]
    pub(crate) method: Option<String>,

    /// A header; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    /// A cookie; may be repeated.
    #[arg(long = "cookie", value_name = "NAME=VALUE")]
    pub(crate) cookies: Vec<String>,

    /// A query parameter, or several joined by `&`; may be repeated.
    #[arg(long = "query", value_name = "NAME=VALUE")]
    pub(crate) query: Vec<String>,

    /// The client's address as Envoy sees it.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) client_ip: Option<std::net::IpAddr>,

    /// A claim of a token that `jwt_authn` has checked; may be repeated.
    #[arg(long = "jwt", value_name = "PROVIDER:CLAIM=VALUE")]
    pub(crate) claims: Vec<String>,
}

/// A request as the engine reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Described {
    /// Names in lower case, pseudo-headers first.
    pub(crate) headers: Vec<(String, String)>,
    source: Option<String>,
    claims: Vec<(String, String, String)>,
}

impl Host for Described {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.source.as_deref().map(|address| Cow::Borrowed(address.as_bytes()))
    }

    fn claim(&self, claim: &Claim) -> Option<Cow<'_, [u8]>> {
        let of = |(provider, name, _): &&(String, String, String)| {
            *provider == claim.provider && *name == claim.name
        };
        self.claims.iter().find(of).map(|(.., value)| Cow::Borrowed(value.as_bytes()))
    }
}

impl Described {
    /// The first value of a header; empty where there is none.
    pub(crate) fn first(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The client's address.
    pub(crate) fn client_ip(&self) -> Option<&str> {
        self.source.as_deref()
    }
}

impl RequestArgs {
    /// Puts a request together.
    pub(crate) fn describe(&self) -> Result<Described> {
        let mut path = self.path.clone().unwrap_or_else(|| "/".to_owned());
        if !path.starts_with('/') {
            bail!("the path `{path}` does not begin with `/`; for a whole URL use `-- curl URL`");
        }
        for query in &self.query {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(query);
        }
        let mut host = self.host.clone();
        let mut headers = Vec::new();
        for header in &self.headers {
            let (name, value) = split_header(header)?;
            if name == "host" {
                host.get_or_insert(value);
            } else {
                headers.push((name, value));
            }
        }
        if let Some(cookie) = self.cookies.iter().find(|cookie| !cookie.contains('=')) {
            bail!("`{cookie}` is no cookie; write `--cookie name=value`");
        }
        if !self.cookies.is_empty() {
            headers.push(("cookie".to_owned(), self.cookies.join("; ")));
        }
        let claims = self.claims.iter().map(|claim| split_claim(claim)).collect::<Result<_>>()?;
        let method = self.method.clone().unwrap_or_else(|| "GET".to_owned());
        let mut all = vec![
            (METHOD.to_owned(), method),
            (AUTHORITY.to_owned(), host.unwrap_or_default()),
            (PATH.to_owned(), encoded(&path)),
        ];
        all.extend(headers);
        let source = self.client_ip.map(|address| address.to_string());
        Ok(Described { headers: all, source, claims })
    }
}

/// `Name: value` -> lower-case name, value without spaces around it.
fn split_header(header: &str) -> Result<(String, String)> {
    match header.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() && !name.contains(' ') => {
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        }
        _ => bail!("`{header}` is no header; write `-H 'name: value'`"),
    }
}

fn split_claim(claim: &str) -> Result<(String, String, String)> {
    let parts = claim.split_once('=').and_then(|(name, value)| {
        let (provider, name) = name.split_once(':')?;
        Some((provider.to_owned(), name.to_owned(), value.to_owned()))
    });
    match parts {
        Some(parts) => Ok(parts),
        None => bail!("`{claim}` is no claim; write `--jwt provider:claim=value`"),
    }
}

/// A path as a client would send it: what has no place there is percent-encoded, `%` is left alone.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b if b.is_ascii_graphic() => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> RequestArgs {
        RequestArgs::default()
    }

    #[test]
    fn a_request_is_put_together_as_a_client_would_send_it() {
        let request = RequestArgs {
            headers: vec!["X-User-Id:  ada ".into(), "Host: shop.example.com".into()],
            cookies: vec!["a=1".into(), "b=2".into()],
            query: vec!["q=two words".into(), "x=1&y=2".into()],
            claims: vec!["idp:sub=ada=1".into()],
            client_ip: Some([192, 0, 2, 1].into()),
            ..args()
        };
        let request = request.describe().unwrap();
        let expected = [
            (":method", "GET"),
            (":authority", "shop.example.com"),
            (":path", "/?q=two%20words&x=1&y=2"),
            ("x-user-id", "ada"),
            ("cookie", "a=1; b=2"),
        ];
        let found: Vec<_> = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(found, expected);
        assert_eq!(request.claims, [("idp".into(), "sub".into(), "ada=1".into())]);
        assert_eq!(request.source_address().as_deref(), Some(b"192.0.2.1".as_slice()));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_the_way_to_write_it() {
        for (args, words) in [
            (RequestArgs { headers: vec!["x-user".into()], ..args() }, "-H 'name: value'"),
            (RequestArgs { cookies: vec!["x".into()], ..args() }, "--cookie name=value"),
            (RequestArgs { claims: vec!["sub=x".into()], ..args() }, "provider:claim=value"),
            (RequestArgs { path: Some("api".into()), ..args() }, "does not begin with `/`"),
        ] {
            let error = args.describe().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
