"""For scripts/plot: runs the demo's parts, tells the story of a rollback, and draws what Prometheus saw."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SPLITCTL, ENVOY, PROMETHEUS, MODULE = (
    os.environ[name] for name in ("SPLITCTL_BIN", "ENVOY_BIN", "PROMETHEUS_BIN", "TRAFFIC_SPLIT_WASM")
)
WINDOW = "10s"
COLORS = {"stable": "#4c78a8", "canary": "#f58518"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    running = []

    def __init__(self, root, folder):
        self.folder = folder
        with open(f"{root}/envoy/policy.yaml", encoding="utf-8") as file:
            self.text = file.read()
        self.policy(95, 5)
        os.mkdir(f"{folder}/ecds")
        ecds = f"{folder}/ecds/filter.json"
        self.services = {name: f"127.0.0.1:{free_port()}" for name in ("checkout-v1", "checkout-v2", "default")}
        addresses = []
        for name, address in self.services.items():
            self.start(SPLITCTL, "demo", "upstream", "--name", name, "--listen", address)
            addresses += ["--cluster", f"{name}={address}"]
        self.start(SPLITCTL, "render", "ecds", f"{folder}/policy.yaml", "--module", MODULE, "--output", ecds, "--watch")
        self.listener, self.admin, self.prometheus = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.write("envoy.yaml", subprocess.check_output(
            [SPLITCTL, "render", "envoy", f"{folder}/policy.yaml", "--ecds", ecds, "--listen", self.listener,
             "--admin", self.admin, *addresses], text=True))
        self.wait(lambda: os.path.exists(ecds))
        self.start(ENVOY, "-c", f"{folder}/envoy.yaml", "--concurrency", "1", "--disable-hot-restart")
        self.wait(lambda: self.get(self.admin, "/ready"))
        self.write("prometheus.yml", json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [{
            "job_name": "envoy", "metrics_path": "/stats/prometheus", "static_configs": [{"targets": [self.admin]}]}]}))
        self.start(PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                   f"--web.listen-address={self.prometheus}")
        self.wait(lambda: self.get(self.prometheus, "/-/ready"))
        self.start(SPLITCTL, "demo", "load", self.listener, "--rate", "120")

    def write(self, name, text):
        with open(f"{self.folder}/{name}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(f"{self.folder}/{name}.new", f"{self.folder}/{name}")

    def policy(self, stable, canary):
        text = re.sub(r"weight: 95}", f"weight: {stable}}}", self.text)
        self.write("policy.yaml", re.sub(r"weight: 5,", f"weight: {canary},", text))

    def canary(self, *behavior):
        subprocess.check_call([SPLITCTL, "demo", "set", self.services["checkout-v2"], *behavior])

    def start(self, *command):
        with open(f"{self.folder}/log", "ab") as log:
            self.running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

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

    def series(self, promql, begin, end):
        query = urllib.parse.urlencode({"query": promql, "start": begin, "end": end, "step": 1})
        rows = json.loads(self.get(self.prometheus, f"/api/v1/query_range?{query}"))["data"]["result"]
        for row in sorted(rows, key=lambda row: row["metric"]["variant"], reverse=True):
            points = [(at - begin, float(value)) for at, value in row["values"]]
            yield row["metric"]["variant"], [p for p in points if p[1] == p[1]]


def tell(demo):
    """The story; returns what happened when."""
    begin = time.time() + 10
    time.sleep(10)
    events = []

    def event(text, *actions):
        for action in actions:
            action()
        events.append((time.time() - begin, text))
        print(f"{events[-1][0]:5.0f} s  {text}", file=sys.stderr)

    event("canary at 5 %")
    time.sleep(40)
    event("canary to 30 %", lambda: demo.policy(70, 30))
    time.sleep(45)
    event("the canary fails\nand gets slow", lambda: demo.canary("--failing", "15", "--delay", "80"))
    time.sleep(40)
    event("rolled back:\ncanary to 0 %", lambda: demo.policy(100, 0))
    time.sleep(40)
    return begin, time.time(), events


def draw(demo, begin, end, events, output):
    sum_by = "sum by (variant) (rate(traffic_split_{}[" + WINDOW + "]))"
    graphs = [
        ("requests per second", sum_by.format("requests_total"), 1),
        ("errors, % of responses",
         sum_by.format('responses_total{class=~"5xx|none"}') + " / " + "(" + sum_by.format("responses_total") + " > 0)", 100),
        ("duration, p95, ms", "histogram_quantile(0.95, sum by (variant, le) "
         f"(rate(traffic_split_request_duration_milliseconds_bucket[{WINDOW}])))", 1),
    ]
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(9, 6.5))
    for axis, (title, promql, factor) in zip(axes, graphs):
        for variant, points in demo.series(promql, begin, end):
            axis.plot([x for x, _ in points], [y * factor for _, y in points], color=COLORS[variant], label=variant)
        for at, _ in events[1:]:
            axis.axvline(at, color="#999999", linewidth=0.8, linestyle="--")
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_ylim(bottom=0)
        axis.grid(axis="y", alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    top = axes[0].get_ylim()[1]
    axes[0].set_ylim(0, top * 1.35)
    for at, text in events:
        axes[0].text(at + 1, top * 1.32, text, fontsize=8, va="top")
    axes[0].legend(loc="center right", fontsize=8, frameon=False)
    axes[-1].set_xlabel(f"seconds; rates over {WINDOW}, from a real Prometheus that watched a real Envoy", fontsize=9)
    axes[-1].set_xlim(0, end - begin)
    figure.tight_layout()
    figure.savefig(output, dpi=100, metadata={"Software": None})


def main():
    root, output = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        try:
            demo = Demo(root, folder)
            draw(demo, *tell(demo), output)
        finally:
            Demo.end()
    print(output)


main()
