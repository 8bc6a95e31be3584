"""For scripts/plot: runs the demo's parts, tells the story of a rollback, and draws what Prometheus saw."""

import sys
import tempfile
import time

import matplotlib
from demo import Demo, tell, weights

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WINDOW = "10s"
COLORS = {"stable": "#4c78a8", "canary": "#f58518"}


def run(demo, policy):
    """The story; returns when it began and ended, and what happened when."""
    def to(stable, canary):
        return lambda: demo.write("policy.yaml", weights(policy, stable, canary))

    begin = time.time() + 10
    events = tell(demo, begin, [
        (10, "canary at 5 %"),
        (40, "canary to 30 %", to(70, 30)),
        (45, "the canary fails\nand gets slow", lambda: demo.canary("--failing", "15", "--delay", "80")),
        (40, "rolled back:\ncanary to 0 %", to(100, 0)),
    ])
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
        rows = sorted(demo.rows(promql, begin, end), key=lambda row: row[0]["variant"], reverse=True)
        for labels, points in rows:
            points = [(at - begin, value * factor) for at, value in points if value == value]
            axis.plot(*zip(*points), color=COLORS[labels["variant"]], label=labels["variant"])
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
    with open(f"{root}/envoy/policy.yaml", encoding="utf-8") as file:
        policy = file.read()
    with tempfile.TemporaryDirectory() as folder:
        try:
            demo = Demo(folder, weights(policy, 95, 5))
            draw(demo, *run(demo, policy), output)
        finally:
            Demo.end()
    print(output)


main()
