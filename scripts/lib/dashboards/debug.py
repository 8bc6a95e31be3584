"""Debug: why requests went where they went, what each proxy runs, what went wrong inside, single requests."""

import logs
from model import (
    FLEET,
    LOKI,
    NAME,
    SPLIT,
    TEMPO,
    VARIANT,
    dashboard,
    graph,
    line,
    panel,
    query,
    row,
    rows,
    table,
    text,
    thresholds,
)

PROXY = "{{instance}}"
DISCOVERY = "envoy_extension_config_discovery_http_filter_(.+_)?traffic_split_(.+_)?"
VM = "envoy_wasm_(.+_)?traffic_split_(.+_)?vm_reload_"
WHOLE = {"min": 0, "decimals": 0}
REQUEST = (
    "time",
    "split",
    "code",
    "flags",
    "duration_ms",
    "method",
    "host",
    "path",
    "cluster",
    "upstream",
    "evidence",
    "request_id",
)
STEPS = {"lineInterpolation": "stepAfter"}
LOGGED = """\
The access log has the variant in `split`, such as `checkout=canary`, and, where the policy has `filter_state: evidence`, the \
reason and the user's bucket in `evidence`.

- Compose: `docker compose logs --no-log-prefix envoy | grep -F '"split":"checkout=canary"'`
- Kubernetes: `kubectl logs deploy/envoy | jq -c 'select(.split // "" | contains("checkout=canary"))'`
- What the filter said: `grep 'wasm log'` in Envoy's own log.

The rows below need a Loki that has this log, and a Tempo that has the traces (`splitctl render envoy --otlp`): choose them at \
the top, and open the rows. `logs` at the top selects the streams."""


def increase(series, of=FLEET):
    return f"increase({series}{{{of}}}[$__rate_interval])"


def rate(by, series, of=VARIANT):
    return f"sum by ({by}) (rate({series}{{{of}}}[$__rate_interval]))"


def of_envoy(name):
    """A series that has the filter's name in it, which is another one in Istio."""
    return f'{{__name__=~"{name}",{FLEET}}}'


def why():
    """The decisions, and what came of them."""
    return row(
        "Why requests went where they went",
        line(
            9,
            graph(
                "Decisions by reason",
                "split: by weight. override: forced. no_key: nothing identified the user. killed: "
                "kill is on. tripped: the guard keeps another variant out.",
                query(
                    rate("split, variant, reason", "traffic_split_requests_total"), "{{split}}={{variant}} {{reason}}"
                ),
                largest_first=True,
                unit="reqps",
                fields={"min": 0},
            ),
            graph(
                "Responses by class",
                "none: no response came although the client waited, which is an error. abort: the "
                "client left before, which is none.",
                query(
                    rate("split, variant, class", "traffic_split_responses_total"), "{{split}}={{variant}} {{class}}"
                ),
                largest_first=True,
                unit="reqps",
                fields={"min": 0},
            ),
        ),
        line(
            9,
            panel(
                "heatmap",
                "Durations",
                "Pick one variant at the top.",
                query(rate("le", "traffic_split_request_duration_milliseconds_bucket"), "{{le}}", format="heatmap"),
                12,
                unit="reqps",
                options={
                    "calculate": False,
                    "yAxis": {"unit": "ms"},
                    "cellGap": 1,
                    "legend": {"show": True},
                    "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
                    "tooltip": {"show": True, "yHistogram": True},
                },
            ),
            graph(
                "Share off its weight, in sigmas",
                "How far the share is outside of all weights of half an hour; only decisions by weight. Beyond 4 it is not chance.",
                query(
                    f"traffic_split:share:deviation30m{{{VARIANT}}} / (traffic_split:share:sigma30m{{{VARIANT}}} > 0)",
                    NAME,
                ),
                unit="short",
                steps=thresholds("green", (4, "red")),
            ),
        ),
    )


def proxies():
    """Which policy is where."""
    return row(
        "What each proxy runs",
        line(
            8,
            table(
                "Policy per proxy",
                "The hash of the policy in force, in hexadecimal as `splitctl validate` prints it (Grafana "
                "writes it in capitals, without zeros in front); 0 for none. All must be equal. Metrics have it in decimal: "
                "`printf '%x\\n' NUMBER`.",
                rows(f"traffic_split_policy_hash{{{FLEET}}}"),
                8,
                unit="hex",
                order=("cluster", "job", "instance", "Value"),
                names={"Value": "policy"},
            ),
            graph(
                "Policy refused",
                "1 from the refusal until a good policy comes. The last good policy serves meanwhile, or "
                "none where its hash is 0: no split applies there.",
                query(f"traffic_split_policy_refused{{{FLEET}}}", PROXY),
                8,
                unit="short",
                custom=STEPS,
                fields={**WHOLE, "max": 1},
            ),
            graph(
                "Configurations taken over and rejected",
                "Counters since the proxy started. Envoy takes over a "
                "configuration with a refused policy, too. The filter counts a refusal once per VM.",
                [
                    query(of_envoy(f"{DISCOVERY}config_reload"), f"taken over {PROXY}"),
                    query(of_envoy(f"{DISCOVERY}config_fail"), f"rejected {PROXY}"),
                    query(f"traffic_split_config_errors_total{{{FLEET}}}", f"refused by the filter {PROXY}"),
                ],
                8,
                unit="short",
                custom=STEPS,
                fields=WHOLE,
            ),
        ),
    )


def inside():
    """What must never happen, and what it weighs."""
    return row(
        "Inside the filter",
        line(
            7,
            graph(
                "Host errors",
                "Calls into Envoy that failed. Always 0, or a defect: please report.",
                query(increase("traffic_split_host_errors_total"), PROXY),
                6,
                unit="short",
                fields={"min": 0},
            ),
            graph(
                "VM reloads",
                "After a panic of the module. Always 0, or a defect: please report.",
                [
                    query(f"increase({of_envoy(VM + 'success')}[$__rate_interval])", f"reloaded {PROXY}"),
                    query(f"increase({of_envoy(VM + 'failure')}[$__rate_interval])", f"not reloaded {PROXY}"),
                ],
                6,
                unit="short",
                fields={"min": 0},
            ),
            graph(
                "VMs",
                "One per worker, one of the main thread, and a spare.",
                query(f"envoy_wasm_envoy_wasm_runtime_v8_active{{{FLEET}}}", PROXY),
                6,
                unit="short",
                fields=WHOLE,
            ),
            graph(
                "Time series of the filter",
                "How many series each proxy has for the filter: metrics, and one per bucket of "
                "the durations. Only a policy changes it, never a request.",
                query(f"count by (instance) ({of_envoy('traffic_split_.*')})", PROXY),
                6,
                unit="short",
                fields=WHOLE,
            ),
        ),
    )


def keys():
    """Who is new, and who tries to choose."""
    return row(
        "Keys, and forcing",
        line(
            7,
            graph(
                "Users who were given a key",
                "New visitors per second. As many as requests: the cookie does not come back.",
                query(rate("split", "traffic_split_new_keys_total", SPLIT), "{{split}}"),
                8,
                unit="ops",
                empty="no split generates keys (`key: [{generate: ...}]`)",
                fields={"min": 0},
            ),
            graph(
                "Users of each variant",
                "Whom the weights gave it, each once in a while and worker: what a guard counts "
                "beside the users with failures.",
                query(f"sum by (split, variant) (increase(traffic_split_keys_total{{{VARIANT}}}[5m]))", NAME),
                8,
                unit="short",
                empty="no split has a guard",
                fields={"min": 0},
            ),
            graph(
                "Forcing refused",
                "Requests per second that wanted to force a variant and did not know the secret. Somebody "
                "tries, or a test has an old secret.",
                query(rate("instance", "traffic_split_force_refused_total", FLEET), PROXY),
                8,
                unit="reqps",
                empty="the policy has no `force`",
                fields={"min": 0},
            ),
        ),
    )


def words():
    """Where single requests are found."""
    return line(7, text("Logs of a variant", "Where single requests are found.", LOGGED))


def requests():
    """Single requests; only Loki has them."""
    return row(
        "Single requests: the access log, from Loki",
        line(
            9,
            panel(
                "logs",
                "Requests of the chosen variants",
                "The last 200, newest first; of one user, if `user` at the top says so and the log has the field.",
                logs.log(f"{logs.LOG} {logs.OF_USER}"),
                24,
                source=LOKI,
                empty=logs.EMPTY,
                options={
                    "showTime": True,
                    "wrapLogMessage": True,
                    "sortOrder": "Descending",
                    "enableLogDetails": True,
                    "dedupStrategy": "none",
                    "showLabels": False,
                    "showCommonLabels": False,
                    "prettifyLogMessage": False,
                },
            ),
        ),
        line(
            9,
            table(
                "Samples, with their traces",
                "The same requests in columns. A click on a request's id asks Tempo for its "
                "trace, which it has if it was sampled (1 % of requests without --traces).",
                logs.log(f"{logs.LOG} {logs.OF_USER}"),
                24,
                source=LOKI,
                unit="short",
                empty=logs.EMPTY,
                order=REQUEST,
                hide=("labels", "labelTypes", "Line", "tsNs", "id"),
                transform=[{"id": "extractFields", "options": {"source": "Line", "format": "json"}}],
                overrides=[logs.trace_link("request_id")],
            ),
        ),
        line(
            9,
            table(
                "Users with more than one variant",
                "Users of one split who were served several variants in the time range, by "
                "the field `user field` at the top. Empty is right while no weight changed (see the annotations); otherwise "
                "the key differs from request to request. Many users: narrow `user`, such as `.*7`, since Loki answers with "
                "500 rows at most. Of several splits, each change counts.",
                query(
                    f"count by (${{user_field:raw}}) (sum by (${{user_field:raw}}, split) (count_over_time({logs.LOG} "
                    f'| ${{user_field:raw}}!="" {logs.OF_USER} [$__range]))) > 1',
                    source=LOKI,
                    queryType="instant",
                ),
                source=LOKI,
                unit="short",
                empty="nobody changed variants, or the log has no such field (see `user field` at the top)",
                names={"Value #A": "variants"},
            ),
            table(
                "Requests by reason",
                "Of the chosen variants, by the `evidence` in the log; of several splits, the first.",
                logs.count("split, reason", logs.REASON),
                source=LOKI,
                unit="short",
                empty="no such line in Loki, or the policy has no `filter_state: evidence`",
                names={"Value #A": "requests"},
            ),
        ),
        collapsed=True,
    )


def traces():
    """Traces; only Tempo has them."""
    return row(
        "Traces, from Tempo",
        line(
            9,
            table(
                "Traces with an error",
                "Of the chosen variants: 5xx, or no response. Spans have the variant as `split.variant`.",
                logs.traces("status = error"),
                source=TEMPO,
                unit="short",
                empty="no such trace in this time range",
            ),
            table(
                "Slow traces",
                "Of the chosen variants, over a second.",
                logs.traces("duration > 1s"),
                source=TEMPO,
                unit="short",
                empty="no such trace in this time range",
            ),
        ),
        collapsed=True,
    )


def make(name):
    description = "Why requests went where they went, what each proxy runs, what went wrong inside, single requests."
    parts = [why(), proxies(), inside(), keys(), words(), requests(), traces()]
    chosen = [*logs.log_variables(), *logs.user_variables(), *logs.trace_variables()]
    return dashboard(name, description, parts, chosen=chosen)
