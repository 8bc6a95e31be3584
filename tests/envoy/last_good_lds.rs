//! A refused policy in the listener itself holds up no other change of the listener, and costs no request.

use std::time::Duration;

use harness::wait_for;
use lab::{Request, xds};
use serde_json::{Value, json};

use crate::bench::{CONFIG_ERRORS, HOST_ERRORS, checkout};
use crate::control_plane::{Proxy, deny, filter, splitter};
use crate::traffic::Traffic;

/// How soon a change of the listener takes effect; the control plane that the facts are from took 0.2 s.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A policy with a mistake; `salt` makes one that Envoy has not seen yet.
pub(crate) fn bad(salt: &str) -> Value {
    let mut policy = checkout(5.0);
    policy["splits"][0]["salt"] = json!(salt);
    policy["splits"][0]["variants"][1]["weight"] = json!(15);
    policy
}

pub(crate) fn inline(policy: &Value) -> Value {
    filter(xds::FILTER, &splitter(policy))
}

/// Every new connection sees it, whichever worker it is dealt to.
pub(crate) fn assert_denied(proxy: &Proxy, path: &str) {
    wait_for("a request is denied", AT_ONCE, || {
        (0..20).all(|_| proxy.send(&Request::get(path)).status == 403).then_some(())
    });
}

#[test]
fn other_changes_of_the_listener_take_effect_while_a_policy_in_it_is_refused() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let proxy = Proxy::inline(&[inline(&first)]);
    proxy.wait_for(&first);
    let mut traffic = Traffic::begin(&proxy, Some(&first));
    assert_eq!(proxy.send(&Request::get("/admin")).status, 200);

    proxy.put_filters(&[inline(&bad("1"))]);
    proxy.wait_for_refusal(Some(&first));
    assert!(proxy.metric(CONFIG_ERRORS, &[]) > 0);
    proxy.put_filters(&[deny("/admin"), inline(&bad("1"))]);
    assert_denied(&proxy, "/admin");
    proxy.wait_for_refusal(Some(&first));
    // Another change, and another mistake at the same time.
    proxy.put_filters(&[deny("/other"), inline(&bad("2"))]);
    assert_denied(&proxy, "/other");
    assert_eq!(proxy.send(&Request::get("/admin")).status, 200);
    proxy.drain();
    proxy.wait_for_refusal(Some(&first));

    for (old, new) in [(&first, &second), (&second, &first)] {
        traffic.may_be(&[Some(old), Some(new)]);
        proxy.put_filters(&[deny("/admin"), inline(new)]);
        wait_for("the good policy is in force", AT_ONCE, || {
            (!proxy.is_refused()).then(|| proxy.wait_for(new))
        });
        assert_denied(&proxy, "/admin");
        proxy.drain();
        traffic.may_be(&[Some(new)]);
        // And refused once more, which leaves the one that came last.
        proxy.put_filters(&[deny("/admin"), inline(&bad("1"))]);
        proxy.wait_for_refusal(Some(new));
        proxy.drain();
    }
    let answered = traffic.finish();
    assert!(answered > 1_000, "{answered}");
    assert_eq!(proxy.metric(HOST_ERRORS, &[]), 0);
    let http = proxy.stats("http.lab.downstream_rq_5xx");
    assert_eq!(http.number("http.lab.downstream_rq_5xx"), Some(0));
}

/// In a listener the old one lives on, drained, for as long as Envoy is told.
#[test]
fn a_policy_that_comes_back_before_its_old_listener_is_gone_is_the_last_good_one() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let proxy = Proxy::inline(&[inline(&first)]);
    proxy.wait_for(&first);
    proxy.put_filters(&[inline(&second)]);
    proxy.wait_for(&second);
    proxy.put_filters(&[inline(&first)]);
    std::thread::sleep(Duration::from_secs(5));
    proxy.wait_for(&first);
    let traffic = Traffic::begin(&proxy, Some(&first));
    proxy.put_filters(&[inline(&bad("1"))]);
    proxy.wait_for_refusal(Some(&first));
    traffic.finish();
}

#[test]
fn a_refused_policy_that_comes_back_before_its_old_listener_is_gone_is_shown_again() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let proxy = Proxy::inline(&[inline(&first)]);
    proxy.wait_for(&first);
    proxy.put_filters(&[inline(&bad("1"))]);
    proxy.wait_for_refusal(Some(&first));
    proxy.put_filters(&[inline(&second)]);
    proxy.wait_for(&second);
    proxy.put_filters(&[inline(&bad("1"))]);
    proxy.wait_for_refusal(Some(&second));
    let traffic = Traffic::begin(&proxy, Some(&second));
    std::thread::sleep(Duration::from_secs(2));
    proxy.wait_for_refusal(Some(&second));
    traffic.finish();
}
