"""Each form in which traffic can be split, as the part of a listener that differs: filters, routes, access log."""

import json
import subprocess

ROUTER = {"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
LABELS = ("split", "variant", "reason", "class")

# Jenkins' one-at-a-time hash: nothing but shifts and additions, which LuaJIT compiles. A client's own control headers are
# replaced; a request without a user goes to the baseline.
LUA = """
local band, bxor, lshift, rshift, tobit = bit.band, bit.bxor, bit.lshift, bit.rshift, bit.tobit
local byte = string.byte
function envoy_on_request(handle)
  local headers = handle:headers()
  local user = headers:get("x-user-id")
  local cluster, variant = "checkout-v1", "checkout=stable"
  if user then
    local h = 0
    for i = 1, #user do
      h = tobit(h + byte(user, i))
      h = tobit(h + lshift(h, 10))
      h = bxor(h, rshift(h, 6))
    end
    h = tobit(h + lshift(h, 3))
    h = bxor(h, rshift(h, 11))
    h = tobit(h + lshift(h, 15))
    if band(h, 0x7fffffff) % 10000 < 500 then
      cluster, variant = "checkout-v2", "checkout=canary"
    end
  end
  headers:replace("x-split-cluster", cluster)
  headers:replace("x-split-variant", variant)
end
"""


def plain(_listener, _tools):
    return {"routes": [DEFAULT]}


DEFAULT = {"match": {"prefix": "/"}, "route": {"cluster": "default"}}
# The pair that every filter that names the cluster needs.
BY_HEADER = [{
    "match": {"prefix": "/", "headers": [{"name": "x-split-cluster", "present_match": True}]},
    "route": {"cluster_header": "x-split-cluster"},
}, DEFAULT]


def native(hashed, tagged):
    def clusters(name, variant, weight):
        header = {"header": {"key": "x-split-variant", "value": f"checkout={variant}"},
                  "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        return {"name": name, "weight": weight, **({"request_headers_to_add": [header]} if tagged else {})}

    weighted = {"clusters": [clusters("checkout-v1", "stable", 95), clusters("checkout-v2", "canary", 5)]}
    route = {"weighted_clusters": weighted}
    if hashed:
        weighted["use_hash_policy"] = True
        route["hash_policy"] = [{"header": {"header_name": "x-user-id"}}]
    return {"routes": [{"match": {"prefix": "/"}, "route": route}]}


def lua(_listener, _tools):
    return {"routes": BY_HEADER, "filters": [{"name": "lua", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": LUA}}}]}


def wasm(listener, tools):
    """The filter as `splitctl render ecds` writes it. All listeners share a VM, as listeners of one proxy do."""
    rendered = json.loads(subprocess.check_output(
        [tools.splitctl, "render", "ecds", tools.policy(listener), "--module", tools.module], text=True))
    filter = rendered["resources"][0]
    # Envoy knows two plugins with one name as one.
    filter["typed_config"]["config"].update(name=listener.name, root_id=listener.name)
    return {"routes": BY_HEADER, "filters": [{"name": "traffic_split", "typed_config": filter["typed_config"]}]}


def logged(listener, tools):
    """The same with the access loggers that count outcomes, as `splitctl render envoy` writes them."""
    text = subprocess.check_output([tools.splitctl, "render", "envoy", tools.policy(listener)])
    whole = json.loads(subprocess.check_output(
        [tools.python_with_yaml(), "-c", "import json, sys, yaml; json.dump(yaml.load(sys.stdin, yaml.BaseLoader), sys.stdout)"],
        input=text))
    connections = whole["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    loggers = [log for log in connections.get("access_log", []) if "access_loggers.stats." in log["typed_config"]["@type"]]
    if not loggers:
        raise LookupError("splitctl render envoy adds no access logger that counts")
    return {**wasm(listener, tools), "access_log": loggers}


FORMS = {
    "plain": plain,
    "weighted": lambda *_: native(False, False),
    "hashed": lambda *_: native(True, False),
    "tagged": lambda *_: native(True, True),
    "lua": lua,
    "filter": wasm,
    "filter-logged": logged,
}


def listener_config(listener, tools):
    form = FORMS[listener.form](listener, tools)
    connections = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": listener.name,
        "http_filters": [*form.get("filters", []), ROUTER],
        "access_log": form.get("access_log", []),
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": form["routes"]}]},
    }
    return {
        "name": listener.name,
        "address": loopback(0),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": connections}]}],
    }


def loopback(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name, address):
    return {
        "name": name, "type": "STATIC", "connect_timeout": "60s",
        "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": loopback(int(address.rsplit(":", 1)[1]))}}]}]},
    }


def bootstrap(listeners, upstreams, tools, flush):
    return {
        "node": {"id": "bench", "cluster": "bench"},
        "admin": {"address": loopback(0)},
        "static_resources": {
            "listeners": [listener_config(listener, tools) for listener in listeners],
            "clusters": [cluster(name, address) for name, address in upstreams.items()],
        },
        "stats_flush_interval": flush,
        "stats_config": {"stats_tags": [
            {"tag_name": label, "regex": rf"({label}=\.=(.*?);\.;)"} for label in LABELS]},
    }
