"""Upstreams of the variants: what Envoy counts of their clusters, and which endpoints fail by the access log."""

import logs
from model import FLEET, KNOWN, LOKI, NAME, graph, line, override, panel, query, row, rows, table, thresholds

# The cluster that serves a variant; with a fallback also the one that is made for it, such as checkout=canary, by which
# Envoy counts its requests, and which has no hosts of its own.
CLUSTERS = f"max by (split, variant, envoy_cluster_name) (traffic_split:cluster{{{KNOWN}}})"
OF_HOSTS = CLUSTERS.replace("})", ',envoy_cluster_name!~".+=.+"})')
NO_CLUSTERS = "no envoy_cluster_* of these clusters: Istio keeps few of them, see proxyStatsMatcher"


def beside(clusters, by_cluster):
    """What is counted by cluster, for each variant that has it; several may have the same."""
    return f"{clusters} * on (envoy_cluster_name) group_left () {by_cluster}"


def hosts(gauge, over_proxies):
    return rows(beside(OF_HOSTS, f"{over_proxies} by (envoy_cluster_name) (envoy_cluster_{gauge}{{{FLEET}}})"))


def rate(counter, of=""):
    counted = f"sum by (envoy_cluster_name) (rate(envoy_cluster_{counter}{{{FLEET}{of}}}[$__rate_interval]))"
    return f"sum by (split, variant) ({beside(CLUSTERS, counted)})"


def counted():
    """Whether the services are well."""
    return row(
        "Upstreams of each variant, as Envoy counts them",
        line(
            8,
            table(
                "Upstream health",
                "Hosts of each variant's cluster, on the proxy that sees the fewest healthy ones; hosts "
                "left out for their failures, on the proxy with the most (empty: no outlier detection).",
                [
                    hosts("membership_healthy", "min"),
                    hosts("membership_total", "max"),
                    hosts("outlier_detection_ejections_active", "max"),
                ],
                12,
                unit="short",
                empty=NO_CLUSTERS,
                transform=[{"id": "merge", "options": {}}],
                order=("split", "variant", "envoy_cluster_name", "Value #A", "Value #B", "Value #C"),
                names={
                    "Value #A": "healthy",
                    "Value #B": "hosts",
                    "Value #C": "left out",
                    "envoy_cluster_name": "cluster",
                },
                overrides=[
                    override(
                        "byName",
                        "healthy",
                        thresholds=thresholds("red", (1, "green")),
                        custom__cellOptions={"type": "color-text"},
                    )
                ],
            ),
            graph(
                "Answers of upstreams",
                "By class, per second. Retries count each time, so that there may be more than "
                "the filter's responses.",
                [
                    query(rate("upstream_rq_xx", f',envoy_response_code_class="{digit}"'), f"{NAME} {digit}xx")
                    for digit in "245"
                ],
                unit="reqps",
                empty=NO_CLUSTERS,
                fields={"min": 0},
            ),
        ),
        line(
            8,
            graph(
                "Upstream failures",
                "Per second: connections that could not be made, requests that timed out, were "
                "reset, or found no room (circuit breaker).",
                [
                    query(rate("upstream_cx_connect_fail"), f"{NAME} no connection"),
                    query(rate("upstream_rq_timeout"), f"{NAME} timeout"),
                    query(rate("upstream_rq_rx_reset"), f"{NAME} reset"),
                    query(rate("upstream_rq_pending_overflow"), f"{NAME} no room"),
                ],
                8,
                unit="reqps",
                empty=NO_CLUSTERS,
                largest_first=True,
                fields={"min": 0},
            ),
            graph(
                "Retries",
                "Per second, by Envoy itself.",
                query(rate("upstream_rq_retry"), NAME),
                8,
                unit="reqps",
                empty=NO_CLUSTERS,
                fields={"min": 0},
            ),
            graph(
                "Time at the upstream, p95",
                "Without what the proxy adds. If it is as high as the duration above, the "
                "service is slow; if it is not, look at the proxy and the client.",
                query(
                    beside(
                        CLUSTERS,
                        "histogram_quantile(0.95, sum by (envoy_cluster_name, le) (rate("
                        f"envoy_cluster_upstream_rq_time_bucket{{{FLEET}}}[$__rate_interval])))",
                    ),
                    f"{NAME} ({{{{envoy_cluster_name}}}})",
                ),
                8,
                unit="ms",
                empty=NO_CLUSTERS,
                fields={"min": 0},
            ),
        ),
    )


def failing():
    """Which endpoints fail; only Loki knows."""
    return row(
        "Failing endpoints: the access log, from Loki",
        line(
            8,
            table(
                "Endpoints that fail",
                "Requests with 5xx, in the time range, by the host that answered (empty: none did), "
                "and by Envoy's flags: UF no connection, UT timeout, UH no healthy host, NC no cluster.",
                logs.count("split, upstream, code, flags", logs.FAILED),
                source=LOKI,
                unit="short",
                empty=logs.EMPTY,
                order=("split", "upstream", "code", "flags"),
                names={"Value #A": "requests"},
            ),
            table(
                "Routes and clusters that fail",
                "The same, by Envoy's route and cluster. A policy's cluster that Envoy does not have is NC here.",
                logs.count("split, route, cluster, flags", logs.FAILED),
                source=LOKI,
                unit="short",
                empty=logs.EMPTY,
                order=("split", "route", "cluster", "flags"),
                names={"Value #A": "requests"},
            ),
        ),
        line(
            9,
            panel(
                "logs",
                "Requests that failed",
                "The last 200, newest first.",
                logs.log(logs.FAILED),
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
        collapsed=True,
    )
