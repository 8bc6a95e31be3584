//! A proxy that starts while a refused policy stands: requests take the default route, and no client chooses
//! another, until a good policy comes.

use std::time::Duration;

use lab::{DEFAULT_CLUSTER, PolicyForm, xds};
use serde_json::{Value, json};

use crate::bench::{HOST_ERRORS, checkout, user};
use crate::control_plane::{Proxy, Setup, discovered, filter, listener, splitter, splitter_of};
use crate::last_good_lds::{bad, inline};
use crate::traffic::Traffic;

/// A policy with a mistake and headers of its own.
fn bad_with_headers() -> Value {
    let mut policy = bad("1");
    policy["cluster_header"] = json!("x-to");
    policy["variant_header"] = json!("x-which");
    policy
}

const BY_DEFAULT: [&str; 3] = ["x-split-cluster", "x-split-variant", "x-split-mirror"];
const NAMED: [&str; 3] = ["x-to", "x-which", "x-split-mirror"];

/// What a client forges does not pass.
fn assert_guarded(proxy: &Proxy, forged: &[&str]) {
    for name in forged {
        let answer = proxy.send(&user(1).header(name, "checkout-v2").echo());
        assert_eq!((answer.status, answer.cluster()), (200, Some(DEFAULT_CLUSTER)), "{name}");
        assert!(answer.echo().unwrap().all(name).is_empty(), "{name}");
    }
}

fn assert_comes_to_serve(proxy: &Proxy, forged: &[&str], put: impl Fn(&Value)) {
    proxy.wait_for_refusal(None);
    assert_guarded(proxy, forged);
    let good = checkout(30.0);
    let mut traffic = Traffic::begin(proxy, None);
    std::thread::sleep(Duration::from_millis(300));
    traffic.may_be(&[None, Some(&good)]);
    put(&good);
    proxy.wait_for(&good);
    proxy.drain();
    traffic.may_be(&[Some(&good)]);
    std::thread::sleep(Duration::from_millis(300));
    traffic.finish();
    assert_eq!(proxy.metric(HOST_ERRORS, &[]), 0);
}

#[test]
fn with_the_policy_in_the_listener() {
    let proxy = Proxy::inline(&[inline(&bad("1"))]);
    assert_comes_to_serve(&proxy, &BY_DEFAULT, |good| proxy.put_filters(&[inline(good)]));
}

#[test]
fn with_the_policy_in_a_file() {
    let proxy = Proxy::discovering(splitter(&bad_with_headers()));
    assert_comes_to_serve(&proxy, &NAMED, |good| proxy.put_policy(good));
}

#[test]
fn with_the_policy_as_a_struct() {
    let of = |policy: &Value| splitter_of(policy, PolicyForm::Struct);
    let plugins = [(xds::FILTER, of(&bad_with_headers()))];
    let listener = listener(&[discovered(xds::FILTER)]);
    let proxy = Proxy::start(&Setup { listener, plugins: &plugins, ..Setup::default() });
    assert_comes_to_serve(&proxy, &NAMED, |good| assert!(proxy.put_plugin(xds::FILTER, &of(good))));
}

#[test]
fn with_the_policy_in_the_bootstrap_for_good() {
    for form in [PolicyForm::String, PolicyForm::Struct] {
        let listener = listener(&[filter(xds::FILTER, &splitter_of(&bad_with_headers(), form))]);
        let proxy = Proxy::start(&Setup { listener, is_static: true, ..Setup::default() });
        proxy.wait_for_refusal(None);
        assert_guarded(&proxy, &NAMED);
        let traffic = Traffic::begin(&proxy, None);
        std::thread::sleep(Duration::from_secs(2));
        traffic.finish();
        proxy.wait_for_refusal(None);
    }
}
