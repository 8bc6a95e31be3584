"""Merges a patch into a route of Envoy as protobuf does: JSON {"route": ..., "patch": ...} on stdin, the merged route
on stdout. A field that is not in Envoy's messages is an error.
"""

import json
import sys

from envoy.config.route.v3.route_components_pb2 import Route

# What a route of Istio's has in an Any.
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2  # noqa: F401
from google.protobuf import json_format


def main():
    given = json.load(sys.stdin)
    route, patch = (json_format.ParseDict(given[name], Route()) for name in ("route", "patch"))
    route.MergeFrom(patch)
    print(json_format.MessageToJson(route, preserving_proto_field_name=True))


if __name__ == "__main__":
    main()
