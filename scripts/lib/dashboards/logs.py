"""Queries of the access log in Loki and of traces in Tempo, for dashboards that have them in rows to be opened."""

import json
from urllib.parse import quote

from model import LOKI, TEMPO, datasource, override, query, textbox

# The variants that are chosen at the top, among all of a request: "checkout=canary, search=new".
CHOSEN = "(.*, )?($split)=($variant)(, .*)?"

# Envoy's own lines are no JSON.
LOG = f'${{logs:raw}} | json | __error__="" | split=~"{CHOSEN}"'
FAILED = f"{LOG} | code >= 500"
# The reason in the evidence; a path cannot look like it, since its quotes are escaped.
REASON = f'{LOG} | regexp `"evidence":"[^"]*?reason=(?P<reason>[a-z_]+)`'
OF_USER = '| ${user_field:raw}=~"$user"'

EMPTY = "no such line in Loki, in this time range and by `logs` at the top"


def log_variables():
    """What is asked of the log needs these; without a Loki its rows are not opened."""
    return [
        datasource("loki", "loki", "Loki", "Where the access log is; leave it if there is none."),
        textbox("logs", "logs", '{app="envoy"}', "The log streams of Envoy, as a selector of LogQL."),
    ]


def trace_variables():
    """The same for traces."""
    return [datasource("tempo", "tempo", "Tempo", "Where the traces are; leave it if there is none.")]


def user_variables():
    """For what is asked about users."""
    return [
        textbox(
            "user_field",
            "user field",
            "user",
            "The field of the access log that identifies a user. The rendered log has "
            'none, since ids may be personal: add `user: "%REQ(x-user-id)%"` to its json_format, or a hash.',
        ),
        textbox("user", "user", ".*", "A user to look at; a regular expression."),
    ]


def log(expr):
    """Lines."""
    return query(expr, source=LOKI, queryType="range", maxLines=200)


def count(by, expr, most=20):
    """How often, in the time range; the most frequent first. For a table."""
    counted = f"topk({most}, sum by ({by}) (count_over_time({expr} [$__range])))"
    return query(counted, source=LOKI, queryType="instant")


def traces(condition):
    """Traces of the variants that are chosen."""
    return query(f'{{ span.split.variant =~ "{CHOSEN}" && {condition} }}', source=TEMPO, limit=20)


def trace_link(column):
    """A link from the id of a request to its trace: Envoy writes the id into the span."""
    asked = {"refId": "A", "queryType": "traceql", "query": '{ span."guid:x-request-id" = "<id>" }'}
    pane = json.dumps({"datasource": "<tempo>", "queries": [asked], "range": {"from": "<from>", "to": "<to>"}})
    url = quote(pane, safe="<>")
    for place, value in (("tempo", "tempo"), ("id", "__value.raw"), ("from", "__from"), ("to", "__to")):
        url = url.replace(f"<{place}>", f"${{{value}}}")
    return override(
        "byName",
        column,
        links=[
            {"title": "the trace of this request, if it has one", "url": f"/explore?left={url}", "targetBlank": True}
        ],
    )
