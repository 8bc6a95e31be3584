"""For scripts/plot, scripts/dashboard-pictures and scripts/rollout-demo: the demo's parts on free ports, with a Prometheus that watches them."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

SPLITCTL, ENVOY, PROMETHEUS, MODULE = (
    os.environ[name] for name in ("SPLITCTL_BIN", "ENVOY_BIN", "PROMETHEUS_BIN", "TRAFFIC_SPLIT_WASM")
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    """Envoy, three services, a load of so many requests a second, Prometheus. `end` ends them all."""

    running = []

    def __init__(self, folder, policy, rules=None, rate=120):
        self.folder = folder
        self.write("policy.yaml", policy)
        os.mkdir(f"{folder}/ecds")
        ecds = f"{folder}/ecds/filter.json"
        self.services = {name: f"127.0.0.1:{free_port()}" for name in ("checkout-v1", "checkout-v2", "default")}
        self.processes = {}
        addresses = []
        for name, address in self.services.items():
            self.serve(name)
            addresses += ["--cluster", f"{name}={address}"]
        self.start(SPLITCTL, "render", "ecds", f"{folder}/policy.yaml", "--module", MODULE, "--output", ecds, "--watch")
        self.listener, self.admin, self.prometheus = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.write(
            "envoy.yaml",
            subprocess.check_output(
                [
                    SPLITCTL,
                    "render",
                    "envoy",
                    f"{folder}/policy.yaml",
                    "--ecds",
                    ecds,
                    "--listen",
                    self.listener,
                    "--admin",
                    self.admin,
                    *addresses,
                ],
                text=True,
            ),
        )
        self.wait(lambda: os.path.exists(ecds))
        self.start(ENVOY, "-c", f"{folder}/envoy.yaml", "--concurrency", "1", "--disable-hot-restart")
        self.wait(lambda: self.get(self.admin, "/ready"))
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [
                {
                    "job_name": "envoy",
                    "metrics_path": "/stats/prometheus",
                    "static_configs": [{"targets": [self.admin]}],
                }
            ],
        }
        if rules:
            self.write("rules.yml", rules)
            config["rule_files"] = ["rules.yml"]
        self.write("prometheus.yml", json.dumps(config))
        self.start(
            PROMETHEUS,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={self.prometheus}",
        )
        self.wait(lambda: self.get(self.prometheus, "/-/ready"))
        self.start(SPLITCTL, "demo", "load", self.listener, "--rate", str(rate))

    def serve(self, name):
        self.processes[name] = self.start(SPLITCTL, "demo", "upstream", "--name", name, "--listen", self.services[name])

    def stop(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def write(self, name, text):
        with open(f"{self.folder}/{name}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(f"{self.folder}/{name}.new", f"{self.folder}/{name}")

    def canary(self, *behavior):
        self.wait(lambda: self.get(self.services["checkout-v2"], "/"))
        subprocess.check_call([SPLITCTL, "demo", "set", self.services["checkout-v2"], *behavior])

    def start(self, *command):
        with open(f"{self.folder}/log", "ab") as log:
            self.running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return self.running[-1]

    @classmethod
    def end(cls):
        for process in reversed(cls.running):
            process.kill()
            process.wait()

    def wait(self, true, limit=30):
        end = time.monotonic() + limit
        while not true():
            if time.monotonic() > end:
                with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as log:
                    sys.exit("waited in vain; the log ends with:\n" + log.read()[-2000:])
            time.sleep(0.1)

    @staticmethod
    def get(address, path):
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def rows(self, promql, begin, end=None, step=1):
        """The rows of a query, each with its labels and (time, value): of a moment, or of every step between two."""
        what, asked = (
            ("query", {"time": begin}) if end is None else ("query_range", {"start": begin, "end": end, "step": step})
        )
        answer = self.get(self.prometheus, f"/api/v1/{what}?{urllib.parse.urlencode({'query': promql, **asked})}")
        if answer is None:
            sys.exit(f"Prometheus does not take: {promql}")
        for row in json.loads(answer)["data"]["result"]:
            points = row["values"] if "values" in row else [row["value"]]
            yield row["metric"], [(at, float(value)) for at, value in points]


def weights(policy, stable, canary):
    """The demo's policy with other weights."""
    policy = re.sub(r"(?<!max_)weight: \d+}", f"weight: {stable}}}", policy)
    return re.sub(r"(?<!max_)weight: \d+,", f"weight: {canary},", policy)


def tell(demo, begin, story):
    """Does what happens, each after so many seconds, and returns when it did."""
    events = []
    for after, text, *actions in story:
        time.sleep(after)
        for action in actions:
            action()
        events.append((time.time() - begin, text))
        print(f"{events[-1][0]:5.0f} s  {' '.join(text.split())}", file=sys.stderr)
    return events
