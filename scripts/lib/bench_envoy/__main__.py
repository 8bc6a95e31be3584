"""For scripts/bench-envoy, which says what it is for and provides the programs."""

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile

import footprint
import instructions
import output
import times
from check import check, refused
from listeners import LISTENERS, TABLES
from running import Envoy, Failed, Upstreams, end_all, read, say, write


class Tools:
    """The programs, and where they may run."""

    def __init__(self, work):
        self.work = work
        self.root, self.envoy, self.splitctl, self.module, self.load = (
            os.environ[name] for name in ("ROOT", "ENVOY_BIN", "SPLITCTL_BIN", "TRAFFIC_SPLIT_WASM", "LOAD_BIN"))
        # With two cores or more Envoy has the last one to itself, as far as this program can tell.
        cpus = sorted(os.sched_getaffinity(0))
        self.envoy_cpus, self.other_cpus = ({cpus[-1]}, set(cpus[:-1])) if len(cpus) > 1 else (None, None)

    def folder(self):
        return tempfile.mkdtemp(dir=self.work)

    def policy(self, listener):
        """The file of a listener's policy."""
        path = f"{self.work}/{listener.name}.json"
        write(path, json.dumps(listener.policy))
        return path

    def python_with_yaml(self):
        return subprocess.check_output([f"{self.root}/scripts/get/python", "yaml"], text=True).strip()


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench-envoy", description="What a request costs in Envoy: plain, split by Envoy itself, by Lua, by this filter. "
        "Without a choice: instructions where valgrind is, else CPU time, and the footprint, of the table `main`.")
    parser.add_argument("--exact", action="store_true", help="count instructions with callgrind: alike on a busy machine")
    parser.add_argument("--time", action="store_true", help="CPU time per request, and latency at half of the saturation rate")
    parser.add_argument("--footprint", action="store_true", help="the module's size, memory, the time that a new policy takes")
    parser.add_argument("--tables", metavar="NAME,...", default="main", help=f"which listeners: {', '.join(TABLES)}, or all")
    parser.add_argument("--only", metavar="NAME,...", help="these listeners of any table (see --list)")
    parser.add_argument("--list", action="store_true", help="print the listeners and end")
    parser.add_argument("--check", action="store_true", help="only check that each listener does its work")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--svg", metavar="FILE", help="draw the instructions of the table `main`")
    parser.add_argument("--write", metavar="PAGE", help="put the tables into a page, between its markers")
    parser.add_argument("--from", metavar="FILE,...", dest="saved", help="measure nothing: take what --format json has printed; of several files, all")
    options = parser.parse_args()
    if not (options.exact or options.time or options.footprint or options.check):
        options.footprint = True
        missing = instructions.available()
        if missing:
            say(f"CPU time in the place of instructions: {missing}")
        options.time, options.exact = bool(missing), not missing
    tables = TABLES if options.tables == "all" else options.tables.split(",")
    names = options.only.split(",") if options.only else None
    for what, given, known in (("table", tables, TABLES), ("listener", names or [], [one.name for one in LISTENERS])):
        for name in given:
            if name not in known:
                parser.error(f"no such {what}: {name}; there are {', '.join(known)}")
    if options.write and names:
        parser.error("--write needs whole tables, and --only takes rows out of them")
    if options.exact and not options.saved and instructions.available():
        parser.error(instructions.available())
    needed = {"plain", "native-hashed"} | {one.over for one in LISTENERS if one.table in tables}
    options.listeners = [one for one in LISTENERS if (one.name in names if names else one.table in tables or one.name in needed)]
    return options


def usable(listeners, tools, upstreams):
    """Without those that this splitctl or this module cannot do yet; why they are left out."""
    kept, skipped = [], {}
    for listener in listeners:
        why = why_not(listener, tools, upstreams) if listener.optional else None
        if why:
            say(f"skipped: {listener.name}: {why}")
            skipped[listener.name] = why
        else:
            kept.append(listener)
    return kept, skipped


def why_not(listener, tools, upstreams):
    answer = subprocess.run([tools.splitctl, "validate", "--format", "json", tools.policy(listener)], stdout=subprocess.PIPE,
                            check=False, text=True)
    if answer.returncode:
        codes = re.findall(r'"code": ?"(\w+)"', answer.stdout)
        return f"splitctl refuses its policy ({', '.join(codes)})"
    try:
        with Envoy(tools, upstreams, [listener]) as envoy:
            return "the module refuses its policy" if refused(envoy) else None
    except LookupError as error:
        return str(error)


def measure(options, tools):
    upstreams = Upstreams(tools)
    listeners, skipped = usable(options.listeners, tools, upstreams)
    version = subprocess.check_output([tools.envoy, "--version"], text=True)
    results = {"envoy": re.search(r"/(\d+\.\d+\.\d+)", version)[1], "machine": machine(), "skipped": skipped}
    say(f"do {len(listeners)} listeners do their work?")
    known = {}
    for group in ([one for one in listeners if not one.alone], *([one] for one in listeners if one.alone)):
        with Envoy(tools, upstreams, group, flush="0.2s") as envoy:
            known.update((listener.name, check(envoy, listener, tools)) for listener in group)
    if options.check:
        say("yes")
    if options.footprint:
        results["footprint"] = footprint.measure(tools, upstreams)
    if options.time:
        results["times"], results["times_how"] = times.measure(tools, upstreams, listeners)
    if options.exact:
        results["exact"] = {}
        instructions.measure(tools, upstreams, listeners, known, results["exact"].__setitem__)
    return results


def machine():
    model = re.search(r"^model name\s*: (.*)$", read("/proc/cpuinfo") or "", re.MULTILINE)
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} CPUs"


def ended(number, _frame):
    say(f"ended by signal {number}")
    sys.exit(128 + number)


def main():
    options = arguments()
    if options.list:
        for listener in LISTENERS:
            print(f"{listener.table:9} {listener.name:18} {listener.title.replace('`', '')}")
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    if options.saved:
        results = {}
        for path in options.saved.split(","):
            with open(path, encoding="utf-8") as file:
                saved = json.load(file)
            for name, value in saved.items():
                # Rows of several runs come together; of one row the last run counts.
                results[name] = {**results.get(name, {}), **value} if isinstance(value, dict) else value
    else:
        with tempfile.TemporaryDirectory(prefix="bench-envoy-", ignore_cleanup_errors=True) as work:
            try:
                results = measure(options, Tools(work))
            finally:
                end_all()
    if options.svg:
        output.picture(results, options.svg)
    if options.write:
        output.into_page(results, options.write)
    if not options.check:
        print(json.dumps(results, indent=2) if options.format == "json" else output.text(results))


try:
    main()
except Failed as error:
    say(f"error: {error}")
    sys.exit(1)
except KeyboardInterrupt:
    sys.exit(130)
