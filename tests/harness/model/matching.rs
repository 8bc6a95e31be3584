//! Whether a request meets conditions, and the key it has.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use regex::RegexBuilder;
use serde_json::Value;

use super::{Pairs, Situation, generated_id, list, text};

/// The key that a source gives, and whether it was made just now.
pub(super) fn key(
    policy: &Value,
    source: &Value,
    situation: &Situation,
) -> Option<(Vec<u8>, bool)> {
    let request = &situation.headers;
    if announced_method(request).is_some() && !source["generate"].is_null() {
        return None;
    }
    let values = if let Some(name) = source["header"].as_str() {
        lines(request, &name.to_lowercase())
    } else if let Some(name) = source["cookie"].as_str() {
        let values = cookies(request, name).into_iter();
        values.filter_map(|value| told(source, value)).collect()
    } else if let Some(name) = source["query"].as_str() {
        parameters(&one(request, ":path"), name)
    } else if source["client_ip"] == true {
        let ip = client_ip(policy, situation);
        ip.map(|ip| ip.to_string().into_bytes()).into_iter().collect()
    } else {
        let cookie = text(&source["generate"]["cookie"]);
        return Some((generated_id(cookie, situation.random).into_bytes(), true));
    };
    values.into_iter().find(|value| !value.is_empty()).map(|value| (value, false))
}

/// The sources of a list that can tell a request's key: those of a preflight end at the first that it
/// does not carry itself and the request may.
pub(super) fn telling<'s>(
    policy: &Value,
    sources: &'s [Value],
    situation: &Situation,
) -> &'s [Value] {
    if announced_method(&situation.headers).is_none() {
        return sources;
    }
    let hidden = |source: &Value| {
        let later = match source["header"].as_str() {
            Some(name) => announces(&situation.headers, &name.to_lowercase()),
            None => source["query"].is_null() && source["client_ip"].is_null(),
        };
        later && key(policy, source, situation).is_none()
    };
    let end = sources.iter().position(hidden).unwrap_or(sources.len());
    &sources[..end]
}

/// The method that a preflight announces; `None` = the request is none.
pub(super) fn announced_method(request: &Pairs) -> Option<Vec<u8>> {
    let is_one = one(request, ":method") == b"OPTIONS" && !lines(request, "origin").is_empty();
    lines(request, "access-control-request-method").into_iter().next().filter(|_| is_one)
}

/// Whether a preflight says that a header will come.
fn announces(request: &Pairs, header: &str) -> bool {
    let all = lines(request, "access-control-request-headers").join(b",".as_slice());
    let all = String::from_utf8_lossy(&all).to_lowercase();
    let named = header == "cookie" || all.split(',').any(|name| name.trim_ascii() == header);
    announced_method(request).is_some() && named
}

pub(super) fn meets(policy: &Value, entry: &Value, situation: &Situation) -> bool {
    let request = &situation.headers;
    let one = |name: &str| one(request, name);
    let authority = String::from_utf8_lossy(&one(":authority")).to_lowercase();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => plain_host(host),
        _ => plain_host(&authority),
    };
    let host_meets = |pattern: &Value| match plain_host(&text(pattern).to_lowercase()).as_str() {
        "*" => true,
        pattern => match pattern.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == pattern,
        },
    };
    let target = one(":path");
    let path = target.split(|b| *b == b'?' || *b == b'#').next().unwrap_or_default().to_vec();
    let first = |values: Vec<Vec<u8>>| values.into_iter().next();
    let header = |name: &str| {
        let all = lines(request, &name.to_lowercase());
        (!all.is_empty()).then(|| all.join(b",".as_slice()))
    };
    // What is announced is there, and nothing is known of its value.
    let header_meets = |test: &Value| {
        let name = text(&test["name"]);
        match header(name) {
            None if announces(request, &name.to_lowercase()) => test["present"] == true,
            value => value_meets(test, value),
        }
    };
    let client = client_ip(policy, situation);
    let any = |field: &str, meets: &dyn Fn(&Value) -> bool| {
        entry[field].is_null() || list(&entry[field]).iter().any(meets)
    };
    let all = |field: &str, value: &dyn Fn(&str) -> Option<Vec<u8>>| {
        list(&entry[field]).iter().all(|test| value_meets(test, value(text(&test["name"]))))
    };
    any("hosts", &host_meets)
        && (entry["path"].is_null() || path_meets(&entry["path"], &path))
        && any("methods", &|m| {
            let announced = announced_method(request);
            text(m).as_bytes() == one(":method")
                || announced.is_some_and(|a| a == text(m).as_bytes())
        })
        && list(&entry["headers"]).iter().all(header_meets)
        && all("cookies", &|name| first(cookies(request, name)))
        && all("query", &|name| first(parameters(&target, name)))
        && any("source_ip", &|net| client.is_some_and(|ip| is_in(text(net), ip)))
}

/// Without the last dot, and an address as its bits.
fn plain_host(host: &str) -> String {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = address.and_then(|address| address.parse::<Ipv6Addr>().ok());
    if let Some(address) = address {
        let v4 = address.to_ipv4_mapped().map(|v4| v4.to_string());
        return v4.unwrap_or_else(|| format!("[{:x}]", u128::from(address)));
    }
    match host.strip_suffix('.') {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => host.to_owned(),
    }
}

fn path_meets(wanted: &Value, path: &[u8]) -> bool {
    let form = |name: &str| wanted[name].as_str();
    if let Some(prefix) = form("prefix") {
        let below = format!("{}/", prefix.trim_end_matches('/'));
        return [path, b"/"].concat() == below.as_bytes() || path.starts_with(below.as_bytes());
    }
    match (form("exact"), form("raw_prefix"), form("regex")) {
        (Some(exact), ..) => path == exact.as_bytes(),
        (_, Some(raw), _) => path.starts_with(raw.as_bytes()),
        (.., Some(regex)) => regex_meets(regex, false, path),
        _ => false,
    }
}

fn value_meets(test: &Value, value: Option<Vec<u8>>) -> bool {
    if let Some(present) = test["present"].as_bool() {
        return value.is_some() == present;
    }
    let Some(value) = value else { return false };
    let ignore = test["ignore_case"] == true;
    let fold = |bytes: &[u8]| if ignore { bytes.to_ascii_lowercase() } else { bytes.to_vec() };
    let folded = fold(&value);
    let form = |name: &str| test[name].as_str().map(|text| fold(text.as_bytes()));
    let meets = if let Some(exact) = form("exact") {
        folded == exact
    } else if let Some(prefix) = form("prefix") {
        folded.starts_with(&prefix)
    } else if let Some(suffix) = form("suffix") {
        folded.ends_with(&suffix)
    } else if let Some(needle) = form("contains") {
        folded.windows(needle.len()).any(|window| window == needle)
    } else if let Some(regex) = test["regex"].as_str() {
        regex_meets(regex, ignore, &value)
    } else if let Some(range) = test["range"].as_object() {
        let number = String::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
        let bound = |name: &str| range.get(name).and_then(Value::as_i64);
        number.is_some_and(|n| {
            bound("from").is_none_or(|from| n >= from) && bound("to").is_none_or(|to| n < to)
        })
    } else {
        list(&test["in"]).iter().any(|one| folded == fold(text(one).as_bytes()))
    };
    meets != (test["not"] == true)
}

/// By another implementation than the engine's.
fn regex_meets(regex: &str, ignore_case: bool, value: &[u8]) -> bool {
    let whole = RegexBuilder::new(&format!(r"\A(?:{regex})\z"))
        .case_insensitive(ignore_case)
        .build()
        .expect("a regex");
    String::from_utf8(value.to_vec()).is_ok_and(|value| whole.is_match(&value))
}

/// The values of all cookies of a name, empty ones among them.
pub(super) fn cookies(request: &Pairs, wanted: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for line in lines(request, "cookie") {
        for pair in line.split(|b| *b == b';') {
            let Some(at) = pair.iter().position(|b| *b == b'=') else { continue };
            let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
            let quoted = value.len() >= 2 && value.starts_with(b"\"") && value.ends_with(b"\"");
            let value = if quoted { &value[1..value.len() - 1] } else { value };
            if name == wanted.as_bytes() {
                found.push(value.to_vec());
            }
        }
    }
    found
}

/// What the value of a cookie stands for.
fn told(source: &Value, mut value: Vec<u8>) -> Option<Vec<u8>> {
    for step in list(&source["decode"]) {
        value = match text(step) {
            "percent" => {
                // In forms `+` would be a space.
                let parts = value.split(|b| *b == b'+').map(decoded);
                parts.collect::<Vec<_>>().join(b"+".as_slice())
            }
            _ => of_base64(value)?,
        };
    }
    if let Some(name) = source["json"].as_str() {
        let json = value.strip_prefix(b"j:").unwrap_or(&value);
        let json: Value = serde_json::from_slice(json).ok()?;
        return match json.as_object()?.get(name)? {
            Value::String(text) => Some(text.clone().into_bytes()),
            Value::Number(number) if number.is_i64() => Some(number.to_string().into_bytes()),
            Value::Bool(value) => Some(value.to_string().into_bytes()),
            _ => None,
        };
    }
    let is_decoded = !source["decode"].is_null();
    match value.as_slice() {
        [b'"', inner @ .., b'"'] if is_decoded => Some(inner.to_vec()),
        _ => Some(value),
    }
}

/// Digit by digit and bit by bit.
fn of_base64(value: Vec<u8>) -> Option<Vec<u8>> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = String::from_utf8(value).ok()?.replace('-', "+").replace('_', "/");
    let text = text.trim_end_matches('=');
    let digits: Option<Vec<usize>> = text.chars().map(|c| DIGITS.find(c)).collect();
    let bits: String = digits?.iter().map(|digit| format!("{digit:06b}")).collect();
    let whole = bits.len() / 8 * 8;
    let byte = |at: usize| u8::from_str_radix(&bits[at..at + 8], 2).expect("eight bits");
    (text.len() % 4 != 1).then(|| (0..whole).step_by(8).map(byte).collect())
}

/// The values of all query parameters of a name, decoded.
fn parameters(target: &[u8], wanted: &str) -> Vec<Vec<u8>> {
    let target = target.split(|b| *b == b'#').next().unwrap_or_default();
    let Some(at) = target.iter().position(|b| *b == b'?') else { return Vec::new() };
    let mut found = Vec::new();
    for pair in target[at + 1..].split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
        let end = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        if decoded(&pair[..end]) == wanted.as_bytes() {
            found.push(decoded(pair.get(end + 1..).unwrap_or_default()));
        }
    }
    found
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let both_digits = |hex: &&str| hex.bytes().all(|b| b.is_ascii_hexdigit());
        match (text[at], hex.filter(both_digits)) {
            (b'%', Some(hex)) => {
                bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
                at += 2;
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(other),
        }
        at += 1;
    }
    bytes
}

fn client_ip(policy: &Value, situation: &Situation) -> Option<IpAddr> {
    let hops = policy["client_ip"]["trusted_hops"].as_u64().unwrap_or(0) as usize;
    let forwarded = lines(&situation.headers, "x-forwarded-for").join(b",".as_slice());
    let forwarded = String::from_utf8_lossy(&forwarded).into_owned();
    let mut entries: Vec<&str> =
        forwarded.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    entries.reverse();
    let address = match hops.checked_sub(1).and_then(|at| entries.get(at)) {
        Some(entry) => entry,
        None => situation.client.as_deref()?,
    };
    let with_port = address.parse::<SocketAddr>().map(|address| address.ip());
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    with_port.ok().or_else(|| bare.parse().ok()).map(|ip: IpAddr| ip.to_canonical())
}

/// Whether an address begins with the bits of a network.
fn is_in(network: &str, ip: IpAddr) -> bool {
    let bits = |ip: IpAddr| -> String {
        let bytes = match ip {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        bytes.iter().map(|byte| format!("{byte:08b}")).collect()
    };
    let (address, length) = network.split_once('/').unwrap_or((network, "128"));
    let address: IpAddr = address.parse().expect("an address");
    let prefix: String = bits(address).chars().take(length.parse().expect("a length")).collect();
    address.is_ipv4() == ip.is_ipv4() && bits(ip).starts_with(&prefix)
}

fn one(request: &Pairs, name: &str) -> Vec<u8> {
    lines(request, name).into_iter().next().unwrap_or_default()
}

pub(super) fn lines(request: &Pairs, name: &str) -> Vec<Vec<u8>> {
    request.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect()
}
