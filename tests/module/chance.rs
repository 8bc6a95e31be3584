//! What the module draws by chance: ids of new visitors, variants, mirrors; and what follows time.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::wasm_host::{Headers, Response, WasmHost};
use serde_json::{Value, json};

fn generating() -> Value {
    let mut policy = super::checkout();
    policy["splits"][0]["key"] =
        json!([{"cookie": "uid"}, {"generate": {"cookie": "uid", "ttl": "30d"}}]);
    policy
}

fn visit(host: &mut WasmHost, request: &Headers) -> (Headers, Headers) {
    let (asked, answered) = host.exchange(request, &Response::status(200)).unwrap();
    (asked.headers, answered.headers)
}

#[test]
fn the_first_page_and_the_second_agree() {
    let mut host = super::running(&generating());
    let page = Headers::get("a.test", "/api");
    let mut ids = BTreeSet::new();
    let mut canaries = 0;
    for _ in 0..400 {
        let (first, answer) = visit(&mut host, &page);
        let cookies: Vec<_> = answer.all("set-cookie").map(<[u8]>::to_vec).collect();
        let [cookie] = &cookies[..] else { panic!("one cookie: {cookies:?}") };
        let cookie = String::from_utf8(cookie.clone()).unwrap();
        let (pair, attributes) = cookie.split_once(';').unwrap();
        assert_eq!(attributes, " Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax");
        let id = pair.strip_prefix("uid=").unwrap();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert!(ids.insert(id.to_owned()), "an id came twice: {id}");

        let (second, answer) = visit(&mut host, &page.clone().with("cookie", pair));
        assert_eq!(answer.all("set-cookie").count(), 0, "a known user gets no cookie");
        let variant = first.text("x-split-variant");
        assert_eq!(variant, second.text("x-split-variant"));
        canaries += usize::from(variant.as_deref() == Some("checkout=canary"));
    }
    assert!((150..250).contains(&canaries), "{canaries}");
    let new_keys = host.metrics()["split=.=checkout;.;traffic_split_new_keys_total"].count();
    assert_eq!(new_keys, 400);
}

#[test]
fn two_vms_and_two_configurations_never_give_the_same_id() {
    let mut ids = BTreeSet::new();
    for seed in 0..4 {
        let mut host = super::host();
        host.set_seed(seed);
        for _ in 0..3 {
            assert!(host.configure(generating().to_string().as_bytes()).unwrap());
            for _ in 0..20 {
                let (_, answer) = visit(&mut host, &Headers::get("a.test", "/api"));
                let cookie = answer.text("set-cookie").unwrap();
                assert!(ids.insert(cookie.clone()), "{cookie}");
            }
        }
    }
}

#[test]
fn random_assignment_and_mirrors_by_request_keep_their_shares_and_are_independent() {
    let mut policy = super::checkout();
    policy["splits"][0]["assignment"] = json!("random");
    policy["splits"][0]["mirror"] = json!({"cluster": "shadow", "percent": 30, "by": "request"});
    let mut host = super::running(&policy);
    let request = Headers::get("a.test", "/api").with("x-user-id", "ada");
    let (mut canaries, mut copies, mut both) = (0, 0, 0);
    for _ in 0..2_000 {
        let (asked, _) = visit(&mut host, &request);
        let canary = asked.text("x-split-variant").as_deref() == Some("checkout=canary");
        let copied = asked.text("x-split-mirror").as_deref() == Some("shadow");
        canaries += usize::from(canary);
        copies += usize::from(copied);
        both += usize::from(canary && copied);
    }
    // Four standard deviations and a little.
    assert!((900..1_100).contains(&canaries), "{canaries}");
    assert!((510..690).contains(&copies), "{copies}");
    assert!((230..370).contains(&both), "{both}");
}

#[test]
fn the_gauge_of_weights_follows_a_ramp() {
    let policy = super::ramping();
    let mut host = super::host();
    host.set_time(super::RAMP_START - Duration::from_secs(60));
    assert!(host.configure(policy.to_string().as_bytes()).unwrap());
    let canary = |host: &WasmHost| {
        let name = "split=.=checkout;.;variant=.=canary;.;traffic_split_weight";
        host.metrics()[name].count()
    };
    assert_eq!(canary(&host), 500_000, "before the start the variants' own weights");
    for (hours, share) in [(0, 0), (1, 100_000), (5, 500_000), (10, 1_000_000), (99, 1_000_000)] {
        host.set_time(super::RAMP_START + Duration::from_secs(hours * 3_600));
        host.tick().unwrap();
        assert_eq!(canary(&host), share, "after {hours} hours");
    }
}
