"""What the filter costs besides requests: the module's size, memory of each worker, the time that a new policy takes."""

import json
import os
import statistics
import subprocess
import time

import forms
from listeners import LISTENERS, Listener, many
from running import Envoy, say, until, write
from times import cpu_seconds

# So many that pages which the allocator keeps free count for little.
FEW, MANY = 24, 40
CHANGES = 6
# Long enough for threads to come to rest.
REST = 1.0


def measure(tools, upstreams):
    say("memory, and the time that a policy of 1,000 splits takes")
    found = {"module_bytes": os.path.getsize(tools.module)}
    if tools.module.endswith(".opt.wasm"):
        found["cargo_module_bytes"] = os.path.getsize(tools.module.removesuffix(".opt.wasm") + ".wasm")
    plain, demo, many_splits = (
        next(listener for listener in LISTENERS if listener.name == name) for name in ("plain", "demo", "splits-1000"))
    without = per_worker(tools, upstreams, plain)
    found["memory_per_worker"] = per_worker(tools, upstreams, demo) - without
    found["memory_per_worker_1000_splits"] = per_worker(tools, upstreams, many_splits) - without
    for count in (1, 1000):
        found[f"configure_{count}"] = configure(tools, upstreams, count)
    return found


def per_worker(tools, upstreams, listener):
    """Memory that one more worker takes once it has served."""
    low, high = (memory(tools, upstreams, listener, workers) for workers in (FEW, MANY))
    return (high - low) / (MANY - FEW)


def memory(tools, upstreams, listener, workers):
    with Envoy(tools, upstreams, [listener], workers=workers) as envoy:
        envoy.send(listener, requests=4000, connections=4 * workers)
        time.sleep(REST)
        with open(f"/proc/{envoy.process.pid}/status", encoding="ascii") as file:
            return sum(1024 * int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def configure(tools, upstreams, count):
    """CPU time of Envoy, main thread and one worker, for a change of a policy by ECDS; and until it is in force."""
    folder = tools.folder()
    policies = []
    for weight in (95, 94):
        path = f"{folder}/policy-{weight}.json"
        write(path, json.dumps(many(count)).replace('"weight": 95', f'"weight": {weight}')
              .replace('"weight": 5}', f'"weight": {100 - weight}}}'))
        rendered = subprocess.check_output([tools.splitctl, "render", "ecds", path, "--module", tools.module], text=True)
        policies.append(rendered)

    os.mkdir(f"{folder}/ecds")

    def put(text):
        write(f"{folder}/new", text)
        os.rename(f"{folder}/new", f"{folder}/ecds/current.json")

    put(policies[0])
    listener = Listener("changing", "", "", form="filter-watched", policy=f"{folder}/ecds")
    cpu, seconds = [], []
    with Envoy(tools, upstreams, [listener]) as envoy:
        running = lambda: envoy.stat("traffic_split_policy_hash")
        until("a policy", lambda: any(running()))
        for change in range(1, CHANGES + 1):
            time.sleep(REST)
            old, before, begin = running(), cpu_seconds(envoy.process), time.monotonic()
            put(policies[change % 2])
            until("another policy", lambda: running() != old)
            seconds.append(time.monotonic() - begin)
            time.sleep(REST)
            busy, took = cpu_seconds(envoy.process), time.monotonic() - begin
            time.sleep(2 * REST)
            rest = (cpu_seconds(envoy.process) - busy) / (time.monotonic() - begin - took)
            cpu.append(busy - before - rest * took)
    return {"cpu_ms": 1000 * statistics.median(cpu), "ms": 1000 * statistics.median(seconds)}


def watched(listener, _tools):
    """The filter out of a file that Envoy watches; the listener's policy is the file's folder."""
    source = {"path_config_source": {"path": f"{listener.policy}/current.json", "watched_directory": {"path": listener.policy}}}
    return {"routes": forms.BY_HEADER, "filters": [{"name": "traffic_split", "config_discovery": {
        "config_source": source, "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"]}}]}


forms.FORMS["filter-watched"] = watched
