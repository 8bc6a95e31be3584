//! A refused policy in the plugin's own file (ECDS): the last good one serves on as if nothing had come.

use std::time::Duration;

use lab::{Behavior, xds};
use serde_json::{Value, json};
use splitctl::moment;

use crate::bench::{CONFIG_ERRORS, HOST_ERRORS, checkout, user};
use crate::control_plane::{Proxy, discovered, splitter, until};
use crate::last_good_lds::bad;
use crate::native::Native;
use crate::traffic::Traffic;

#[test]
fn a_text_refused_twice_or_taken_away_is_no_hindrance_to_the_next_good_one() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let proxy = Proxy::discovering(splitter(&first));
    proxy.wait_for(&first);
    let mut traffic = Traffic::begin(&proxy, Some(&first));
    for _ in 0..2 {
        proxy.put_policy(&bad("1"));
        proxy.wait_for_refusal(Some(&first));
    }
    assert!(proxy.metric(CONFIG_ERRORS, &[]) > 0);

    // Deleted, as Istio does it: the listener no longer has the plugin.
    traffic.may_be(&[Some(&first), None]);
    proxy.put_filters(&[]);
    proxy.drain();
    traffic.may_be(&[None]);
    std::thread::sleep(Duration::from_millis(300));
    traffic.may_be(&[None, Some(&second)]);
    proxy.leave_policy(&second);
    proxy.put_filters(&[discovered(xds::FILTER)]);
    proxy.wait_for(&second);
    proxy.drain();
    traffic.may_be(&[Some(&second)]);
    std::thread::sleep(Duration::from_millis(300));
    traffic.finish();
    assert_eq!(proxy.metric(HOST_ERRORS, &[]), 0);
}

#[test]
fn nothing_that_a_refused_text_says_is_done() {
    let first = checkout(20.0);
    let proxy = Proxy::discovering(splitter(&first));
    proxy.wait_for(&first);
    let traffic = Traffic::begin(&proxy, Some(&first));
    let mut kill = bad("1");
    kill["kill"] = json!(true);
    proxy.put_policy(&kill);
    proxy.wait_for_refusal(Some(&first));
    let mut other_clusters = bad("2");
    for variant in other_clusters["splits"][0]["variants"].as_array_mut().unwrap() {
        variant["cluster"] = json!("search-v1");
    }
    proxy.put_policy(&other_clusters);
    proxy.wait_for_refusal(Some(&first));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((proxy.weight("stable"), proxy.weight("canary")), (800_000, 200_000));
    traffic.finish();
}

#[test]
fn a_ramp_of_the_last_good_policy_goes_on_while_another_is_refused() {
    const SECONDS: u64 = 16;
    let mut policy = checkout(0.0);
    // Before the ramp begins: Envoy may take long to start.
    let proxy = Proxy::discovering(splitter(&policy));
    proxy.wait_for(&policy);
    policy["splits"][0]["ramp"] = json!({"start": moment::write(moment::now()), "linear": true, "steps": [
        {"after": "0s", "weights": {"stable": 100, "canary": 0}},
        {"after": format!("{SECONDS}s"), "weights": {"stable": 0, "canary": 100}}]});
    proxy.put_policy(&policy);
    proxy.wait_for(&policy);
    proxy.put_policy(&bad("1"));
    proxy.wait_for_refusal(Some(&policy));
    let canaries = || {
        let answers = proxy.load((0..1_000).map(user).collect());
        answers.iter().filter(|answer| answer.cluster() == Some("checkout-v2")).count()
    };
    let (mut gauges, mut shares) = (Vec::new(), Vec::new());
    until("the ramp has ended", || {
        gauges.push(proxy.weight("canary"));
        shares.push(canaries());
        std::thread::sleep(Duration::from_secs(1));
        (gauges.last() == Some(&1_000_000) && shares.last() == Some(&1_000)).then_some(())
    });
    assert!(gauges.is_sorted() && shares.is_sorted(), "{gauges:?} {shares:?}");
    let between = |all: &[u64]| all.iter().any(|value| (200_000..900_000).contains(value));
    let shares: Vec<u64> = shares.into_iter().map(|count| count as u64 * 1_000).collect();
    assert!(between(&gauges) && between(&shares), "{gauges:?} {shares:?}");
    proxy.wait_for_refusal(Some(&policy));
}

/// Users who are served the canary, slowly, on both workers.
fn hold_streams(proxy: &Proxy, policy: &Value) -> Vec<tokio::task::JoinHandle<lab::Response>> {
    let canary = Native::new(policy).users_of("checkout-v2", 0..200).remove(0);
    // Envoy gives up after 15 seconds.
    let slow = Behavior { delay: Duration::from_secs(12), ..Behavior::default() };
    proxy.upstream("checkout-v2").set(slow).unwrap();
    let before = proxy.metric("traffic_split_requests_total", &[]);
    let (address, count) = (proxy.listener, 24);
    let open = (0..count).map(|_| {
        let request = canary.clone();
        let send = async move { lab::client::send(address, &request).await.unwrap() };
        proxy.runtime.spawn(send)
    });
    let open = open.collect();
    until("streams are open", || {
        (proxy.metric("traffic_split_requests_total", &[]) == before + count).then_some(())
    });
    proxy.upstream("checkout-v2").set(Behavior::default()).unwrap();
    open
}

#[test]
fn a_good_policy_that_comes_back_while_a_stream_of_it_lives_is_the_last_good_one() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let proxy = Proxy::discovering(splitter(&first));
    proxy.wait_for(&first);
    let open = hold_streams(&proxy, &first);
    proxy.put_policy(&second);
    proxy.wait_for(&second);
    proxy.put_policy(&first);
    proxy.wait_for(&first);
    let traffic = Traffic::begin(&proxy, Some(&first));
    proxy.put_policy(&bad("1"));
    proxy.wait_for_refusal(Some(&first));
    assert!(open.iter().all(|stream| !stream.is_finished()), "the streams did not live that long");
    for stream in open {
        assert_eq!(proxy.runtime.block_on(stream).unwrap().status, 200);
    }
    proxy.wait_for_refusal(Some(&first));
    traffic.finish();
}

#[test]
fn a_refused_policy_that_comes_back_while_a_stream_of_it_lives_serves_by_the_last_good_one() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let proxy = Proxy::discovering(splitter(&first));
    proxy.wait_for(&first);
    proxy.put_policy(&bad("1"));
    proxy.wait_for_refusal(Some(&first));
    let open = hold_streams(&proxy, &first);
    proxy.put_policy(&second);
    proxy.wait_for(&second);
    proxy.put_policy(&bad("1"));
    // It looks once a second which one that is.
    std::thread::sleep(Duration::from_secs(2));
    let traffic = Traffic::begin(&proxy, Some(&second));
    std::thread::sleep(Duration::from_secs(1));
    let answered = traffic.finish();
    assert!(answered > 100, "{answered}");
    proxy.wait_for_refusal(Some(&second));
    assert!(open.iter().all(|stream| !stream.is_finished()), "the streams did not live that long");
    for stream in open {
        assert_eq!(proxy.runtime.block_on(stream).unwrap().status, 200);
    }
    proxy.wait_for_refusal(Some(&second));
}
