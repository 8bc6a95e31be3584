//! A curl command as a request. The shell has taken its quotes off already.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;

use super::request::{RequestArgs, split_header};

/// Options with a value that say nothing about what a request is.
const WITH_VALUE: [&str; 24] = [
    "--cacert",
    "--capath",
    "--cert",
    "--connect-timeout",
    "--connect-to",
    "--cookie-jar",
    "--dump-header",
    "--interface",
    "--key",
    "--limit-rate",
    "--max-redirs",
    "--max-time",
    "--noproxy",
    "--output",
    "--proxy",
    "--resolve",
    "--retry",
    "--retry-delay",
    "--unix-socket",
    "--write-out",
    "--ciphers",
    "--tls-max",
    "--pass",
    "--range",
];

/// The same without a value.
const WITHOUT_VALUE: [&str; 22] = [
    "--fail",
    "--fail-with-body",
    "--globoff",
    "--http1.0",
    "--http1.1",
    "--http2",
    "--http2-prior-knowledge",
    "--http3",
    "--include",
    "--insecure",
    "--ipv4",
    "--ipv6",
    "--location",
    "--no-buffer",
    "--no-progress-meter",
    "--path-as-is",
    "--progress-bar",
    "--remote-name",
    "--show-error",
    "--silent",
    "--trace-time",
    "--verbose",
];

/// Short options and their long names.
const SHORT: [(char, &str); 34] = [
    ('A', "--user-agent"),
    ('E', "--cert"),
    ('F', "--form"),
    ('G', "--get"),
    ('H', "--header"),
    ('I', "--head"),
    ('L', "--location"),
    ('N', "--no-buffer"),
    ('O', "--remote-name"),
    ('S', "--show-error"),
    ('T', "--upload-file"),
    ('X', "--request"),
    ('b', "--cookie"),
    ('c', "--cookie-jar"),
    ('d', "--data"),
    ('D', "--dump-header"),
    ('e', "--referer"),
    ('f', "--fail"),
    ('g', "--globoff"),
    ('i', "--include"),
    ('k', "--insecure"),
    ('m', "--max-time"),
    ('o', "--output"),
    ('r', "--range"),
    ('s', "--silent"),
    ('u', "--user"),
    ('v', "--verbose"),
    ('w', "--write-out"),
    ('x', "--proxy"),
    ('0', "--http1.0"),
    ('4', "--ipv4"),
    ('6', "--ipv6"),
    ('#', "--progress-bar"),
    ('Y', "--limit-rate"),
];

/// What a curl command would send.
#[derive(Debug, Default)]
struct Curl {
    url: Option<String>,
    method: Option<&'static str>,
    named_method: Option<String>,
    /// A removed header (`-H 'accept:'`) has no value.
    headers: Vec<(String, Option<String>)>,
    cookies: Vec<String>,
    data: Vec<String>,
    data_in_query: bool,
    content_type: Option<&'static str>,
    json: bool,
}

/// Reads the words of a curl command; the first may be `curl` itself.
pub(super) fn read(words: &[String]) -> Result<RequestArgs> {
    let words = match words {
        [first, rest @ ..] if first == "curl" => rest,
        all => all,
    };
    let mut curl = Curl::default();
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        if let Some(letters) =
            word.strip_prefix('-').filter(|l| !l.is_empty() && !l.starts_with('-'))
        {
            curl.short(letters, &mut rest)?;
        } else if word.starts_with("--") {
            curl.long(word, &mut rest)?;
        } else {
            curl.set_url(word)?;
        }
    }
    curl.into_args()
}

impl Curl {
    /// `sSI`, `XPOST`, `H` and then its value.
    fn short<'w>(
        &mut self,
        letters: &'w str,
        rest: &mut impl Iterator<Item = &'w str>,
    ) -> Result<()> {
        for (at, letter) in letters.char_indices() {
            let Some((_, name)) = SHORT.iter().find(|(short, _)| *short == letter) else {
                return unknown(&format!("-{letter}"));
            };
            if !takes_value(name) {
                self.option(name, "")?;
                continue;
            }
            let glued = letters.get(at.saturating_add(letter.len_utf8())..).unwrap_or_default();
            let value = if glued.is_empty() { value_of(name, rest)? } else { glued };
            return self.option(name, value);
        }
        Ok(())
    }

    fn long<'w>(&mut self, word: &'w str, rest: &mut impl Iterator<Item = &'w str>) -> Result<()> {
        let value = if takes_value(word) { value_of(word, rest)? } else { "" };
        self.option(word, value)
    }

    fn option(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "--url" => return self.set_url(value),
            "--request" => self.named_method = Some(value.to_owned()),
            "--head" => self.method = Some("HEAD"),
            "--get" => self.data_in_query = true,
            "--upload-file" => self.method = Some("PUT"),
            "--form" => self.body("multipart/form-data"),
            "--data" | "--data-raw" | "--data-binary" | "--data-ascii" | "--data-urlencode" => {
                self.body("application/x-www-form-urlencoded");
                self.data.push(value.to_owned());
            }
            "--json" => {
                self.body("application/json");
                self.json = true;
            }
            "--header" => return self.header(value),
            "--cookie" if value.contains('=') => self.cookies.push(value.to_owned()),
            "--cookie" => bail!("`{value}` is a file of cookies; write `-b name=value`"),
            "--user-agent" => self.set("user-agent", value),
            "--referer" => self.set("referer", value),
            "--compressed" => self.set("accept-encoding", "deflate, gzip, br, zstd"),
            "--user" => {
                let user = base64::engine::general_purpose::STANDARD.encode(value);
                self.set("authorization", &format!("Basic {user}"));
            }
            "--oauth2-bearer" => self.set("authorization", &format!("Bearer {value}")),
            "--url-query" => {
                self.data.push(value.to_owned());
                self.data_in_query = true;
            }
            name if WITH_VALUE.contains(&name) || WITHOUT_VALUE.contains(&name) => {}
            other => return unknown(other),
        }
        Ok(())
    }

    fn body(&mut self, kind: &'static str) {
        self.method = Some("POST");
        self.content_type.get_or_insert(kind);
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), Some(value.to_owned())));
    }

    fn header(&mut self, text: &str) -> Result<()> {
        if text.starts_with('@') {
            bail!("`{text}` is a file of headers; write them as `-H 'name: value'`");
        }
        // `-H 'name;'` sends the header without a value, `-H 'name:'` does not send it.
        if let Some(name) = text.strip_suffix(';').filter(|name| !name.contains(':')) {
            self.set(&name.to_ascii_lowercase(), "");
            return Ok(());
        }
        let (name, value) = split_header(text)?;
        self.headers.push((name, Some(value).filter(|value| !value.is_empty())));
        Ok(())
    }

    fn set_url(&mut self, url: &str) -> Result<()> {
        if let Some(first) = self.url.replace(url.to_owned()) {
            bail!("two URLs, `{first}` and `{url}`; explain one request at a time");
        }
        Ok(())
    }

    fn into_args(mut self) -> Result<RequestArgs> {
        let url = self.url.take().context("the curl command has no URL")?;
        let (host, mut path) = split_url(&url)?;
        if self.data_in_query {
            self.method = None;
            self.content_type = None;
            for data in &self.data {
                path.push(if path.contains('?') { '&' } else { '?' });
                path.push_str(data);
            }
        }
        let mut defaults = vec![("user-agent", "curl"), ("accept", "*/*")];
        if let Some(kind) = self.content_type {
            defaults.push(("content-type", kind));
        }
        if self.json {
            defaults.insert(0, ("accept", "application/json"));
        }
        for (name, value) in defaults {
            if !self.headers.iter().any(|(given, _)| given == name) {
                self.set(name, value);
            }
        }
        let header = |(name, value): (String, Option<String>)| Some(format!("{name}: {}", value?));
        Ok(RequestArgs {
            host: Some(host).filter(|_| !self.headers.iter().any(|(name, _)| name == "host")),
            path: Some(path),
            method: self.named_method.or_else(|| self.method.map(str::to_owned)),
            headers: self.headers.into_iter().filter_map(header).collect(),
            cookies: self.cookies,
            ..RequestArgs::default()
        })
    }
}

impl RequestArgs {
    /// What these options say, and where they say nothing what a curl command says.
    pub(super) fn over(self, curl: Self) -> Self {
        let both = |mut first: Vec<String>, second: Vec<String>| {
            first.extend(second);
            first
        };
        Self {
            host: self.host.or(curl.host),
            path: self.path.or(curl.path),
            method: self.method.or(curl.method),
            headers: both(self.headers, curl.headers),
            cookies: both(self.cookies, curl.cookies),
            query: both(self.query, curl.query),
            client_ip: self.client_ip.or(curl.client_ip),
            claims: both(self.claims, curl.claims),
        }
    }
}

fn takes_value(name: &str) -> bool {
    const OWN: [&str; 17] = [
        "--cookie",
        "--data",
        "--data-ascii",
        "--data-binary",
        "--data-raw",
        "--data-urlencode",
        "--form",
        "--header",
        "--json",
        "--oauth2-bearer",
        "--referer",
        "--request",
        "--upload-file",
        "--url",
        "--url-query",
        "--user",
        "--user-agent",
    ];
    OWN.contains(&name) || WITH_VALUE.contains(&name)
}

fn value_of<'w>(name: &str, rest: &mut impl Iterator<Item = &'w str>) -> Result<&'w str> {
    rest.next().with_context(|| format!("curl's option `{name}` needs a value"))
}

fn unknown(option: &str) -> Result<()> {
    bail!(
        "curl's option `{option}` is not known here; leave it out if it does not change the request"
    )
}

/// `https://user@shop.example.com:443/cart?x=1#top` -> host, with a port that is not the scheme's own, and path.
fn split_url(url: &str) -> Result<(String, String)> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        other => bail!("`{url}` is not HTTP: its scheme is `{other}`"),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.strip_suffix(default).unwrap_or(host);
    if host.is_empty() {
        bail!("`{url}` is a URL without a host");
    }
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((host.to_owned(), format!("{slash}{target}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, host, path, and all headers but curl's own two.
    fn sent(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let request = read(&words).and_then(|args| args.describe());
        match request {
            Ok(request) => {
                let own = [("user-agent", "curl"), ("accept", "*/*")];
                let lines = request.headers.iter().filter(|(n, v)| !own.contains(&(n, v)));
                let line = |(n, v): &(String, String)| match n.starts_with(':') {
                    true => v.clone(),
                    false => format!("{n}: {v}"),
                };
                lines.map(line).collect::<Vec<_>>().join(" | ")
            }
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn a_curl_command_becomes_the_request_it_would_send() {
        for (words, request) in [
            (&["curl", "https://a.example"][..], "GET | a.example | /"),
            (&["https://a.example:443/x?y=1#z"], "GET | a.example | /x?y=1"),
            (&["curl", "http://u:p@a.example:8080?q"], "GET | a.example:8080 | /?q"),
            (&["curl", "-sSLI", "a.example/x"], "HEAD | a.example | /x"),
            (&["curl", "-XPUT", "a.example"], "PUT | a.example | /"),
            (
                &["curl", "-H", "X-User-Id: ada", "a.example"],
                "GET | a.example | / | x-user-id: ada",
            ),
            (
                &["curl", "-Hx: 1", "-bq=1", "-b", "r=2; s=3", "a.example"],
                "GET | a.example | / | x: 1 | cookie: q=1; r=2; s=3",
            ),
            (
                &["curl", "-d", "a=1", "a.example"],
                "POST | a.example | / | content-type: application/x-www-form-urlencoded",
            ),
            (
                &["curl", "-G", "-d", "a=1", "--data-urlencode", "b=2", "a.example?x=1"],
                "GET | a.example | /?x=1&a=1&b=2",
            ),
            (
                &["curl", "--json", "{}", "a.example"],
                "POST | a.example | / | accept: application/json | content-type: application/json",
            ),
            (
                &["curl", "-A", "Mozilla", "-H", "accept:", "--url", "a.example"],
                "GET | a.example | / | user-agent: Mozilla | accept: */*",
            ),
            (
                &["curl", "-H", "x-empty;", "-o", "/dev/null", "-w", "%{http_code}", "a.example"],
                "GET | a.example | / | x-empty: ",
            ),
            (&["curl", "-H", "Host: b.example", "http://127.0.0.1:10000/"], "GET | b.example | /"),
            (
                &["curl", "-u", "a:b", "http://[::1]:8080/"],
                "GET | [::1]:8080 | / | authorization: Basic YTpi",
            ),
        ] {
            let found = sent(words).replace(" | accept: */*", "");
            assert_eq!(found, request.replace(" | accept: */*", ""), "{words:?}");
        }
    }

    #[test]
    fn a_removed_header_is_not_sent() {
        let words = ["-H".to_owned(), "accept:".to_owned(), "a.example".to_owned()];
        assert_eq!(read(&words).unwrap().describe().unwrap().first("accept"), "");
    }

    #[test]
    fn what_a_request_cannot_be_made_of_is_an_error() {
        for (words, message) in [
            (&["curl"][..], "the curl command has no URL"),
            (
                &["curl", "a.example", "b.example"],
                "two URLs, `a.example` and `b.example`; explain one request at a time",
            ),
            (
                &["curl", "--frob", "a.example"],
                "curl's option `--frob` is not known here; leave it out if it does not change the request",
            ),
            (
                &["curl", "-sZ", "a.example"],
                "curl's option `-Z` is not known here; leave it out if it does not change the request",
            ),
            (&["curl", "a.example", "-H"], "curl's option `--header` needs a value"),
            (
                &["curl", "-b", "jar.txt", "a.example"],
                "`jar.txt` is a file of cookies; write `-b name=value`",
            ),
            (&["curl", "ftp://a.example"], "`ftp://a.example` is not HTTP: its scheme is `ftp`"),
            (&["curl", "http:///x"], "`http:///x` is a URL without a host"),
        ] {
            assert_eq!(sent(words), message);
        }
    }

    #[test]
    fn options_come_before_the_curl_command() {
        let curl = read(&["a.example/x".to_owned()]).unwrap();
        let options = RequestArgs {
            path: Some("/y".into()),
            headers: vec!["x: 1".into()],
            ..RequestArgs::default()
        };
        let request = options.over(curl).describe().unwrap();
        assert_eq!((request.first(":path"), request.first("x")), ("/y", "1"));
        assert_eq!(request.first(":authority"), "a.example");
    }
}
