//! Two plugins of ours on one proxy: each keeps a last good policy of its own, and what the process shows is of both.

use std::time::{Duration, Instant};

use lab::{DEFAULT_CLUSTER, Request};
use serde_json::{Value, json};

use crate::bench::{CONFIG_ERRORS, HOST_ERRORS, POLICY_HASH, split_for};
use crate::control_plane::{Proxy, Setup, discovered, listener_by, splitter, until};
use crate::native::Native;

const NAMES: [&str; 2] = ["checkout", "search"];
const HEADERS: [&str; 2] = ["x-to-checkout", "x-to-search"];

/// The policy of a plugin, which is for one host and has headers of its own.
fn policy(plugin: usize, canary: f64) -> Value {
    let (name, header) = (NAMES[plugin], HEADERS[plugin]);
    json!({
        "version": 1,
        "cluster_header": header,
        "variant_header": format!("{header}-variant"),
        "mirror_header": format!("{header}-mirror"),
        "splits": [split_for(&format!("{name}.test"), canary, json!({}))],
    })
}

fn bad(plugin: usize) -> Value {
    let mut policy = policy(plugin, 50.0);
    policy["splits"][0]["variants"][0]["weight"] = json!(51);
    policy
}

fn plugin(number: usize, policy: &Value) -> Value {
    let mut plugin = splitter(policy);
    plugin["config"]["name"] = json!(NAMES[number]);
    plugin
}

fn assert_serves(proxy: &Proxy, policies: [&Value; 2]) {
    for (name, policy) in NAMES.into_iter().zip(policies) {
        let native = Native::new(policy);
        let users: Vec<Request> =
            (0..100).map(|n| crate::bench::user(n).host(&format!("{name}.test"))).collect();
        for (user, answer) in users.iter().zip(proxy.load(users.clone())) {
            let wanted = native.cluster(user);
            assert_ne!(wanted, DEFAULT_CLUSTER);
            assert_eq!((answer.status, answer.cluster()), (200, Some(wanted.as_str())), "{user:?}");
        }
    }
}

/// For three seconds the gauges stay as they are: the hash is always of the same plugin.
fn assert_steady(proxy: &Proxy, refused: bool, plugin_shown: usize, policies: [&Value; 2]) {
    until("the gauge tells", || (proxy.is_refused() == refused).then_some(()));
    let hash = Native::new(policies[plugin_shown]).hash;
    until("the hash tells", || (proxy.metric(POLICY_HASH, &[]) == hash).then_some(()));
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        assert_eq!((proxy.is_refused(), proxy.metric(POLICY_HASH, &[])), (refused, hash));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_of_two_plugins_keeps_its_own_last_good_policy() {
    let old = [policy(0, 20.0), policy(1, 70.0)];
    let new = [policy(0, 40.0), policy(1, 10.0)];
    let plugins = [0, 1].map(|number| (NAMES[number], plugin(number, &old[number])));
    let listener = listener_by(&HEADERS, &NAMES.map(discovered));
    let proxy = Proxy::start(&Setup { listener, plugins: &plugins, ..Setup::default() });
    let put = |number: usize, policy: &Value| {
        assert!(proxy.put_plugin(NAMES[number], &plugin(number, policy)));
    };
    let shown = until("a policy is in force", || {
        let hash = proxy.metric(POLICY_HASH, &[]);
        old.iter().position(|policy| Native::new(policy).hash == hash)
    });
    let other = 1 - shown;
    let both = [&old[0], &old[1]];
    assert_steady(&proxy, false, shown, both);
    assert_serves(&proxy, both);

    put(other, &bad(other));
    assert_steady(&proxy, true, shown, both);
    assert_serves(&proxy, both);
    // A good one beside it does not hide that.
    put(shown, &new[shown]);
    let mut now = both;
    now[shown] = &new[shown];
    until("the new policy is in force", || {
        (proxy.metric(POLICY_HASH, &[]) == Native::new(&new[shown]).hash).then_some(())
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_steady(&proxy, true, shown, now);
    assert_serves(&proxy, now);
    put(shown, &bad(shown));
    assert_steady(&proxy, true, shown, now);
    assert_serves(&proxy, now);

    put(other, &new[other]);
    now[other] = &new[other];
    std::thread::sleep(Duration::from_secs(2));
    assert_steady(&proxy, true, shown, now);
    assert_serves(&proxy, now);
    put(shown, &old[shown]);
    now[shown] = &old[shown];
    assert_steady(&proxy, false, shown, now);
    assert_serves(&proxy, now);
    assert!(proxy.metric(CONFIG_ERRORS, &[]) > 0);
    assert_eq!(proxy.metric(HOST_ERRORS, &[]), 0);
}
