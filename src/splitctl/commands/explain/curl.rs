//! A curl command as a request: as much of curl as people type and browsers copy. The shell has taken its quotes off
//! already.

use anyhow::{Result, anyhow, bail};
use base64::Engine as _;
use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use super::request::RequestArgs;

/// The options that say something about the request, and those of which it is known that they do not.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, args_override_self = true)]
struct Curl {
    urls: Vec<String>,

    #[arg(long = "url")]
    more_urls: Vec<String>,

    #[arg(short = 'X', long)]
    request: Option<String>,

    #[arg(short = 'H', long = "header", allow_hyphen_values = true)]
    headers: Vec<String>,

    #[arg(short = 'b', long = "cookie", allow_hyphen_values = true)]
    cookies: Vec<String>,

    #[arg(short = 'A', long)]
    user_agent: Option<String>,

    #[arg(short = 'e', long)]
    referer: Option<String>,

    #[arg(short, long)]
    user: Option<String>,

    /// Nothing looks at a body; but there is one.
    #[arg(short, long, allow_hyphen_values = true,
        aliases = ["data-ascii", "data-binary", "data-raw", "data-urlencode"])]
    data: Vec<String>,

    #[arg(short = 'I', long)]
    head: bool,

    #[arg(long)]
    compressed: bool,

    #[arg(long)]
    path_as_is: bool,

    /// What becomes of the answer.
    #[arg(short = 's', long = "silent", short_aliases = ['S', 'i', 'k', 'L', 'v'],
        aliases = ["show-error", "include", "insecure", "location", "verbose"])]
    _switches: bool,

    /// The same, with a value.
    #[arg(short = 'o', long = "output", short_alias = 'w', alias = "write-out")]
    _values: Option<String>,
}

/// Adds what a curl command says to what options say; these come first. Its first word may be `curl` itself.
pub(super) fn read(words: &[String], mut request: RequestArgs) -> Result<RequestArgs> {
    let words = match words {
        [first, rest @ ..] if is_curl(first) => rest,
        [first, rest @ ..] if is_other_program(first, rest) => {
            bail!("`{first}` is not curl; paste a curl command, or describe the request by options")
        }
        words => words,
    };
    let curl = Curl::try_parse_from(words).map_err(|error| refused(&error))?;
    let (host, path) = match curl.urls.iter().chain(&curl.more_urls).collect::<Vec<_>>()[..] {
        [] => bail!("the curl command has no URL"),
        [url] => split_url(url, curl.path_as_is)?,
        [first, second, ..] => {
            bail!("two URLs, `{first}` and `{second}`; explain one request at a time")
        }
    };
    let headers = curl.headers.iter().map(|text| header(text)).collect::<Result<Vec<_>>>()?;
    let user = curl.user.map(|user| base64::engine::general_purpose::STANDARD.encode(user));
    let form = (!curl.data.is_empty()).then(|| "application/x-www-form-urlencoded".to_owned());
    let given = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    // What other options say, and what curl says of itself.
    let others = [
        ("authorization", user.map(|user| format!("Basic {user}"))),
        ("referer", curl.referer),
        ("user-agent", Some(curl.user_agent.unwrap_or_else(|| "curl".to_owned()))),
        ("accept", Some("*/*".to_owned())),
        ("accept-encoding", curl.compressed.then(|| "deflate, gzip, br, zstd".to_owned())),
        ("content-type", form),
    ];
    let others: Vec<_> = others
        .into_iter()
        .filter(|(name, _)| !given(name))
        .filter_map(|(name, value)| Some(format!("{name}: {}", value?)))
        .collect();
    if !given("host") {
        request.host.get_or_insert(host);
    }
    request.path.get_or_insert(path);
    let implied = if curl.head { Some("HEAD") } else { (!curl.data.is_empty()).then_some("POST") };
    request.method = request.method.or(curl.request).or(implied.map(str::to_owned));
    request.headers.extend(headers.into_iter().filter_map(|(_, text)| text).chain(others));
    if let Some(file) = curl.cookies.iter().find(|cookie| !cookie.contains('=')) {
        bail!("`{file}` is a file of cookies; write `-b name=value`");
    }
    request.cookies.extend(curl.cookies);
    Ok(request)
}

/// `curl`, by whatever path.
fn is_curl(word: &str) -> bool {
    matches!(word.rsplit(['/', '\\']).next(), Some("curl" | "curl.exe")) && !word.contains("://")
}

/// Programs that people have beside curl, whose options are others.
const OTHER_PROGRAMS: [&str; 14] = [
    "ab", "fetch", "ghz", "grpcurl", "h2load", "hey", "http", "https", "httpie", "oha", "vegeta",
    "wget", "wrk", "xh",
];

/// A word that is known as another program, or could be a host, before one that is a URL beyond doubt: `wget a.example/x`.
fn is_other_program(word: &str, rest: &[String]) -> bool {
    if OTHER_PROGRAMS.contains(&word) && !rest.is_empty() {
        return true;
    }
    let is_url = |word: &String| word.contains("://");
    let could_be_host = word.contains(['.', ':']) || word.starts_with('-');
    !could_be_host && rest.iter().any(is_url)
}

/// A header's name, and the header where it is sent: `name:` keeps curl from sending it, `name;` sends it empty.
fn header(text: &str) -> Result<(&str, Option<String>)> {
    if text.starts_with('@') {
        bail!("`{text}` is a file of headers; write them as `-H 'name: value'`");
    }
    Ok(match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) => (name, (!value.trim().is_empty()).then(|| text.to_owned())),
        (None, Some(name)) => (name, Some(format!("{name}:"))),
        (None, None) => (text, Some(text.to_owned())),
    })
}

fn refused(error: &clap::Error) -> anyhow::Error {
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    // With the name of its value.
    let name = argument.split(' ').next().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => anyhow!(
            "curl's option `{name}` is not known here; leave it out if it does not change the request"
        ),
        ErrorKind::InvalidValue => anyhow!("curl's option `{name}` needs a value"),
        _ => anyhow!("curl's option `{name}`: {}", error.kind()),
    }
}

/// `https://user@shop.example.com:443/cart?x=1#top` -> host, with a port that is not the scheme's own, and path; without dot
/// segments, unless it goes as it is.
fn split_url(url: &str, as_is: bool) -> Result<(String, String)> {
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
    let target = format!("{slash}{target}");
    Ok((host.to_owned(), if as_is { target } else { without_dots(&target) }))
}

/// A path and query without `.` and `..` in the path (RFC 3986, 5.2.4), as curl sends it. Dots that are percent-encoded stay.
fn without_dots(target: &str) -> String {
    let end = target.find('?').unwrap_or(target.len());
    let (path, query) = target.split_at_checked(end).unwrap_or((target, ""));
    let mut segments: Vec<&str> = Vec::new();
    let parts = path.split('/').skip(1);
    let last = parts.clone().count().saturating_sub(1);
    for (index, part) in parts.enumerate() {
        match part {
            ".." => {
                segments.pop();
            }
            "." => {}
            part => segments.push(part),
        }
        // What ends in dots ends as a folder.
        if index == last && matches!(part, "." | "..") {
            segments.push("");
        }
    }
    format!("/{}{query}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, host, path, and all headers but curl's own two.
    fn sent(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let request = read(&words, RequestArgs::default()).and_then(|args| args.describe());
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
            (
                &["curl", "-sSLI", "--silent", "-H-x: 1", "a.example/x"],
                "HEAD | a.example | /x | -x: 1",
            ),
            (&["curl", "-XPUT", "a.example"], "PUT | a.example | /"),
            (&["/usr/bin/curl", "a.example"], "GET | a.example | /"),
            (&["localhost"], "GET | localhost | /"),
            (&["curl", "a.example/status/../admin"], "GET | a.example | /admin"),
            (&["curl", "--path-as-is", "a.example/a/../b"], "GET | a.example | /a/../b"),
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
                &[
                    "curl",
                    "-H",
                    "content-type: text/plain",
                    "--data-raw",
                    "a",
                    "--data",
                    "b",
                    "a.example",
                ],
                "POST | a.example | / | content-type: text/plain",
            ),
            (
                &["curl", "--compressed", "--insecure", "-e", "https://b.example/", "a.example"],
                "GET | a.example | / | referer: https://b.example/ | accept-encoding: deflate, gzip, br, zstd",
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
    fn dot_segments_are_removed_as_curl_does() {
        // The right-hand sides are what a server got of curl 7.88.
        for (url, path) in [
            ("/status/../admin", "/admin"),
            ("/a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/..", "/"),
            ("/.", "/"),
            ("/../../x", "/x"),
            ("/a/b/..", "/a/"),
            ("/a/b/../../../c", "/c"),
            ("/a//../b", "/a/b"),
            ("/a/...", "/a/..."),
            ("/..a/.b", "/..a/.b"),
            ("/a/;/../b", "/a/b"),
            ("/a%20/../b", "/b"),
            ("/a/%2e%2e/b", "/a/%2e%2e/b"),
            ("/a/..%2f/c", "/a/..%2f/c"),
            ("/a/..?x=/../y", "/?x=/../y"),
            ("/a?x=/../y", "/a?x=/../y"),
            ("/a/../b#/../c", "/b"),
            ("?q/../z", "/?q/../z"),
            ("/a//b//", "/a//b//"),
            ("", "/"),
        ] {
            let sent = split_url(&format!("http://a.example{url}"), false).unwrap().1;
            assert_eq!(sent, path, "{url}");
        }
    }

    #[test]
    fn a_removed_header_is_not_sent() {
        let words = ["-H".to_owned(), "accept:".to_owned(), "a.example".to_owned()];
        let request = read(&words, RequestArgs::default()).unwrap().describe().unwrap();
        assert_eq!(request.first("accept"), "");
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
            (
                &["curl", "--json", "{}", "a.example"],
                "curl's option `--json` is not known here; leave it out if it does not change the request",
            ),
            (&["curl", "a.example", "-H", "x"], "`x` is no header; write `-H 'name: value'`"),
            (&["curl", "a.example", "-H"], "curl's option `--header` needs a value"),
            (
                &["curl", "-b", "jar.txt", "a.example"],
                "`jar.txt` is a file of cookies; write `-b name=value`",
            ),
            (
                &["wget", "https://a.example"],
                "`wget` is not curl; paste a curl command, or describe the request by options",
            ),
            (
                &["wget", "a.example/api"],
                "`wget` is not curl; paste a curl command, or describe the request by options",
            ),
            (
                &["http", "-v", "https://a.example"],
                "`http` is not curl; paste a curl command, or describe the request by options",
            ),
            (&["curl", "ftp://a.example"], "`ftp://a.example` is not HTTP: its scheme is `ftp`"),
            (&["curl", "http:///x"], "`http:///x` is a URL without a host"),
        ] {
            assert_eq!(sent(words), message);
        }
    }

    #[test]
    fn options_come_before_the_curl_command() {
        let options = RequestArgs {
            path: Some("/y".into()),
            headers: vec!["x: 1".into()],
            ..RequestArgs::default()
        };
        let request = read(&["a.example/x".to_owned()], options).unwrap().describe().unwrap();
        assert_eq!((request.first(":path"), request.first("x")), ("/y", "1"));
        assert_eq!(request.first(":authority"), "a.example");
    }
}
