"""Processes that end with this one, whatever ends it; Envoy's admin interface; waits that have an end."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import forms
from listeners import COUNTERS, PATH

SOON = 30
# Longer under valgrind.
VALGRIND_SOON = 300
UPSTREAMS = ("default", "checkout-v1", "checkout-v2")
RUNNING = []


class Failed(Exception):
    """Told to the person without a traceback."""


def end_with_parent():
    """In a child before its program: Linux ends it where this process is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(command, cpus=None, **options):
    def before():
        end_with_parent()
        if cpus:
            os.sched_setaffinity(0, cpus)

    process = subprocess.Popen(command, preexec_fn=before, **options)
    RUNNING.append(process)
    return process


def end(process):
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
    if process in RUNNING:
        RUNNING.remove(process)


def end_all():
    for process in list(reversed(RUNNING)):
        end(process)


def until(what, found, limit=SOON, alive=None):
    """The first true answer of `found`."""
    deadline = time.monotonic() + limit
    while True:
        answer = found()
        if answer:
            return answer
        if alive is not None and alive.poll() is not None:
            raise Failed(f"{what}: the process has ended")
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {limit} s")
        time.sleep(0.02)


class Upstreams(dict):
    """Name -> address, each a service that answers at once."""

    def __init__(self, tools):
        super().__init__()
        self.process = start([tools.load, "serve", *UPSTREAMS], tools.other_cpus, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        for _ in UPSTREAMS:
            name, address = self.process.stdout.readline().split()
            self[name] = address


class Envoy:
    """A running Envoy with one worker (or more) and these listeners."""

    def __init__(self, tools, upstreams, listeners, *, before=(), workers=1, limit=SOON, flush="1s", cpus=None, folder=None):
        self.tools, self.limit = tools, limit
        self.folder = folder or tools.folder()
        self.log = f"{self.folder}/envoy.log"
        write(f"{self.folder}/envoy.json", json.dumps(forms.bootstrap(listeners, upstreams, tools, flush)))
        with open(self.log, "wb") as log:
            self.process = start(
                [*before, tools.envoy, "-c", f"{self.folder}/envoy.json", "--concurrency", str(workers), "--disable-hot-restart",
                 "--admin-address-path", f"{self.folder}/admin", "--log-level", "warning"],
                cpus, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.admin = until("Envoy's admin address", lambda: read(f"{self.folder}/admin"), limit, self.process)
            until("Envoy is ready", lambda: self.get("/ready", quiet=True), limit, self.process)
            self.addresses = until("Envoy listens", lambda: self.listening(listeners), limit, self.process)
        except Failed as error:
            raise Failed(f"{error}; its log ends with:\n{self.tail()}") from None

    def listening(self, listeners):
        """Listener -> address; none while some are not there: a large policy is still being read when Envoy is ready."""
        answer = self.get("/listeners?format=json", quiet=True)
        found = json.loads(answer).get("listener_statuses", []) if answer else []
        addresses = {row["name"]: "127.0.0.1:%d" % row["local_address"]["socket_address"]["port_value"] for row in found}
        return addresses if len(addresses) == len(listeners) else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def tail(self):
        return "\n".join((read(self.log) or "").splitlines()[-15:])

    def get(self, path, quiet=False):
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=self.limit) as answer:
                return answer.read().decode()
        except OSError as error:
            if quiet:
                return None
            raise Failed(f"Envoy's admin interface, {path}: {error}; its log ends with:\n{self.tail()}") from None

    def counters(self):
        """The filter's statistics, summed over labels; histograms by how many values they have."""
        sums = dict.fromkeys(COUNTERS, 0)
        for line in self.get("/stats/prometheus?filter=traffic_split").splitlines():
            found = re.match(r"(?:envoy_)?(?:wasmcustom_)?(traffic_split_\w+?)(_count)?(?:{.*})? (\d+)$", line)
            if found and found[1] in sums and (found[1] != COUNTERS[2]) == (not found[2]):
                sums[found[1]] += int(found[3])
        return sums

    def stat(self, name):
        """The values of the statistics that end so."""
        text = self.get("/stats?" + urllib.parse.urlencode({"filter": name + "$"}))
        return [int(line.rsplit(": ", 1)[1]) for line in text.splitlines() if line.rsplit(": ", 1)[1].isdigit()]

    def client(self, listener, command, *arguments, **pipes):
        head = f"{self.folder}/{listener.name}.head"
        write(head, request_head(listener))
        return start([self.tools.load, command, self.addresses[listener.name], "--head", head, *arguments],
                     self.tools.other_cpus, stdout=subprocess.PIPE, text=True, **pipes)

    def send(self, listener, **options):
        """Load on a listener; what the client saw."""
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        process = self.client(listener, "send", *arguments, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=900)
        except subprocess.TimeoutExpired:
            raise Failed(f"{listener.name}: the load did not end") from None
        finally:
            end(process)
        if process.returncode:
            raise Failed(f"{listener.name}: {err.strip()}; Envoy's log ends with:\n{self.tail()}")
        return json.loads(out)


class Steps:
    """A kept connection that sends on demand."""

    def __init__(self, envoy, listener):
        self.envoy, self.listener = envoy, listener
        self.process = envoy.client(listener, "steps", stdin=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def send(self, requests):
        self.process.stdin.write(f"{requests}\n")
        self.process.stdin.flush()
        # The client gives up by itself.
        if self.process.stdout.readline() != "done\n":
            raise Failed(f"{self.listener.name}: a request failed; Envoy's log ends with:\n{self.envoy.tail()}")


def request_head(listener):
    """With what Envoy adds and the user's id, the filter sees 13 headers."""
    lines = [
        f"GET {PATH} HTTP/1.1", f"host: {listener.host}",
        "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "accept-language: de,en;q=0.5",
        "accept-encoding: gzip, deflate, br", "referer: https://shop.example.com/",
        "cookie: theme=dark; session=aGVsbG8gd29ybGQ; lang=de",
        *(f"x-more-{n}: a value of some length" for n in range(listener.headers)),
    ]
    return "".join(line + "\r\n" for line in lines)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path, text):
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def say(text):
    print(f"bench-envoy: {text}", file=sys.stderr, flush=True)
