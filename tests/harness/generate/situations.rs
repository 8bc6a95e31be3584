//! Requests, and all that a decision may depend on besides.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::SECRET;
use super::conditions::plain_requests;
use crate::model::{Situation, sticky_value, with_key};

pub(super) fn situation() -> impl Strategy<Value = Situation> {
    let value = prop_oneof![
        3 => select(vec!["1", "12", "2", "", "true", "aB", "ab", "x"]).prop_map(|v| v.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    let cookie = select(vec![
        "uid=ada",
        "uid=\"ada\"; id=7",
        "id",
        "id=",
        "id=a=b",
        " uid = x ;id=\"",
        "uid=;uid=late",
        "xuid=1;uidx=2",
        "id=1; uid=12",
        "uid=2",
        "uid=%61da%2B+%",
        "uid=%22ada%22; info=YWRh",
        "uid=YWRh; info=j%3A%7B%22id%22%3A%22ada%22%7D",
        r#"info={"id":7,"n":[1],"\"a":"x"}"#,
        r#"info={"id":"1","id":null,"n":1.5};info={"n":true}"#,
        "info=eyJpZCI6ImFkYSIsIm4iOi03fQ; uid=%59WR%68%3D",
        "info=%7B%22id%22%3A%22; info=\"",
        "info=%22%7B%22id%22%3A1%7D%22",
    ]);
    let path = select(vec![
        "/",
        "/a",
        "/a/b?x=/c",
        "/ab",
        "/a/",
        "",
        "/a#f",
        "/a?q=1&b+c=2",
        "/?q",
        "/b?q=a%42&q=2",
        "/a?%71=%31%3&b%20c=12#?q=2",
        "/?q=%",
    ]);
    let forwarded = select(vec![
        "10.1.2.3",
        "203.0.113.5, 10.0.0.9",
        "unknown",
        "2001:db8::1, , 192.0.2.1:80",
        "[::1]:2,",
    ]);
    let client = of(select(vec!["10.1.9.9:80", "192.0.2.1:1", "[2001:db8:8000::1]:1", "pipe"]));
    let header = (select(vec!["x-a", "x-b", "x-user"]), value);
    let target = (
        select(vec!["GET", "POST", "get"]),
        select(vec![
            "a.test",
            "A.TEST:80",
            "b.a.test",
            "other",
            "",
            ":",
            "[::1]:1",
            "a.test.",
            "B.a.test.:80",
            "a.test..",
            ".",
            "[0:0::0001]",
            "[::ffff:A00:1]:8080",
            "10.0.0.1",
            "[::1]x",
            "[::1]..",
        ]),
        path,
    );
    let lists = (
        prop::collection::vec(header, 0..5),
        prop::collection::vec(cookie, 0..3),
        prop::collection::vec(forwarded, 0..3),
        prop::collection::vec(sticky_cookie(), 0..4),
        of(forcing()),
    );
    let request = (target, lists, client, now(), any::<[u64; 2]>(), tripped()).prop_map(
        |(target, lists, client, now, random, tripped)| {
            let (method, authority, path) = target;
            let pseudo = [(":method", method), (":authority", authority), (":path", path)];
            let pseudo = pseudo.into_iter().map(|(n, v)| (n, v.as_bytes().to_vec()));
            let cookies = lists.1.into_iter().map(|c| ("cookie", c.as_bytes().to_vec()));
            let forwarded = lists.2.into_iter().map(|f| ("x-forwarded-for", f.as_bytes().to_vec()));
            let all = pseudo.chain(lists.0).chain(cookies).chain(forwarded);
            let named = all.map(|(name, value)| (name.to_owned(), value));
            let sticky =
                lists.3.into_iter().map(|cookie| ("cookie".to_owned(), cookie.into_bytes()));
            let headers = named.chain(sticky).chain(lists.4.unwrap_or_default()).collect();
            Situation { headers, client: client.map(str::to_owned), now, random, tripped }
        },
    );
    (request, prop::option::weighted(0.2, announced())).prop_map(|(request, announced)| {
        announced.map_or(request.clone(), |announced| preflight(request, announced))
    })
}

/// Variants that are out of service, where the splits have them and a guard.
fn tripped() -> impl Strategy<Value = Vec<(String, String)>> {
    let variant = (0..4_u8, 0..4_u8).prop_map(|(s, v)| (format!("s{s}"), format!("v{v}")));
    prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(variant, 1..10)]
}

/// The names of headers that a preflight announces.
fn announced() -> impl Strategy<Value = &'static str> {
    select(vec!["", "x-user", "x-a, X-B", "content-type,x-tier", "x-user-id", "X-User , x-b"])
}

/// The preflight of a request; now and then the method makes it none.
fn preflight(mut request: Situation, announced: &str) -> Situation {
    let mut method = b"GET".to_vec();
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == ":method") {
        method = std::mem::replace(value, b"OPTIONS".to_vec());
    }
    let lines = [
        ("origin", b"https://app.test".to_vec()),
        ("access-control-request-method", method),
        ("access-control-request-headers", announced.as_bytes().to_vec()),
    ];
    request.headers.extend(lines.map(|(name, value)| (name.to_owned(), value)));
    request
}

/// When ramps start.
const START: u64 = 1_795_176_000_000;
const HOUR: u64 = 3_600_000;

pub(super) fn before_ramps() -> impl Strategy<Value = u64> {
    START - HOUR..START
}

pub(super) fn now() -> impl Strategy<Value = u64> {
    let near = select(vec![0, 1, 20, 75, 600, 3_600, 9_000, 86_400]);
    prop_oneof![
        2 => START - HOUR..START + 26 * HOUR,
        2 => START - HOUR..START + 3 * HOUR,
        1 => (near, 0_u64..4_000).prop_map(|(step, more)| START + step * 1_000 - 2_000 + more),
    ]
}

/// A sticky cookie, now and then one with a wrong MAC.
fn sticky_cookie() -> impl Strategy<Value = String> {
    let wrong = prop::bool::weighted(0.1);
    (0_u8..4, 0_u8..4, wrong).prop_map(|(split, variant, wrong)| {
        let split = json!({"name": format!("s{split}"), "sticky": {"secret": SECRET}});
        let value = sticky_value(&split, &format!("v{variant}"));
        let value = if wrong { value.replace("v1.0.v0.", "v1.0.v1.") } else { value };
        format!("split-{}={value}", split["name"].as_str().unwrap_or_default())
    })
}

/// The headers of somebody who wants to force variants, mostly one who may.
fn forcing() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let variant = (0_u8..4, 0_u8..4).prop_map(|(split, variant)| format!("s{split}=v{variant}"));
    let wanted = prop::collection::vec(variant, 1..4).prop_map(|list| list.join(", "));
    let secret = prop_oneof![4 => Just(SECRET), 1 => Just("0123456789abcdeg")];
    (wanted, secret, any::<bool>()).prop_map(|(wanted, secret, by_cookie)| {
        let shown = match by_cookie {
            true => ("cookie", format!("x-secret={secret}")),
            false => ("x-secret", secret.to_owned()),
        };
        let lines = [("x-split-force", wanted), shown];
        lines.map(|(name, value)| (name.to_owned(), value.into_bytes())).into()
    })
}

pub(super) fn plain_situation() -> impl Strategy<Value = Situation> {
    let user = prop_oneof![8 => (1_u32..1_000).prop_map(|n| format!("user-{n}")), 1 => Just(String::new())];
    let extra =
        (prop::collection::vec(sticky_cookie(), 0..4), prop::option::weighted(0.3, forcing()));
    // A browser's preflight carries nothing of the user.
    let asked_first = prop::option::weighted(0.1, announced());
    (select(plain_requests()), user, (extra, asked_first), now(), any::<[u64; 2]>()).prop_map(
        |(request, user, ((sticky, forcing), announced), now, random)| {
            if let Some(announced) = announced {
                let mut request = Situation { now, random, ..request };
                request.headers.retain(|(name, _)| name != "x-tier");
                return preflight(request, announced);
            }
            let mut headers = request.headers;
            headers.extend(if user.is_empty() { Vec::new() } else { with_key(&user) });
            headers.extend(
                sticky.into_iter().map(|cookie| ("cookie".to_owned(), cookie.into_bytes())),
            );
            headers.extend(forcing.unwrap_or_default());
            Situation { headers, now, random, ..Situation::default() }
        },
    )
}
