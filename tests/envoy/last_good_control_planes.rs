//! A refused policy in what istiod and Envoy Gateway really send: their other changes of the listener take
//! effect, and a good policy is in force at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use harness::wait_for;
use lab::{Request, xds};
use serde_json::{Value, json};

use crate::bench::{HOST_ERRORS, user};
use crate::control_plane::{Proxy, Setup, deny};
use crate::traffic::Traffic;

/// Where requests without a variant go.
const STABLE: &str = "checkout-v1";

/// A file that was recorded, with the sources of configuration that a test has instead of a server.
fn recorded(file: &str) -> Value {
    let path = harness::root().join("tests/data").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The places that only the recorded cluster had: address, and a server of routes and plugins.
fn listener_here(mut listener: Value) -> Value {
    listener["address"] = xds::socket_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let http = http(&mut listener);
    http["rds"]["config_source"] = xds::watched_file("rds/current.json", "rds");
    for filter in http["http_filters"].as_array_mut().unwrap() {
        let name = filter["name"].as_str().unwrap().to_owned();
        if let Some(discovery) = filter.get_mut("config_discovery") {
            discovery["config_source"] = xds::watched_file(&format!("{name}/current.json"), &name);
        }
    }
    listener
}

fn http(listener: &mut Value) -> &mut Value {
    let chain = ["/filter_chains/0", "/default_filter_chain"]
        .into_iter()
        .find(|chain| listener.pointer(chain).is_some())
        .unwrap();
    listener.pointer_mut(&format!("{chain}/filters/0/typed_config")).unwrap()
}

fn with_module(mut plugin: Value) -> Value {
    let code = &mut plugin["config"]["vm_config"]["code"];
    *code = json!({"local": {"filename": harness::module::path()}});
    plugin
}

/// The policy that a plugin carries.
fn policy_of(plugin: &Value) -> Value {
    serde_json::from_str(plugin["config"]["configuration"]["value"].as_str().unwrap()).unwrap()
}

fn with_policy(mut plugin: Value, policy: &Value) -> Value {
    plugin["config"]["configuration"]["value"] = json!(policy.to_string());
    plugin
}

fn with_weights(mut policy: Value, stable: u32, canary: u32) -> Value {
    for (variant, weight) in [stable, canary].into_iter().enumerate() {
        policy["splits"][0]["variants"][variant]["weight"] = json!(weight);
    }
    policy
}

/// A request that the recorded routes and policy are for.
fn shopper(number: u32) -> Request {
    let mut user = user(number).host("shop.example.com");
    user.path = "/checkout/cart".to_owned();
    user
}

/// One way to bring a policy, and other changes of the listener, to Envoy.
trait ControlPlane {
    fn start(policy: &Value) -> (Self, Proxy)
    where
        Self: Sized;
    /// The policy that was recorded.
    fn recorded() -> Value
    where
        Self: Sized;
    fn put_policy(&mut self, proxy: &Proxy, policy: &Value);
    fn listener(&mut self) -> &mut Value;

    /// Applies a policy of access.
    fn deny(&mut self, proxy: &Proxy, path: &str) {
        let deny = deny(path);
        let filters = http(self.listener())["http_filters"].as_array_mut().unwrap();
        filters.retain(|other| other["name"] != deny["name"]);
        filters.insert(0, deny);
        assert!(proxy.put_listener(self.listener()), "the listener is rejected");
    }
}

/// With the plugin discovered.
struct Istiod(Value);

impl Istiod {
    fn plugin() -> (String, Value) {
        let plugin = recorded("istiod/plugin.json");
        let name = plugin["name"].as_str().unwrap().to_owned();
        (name, with_module(plugin["typed_config"].clone()))
    }
}

impl ControlPlane for Istiod {
    fn start(policy: &Value) -> (Self, Proxy) {
        let listener = listener_here(recorded("istiod/listener.json"));
        let (name, plugin) = Self::plugin();
        let proxy = Proxy::start(&Setup {
            listener: listener.clone(),
            plugins: &[(&name, with_policy(plugin, policy))],
            resources: &[("rds", recorded("istiod/routes.json"))],
            aliases: &[
                ("outbound|8080||checkout-v1.shop.svc.cluster.local", "checkout-v1"),
                ("outbound|8080||checkout-v2.shop.svc.cluster.local", "checkout-v2"),
            ],
            ..Setup::default()
        });
        (Self(listener), proxy)
    }

    fn recorded() -> Value {
        policy_of(&Self::plugin().1)
    }

    fn put_policy(&mut self, proxy: &Proxy, policy: &Value) {
        let (name, plugin) = Self::plugin();
        assert!(proxy.put_plugin(&name, &with_policy(plugin, policy)), "rejected: {policy}");
    }

    fn listener(&mut self) -> &mut Value {
        &mut self.0
    }
}

/// With the plugin in the listener, switched on by each route.
struct EnvoyGateway(Value);

impl EnvoyGateway {
    fn plugin(listener: &mut Value) -> &mut Value {
        let filters = http(listener)["http_filters"].as_array_mut().unwrap();
        let is_ours = |filter: &&mut Value| filter["typed_config"]["@type"] == xds::WASM_TYPE;
        &mut filters.iter_mut().find(is_ours).unwrap()["typed_config"]
    }

    fn with(policy: &Value) -> Value {
        let mut listener = listener_here(recorded("envoy-gateway/listener.json"));
        let plugin = Self::plugin(&mut listener);
        *plugin = with_policy(with_module(plugin.take()), policy);
        listener
    }
}

impl ControlPlane for EnvoyGateway {
    fn start(policy: &Value) -> (Self, Proxy) {
        let listener = Self::with(policy);
        let proxy = Proxy::start(&Setup {
            listener: listener.clone(),
            resources: &[("rds", recorded("envoy-gateway/routes.json"))],
            aliases: &[
                ("httproute/shop/checkout/rule/0", "checkout-v2"),
                ("httproute/shop/checkout/rule/1", "checkout-v1"),
            ],
            ..Setup::default()
        });
        (Self(listener), proxy)
    }

    fn recorded() -> Value {
        policy_of(Self::plugin(&mut recorded("envoy-gateway/listener.json")))
    }

    fn put_policy(&mut self, proxy: &Proxy, policy: &Value) {
        let plugin = Self::plugin(&mut self.0);
        *plugin = with_policy(plugin.take(), policy);
        assert!(proxy.put_listener(&self.0), "rejected: {policy}");
    }

    fn listener(&mut self) -> &mut Value {
        &mut self.0
    }
}

fn assert_denied(proxy: &Proxy, path: &str) {
    let request = Request::get(path).host("shop.example.com");
    wait_for("a request is denied", Duration::from_secs(3), || {
        (0..20).all(|_| proxy.send(&request).status == 403).then_some(())
    });
}

/// The script under which a refusal at the host let 2,148 of 13,835 requests fail.
fn while_a_policy_is_refused_the_rest_goes_on<C: ControlPlane>() {
    let recorded = C::recorded();
    let first = with_weights(recorded.clone(), 80, 20);
    let second = with_weights(recorded.clone(), 55, 45);
    let (mut control, proxy) = C::start(&first);
    proxy.wait_for(&first);
    let shoppers: Vec<Request> = (0..200).map(shopper).collect();
    let mut traffic = Traffic::of(shoppers, STABLE, &proxy, Some(&first));
    control.put_policy(&proxy, &with_weights(recorded.clone(), 80, 30));
    proxy.wait_for_refusal(Some(&first));
    control.deny(&proxy, "/checkout/admin");
    assert_denied(&proxy, "/checkout/admin");
    control.put_policy(&proxy, &with_weights(recorded.clone(), 80, 31));
    control.deny(&proxy, "/checkout/other");
    assert_denied(&proxy, "/checkout/other");
    proxy.wait_for_refusal(Some(&first));
    proxy.drain();
    traffic.may_be(&[Some(&first), Some(&second)]);
    control.put_policy(&proxy, &second);
    proxy.wait_for(&second);
    assert_denied(&proxy, "/checkout/other");
    proxy.drain();
    traffic.may_be(&[Some(&second)]);
    std::thread::sleep(Duration::from_secs(1));
    let answered = traffic.finish();
    assert!(answered > 1_000, "{answered}");
    assert_eq!(proxy.metric(HOST_ERRORS, &[]), 0);
}

/// Without the filter's work a client chooses its variant, and the proxy answered 500 or 503.
fn a_proxy_that_starts_with_a_refused_policy_serves<C: ControlPlane>() {
    let recorded = C::recorded();
    let (mut control, proxy) = C::start(&with_weights(recorded.clone(), 80, 30));
    proxy.wait_for_refusal(None);
    for number in 0..20 {
        let forged = shopper(number).header("x-split-variant", "checkout=canary").echo();
        let answer = proxy.send(&forged);
        assert_eq!((answer.status, answer.cluster()), (200, Some(STABLE)));
        assert!(answer.echo().unwrap().all("x-split-variant").is_empty());
    }
    control.deny(&proxy, "/checkout/admin");
    assert_denied(&proxy, "/checkout/admin");
    let good = with_weights(recorded, 60, 40);
    let shoppers: Vec<Request> = (0..200).map(shopper).collect();
    let mut traffic = Traffic::of(shoppers, STABLE, &proxy, None);
    traffic.may_be(&[None, Some(&good)]);
    control.put_policy(&proxy, &good);
    proxy.wait_for(&good);
    proxy.drain();
    traffic.may_be(&[Some(&good)]);
    std::thread::sleep(Duration::from_millis(500));
    traffic.finish();
}

#[test]
fn with_what_istiod_sends_the_rest_goes_on_while_a_policy_is_refused() {
    while_a_policy_is_refused_the_rest_goes_on::<Istiod>();
}

#[test]
fn with_what_istiod_sends_a_proxy_that_starts_with_a_refused_policy_serves() {
    a_proxy_that_starts_with_a_refused_policy_serves::<Istiod>();
}

#[test]
fn with_what_envoy_gateway_sends_the_rest_goes_on_while_a_policy_is_refused() {
    while_a_policy_is_refused_the_rest_goes_on::<EnvoyGateway>();
}

#[test]
fn with_what_envoy_gateway_sends_a_proxy_that_starts_with_a_refused_policy_serves() {
    a_proxy_that_starts_with_a_refused_policy_serves::<EnvoyGateway>();
}
