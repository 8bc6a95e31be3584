"""Instructions per request, counted by callgrind: the same on a busy machine as on an idle one."""

import glob
import os
import re
import shutil
import statistics
import subprocess

from check import answers
from running import VALGRIND_SOON, Envoy, Failed, Steps, say

# V8 writes code while it runs, which valgrind must notice.
VALGRIND = ["--tool=callgrind", "--smc-check=all-non-file", "--instr-atstart=no", "--separate-threads=yes"]
# Compiled code takes the place of the first, slow one after some hundred requests.
WARM = 1500
# Many short windows: what a clock does (the filter's tick, Envoy's own) falls into some of them, and is not part of a
# request. Valgrind makes a request fifty times slower, and the clock does not wait.
WINDOWS, MOST_WINDOWS, REQUESTS = 32, 320, 3
# So the windows without a clock are those close to the least one, and there must be some. Of Lua all count: its collector is
# part of the price.
CLOSE, ENOUGH = 1.02, 8
# Filters in one Envoy, so that few clocks run.
TOGETHER = 3
ALIKE = 50


def available():
    """Why callgrind cannot be used, if so."""
    missing = [tool for tool in ("valgrind", "vgdb") if not shutil.which(tool)]
    return f"{' and '.join(missing)} not found; Debian, Ubuntu: apt-get install valgrind" if missing else None


class Counted:
    """An Envoy under valgrind."""

    def __init__(self, tools, upstreams, listeners):
        self.folder = tools.folder()
        self.vgdb = f"--vgdb-prefix={self.folder}/vgdb"
        # Statistics are flushed by a clock that runs on while valgrind is slow; they are no part of a request.
        self.envoy = Envoy(tools, upstreams, listeners, folder=self.folder, limit=VALGRIND_SOON, flush="299s", before=[
            "valgrind", *VALGRIND, self.vgdb, f"--callgrind-out-file={self.folder}/out"])

    def tell(self, *command):
        done = subprocess.run(["vgdb", self.vgdb, f"--pid={self.envoy.process.pid}", *command], timeout=VALGRIND_SOON,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"vgdb {' '.join(command)}: {done.stderr.strip()}")

    def count(self, work):
        """Instructions of the busiest thread while `work` is done: the worker."""
        self.tell("zero")
        work()
        self.tell("dump")
        counts = []
        for path in glob.glob(f"{self.folder}/out.*"):
            with open(path, encoding="utf-8", errors="replace") as file:
                found = re.search(r"^totals: (\d+)", file.read(), re.MULTILINE)
            if found:
                counts.append(int(found[1]))
            os.remove(path)
        if not counts:
            raise Failed("callgrind has written no counts")
        return max(counts)


def groups(listeners):
    """Those that share an Envoy: few, because the clock of each filter may hit the windows of the others."""
    ticking = [listener for listener in listeners if listener.form.startswith("filter")]
    few = [listener for listener in ticking if not listener.alone]
    found = [[listener for listener in listeners if listener not in ticking]]
    found += [few[at:at + TOGETHER] for at in range(0, len(few), TOGETHER)]
    found += [[listener] for listener in ticking if listener.alone]
    return [group for group in found if group]


def measure(tools, upstreams, listeners, known, done):
    """Calls done(name, instructions per request) for each listener."""
    for together in groups(listeners):
        say(f"{', '.join(listener.name for listener in together)}: Envoy starts under valgrind")
        counted = Counted(tools, upstreams, together)
        with counted.envoy as envoy:
            for listener in together:
                done(listener.name, measure_one(counted, envoy, listener, known[listener.name]))


def measure_one(counted, envoy, listener, known):
    users = [f"user-{n}" for n in range(ALIKE)]
    found = answers(envoy, listener, users)
    if listener.check != "random" and found != known[:ALIKE]:
        raise Failed(f"{listener.name}: other answers under valgrind than without")
    with Steps(envoy, listener) as steps:
        steps.send(WARM)
        counted.tell("instrumentation", "on")
        steps.send(REQUESTS)
        windows = []
        while len(windows) < WINDOWS or len(undisturbed(windows)) < ENOUGH:
            if len(windows) == MOST_WINDOWS:
                raise Failed(f"{listener.name}: no two windows are alike, of {MOST_WINDOWS}")
            windows.append(counted.count(lambda: steps.send(REQUESTS)) / REQUESTS)
        counted.tell("instrumentation", "off")
    found = statistics.median(windows if listener.form == "lua" else undisturbed(windows))
    say(f"{listener.name}: {found:,.0f} (of {len(windows)} windows the least is {min(windows):,.0f}, "
        f"the median {statistics.median(windows):,.0f})")
    return found


def undisturbed(windows):
    return [count for count in windows if count <= CLOSE * min(windows)]
