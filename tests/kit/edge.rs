//! The rendered Envoy is an edge: it knows a path in any spelling, believes no client about its address, and a copy of a
//! request names the host that the request named.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::serve::Kit;
use crate::tools::{Answer, SOON, get};

/// The proxy itself answers 403 for what is at or below /login.
const NO_LOGIN: &str = "
version: 1
splits:
- name: attack
  match: [{path: {prefix: /login}}]
  assignment: random
  baseline: dropped
  variants: [{name: dropped, weight: 100, respond: {status: 403}}]
";

/// The office gets the second version.
const OFFICE: &str = "
version: 1
splits:
- name: office
  key: [{client_ip: true}]
  baseline: stable
  variants: [{name: stable, cluster: checkout-v1, weight: 100}, {name: internal, cluster: checkout-v2, weight: 0}]
  overrides: [{match: [{source_ip: [203.0.113.0/24]}], variant: internal}]
";

fn counting(hops: u32) -> String {
    OFFICE.replace("version: 1\n", &format!("version: 1\nclient_ip: {{trusted_hops: {hops}}}\n"))
}

#[test]
fn no_spelling_of_a_path_passes_a_match_on_it() {
    let kit = Kit::of_policy(NO_LOGIN, &[]);
    let ask = |path: &str| -> Answer { get(kit.listener, path, &[]).unwrap() };
    assert_eq!(ask("/elsewhere").status, 200);
    for path in [
        "/login",
        "/login?a=b",
        "//login",
        "/x/../login",
        "/./login",
        "/x/%2e%2e/login",
        "/%6Cogin",
        "/x/..%2Flogin",
        "/x/..%2flogin",
        "/x/..%5Clogin",
        "/%2Flogin",
    ] {
        let mut answer = ask(path);
        if answer.status == 307 {
            // Envoy sends the client to the path that the service would have seen.
            answer = ask(&answer.headers["location"]);
        }
        assert_eq!(answer.status, 403, "{path}");
    }
}

#[test]
fn a_path_parameter_is_part_of_the_path_for_the_filter_whatever_envoys_routes_ignore() {
    let raw = NO_LOGIN.replace("{prefix: /login}", "{raw_prefix: /login}");
    for (policy, wanted) in [(NO_LOGIN, 200), (raw.as_str(), 403)] {
        let kit = Kit::of_policy(policy, &[]);
        for path in ["/login;a=b", "/login;/cart"] {
            assert_eq!(get(kit.listener, path, &[]).unwrap().status, wanted, "{path}");
        }
        assert_eq!(get(kit.listener, "/login/cart", &[]).unwrap().status, 403);
    }

    // The routes of Envoy see it as well, but where they are told not to.
    let last = "              - name: fallback\n";
    let teapot = "              - match: {path_separated_prefix: /tea}\n                direct_response: {status: 418}\n";
    for (ignore, with_parameter) in
        [("", 200), ("ignore_path_parameters_in_path_matching: true", 418)]
    {
        let kit = Kit::start_with(&[], |config| {
            assert!(config.contains(last));
            let head = format!("name: split\n            {ignore}\n            virtual_hosts:");
            let config = config.replace("name: split\n            virtual_hosts:", &head);
            config.replace(last, &format!("{teapot}{last}"))
        });
        assert_eq!(get(kit.listener, "/tea", &[]).unwrap().status, 418);
        assert_eq!(get(kit.listener, "/tea;a=b", &[]).unwrap().status, with_parameter, "{ignore}");
        // The policy's prefix is /api: nothing decided this one.
        let answer = get(
            kit.listener,
            "/api;a=b/cart",
            &[("host", "shop.example.com"), ("x-user-id", "user-71")],
        );
        assert_eq!(answer.unwrap().headers["x-lab-cluster"], "default");
    }
}

/// The cluster that served a request which says that it came from these addresses.
fn served(kit: &Kit, forwarded_for: &str) -> String {
    let answer = get(kit.listener, "/", &[("x-forwarded-for", forwarded_for)]).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.headers["x-lab-cluster"].clone()
}

#[test]
fn at_the_edge_no_client_can_say_which_address_it_has() {
    for policy in [OFFICE.to_owned(), counting(1)] {
        let kit = Kit::of_policy(&policy, &[]);
        for forged in ["203.0.113.7", "203.0.113.7, 203.0.113.7", "203.0.113.7,,"] {
            assert_eq!(served(&kit, forged), "checkout-v1", "{policy}: {forged}");
        }
    }
}

#[test]
fn behind_a_proxy_the_address_is_the_one_that_it_appended() {
    // The policy's hops say it, or the option does.
    for (policy, options) in [
        (OFFICE.to_owned(), &["--trusted-proxies", "1"][..]),
        (counting(2), &[]),
        (counting(2), &["--trusted-proxies", "1"]),
    ] {
        let kit = Kit::of_policy(&policy, options);
        for (forwarded_for, wanted) in [
            ("203.0.113.7", "checkout-v2"),
            ("198.51.100.1, 203.0.113.7", "checkout-v2"),
            // The client wrote the first one.
            ("203.0.113.7, 198.51.100.1", "checkout-v1"),
        ] {
            assert_eq!(served(&kit, forwarded_for), wanted, "{policy}: {forwarded_for}");
        }
    }
}

#[test]
fn a_copy_names_the_host_that_the_request_named() {
    let service = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("shadow={}", service.local_addr().unwrap());
    let (send, heads) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in service.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> =
                lines.map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
            let answered =
                stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            if answered.is_err() || send.send(head).is_err() {
                return;
            }
        }
    });
    let with = |cluster: &str| {
        format!(
            "version: 1\nsplits:\n- name: orders\n  key: [{{header: x-user-id}}]\n  baseline: stable\n  \
            variants: [{{name: stable, {cluster}weight: 100}}]\n  mirror: {{cluster: shadow, percent: 100}}\n"
        )
    };
    // By the route of a cluster, and by the fallback.
    for policy in [with("cluster: checkout-v1, "), with("")] {
        let kit = Kit::of_policy(&policy, &["--cluster", &address]);
        for host in ["api.example.com", "api.example.com:8080"] {
            let answer = get(kit.listener, "/", &[("host", host), ("x-user-id", "ada")]).unwrap();
            assert_eq!(answer.status, 200);
            let head = heads.recv_timeout(SOON).unwrap();
            assert!(head.contains(&format!("host: {host}")), "{head:?}");
        }
    }
}
