"""Executive: who gets what, whether the objective is met over 30 days, what it brings and what it costs."""

from model import (
    KNOWN,
    NAME,
    SPLIT,
    VARIANT,
    colored,
    dashboard,
    dashed,
    graph,
    line,
    now,
    query,
    row,
    stat,
    textbox,
    thresholds,
)

OBJECTIVE = "max(traffic_split:slo:objective)"

# Any business figure; until somebody has one: good answers in a second.
BUSINESS = 'sum by (split, variant) (rate(traffic_split_responses_total{class="2xx"}[5m]))'


def responses(by, window, of=SPLIT):
    """All responses of a window, in units that cancel out: the recorded rate, minute by minute."""
    return f"sum by ({by}) (sum_over_time(traffic_split:responses:rate5m{{{of}}}[{window}:1m]))"


def errors(by, window, of=SPLIT):
    """The errors among them."""
    return (
        f"sum by ({by}) (sum_over_time((traffic_split:errors:ratio_rate5m{{{of}}} "
        f"* traffic_split:responses:rate5m{{{of}}})[{window}:1m]))"
    )


def attained(window):
    """The part of a split's requests that was no error."""
    return f"1 - {errors('split', window)} / ({responses('split', window)} > 0)"


def left(window):
    """The part of a split's error budget that is left."""
    return (
        f"1 - {errors('split', window)} / ({responses('split', window)} > 0) "
        f"/ on () group_left () (1 - {OBJECTIVE})"
    )


ALLOWED = f"on () group_left () {OBJECTIVE}"
RESPONSES = f"sum by (split, variant) (rate(traffic_split_responses_total{{{VARIANT}}}[5m]))"
REQUESTS = f"sum by (split, variant) (traffic_split:requests:rate5m{{{VARIANT}}})"
PRICE = f"max by (split, variant) (traffic_split:price_per_hour{{{KNOWN}}})"
NO_PRICE = "no price is known: splitctl render prometheus --price SPLIT/VARIANT=PRICE"
# What is typed is kept to what is chosen above.
CHOSEN = f"max by (split, variant) (traffic_split:share:configured{{{VARIANT}}})"
FIGURE = f"(${{business:raw}}) and on (split, variant) {CHOSEN}"
NO_FIGURE = "the business figure (at the top) has no rows with the labels split and variant"
KEPT = "Of what Prometheus keeps: --storage.tsdb.retention.time must be 30d or more."


def objective():
    """Whether it is met, and who uses up the budget."""
    return row(
        "The objective, over 30 days",
        line(
            5,
            stat(
                "Objective",
                "The part of requests that must be no error, as `splitctl render prometheus --slo` was "
                "told. All colors here follow it.",
                now(OBJECTIVE, "objective"),
                4,
                unit="percentunit",
                fields={"decimals": 3},
            ),
            stat(
                "Attained, 30 days",
                "Requests of the split that were answered, and with no 5xx, or whose client left "
                f"before. Green: the objective is met. Red: it is not. {KEPT}",
                [
                    now(f"({attained('30d')}) >= {ALLOWED}", "{{split}}: met"),
                    now(f"({attained('30d')}) < {ALLOWED}", "{{split}}: missed"),
                ],
                7,
                unit="percentunit",
                fields={"decimals": 3},
                overrides=[colored("A", "green"), colored("B", "red")],
            ),
            stat(
                "Error budget left, 30 days",
                "100 % is an unused budget. Below 0 % the objective is missed. " f"{KEPT}",
                now(left("30d"), "{{split}}"),
                7,
                unit="percentunit",
                steps=thresholds("red", (0, "orange"), (0.25, "green")),
                fields={"decimals": 1},
            ),
            stat(
                "Error budget used by each variant, 30 days",
                "Parts of the split's budget: with what is left they "
                "make 100 %. The variant with the large part is the one to look at.",
                now(
                    f"{errors('split, variant', '30d', VARIANT)} / on (split) group_left () "
                    f"({responses('split', '30d')} > 0) / on () group_left () (1 - {OBJECTIVE})",
                    NAME,
                ),
                6,
                unit="percentunit",
                steps=thresholds("green", (0.5, "orange"), (1, "red")),
                fields={"decimals": 1},
            ),
        ),
        line(
            8,
            graph(
                "Attained, over a day",
                "Each point is the day before it; the dashed line is the objective. Always "
                "30 days, whatever the time range.",
                [query(attained("1d"), "{{split}}"), query(OBJECTIVE, "objective")],
                unit="percentunit",
                interval="1h",
                timeFrom="30d",
                overrides=[dashed("^objective", "red")],
                fields={"decimals": 2},
            ),
            graph(
                "Error budget left, over 30 days",
                "Each point is the 30 days before it. Always 30 days, whatever the time range.",
                query(left("30d"), "{{split}}"),
                unit="percentunit",
                interval="6h",
                timeFrom="30d",
                steps=thresholds("red", (0, "green")),
            ),
        ),
    )


def shares():
    """The shares, and what the policy wants."""
    return row(
        "Who gets what",
        line(
            8,
            stat(
                "Share of users' requests",
                "What the weights decided in the last five minutes. Overrides and requests "
                "without a key are not in it.",
                now(f"traffic_split:share:observed5m{{{VARIANT}}}", NAME),
                unit="percentunit",
                fields={"decimals": 1},
            ),
            graph(
                "Share over time",
                "Stacked: the parts of each split make 100 %.",
                query(f"traffic_split:share:observed5m{{{VARIANT}}}", NAME),
                9,
                unit="percentunit",
                custom={"fillOpacity": 60, "lineWidth": 0, "stacking": {"mode": "normal", "group": "A"}},
                fields={"min": 0},
            ),
            graph(
                "Weights over time",
                "What the policy wants, ramps applied.",
                query(f"traffic_split:share:configured{{{VARIANT}}}", NAME),
                9,
                unit="percentunit",
                custom={"lineInterpolation": "stepAfter"},
                fields={"min": 0, "max": 1},
            ),
        ),
    )


def worth():
    """In figures of the business, and in money."""
    return row(
        "What it brings, and what it costs",
        line(
            8,
            graph(
                "Business figure",
                "The query at the top, by variant. Until you type one: good answers in a second. "
                "Services know their variant from the header x-split-variant, and can count by it.",
                query(FIGURE, NAME),
                unit="short",
                empty=NO_FIGURE,
                fields={"min": 0},
            ),
            graph(
                "Business figure per 1,000 requests",
                "The same, divided by each variant's requests, so that a canary "
                "of 5 % can be compared. The query must be a rate (per second), as the usual one is.",
                query(f"1000 * ({FIGURE}) / on (split, variant) group_left () ({RESPONSES} > 0)", NAME),
                unit="short",
                empty=NO_FIGURE,
                fields={"min": 0},
            ),
        ),
        line(
            8,
            stat(
                "Cost in an hour",
                "In the currency of --price, whatever the traffic is.",
                now(PRICE, NAME),
                6,
                unit="short",
                empty=NO_PRICE,
                fields={"decimals": 2},
            ),
            graph(
                "Cost of 1,000 requests",
                "A small canary is dear while its deployment is larger than its share. The scale is logarithmic.",
                query(f"1000 * {PRICE} / 3600 / ({REQUESTS} > 0)", NAME),
                6,
                unit="short",
                empty=NO_PRICE,
                custom={"scaleDistribution": {"type": "log", "log": 10}},
            ),
            graph(
                "Requests per second",
                "What each variant serves, for whatever reason.",
                query(f"traffic_split:requests:rate5m{{{VARIANT}}}", NAME),
                6,
                unit="reqps",
                fields={"min": 0},
            ),
            graph(
                "Error budget burn, 6 hours",
                "1 is just as fast as the objective allows. At 2, for 15 minutes, there is a ticket.",
                query(f"traffic_split:burn_rate:6h{{{VARIANT}}}", NAME),
                6,
                unit="short",
                steps=thresholds("green", (1, "orange"), (2, "red")),
                fields={"min": 0},
            ),
        ),
    )


def make(name):
    business = textbox(
        "business",
        "business figure (PromQL)",
        BUSINESS,
        "Any query whose rows have the labels split and variant: orders, sign-ups, revenue per second.",
    )
    description = "Who gets what, whether the objective is met, what it brings and what it costs."
    return dashboard(
        name, description, [objective(), shares(), worth()], chosen=[business], refresh="1m", since="now-24h"
    )
