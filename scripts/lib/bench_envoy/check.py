"""That a listener does its work: who gets what, what the upstream sees, what is counted. What does not work costs nothing."""

import csv
import http.client
import subprocess

from listeners import COUNTERS, PATH
from running import Failed, request_head, until

# Enough for a share; where each answer is known, fewer do.
USERS, KNOWN, AGAIN = 1000, 200, 50
CANARIES = 0.05
CLUSTERS = {"stable": "checkout-v1"}


def answers(envoy, listener, users):
    """For each user: the upstream and the variant header that it saw."""
    host, port = envoy.addresses[listener.name].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=envoy.limit)
    headers = dict(line.split(": ", 1) for line in request_head(listener).splitlines()[1:])
    found = []
    for user in users:
        connection.request("GET", PATH, headers={**headers, "x-user-id": user, "x-bench-echo": "1"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise Failed(f"{listener.name}: {user} is answered {answer.status}; Envoy's log ends with:\n{envoy.tail()}")
        variant = answer.getheader("x-got-variant")
        found.append((answer.getheader("x-upstream"), None if variant == "-" else variant))
    connection.close()
    return found


def check(envoy, listener, tools):
    """Fails where the listener does anything else than its entry says; returns the answers of the first users."""
    users = [f"user-{n}" for n in range(USERS if listener.check in ("random", "hash") else KNOWN)]
    before = envoy.counters()
    found = answers(envoy, listener, users)
    again = answers(envoy, listener, users[:AGAIN])
    statistics(envoy, listener, before, len(users) + AGAIN)

    def wrong(what):
        raise Failed(f"{listener.name} does not do the work: {what}")

    for user, (upstream, variant) in zip(users, found):
        named = f"checkout={'stable' if upstream == 'checkout-v1' else 'canary'}"
        if listener.check == "none" and (upstream, variant) != ("default", None):
            wrong(f"{user} is sent to {upstream} with the variant header {variant}")
        if listener.check != "none" and upstream == "default":
            wrong(f"{user} is not split")
        if not listener.tags and variant is not None:
            wrong(f"{user} reaches the upstream with the variant header {variant}")
        if listener.check in ("random", "hash") and listener.tags and variant != named:
            wrong(f"{user} is at {upstream} with the variant header {variant}")
    if listener.check in ("random", "hash"):
        share = sum(upstream == "checkout-v2" for upstream, _ in found) / len(users)
        if abs(share - CANARIES) > 4 * (CANARIES * (1 - CANARIES) / len(users)) ** 0.5:
            wrong(f"{100 * share:.1f} % of users are canaries")
    if listener.check != "random" and again != found[:AGAIN]:
        wrong("a user is moved by asking again")
    if listener.check in ("policy", "cookie"):
        keys = users if listener.check == "policy" else ["user-1"] * len(users)
        for user, (upstream, variant), expected in zip(users, found, assigned(listener, keys, tools)):
            first = (variant or "").split(", ")[0]
            if upstream != CLUSTERS.get(expected, "checkout-v2") or (listener.tags and first != f"checkout={expected}"):
                wrong(f"{user} is {expected}, and is sent to {upstream} with the variant header {variant}")
    return found


def assigned(listener, keys, tools):
    rows = subprocess.run([tools.splitctl, "assign", tools.policy(listener), "--split", "checkout"], input="\n".join(keys) + "\n",
                          stdout=subprocess.PIPE, check=True, text=True).stdout
    return [row["variant"] for row in csv.DictReader(rows.splitlines())]


def statistics(envoy, listener, before, requests):
    """Each request is counted where it must be, and nowhere else."""
    def moved():
        after = envoy.counters()
        return {name: after[name] - before[name] for name in COUNTERS}

    expected = {name: requests * listener.splits if name in listener.moves else 0 for name in COUNTERS}
    try:
        until("counters", lambda: moved() == expected, 15)
    except Failed:
        raise Failed(f"{listener.name} does not do the work: of {requests} requests {expected} are expected, and {moved()} "
                     "are counted") from None


def refused(envoy):
    """Whether the module has refused a policy."""
    return any(envoy.stat("traffic_split_policy_refused")) or any(envoy.stat("traffic_split_config_errors_total"))
