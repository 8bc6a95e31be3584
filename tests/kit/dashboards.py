"""Reads dashboards with Grafana's own SDK and tells what it does not know: python dashboards.py FILE...

The SDK drops what is not in the schema of the version it was made for, so what does not come back was a mistake.
"""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

# Fields that Grafana itself writes and the schema leaves out: the built-in annotation, what the Prometheus data
# source adds to an annotation, and what the editor shows of a variable's query.
BESIDES = {"builtIn", "titleFormat", "step", "useValueForTime", "definition"}


def lost(given, back, path):
    if isinstance(given, dict):
        for name, value in given.items():
            here = f"{path}.{name}"
            if isinstance(back, dict) and name in back:
                yield from lost(value, back[name], here)
            elif name not in BESIDES:
                yield f"{here} is not known"
    elif isinstance(given, list):
        for index, value in enumerate(given):
            present = isinstance(back, list) and index < len(back)
            yield from lost(value, back[index] if present else None, f"{path}[{index}]")
    elif given != back:
        yield f"{path} is {given!r}, understood as {back!r}"


def main(names):
    register_default_plugins()
    problems = 0
    for name in names:
        with open(name, encoding="utf-8") as file:
            given = json.load(file)
        back = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
        for problem in lost(given, back, ""):
            print(f"{name}: {problem}")
            problems += 1
    print(f"{len(names)} dashboards, {problems} problems")
    return 1 if problems or not names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
