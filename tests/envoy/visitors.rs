//! Users who have nothing but the cookies that the filter gives them.

use std::collections::{BTreeMap, BTreeSet};

use lab::{Request, Response};
use serde_json::{Value, json};

use crate::bench::{Bench, assert_share, checkout};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn generating(canary: f64) -> Value {
    let mut policy = checkout(canary);
    policy["splits"][0]["key"] = json!([{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]);
    policy
}

/// The cookies that a response sets, as pairs of name and value.
fn set_cookies(response: &Response) -> Vec<(String, String)> {
    let lines = response.headers.iter().filter(|(name, _)| name == "set-cookie");
    let pair = |value: &[u8]| {
        let text = String::from_utf8(value.to_vec()).unwrap();
        let (name, rest) = text.split_once('=').unwrap();
        (name.to_owned(), rest.split(';').next().unwrap().to_owned())
    };
    lines.map(|(_, value)| pair(value)).collect()
}

/// A browser: keeps cookies by name and sends all of them.
#[derive(Default, Clone)]
struct Browser {
    jar: BTreeMap<String, String>,
}

impl Browser {
    fn page(&self) -> Request {
        let jar: Vec<String> =
            self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let page = Request::get("/");
        if jar.is_empty() { page } else { page.header("cookie", jar.join("; ")) }
    }

    fn keep(&mut self, response: &Response) {
        self.jar.extend(set_cookies(response));
    }
}

/// Lets every browser load one page; the clusters that answered.
fn one_page(bench: &Bench, browsers: &mut [Browser], http2: bool) -> Vec<String> {
    let page = |browser: &Browser| if http2 { browser.page().http2() } else { browser.page() };
    let pages = browsers.iter().map(page).collect();
    let answers = bench.load(pages, 6).unwrap();
    browsers.iter_mut().zip(&answers).for_each(|(browser, answer)| browser.keep(answer));
    answers.iter().map(|answer| answer.cluster().unwrap().to_owned()).collect()
}

#[test]
fn new_visitors_get_an_id_of_their_own_and_both_pages_agree() {
    const VISITORS: usize = 600;
    let bench = Bench::start(&generating(50.0));
    let mut browsers = vec![Browser::default(); VISITORS];
    let first = one_page(&bench, &mut browsers, false);
    let ids: BTreeSet<&String> = browsers.iter().map(|browser| &browser.jar["uid"]).collect();
    assert_eq!(ids.len(), VISITORS, "no id comes twice, whichever worker made it");
    let before: Vec<_> = browsers.iter().map(|browser| browser.jar.clone()).collect();
    for http2 in [false, true] {
        assert_eq!(one_page(&bench, &mut browsers, http2), first);
    }
    let after: Vec<_> = browsers.iter().map(|browser| browser.jar.clone()).collect();
    assert_eq!(before, after, "who is known gets no new cookie");
    assert_share(first.iter().filter(|cluster| *cluster == "checkout-v2").count(), VISITORS, 0.5);
    let stats = bench.stats_after(3 * VISITORS as u64);
    assert_eq!(stats.sum("traffic_split_new_keys_total", &[]), VISITORS as u64);
}

#[test]
fn sticky_users_stay_while_new_users_follow_the_weights() {
    const USERS: usize = 500;
    let sticky = |canary: f64, more: Value| {
        let mut policy = generating(canary);
        policy["splits"][0]["sticky"] = json!({"secret": SECRET});
        if let (Value::Object(split), Value::Object(more)) = (&mut policy["splits"][0], more) {
            split.extend(more);
        }
        policy
    };
    let bench = Bench::start(&sticky(30.0, json!({})));
    let mut old = vec![Browser::default(); USERS];
    let first = one_page(&bench, &mut old, false);
    let canaries = |clusters: &[String]| clusters.iter().filter(|c| *c == "checkout-v2").count();
    assert_share(canaries(&first), USERS, 0.3);

    // Another weight, another salt: whoever has come before stays.
    bench.put(&sticky(60.0, json!({"salt": "another"})));
    assert_eq!(one_page(&bench, &mut old, true), first);
    let mut new = vec![Browser::default(); USERS];
    assert_share(canaries(&one_page(&bench, &mut new, false)), USERS, 0.6);

    // A new epoch ends what was before.
    let epoch = json!({"salt": "another", "sticky": {"secret": SECRET, "epoch": 1}});
    bench.put(&sticky(60.0, epoch));
    assert_share(canaries(&one_page(&bench, &mut old, false)), USERS, 0.6);

    // And a weight of 0 is off at once.
    bench.put(&sticky(0.0, json!({"salt": "another", "sticky": {"secret": SECRET, "epoch": 1}})));
    assert_eq!(canaries(&one_page(&bench, &mut old, false)), 0);
}

#[test]
fn draining_keeps_who_is_there_and_admits_nobody() {
    const USERS: usize = 300;
    let policy = |drain: bool| {
        let mut policy = generating(50.0);
        policy["splits"][0]["sticky"] = json!({"secret": SECRET});
        policy["splits"][0]["variants"][1]["drain"] = json!(drain);
        policy
    };
    let bench = Bench::start(&policy(false));
    let mut old = vec![Browser::default(); USERS];
    let first = one_page(&bench, &mut old, false);
    bench.put(&policy(true));
    assert_eq!(one_page(&bench, &mut old, false), first);
    let mut new = vec![Browser::default(); USERS];
    assert!(one_page(&bench, &mut new, false).iter().all(|cluster| cluster == "checkout-v1"));
}
