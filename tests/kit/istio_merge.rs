//! The EnvoyFilter of `render istio --by cluster-header`, merged into the routes that Istio makes of the
//! VirtualService, and what comes out in real Envoy.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::wait_for;
use serde_json::{Value, json};

use crate::gateway::{Gateway, More, documents, extension_config, matched, of_kind, string_value};
use crate::tools::{Answer, Running, SOON, at, get, output, read, script, splitctl};

const BY_HEADER: &str = "traffic-split-by-cluster-header";
const DEFAULT: &str = "traffic-split-default";

/// A cluster under the name that Istio gives it.
fn cluster(subset: &str) -> String {
    format!("outbound|9080|{subset}|reviews.bookinfo.svc.cluster.local")
}

/// A VirtualService's route as Istio gives it to a gateway (its pilot/pkg/networking/core/route/route.go): one
/// destination becomes `cluster`, several become `weighted_clusters`, and there are timeout, retries, the trace's
/// operation and metadata besides.
fn generated(service: &Value, route: &Value) -> Value {
    let name_of = |to: &Value| {
        let text = |pointer: &str| to.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let port = &to["destination"]["port"]["number"];
        format!("outbound|{port}|{}|{}", text("/destination/subset"), text("/destination/host"))
    };
    let destinations = route["route"].as_array().unwrap();
    let previous_hosts =
        "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
    let mut action = json!({
        "timeout": "0s",
        "max_grpc_timeout": "0s",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
            "num_retries": 2,
            "retry_host_predicate": [{
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": previous_hosts},
            }],
            "host_selection_retry_max_attempts": "5",
            "retriable_status_codes": [503],
        },
    });
    if let [only] = destinations.as_slice() {
        action["cluster"] = name_of(only).into();
    } else {
        let weight = |to: &Value| json!({"name": name_of(to), "weight": to["weight"]});
        let clusters: Vec<_> = destinations.iter().map(weight).collect();
        action["weighted_clusters"] = json!({"clusters": clusters});
    }
    if let Some(mirrors) = route["mirrors"].as_array() {
        let all = json!({"default_value": {"numerator": 100}});
        let mirror = |to| json!({"cluster": name_of(to), "runtime_fraction": all});
        action["request_mirror_policies"] = mirrors.iter().map(mirror).collect();
    }
    let [name, namespace] = ["name", "namespace"].map(|f| service["metadata"][f].as_str().unwrap());
    let config =
        format!("/apis/networking.istio.io/v1/namespaces/{namespace}/virtual-service/{name}");
    json!({
        "name": route["name"],
        "match": matched(route),
        "route": action,
        "metadata": {"filter_metadata": {"istio": {"config": config}}},
        "decorator": {"operation": "reviews.bookinfo.svc.cluster.local:9080/*"},
    })
}

/// One patch merged into one route, by protobuf itself: Istio's merge is protobuf's but for durations
/// (its pkg/proto/merge), and the patch has none.
fn merge(route: &Value, patch: &Value) -> Value {
    let mut command = Command::new(script("get/python", &["envoy-protos"]));
    command.arg(at("tests/kit/merge_route.py"));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let text = json!({"route": route, "patch": patch}).to_string();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let merged = child.wait_with_output().unwrap();
    assert!(merged.status.success(), "{route}\n{patch}");
    serde_json::from_slice(&merged.stdout).unwrap()
}

/// The routes of a gateway after Istio has applied the EnvoyFilter (its envoyfilter/rc_patch.go): a patch without names
/// of a route configuration and of a virtual host looks into all, and a route must have just the name.
fn patched(filter: &Value, mut routes: Vec<Value>) -> Vec<Value> {
    let patches = filter["spec"]["configPatches"].as_array().unwrap();
    assert!(!patches.is_empty());
    for patch in patches {
        assert_eq!(
            (&patch["applyTo"], &patch["patch"]["operation"]),
            (&"HTTP_ROUTE".into(), &"MERGE".into())
        );
        let name = &patch["match"]["routeConfiguration"]["vhost"]["route"]["name"];
        let place = json!({"context": "GATEWAY", "routeConfiguration": {"vhost": {"route": {"name": name}}}});
        assert_eq!(patch["match"], place);
        let mut hits = 0;
        for route in routes.iter_mut().filter(|route| route["name"] == *name) {
            *route = merge(route, &patch["patch"]["value"]);
            hits += 1;
        }
        assert_eq!(hits, 1, "{name}: {routes:?}");
    }
    routes
}

/// The manifests of a policy in the gateway's Envoy, with a service behind each of Istio's clusters.
struct Mesh {
    gateway: Gateway,
    _services: Vec<Running>,
    _folder: tempfile::TempDir,
}

impl Mesh {
    /// `configuration` is what Istio makes of `pluginConfig`.
    fn start(documents: &[Value], configuration: Option<&Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut services = Vec::new();
        let mut clusters = Vec::new();
        for subset in ["v1", "v2", "shadow"] {
            let name = cluster(subset);
            let mut command = splitctl();
            command.args(["demo", "upstream", "--listen", "127.0.0.1:0", "--delay", "0"]);
            let service = Running::start(subset, folder.path(), command.args(["--name", &name]));
            let (address, port) = {
                let address: std::net::SocketAddr = service.says("listens on ").parse().unwrap();
                (address.ip(), address.port())
            };
            let socket = json!({"socket_address": {"address": address, "port_value": port}});
            clusters.push(json!({"name": name, "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket}}]}],
            }}));
            services.push(service);
        }
        let (plugin, filter) =
            (of_kind(documents, "WasmPlugin"), of_kind(documents, "EnvoyFilter"));
        let selector = &filter["spec"]["workloadSelector"]["labels"];
        assert_eq!(selector, &plugin["spec"]["selector"]["matchLabels"]);
        assert_eq!(filter["metadata"]["namespace"], plugin["metadata"]["namespace"]);
        let service = of_kind(documents, "VirtualService");
        let routes = service["spec"]["http"].as_array().unwrap();
        let routes = routes.iter().map(|route| generated(service, route)).collect();
        let routes = patched(filter, routes);
        let configuration = configuration.cloned().unwrap_or_else(|| {
            string_value(&plugin["spec"]["pluginConfig"], |number| format!("{number}"))
        });
        let extension = extension_config(plugin, &configuration);
        let more = More { clusters, ..More::default() };
        let gateway = Gateway::with(&extension, &routes, more);
        Self { gateway, _services: services, _folder: folder }
    }

    fn ask(&self, user: &str, more: &[(&str, &str)]) -> Answer {
        let headers = [&[("host", "bookinfo.example.com"), ("end-user", user)], more].concat();
        let answer = get(self.gateway.listener, "/reviews/1", &headers).unwrap();
        assert_eq!(answer.status, 200, "{user} {more:?}: {}", answer.body);
        answer
    }

    /// Checks who answered, and by which route.
    fn expect(&self, user: &str, more: &[(&str, &str)], subset: &str, route: &str) {
        let answer = self.ask(user, more);
        let found = (&answer.headers["x-lab-cluster"], answer.headers["x-route"].as_str());
        assert_eq!(found, (&cluster(subset), route), "{user} {more:?}");
    }

    /// How many requests arrived at a cluster.
    fn arrived(&self, subset: &str) -> u64 {
        let stats = self.gateway.stats("upstream_rq_total");
        let name = format!("cluster.{}.upstream_rq_total: ", cluster(subset));
        stats.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    }
}

/// The variant of each of some users, by the tool: not by the module that is tried here.
fn users(file: &str) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let ids = folder.path().join("ids");
    let names: Vec<_> = (1..=60).map(|number| format!("user-{number}")).collect();
    std::fs::write(&ids, names.join("\n")).unwrap();
    let mut assign = splitctl();
    assign.args(["assign", "--split", "reviews", "--format", "json", "--ids"]).arg(ids);
    let rows = output(assign.arg(at(file)));
    let row = |line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        (text("key"), text("variant"))
    };
    rows.lines().map(row).collect()
}

#[test]
fn the_merged_route_takes_users_to_the_cluster_that_the_filter_names() {
    let documents = documents("overlay", &read("istio/overlays/cluster-header/traffic-split.yaml"));
    let mesh = Mesh::start(&documents, None);
    let users = users("istio/policy.yaml");
    for (user, variant) in &users {
        mesh.expect(user, &[], variant, BY_HEADER);
    }
    let one_of = |variant| users.iter().find(|(_, v)| *v == variant).expect("some of 60 users").0;
    let (stable, canary) = (one_of("v1"), one_of("v2"));
    // What a client sends in the filter's place does nothing.
    let (v1, v2, shadow) = (cluster("v1"), cluster("v2"), cluster("shadow"));
    mesh.expect(stable, &[("x-split-cluster", &v2)], "v1", BY_HEADER);
    mesh.expect(canary, &[("x-split-cluster", &v1)], "v2", BY_HEADER);
    mesh.expect(stable, &[("x-split-cluster", "nowhere")], "v1", BY_HEADER);
    mesh.expect(stable, &[("x-split-mirror", &shadow)], "v1", BY_HEADER);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(mesh.arrived("shadow"), 0, "a client had its request copied");
    let all = u64::try_from(users.len()).unwrap() + 4;
    assert_eq!(mesh.arrived("v1") + mesh.arrived("v2"), all);
}

#[test]
fn where_the_filter_decides_nothing_the_merged_route_is_not_taken() {
    let documents = documents("overlay", &read("istio/overlays/cluster-header/traffic-split.yaml"));
    // An empty configuration, for which Istio sends an Any without a type.
    let mesh = Mesh::start(&documents, Some(&json!({})));
    let (v2, shadow) = (cluster("v2"), cluster("shadow"));
    mesh.expect("user-1", &[], "v1", DEFAULT);
    let forged = [("x-split-cluster", v2.as_str()), ("x-split-mirror", &shadow)];
    mesh.expect("user-1", &forged, "v1", DEFAULT);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((mesh.arrived("v2"), mesh.arrived("shadow")), (0, 0));
}

/// The manifests of a policy with a mirror in it.
fn mirrored(policy: &str, options: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let mirror =
        format!("mirror: {{cluster: \"{}\", percent: 100, by: request}}", cluster("shadow"));
    let policy = policy.replace("baseline: v1\n", &format!("baseline: v1\n  {mirror}\n"));
    assert!(policy.contains(&mirror), "{policy}");
    std::fs::write(&file, policy).unwrap();
    let mut render = splitctl();
    render.args(["render", "istio", "--namespace", "bookinfo", "--by", "cluster-header"]);
    documents("mirrored", &output(render.args(options).arg(&file)))
}

#[test]
fn a_request_for_which_no_cluster_is_named_is_mirrored_as_well() {
    let mut policy = read("istio/policy.yaml");
    for subset in ["v1", "v2"] {
        let cluster = format!("cluster: \"{}\"", cluster(subset));
        // Beside other fields, or on a line of its own.
        policy = policy.replace(&format!("{cluster}, "), "");
        policy = policy.replace(&format!("    {cluster}\n"), "");
    }
    let mesh = Mesh::start(&mirrored(&policy, &["--default", &cluster("v1")]), None);
    mesh.expect("user-1", &[], "v1", DEFAULT);
    wait_for("the copy arrives", SOON, || (mesh.arrived("shadow") == 1).then_some(()));
}

#[test]
fn a_mirrored_request_arrives_once_where_the_policy_mirrors() {
    let mesh = Mesh::start(&mirrored(&read("istio/policy.yaml"), &[]), None);
    for (count, (user, variant)) in (1..).zip(users("istio/policy.yaml").into_iter().take(20)) {
        mesh.expect(&user, &[], &variant, BY_HEADER);
        wait_for("the copy arrives", SOON, || (mesh.arrived("shadow") == count).then_some(()));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((mesh.arrived("shadow"), mesh.arrived("v1") + mesh.arrived("v2")), (20, 20));
}

#[test]
fn the_patch_replaces_the_destination_and_leaves_the_rest_of_the_route() {
    let documents = documents("overlay", &read("istio/overlays/cluster-header/traffic-split.yaml"));
    let (service, filter) =
        (of_kind(&documents, "VirtualService"), of_kind(&documents, "EnvoyFilter"));
    let given = &service["spec"]["http"][0];
    let policy =
        json!({"cluster_header": "x-split-mirror", "disable_shadow_host_suffix_append": true});
    let one = generated(service, given);
    let mut wanted = one.clone();
    let action = wanted["route"].as_object_mut().unwrap();
    action.remove("cluster").unwrap();
    action.insert("cluster_header".to_owned(), "x-split-cluster".into());
    action.insert("request_mirror_policies".to_owned(), json!([policy]));
    let default = generated(service, &service["spec"]["http"][1]);
    let mut copied = default.clone();
    copied["route"]["request_mirror_policies"] = json!([policy]);
    assert_eq!(patched(filter, vec![one, default.clone()]), [wanted, copied]);

    // Somebody gave the route weights and a mirror of its own: the weights go, the mirror stays.
    let mut given = given.clone();
    let to = |subset: &str, weight: u32| {
        json!({"weight": weight, "destination": {
            "host": "reviews.bookinfo.svc.cluster.local", "subset": subset, "port": {"number": 9080},
        }})
    };
    given["route"] = json!([to("v1", 60), to("v2", 40)]);
    given["mirrors"] = json!([to("shadow", 0)]);
    let several = generated(service, &given);
    let own = several["route"]["request_mirror_policies"][0].clone();
    let mut wanted = several.clone();
    let action = wanted["route"].as_object_mut().unwrap();
    action.remove("weighted_clusters").unwrap();
    action.insert("cluster_header".to_owned(), "x-split-cluster".into());
    action.insert("request_mirror_policies".to_owned(), json!([own, policy]));
    assert_eq!(patched(filter, vec![several, default])[0], wanted);
}
