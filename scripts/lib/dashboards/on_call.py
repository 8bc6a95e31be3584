"""On-call: each variant beside its baseline, what is out of service, the upstreams, and what changed when."""

import logs
import upstreams
from model import (
    FLEET,
    NAME,
    SPLIT,
    VARIANT,
    dashboard,
    dashed,
    graph,
    line,
    now,
    override,
    query,
    row,
    rows,
    stat,
    table,
    thresholds,
)

ALERTS = 'alertname=~"TrafficSplit.*"'

# The alerts' own limits; tests/kit/dashboards.rs compares them with the rules.
ABOVE_BASELINE, TIMES_BASELINE, STAND_IN, TICKET, PAGE = 0.01, 1.2, 0.01, 2, 8

HASHES = f"traffic_split_policy_hash{{{FLEET}}}"
SILENT = f"up{{{FLEET}}} == 0 and on (job, instance) max_over_time({HASHES}[1d])"
DISCOVERED = (
    '{__name__=~"envoy_extension_config_discovery_http_filter_(.+_)?traffic_split_(.+_)?config_reload",' f"{FLEET}}}"
)
BASELINE = dashed("^baseline")


def recorded(series, legend=NAME, of=VARIANT):
    return query(f"traffic_split:{series}{{{of}}}", legend)


def first():
    """What is wrong now."""
    return line(
        7,
        table(
            "Alerts",
            "Pending and firing, and since when. The runbook has one heading per alert: envoy/README.md, "
            "or where --runbook says.",
            rows(f"1000 * ALERTS{{{ALERTS}}} * ignoring (alertstate) group_left () ALERTS_FOR_STATE{{{ALERTS}}}"),
            14,
            unit="short",
            empty="no alert is pending or firing",
            order=("alertstate", "severity", "alertname", "split", "variant", "job", "cluster", "instance", "Value"),
            names={"Value": "since"},
            overrides=[override("byName", "since", unit="dateTimeFromNow")],
        ),
        stat(
            "Proxies",
            "That run the filter; that split traffic within the last day and do not answer Prometheus; and "
            "that have the filter in their chain and none that runs. Only the first may be above 0.",
            [
                now(f"count({HASHES})", "run the filter"),
                now(f"count({SILENT}) or vector(0)", "do not answer"),
                now(f"count({DISCOVERED} unless on (job, instance) {HASHES}) or vector(0)", "none runs"),
            ],
            5,
            unit="short",
            steps=thresholds("green", (1, "red")),
            overrides=[override("byName", "run the filter", thresholds=thresholds("red", (1, "green")))],
        ),
        stat(
            "Policies in the proxies",
            "Proxies that refused their policy and serve by the last good one or none, and "
            "how many different policies serve: 0 and 1 are right.",
            [
                now(f"sum(traffic_split_policy_refused{{{FLEET}}})", "refused"),
                now(f'count(count_values("policy", {HASHES}))', "serving"),
            ],
            5,
            unit="short",
            steps=thresholds("green", (1, "red")),
            overrides=[override("byName", "serving", thresholds=thresholds("green", (2, "red")))],
        ),
    )


def beside_baseline():
    """Errors and durations."""
    return row(
        "Variants beside their baseline",
        line(
            9,
            graph(
                "Error ratio",
                "5xx, and no response although the client waited, of all responses, five minutes. "
                "Dotted: what the objective allows.",
                [
                    recorded("errors:ratio_rate5m"),
                    recorded("errors:baseline_ratio_rate5m", "baseline of {{split}} {{job}} {{cluster}}", SPLIT),
                    query("1 - max(traffic_split:slo:objective)", "allowed by the objective"),
                ],
                unit="percentunit",
                fields={"min": 0},
                overrides=[
                    BASELINE,
                    override(
                        "byRegexp",
                        "/^allowed/",
                        color={"mode": "fixed", "fixedColor": "red"},
                        custom__lineStyle={"fill": "dot", "dash": [2, 6]},
                    ),
                ],
            ),
            graph(
                "Duration, p95",
                "Whole requests, as the proxy saw them.",
                [
                    recorded("request_duration_milliseconds:p95_5m"),
                    recorded(
                        "request_duration_milliseconds:baseline_p95_5m",
                        "baseline of {{split}} {{job}} {{cluster}}",
                        SPLIT,
                    ),
                ],
                unit="ms",
                fields={"min": 0},
                overrides=[BASELINE],
            ),
        ),
        line(
            8,
            graph(
                "Errors above the baseline",
                "Points more than the baseline. The alert wants one point, and half as many again.",
                query(
                    f"traffic_split:errors:ratio_rate5m{{{VARIANT}}} - ignoring (variant) group_left () "
                    f"traffic_split:errors:baseline_ratio_rate5m{{{SPLIT}}}",
                    NAME,
                ),
                8,
                unit="percentunit",
                steps=thresholds("green", (ABOVE_BASELINE, "red")),
            ),
            graph(
                "p95 in multiples of the baseline's",
                "The alert is at 1.2, and 5 ms.",
                query(
                    f"traffic_split:request_duration_milliseconds:p95_5m{{{VARIANT}}} / ignoring (variant) "
                    f"group_left () traffic_split:request_duration_milliseconds:baseline_p95_5m{{{SPLIT}}}",
                    NAME,
                ),
                8,
                unit="short",
                steps=thresholds("green", (TIMES_BASELINE, "red")),
                fields={"min": 0},
            ),
            graph(
                "Error budget burn",
                "1 is just as fast as the objective allows. A ticket at 2 (6 hours), a page at 8 (1 hour).",
                [recorded("burn_rate:1h", f"1h {NAME}"), recorded("burn_rate:5m", f"5m {NAME}")],
                8,
                unit="short",
                steps=thresholds("green", (TICKET, "orange"), (PAGE, "red")),
                fields={"min": 0},
            ),
        ),
        line(
            8,
            graph(
                "Durations, p50 and p99",
                "A new variant that is cold is slow at p99 only.",
                [
                    recorded("request_duration_milliseconds:p50_5m", f"p50 {NAME}"),
                    recorded("request_duration_milliseconds:p99_5m", f"p99 {NAME}"),
                ],
                8,
                unit="ms",
                fields={"min": 0},
            ),
            graph(
                "Requests per second",
                "What each variant serves, for whatever reason.",
                recorded("requests:rate5m"),
                8,
                unit="reqps",
                fields={"min": 0},
            ),
            graph(
                "Share and weight",
                "The share that the weights decided; dashed, the weight.",
                [recorded("share:observed5m"), recorded("share:configured", f"weight {NAME}")],
                8,
                unit="percentunit",
                fields={"min": 0},
                overrides=[dashed("^weight")],
            ),
        ),
    )


def instead():
    """What guards have taken out, and whom the baseline serves."""
    return row(
        "Guards, and who serves instead",
        line(
            7,
            table(
                "Out of service",
                "Proxies whose guard has taken a variant out: its users have another variant there.",
                rows(f"traffic_split_tripped{{{VARIANT}}} == 1"),
                6,
                unit="short",
                empty="every variant is in service, or no split has a guard",
                order=("split", "variant", "instance"),
                hide=("Value", "job"),
            ),
            graph(
                "Users with failures",
                "Users in five minutes whose request failed, each once in a while: what the "
                "guard judges by, with a guard or without.",
                query(f"sum by (split, variant) (increase(traffic_split_bad_keys_total{{{VARIANT}}}[5m]))", NAME),
                6,
                unit="short",
                fields={"min": 0},
                empty="no split counts them: it has neither a key nor weights",
            ),
            graph(
                "Clients that left",
                "Of all responses: the client left before one came. No error, but many of them "
                "mean a variant that hangs.",
                query(
                    f'sum by (split, variant) (rate(traffic_split_responses_total{{class="abort",{VARIANT}}}[5m])) '
                    f"/ (sum by (split, variant) (rate(traffic_split_responses_total{{{VARIANT}}}[5m])) > 0)",
                    NAME,
                ),
                6,
                unit="percentunit",
                fields={"min": 0},
            ),
            graph(
                "Served by the baseline instead",
                "The part of a variant's requests that the baseline's hosts served, "
                "because the variant's could not. The alert is at 1 %.",
                recorded("stand_in:ratio_rate5m"),
                6,
                unit="percentunit",
                fields={"min": 0},
                steps=thresholds("green", (STAND_IN, "red")),
                empty="no variant has `fallback: baseline`",
            ),
        ),
    )


def policies():
    """What is in force, and when it changed."""
    return row(
        "Policies in force",
        line(
            7,
            graph(
                "Proxies by policy",
                "Each line is a policy's hash, in decimal: one line, but for the seconds of a change. "
                "To compare with a file: `splitctl validate policy.yaml` prints the hash in hexadecimal, and "
                "`printf '%d\\n' 0xHASH` makes a decimal of it. The debug dashboard shows it in hexadecimal.",
                query(f'count_values("policy", {HASHES})', "{{policy}}"),
                unit="short",
                custom={
                    "lineInterpolation": "stepAfter",
                    "fillOpacity": 30,
                    "stacking": {"mode": "normal", "group": "A"},
                },
                fields={"min": 0, "decimals": 0},
            ),
            graph(
                "Weights",
                "What the policies want, ramps applied; 0 while a guard keeps the variant out.",
                recorded("share:configured"),
                unit="percentunit",
                custom={"lineInterpolation": "stepAfter"},
                fields={"min": 0, "max": 1},
            ),
        ),
    )


def make(name):
    description = (
        "Each variant beside its baseline: errors, durations, budget, alerts, guards, upstreams. Changes of weights, "
        "policies and guards are annotations."
    )
    parts = [first(), beside_baseline(), instead(), upstreams.counted(), policies(), upstreams.failing()]
    return dashboard(name, description, parts, chosen=logs.log_variables())
