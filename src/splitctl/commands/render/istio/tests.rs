use engine::policy;
use policy_text::source::Source;

use super::super::tests::render;
use super::*;
use crate::outcome::Outcome;

const SUBSETS: &str = "
version: 1
splits:
- name: reviews
  match: [{hosts: [shop.example.com]}]
  key: [{header: u}]
  baseline: v1
  variants:
  - {name: v1, cluster: 'outbound|9080|v1|reviews.default.svc.cluster.local', weight: 99.5}
  - {name: v2.1, cluster: 'outbound|9080|v2|reviews.default.svc.cluster.local', weight: 0.5}
  overrides:
  - {match: [{headers: [{name: x-country, in: ['no', '1e3', at]}]}], variant: v1}
";

const SERVICES: &str = "
version: 1
splits:
- {name: a, key: [{header: u}], baseline: x, variants: [{name: x, cluster: a-x, weight: 50}, {name: z, cluster: a-y, weight: 50}]}
- {name: b, key: [{header: u}], baseline: x, variants: [{name: x, cluster: b-x, weight: 50}, {name: z, weight: 50}]}
";

fn fine(text: &str, options: &[&str]) -> String {
    let (outcome, out, err) = render("istio", text, options);
    assert_eq!((outcome, err.as_str()), (Outcome::Fine, ""));
    assert!(!out.contains("{{"), "{out}");
    out
}

fn has(out: &str, lines: &[&str]) {
    for line in lines {
        assert!(out.contains(line), "`{line}` is not in\n{out}");
    }
}

#[test]
fn names_of_istio_become_host_port_and_subset() {
    let out = fine(SUBSETS, &[]);
    has(
        &out,
        &[
            "  namespace: istio-ingress\nspec:\n",
            "    matchLabels: { istio: ingressgateway }\n",
            "  hosts: [shop.example.com]\n  gateways: [istio-ingress/gateway]\n",
            "  - name: reviews=v2.1\n    match: [{headers: {x-split-variant: {regex: '(.*, )?reviews=v2\\.1(, .*)?'}}}]\n",
            "    route: [{destination: {host: reviews.default.svc.cluster.local, subset: v2, port: {number: 9080}}}]\n",
            "  - name: traffic-split-default\n    route: [{destination: {host: reviews.default.svc.cluster.local, subset: v1,",
            "  name: traffic-split-reviews\n",
            "  - {name: v2, labels: {version: v2}}\n",
        ],
    );
    assert!(!out.contains("EnvoyFilter\n"));
}

#[test]
fn the_plugins_configuration_is_the_policy() {
    let out = fine(SUBSETS, &[]);
    let plugin = out.split("---\n").nth(1).unwrap();
    let document = Source::new("plugin.yaml", plugin).values().unwrap().remove(0);
    let inner = document.field("spec").and_then(|spec| spec.field("pluginConfig")).unwrap();
    let stated = SUBSETS.replace("version: 1\n", "version: 1\nkill: false\n");
    let written = policy::check(&Source::new("policy.yaml", &stated).policy().unwrap().value);
    assert_eq!(policy::check(inner).hash, written.hash);
    has(&out, &[&format!("Policy {:013x}.", written.hash), "in: [\"no\", \"1e3\", at]"]);
}

#[test]
fn by_cluster_header_an_envoy_filter_takes_the_cluster_from_the_header() {
    let out = fine(SUBSETS, &["--by", "cluster-header", "--name", "shop"]);
    has(
        &out,
        &[
            "          route: {name: shop-by-cluster-header}\n",
            "          cluster_header: x-split-cluster-shop\n",
            "          route: {name: shop-default}\n",
            "  - name: shop-by-cluster-header\n    match: [{headers: {x-split-cluster-shop: {}}}]\n",
            "      context: GATEWAY\n",
            "  - {name: v1, labels: {version: v1}}\n",
            "  - {name: v2, labels: {version: v2}}\n",
        ],
    );
}

#[test]
fn on_sidecars_the_filter_sees_what_leaves_the_pod() {
    let options =
        ["--gateway", "mesh", "--selector", "app=web", "--namespace", "shop", "--host", "reviews"];
    let out = fine(SUBSETS, &options);
    has(
        &out,
        &[
            "  match: [{mode: CLIENT}]\n",
            "{ app: web }",
            "  gateways: [mesh]\n",
            "hosts: [reviews]",
        ],
    );
    assert!(!out.contains("namespace: istio-ingress"));
}

#[test]
fn a_kill_is_stated_so_that_applying_the_file_ends_one_that_was_patched_in() {
    has(&fine(SUBSETS, &[]), &["    version: 1\n    kill: false\n"]);
    let killed = SUBSETS.replace("version: 1\n", "kill: true\nversion: 1\n");
    let out = fine(&killed, &[]);
    has(&out, &["    kill: true\n    version: 1\n"]);
    assert!(!out.contains("kill: false"), "{out}");
}

#[test]
fn a_plugin_with_a_name_of_its_own_owns_headers_of_its_own() {
    let out = fine(SUBSETS, &["--name", "search"]);
    has(
        &out,
        &[
            "    version: 1\n    kill: false\n    cluster_header: x-split-cluster-search\n    \
            variant_header: x-split-variant-search\n    mirror_header: x-split-mirror-search\n    splits:\n",
            "    match: [{headers: {x-split-variant-search: {regex: ",
            "      split.variant: {header: {name: x-split-variant-search}}\n",
        ],
    );
    // What the policy says stays.
    let named = SUBSETS.replace("version: 1\n", "version: 1\nvariant_header: x-search\n");
    let out = fine(&named, &["--name", "search"]);
    has(&out, &["    variant_header: x-search\n", "    match: [{headers: {x-search: {regex: "]);
    assert!(!out.contains("x-split-variant"), "{out}");
    // A header that is in use for something else cannot be owned.
    let taken = SUBSETS.replace("{header: u}", "{header: x-split-variant-search}");
    let (outcome, out, err) = render("istio", &taken, &["--name", "search"]);
    assert_eq!((outcome, out.as_str()), (Outcome::NoAnswer, ""));
    assert!(err.contains("`x-split-variant-search`") && err.contains("in the policy"), "{err}");
}

#[test]
fn the_gateways_are_told_how_many_proxies_are_in_front_of_them() {
    let line = "#     defaultConfig:\n#       gatewayTopology: {numTrustedProxies: ";
    has(&fine(SUBSETS, &[]), &[&format!("{line}0}}\n")]);
    let by_address = SUBSETS.replace("{header: u}", "{client_ip: true}");
    let behind = by_address.replace("version: 1\n", "version: 1\nclient_ip: {trusted_hops: 3}\n");
    has(&fine(&behind, &[]), &[&format!("{line}2}}\n")]);
    let out = fine(&behind, &["--gateway", "mesh", "--host", "reviews"]);
    assert!(!out.contains("gatewayTopology"), "{out}");
}

#[test]
fn splits_with_different_baselines_need_a_default() {
    let (outcome, out, err) = render("istio", SERVICES, &[]);
    assert_eq!((outcome, out.as_str()), (Outcome::NoAnswer, ""));
    assert!(err.contains("--default"), "{err}");
    let out = fine(SERVICES, &["--default", "website", "--port", "81", "--namespace", "shop"]);
    has(&out, &["{host: website.shop.svc.cluster.local, port: {number: 81}}", "hosts: [\"*\"]"]);
    assert_eq!(out.matches("regex: ").count(), 3, "one route per variant with a cluster");
    assert!(!out.contains("DestinationRule\n"));
}

#[test]
fn for_a_variant_that_falls_back_its_subset_is_the_whole_service_in_order() {
    let falls_back = SUBSETS.replace("weight: 0.5}", "weight: 0.5, fallback: baseline}");
    let out = fine(&falls_back, &[]);
    has(
        &out,
        &[
            "subset: v2, port: {number: 9080}}}]\n    retries: {attempts: 3, retryOn: \"connect-failure,refused-stream,reset-before-request\", retryRemoteLocalities: true}\n",
            "  - {name: v1, labels: {version: v1}}\n",
            "  - name: v2\n    trafficPolicy:\n",
            "failoverPriority: [version=v2]}\n",
        ],
    );
    assert_eq!(out.matches("retries: ").count(), 1, "{out}");
    assert!(!fine(SUBSETS, &[]).contains("retries: "));
    // Where it does not act there is nothing to render.
    let of_baseline = SUBSETS.replace("weight: 99.5}", "weight: 99.5, fallback: baseline}");
    let (outcome, out, err) = render("istio", &of_baseline, &[]);
    assert_eq!(outcome, Outcome::Fine);
    assert!(err.contains("no_effect") && !out.contains("retries: "), "{err}{out}");
}

#[test]
fn what_istio_cannot_do_is_said_and_not_rendered() {
    let off = SUBSETS.replace("version: 1", "version: 1\nvariant_header: null");
    let mirror = SUBSETS.replace(
        "  baseline: v1",
        "  baseline: v1\n  mirror: {cluster: copy, percent: 1, by: user}",
    );
    let services = SERVICES.replacen("weight: 50}]}", "weight: 50, fallback: baseline}]}", 1);
    let falls_back = SUBSETS.replace("weight: 0.5}", "weight: 0.5, fallback: baseline}");
    let v3 = "outbound|9080|v3|reviews.default.svc.cluster.local";
    let more = |cluster: &str| {
        format!(
            "{falls_back}- name: more\n  key: [{{header: u}}]\n  match: [{{hosts: [other.example.com]}}]\n  baseline: v1\n  variants:\n  \
            - {{name: v1, cluster: 'outbound|9080|v1|reviews.default.svc.cluster.local', weight: 50}}\n  \
            - {{name: other, cluster: '{cluster}', weight: 50}}\n"
        )
    };
    let (third, shared) = (more(v3), more(&v3.replace("v3", "v2")));
    for (text, options, wanted) in [
        (SERVICES, vec!["--by", "cluster-header"], "`a-x` is not a name in Istio"),
        (off.as_str(), vec![], "--by cluster-header"),
        (mirror.as_str(), vec![], "mirrors need"),
        (
            SERVICES,
            vec!["--default", "a-x", "--gateway", "mesh"],
            "name the services with `--host`",
        ),
        (SUBSETS, vec!["--gateway", "mesh", "--host", "*"], "refuses routes of the host `*`"),
        (services.as_str(), vec!["--default", "a-x"], "only subsets of one service"),
        (falls_back.as_str(), vec!["--by", "cluster-header"], "use `--by variant-header`"),
        (third.as_str(), vec![], "other subsets"),
        (shared.as_str(), vec![], "that does not fall back"),
    ] {
        let (outcome, out, err) = render("istio", text, &options);
        assert_eq!((outcome, out.as_str()), (Outcome::NoAnswer, ""), "{err}");
        assert!(err.contains(wanted), "{err}");
    }
    for wrong in ["gateway", "/a", "a/", "A/b"] {
        assert!(wrong.parse::<Gateway>().is_err(), "{wrong}");
    }
}

#[test]
fn variants_without_clusters_need_no_routes() {
    let text = "version: 1\nsplits:\n- {name: a, key: [{header: u}], baseline: x, variants: [{name: x, weight: 100}]}\n";
    for by in ["variant-header", "cluster-header"] {
        let out = fine(text, &["--by", by]);
        has(&out, &["# No variant names a cluster"]);
        assert!(!out.contains("kind: VirtualService") && !out.contains("EnvoyFilter\n"), "{out}");
    }
    // But a copy is made by a route.
    let mirror = text.replace(
        "baseline: x,",
        "baseline: x, mirror: {cluster: \"outbound|80||b.c\", percent: 1, by: user},",
    );
    let (outcome, out, err) = render("istio", &mirror, &["--by", "cluster-header"]);
    assert_eq!((outcome, out.as_str()), (Outcome::NoAnswer, ""), "{err}");
    assert!(err.contains("a mirror needs a route"), "{err}");
    let out = fine(&mirror, &["--by", "cluster-header", "--default", "outbound|80||a.b"]);
    assert_eq!(
        out.matches("request_mirror_policies: [{cluster_header: x-split-mirror, disable_shadow_host_suffix_append: true}]").count(),
        2
    );
}

#[test]
fn the_rules_become_a_prometheus_rule() {
    let (outcome, out, _) = render("istio", SUBSETS, &["--rules"]);
    assert_eq!(outcome, Outcome::Fine);
    has(&out, &["kind: PrometheusRule\n", "spec:\n  groups:\n", "  - name: traffic_split_known\n"]);
    // Envoy's own series are named after the plugin.
    has(&out, &["increase(envoy_wasm_istio_ingress_traffic_split_vm_reload_success[10m])"]);
    let sidecars = ["--rules", "--gateway", "mesh", "--namespace", "shop", "--name", "split"];
    let (_, out, _) = render("istio", SUBSETS, &sidecars);
    has(&out, &["increase(envoy_wasm_shop_split_vm_reload_success[10m])"]);
}

#[test]
fn a_policy_that_no_cluster_stores_is_not_rendered() {
    let of = |users: usize| {
        let users: Vec<String> = (0..users).map(|user| format!("user-{user:06}")).collect();
        let matches = format!("match: [{{headers: [{{name: u, in: [{}]}}]}}]", users.join(", "));
        SUBSETS.replacen("match: [{hosts: [shop.example.com]}]", &matches, 1)
    };
    let (outcome, out, err) = render("istio", &of(120_000), &[]);
    assert_eq!((outcome, out.as_str()), (Outcome::NoAnswer, ""));
    assert!(err.contains("more than 1.5 MiB"), "{err}");
    assert_eq!(render("istio", &of(30_000), &[]).0, Outcome::Fine);
}
