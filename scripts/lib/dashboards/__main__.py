"""For scripts/render: writes the dashboards into a folder: python dashboards FOLDER"""

import json
import sys

import debug
import executive
import on_call

DASHBOARDS = {"executive": executive.make, "on-call": on_call.make, "debug": debug.make}


def main(folder):
    for name, make in DASHBOARDS.items():
        with open(f"{folder}/{name}.json", "w", encoding="utf-8") as file:
            file.write(json.dumps(make(name), indent=2, ensure_ascii=False) + "\n")


main(sys.argv[1])
