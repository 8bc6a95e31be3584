"""What Prometheus answers to the queries of a dashboard."""

import re


class Asking:
    """A dashboard with All chosen everywhere, over a time."""

    def __init__(self, demo, dashboard, begin, end, shorter):
        self.demo, self.begin, self.end, self.shorter = demo, begin, end, shorter
        self.chosen = {}
        for variable in dashboard["templating"]["list"]:
            if variable["type"] != "datasource":
                self.chosen[variable["name"]] = variable.get("allValue", variable["query"])

    def promql(self, expr):
        for name, value in self.chosen.items():
            expr = expr.replace(f"${{{name}:raw}}", value).replace(f"${name}", value)
        return self.shorter(expr)

    def over_time(self, expr):
        """Rows, each with its labels and (seconds since the beginning, value)."""
        for labels, points in self.demo.rows(self.promql(expr), self.begin, self.end):
            yield labels, [(at - self.begin, value) for at, value in points if value == value]

    def now(self, expr):
        """Rows, each with its labels and its last number."""
        for labels, points in self.demo.rows(self.promql(expr), self.end):
            yield labels, points[-1][1]

    def series(self, panel):
        """All lines of a panel by name, each with the letter of its query."""
        for target in panel["targets"]:
            for labels, points in self.over_time(target["expr"]):
                if points:
                    yield legend(target, labels), target["refId"], points

    def numbers(self, panel):
        """The numbers of a panel by name, each with the letter of its query."""
        for target in panel["targets"]:
            for labels, value in self.now(target["expr"]):
                yield legend(target, labels), target["refId"], value

    def events(self, dashboard):
        """When each annotation begins, and its color."""
        for one in dashboard["annotations"]["list"]:
            if "expr" not in one:
                continue
            starts = set()
            for _, points in self.over_time(one["expr"]):
                times = [at for at, _ in points]
                starts.update(at for at, before in zip(times, [-100, *times]) if at - before > 5)
            for at in sorted(starts):
                if at > 5:
                    yield at, one["iconColor"]


def legend(target, labels):
    """The name of a series as Grafana writes it: labels that are not there leave nothing."""
    name = re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), target["legendFormat"])
    return " ".join(name.split())
