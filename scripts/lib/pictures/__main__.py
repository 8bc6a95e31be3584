"""For scripts/dashboard-pictures: runs the demo's parts, tells the story of a canary, and draws each dashboard from what
Prometheus then answers to its queries."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

import draw
from asking import Asking
from demo import SPLITCTL, Demo, tell, weights

# A course of four minutes cannot fill windows of an hour: all are this much shorter, and so are those of the rules
# (--time-scale). A day, as the executive dashboard has it, is twenty seconds.
SHORTER = 20
DAY = 20


def seconds(number, unit):
    """What a time of the rules and dashboards is in the course."""
    length = int(number) * (DAY if unit == "d" else {"s": 1, "m": 60, "h": 3600}[unit] / SHORTER)
    return f"{max(1, round(length))}s"


def shorter(text):
    """A query with shorter ranges."""
    ranges = re.sub(
        r"(?<=[\[:])(\d+)([smhd])(?=[\]:])|(?<=offset )(\d+)([smh])",
        lambda found: seconds(*[part for part in found.groups() if part]),
        text,
    )
    return ranges.replace("$__rate_interval", "10s")


def policy_of(root):
    """The demo's, with what fills the panels: a guard, a stand-in for a dead canary, keys for those who have none."""
    with open(f"{root}/envoy/policy.yaml", encoding="utf-8") as file:
        text = file.read()
    for old, new in [
        ("max_weight: 50}", "max_weight: 50, fallback: baseline}\n  guard: {errors: {}}"),
        ("{cookie: uid}]", "{cookie: uid}, {generate: {cookie: uid}}]"),
    ]:
        assert old in text, old
        text = text.replace(old, new)
    return text


def rules_of(folder, policy):
    with open(f"{folder}/rules-of.yaml", "w", encoding="utf-8") as file:
        file.write(policy)
    prices = ["--price", "checkout/stable=4.80", "--price", "checkout/canary=1.20"]
    shortened = ["--time-scale", str(1 / SHORTER)]
    return subprocess.check_output([SPLITCTL, "render", "prometheus", file.name, *prices, *shortened], text=True)


def run(demo, policy):
    """The story; returns when it began and ended."""

    def to(stable, canary):
        return lambda: demo.write("policy.yaml", weights(policy, stable, canary))

    time.sleep(30)
    begin = time.time()
    tell(
        demo,
        begin,
        [
            (20, "canary to 20 %", to(80, 20)),
            (50, "it is dead, and the baseline stands in", lambda: demo.stop("checkout-v2")),
            (30, "it is back, and slow", lambda: demo.serve("checkout-v2"), lambda: demo.canary("--delay", "120")),
            (50, "it is as fast as the other again", lambda: demo.canary()),
            (30, "it fails, and its guard takes it out", lambda: demo.canary("--failing", "40")),
        ],
    )
    time.sleep(30)
    return begin, time.time()


def main():
    root, output = sys.argv[1:]
    os.makedirs(output, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            policy = policy_of(root)
            demo = Demo(folder, policy, rules_of(folder, policy))
            begin, end = run(demo, policy)
            for name in ("executive", "on-call", "debug"):
                with open(f"{root}/envoy/grafana/dashboards/{name}.json", encoding="utf-8") as file:
                    dashboard = json.load(file)
                draw.picture(dashboard, Asking(demo, dashboard, begin, end, shorter), f"{output}/{name}.png")
                print(f"{output}/{name}.png")
        finally:
            Demo.end()


main()
