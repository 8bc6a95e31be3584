"""CPU time per request and latency, in rounds: each listener in turn, compared within its round, so that whatever else the
machine does meets all of them alike."""

import os
import statistics

from running import Envoy, say

# Short: others may use the machine.
ROUNDS, SECONDS, CONNECTIONS = 7, 0.4, 4
LATENCY_ROUNDS, LATENCY_SECONDS, LATENCY_CONNECTIONS = 5, 1.0, 16
NATIVE = "native-hashed"


def cpu_seconds(process):
    """Of all threads that a process has."""
    total = 0
    folder = f"/proc/{process.pid}/task"
    for task in os.listdir(folder):
        try:
            with open(f"{folder}/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            pass  # It has just ended.
    return total / 1e9


def spread(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": middle, "low": low, "high": high}


def measure(tools, upstreams, listeners):
    """For each listener: CPU time and its ratio to the native split, the latency that it adds. And the rate of the latter."""
    with Envoy(tools, upstreams, listeners, cpus=tools.envoy_cpus) as envoy:
        for listener in listeners:
            envoy.send(listener, requests=3000, connections=CONNECTIONS)
        say(f"CPU time: {ROUNDS} rounds")
        seen = in_rounds(envoy, listeners, ROUNDS, lambda listener: saturate(envoy, listener))
        cost = {name: [cpu for cpu, _ in rounds] for name, rounds in seen.items()}
        # By what was served, not by CPU time: on a busy machine the worker has only a part of its core.
        rate = 0.5 * min(statistics.median(served for _, served in rounds) for rounds in seen.values())
        share = statistics.median(cpu * served for rounds in seen.values() for cpu, served in rounds)
        say(f"latency: {LATENCY_ROUNDS} rounds at {rate:.0f} requests a second")
        latency = in_rounds(envoy, listeners, LATENCY_ROUNDS, lambda listener: envoy.send(
            listener, seconds=LATENCY_SECONDS, connections=LATENCY_CONNECTIONS, rate=rate))
    rows = {}
    for listener in listeners:
        name = listener.name
        row = rows[name] = {"cpu_us": spread([1e6 * one for one in cost[name]])}
        if NATIVE in cost:
            row["cpu_ratio"] = spread([one / native for one, native in zip(cost[name], cost[NATIVE])])
        for point in ("p50_us", "p99_us"):
            row[point] = spread([one[point] for one in latency[name]])
            if listener.over in latency and name != listener.over:
                row[f"added_{point}"] = spread(
                    [one[point] - plain[point] for one, plain in zip(latency[name], latency[listener.over])])
    return rows, {"rate": rate, "rounds": ROUNDS, "seconds": SECONDS, "latency_rounds": LATENCY_ROUNDS,
                  "latency_seconds": LATENCY_SECONDS, "pinned": bool(tools.envoy_cpus), "core_share": share}


def in_rounds(envoy, listeners, rounds, one):
    found = {listener.name: [] for listener in listeners}
    for number in range(rounds):
        # Another one begins each time.
        turn = number % len(listeners)
        for listener in [*listeners[turn:], *listeners[:turn]]:
            found[listener.name].append(one(listener))
    return found


def saturate(envoy, listener):
    """CPU seconds per request, and requests per second."""
    before = cpu_seconds(envoy.process)
    seen = envoy.send(listener, seconds=SECONDS, connections=CONNECTIONS)
    return (cpu_seconds(envoy.process) - before) / seen["requests"], seen["requests"] / seen["seconds"]
