"""What the dashboards are made of: variables, annotations, panels and where they lie, as Grafana's JSON wants them."""

TAG = "traffic-split"
PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
LOKI = {"type": "loki", "uid": "${loki}"}
TEMPO = {"type": "tempo", "uid": "${tempo}"}
ALL = {"selected": True, "text": ["All"], "value": ["$__all"]}

# What is chosen at the top. A label that no series has is matched by `.*`, so fleets need no labels of their own.
FLEET = 'job=~"$job",cluster=~"$cluster"'
SPLIT = f'{FLEET},split=~"$split"'
VARIANT = f'{SPLIT},variant=~"$variant"'
# Of series that only the policy knows: they are the same for all fleets.
KNOWN = 'split=~"$split",variant=~"$variant"'

# Labels that a series does not have leave but a blank. It is the same text everywhere, since a color belongs to a whole name.
NAME = "{{split}}={{variant}} {{job}} {{cluster}}"


def datasource(name, kind, label, description):
    """A choice among the data sources of a kind; it may have none."""
    return {
        "name": name,
        "label": label,
        "description": description,
        "type": "datasource",
        "query": kind,
        "current": {"selected": False, "text": "", "value": ""},
    }


def labels(name, series, description):
    """A choice among the values of a label, one, many or all."""
    query = f"label_values({series}, {name})"
    return {
        "name": name,
        "label": name,
        "description": description,
        "type": "query",
        "datasource": PROMETHEUS,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": ALL,
    }


def textbox(name, label, default, description):
    """A text to be typed."""
    return {
        "name": name,
        "label": label,
        "description": description,
        "type": "textbox",
        "query": default,
        "current": {"selected": True, "text": default, "value": default},
    }


def variables(*more):
    """Those that all dashboards have, and more."""
    prometheus = datasource("datasource", "prometheus", "Prometheus", "The Prometheus that has the rules.")
    prometheus["current"] = {"selected": False, "text": "Prometheus", "value": "traffic-split-prometheus"}
    fleet = "Fleets, where `splitctl render prometheus --by job,cluster` made the rules; otherwise there is only All."
    return [
        prometheus,
        labels("job", "traffic_split:share:configured", fleet),
        labels("cluster", "traffic_split:share:configured", fleet),
        labels("split", f"traffic_split_weight{{{FLEET}}}", "The splits of the policy."),
        labels("variant", f"traffic_split_weight{{{SPLIT}}}", "The variants of these splits."),
        *more,
    ]


def annotation(name, color, expr, title):
    """A mark on every graph, wherever the query has a row."""
    return {
        "name": name,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "datasource": PROMETHEUS,
        "expr": expr,
        "titleFormat": title,
        "step": "15s",
        "useValueForTime": False,
    }


def annotations():
    """What people and guards changed."""
    hashes = f'count_values("policy", traffic_split_policy_hash{{{FLEET}}}%s)'
    of = f"{{{VARIANT}}}"
    return [
        {
            "builtIn": 1,
            "name": "Annotations & Alerts",
            "type": "dashboard",
            "enable": True,
            "hide": True,
            "iconColor": "rgba(0, 211, 255, 1)",
            "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        },
        annotation(
            "Weights",
            "orange",
            f"traffic_split:share:step{of} > 0",
            "weight of {{split}}={{variant}} changed",
        ),
        # A hash that no proxy had a minute ago.
        annotation(
            "Policies",
            "purple",
            f"{hashes % ''} unless on (policy) {hashes % ' offset 1m'}",
            "policy {{policy}} is in force (its hash, in decimal)",
        ),
        annotation(
            "Guards",
            "red",
            f"changes(traffic_split:tripped:proxies{of}[1m]) > 0",
            "{{split}}={{variant}} went out of service on a proxy, or came back",
        ),
    ]


def query(expr, legend="", source=PROMETHEUS, **more):
    """A query; its letter comes from its place."""
    if source is TEMPO:
        return {"datasource": source, "queryType": "traceql", "query": expr, "filters": [], **more}
    return {"datasource": source, "expr": expr, "legendFormat": legend, **more}


def now(expr, legend=""):
    """A query for the last moment only."""
    return query(expr, legend, instant=True, range=False)


def rows(expr, **more):
    """A query for a table."""
    return query(expr, instant=True, range=False, format="table", **more)


def thresholds(*steps):
    """Colors from these values on; the first has none."""
    first, *others = steps
    return {
        "mode": "absolute",
        "steps": [{"color": first, "value": None}, *({"color": color, "value": value} for value, color in others)],
    }


def override(matcher, options, **properties):
    """Other properties for some of the series: their names with __ for the point."""
    return {
        "matcher": {"id": matcher, "options": options},
        "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()],
    }


def colored(ref, color):
    """All series of a query in one color."""
    return override("byFrameRefID", ref, color={"mode": "fixed", "fixedColor": color})


def dashed(names, color="text"):
    """A line to compare with, such as the baseline's."""
    return override(
        "byRegexp",
        f"/{names}/",
        custom__lineStyle={"fill": "dash", "dash": [8, 6]},
        color={"mode": "fixed", "fixedColor": color},
    )


def panel(
    kind,
    title,
    description,
    queries,
    width,
    *,
    unit=None,
    empty=None,
    overrides=(),
    defaults=None,
    options=None,
    source=PROMETHEUS,
    **more,
):
    """A panel. `empty` is what it says where there is nothing to show on a day when nothing is wrong."""
    queries = queries if isinstance(queries, list) else [queries]
    fields = dict(defaults or {})
    if unit:
        fields["unit"] = unit
    if empty:
        fields["noValue"] = empty
    return {
        "type": kind,
        "title": title,
        "description": description,
        "width": width,
        "datasource": source,
        "targets": [{"refId": "ABCDEFGH"[at], **one} for at, one in enumerate(queries)],
        "fieldConfig": {"defaults": fields, "overrides": list(overrides)},
        "options": options or {},
        **more,
    }


def graph(title, description, queries, width=12, *, steps=None, custom=None, fields=None, largest_first=False, **more):
    """Lines over time. A name has the same color on every graph."""
    style = {
        "fillOpacity": 0,
        "lineWidth": 2,
        **({"thresholdsStyle": {"mode": "line"}} if steps else {}),
        **(custom or {}),
    }
    defaults = {"color": {"mode": "palette-classic-by-name"}, "custom": style, **(fields or {})}
    if steps:
        defaults["thresholds"] = steps
    order = {"sortBy": "Last *", "sortDesc": True} if largest_first else {}
    options = {
        "legend": {
            "displayMode": "table",
            "placement": "bottom",
            "calcs": ["lastNotNull"],
            "showLegend": True,
            **order,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, description, queries, width, defaults=defaults, options=options, **more)


def stat(title, description, queries, width=6, *, steps=None, fields=None, **more):
    """Large numbers, those of now."""
    defaults = {"thresholds": steps or thresholds("blue"), "color": {"mode": "thresholds"}, **(fields or {})}
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "value_and_name",
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    return panel("stat", title, description, queries, width, defaults=defaults, options=options, **more)


def table(title, description, queries, width=12, *, order=(), hide=(), names=None, transform=(), **more):
    """A table: which columns come first, which are left out, and what they are called."""
    organize = {
        "id": "organize",
        "options": {
            "excludeByName": {column: True for column in ("Time", "__name__", *hide)},
            "indexByName": {column: at for at, column in enumerate(order)},
            "renameByName": names or {},
        },
    }
    return panel(
        "table",
        title,
        description,
        queries,
        width,
        options={"showHeader": True, "cellHeight": "sm"},
        transformations=[*transform, organize],
        **more,
    )


def text(title, description, content, width=24):
    """Words."""
    return {
        "type": "text",
        "title": title,
        "description": description,
        "width": width,
        "options": {"mode": "markdown", "content": content},
    }


def line(height, *panels):
    """Panels side by side."""
    return {"height": height, "panels": panels}


def row(title, *lines, collapsed=False):
    """A heading and the lines below it. What is collapsed asks its data source only when it is opened."""
    return {"row": title, "lines": lines, "collapsed": collapsed}


class Grid:
    """Gives panels their places, from top to bottom, and their ids."""

    def __init__(self):
        self.y, self.id = 0, 0

    def place(self, one, x, width, height):
        self.id += 1
        head = {"id": self.id, "type": one["type"], "title": one["title"]}
        rest = {name: value for name, value in one.items() if name not in ("width", *head)}
        return {**head, "gridPos": {"x": x, "y": self.y, "w": width, "h": height}, **rest}

    def line(self, one):
        x, placed = 0, []
        for each in one["panels"]:
            placed.append(self.place(each, x, each["width"], one["height"]))
            x += each["width"]
        assert x <= 24, f"wider than the screen: {[each['title'] for each in one['panels']]}"
        self.y += one["height"]
        return placed

    def all(self, parts):
        panels = []
        for part in parts:
            if "row" not in part:
                panels += self.line(part)
                continue
            head = self.place({"type": "row", "title": part["row"], "collapsed": part["collapsed"]}, 0, 24, 1)
            self.y += 1
            inside = [each for one in part["lines"] for each in self.line(one)]
            panels += [{**head, "panels": inside}] if part["collapsed"] else [{**head, "panels": []}, *inside]
        return panels


def dashboard(name, description, parts, *, chosen=(), refresh="10s", since="now-1h"):
    """The whole, as its file has it."""
    return {
        "uid": f"traffic-split-{name}",
        "title": f"traffic-split: {name}",
        "description": description,
        "tags": [TAG],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": refresh,
        "time": {"from": since, "to": "now"},
        "timezone": "",
        "annotations": {"list": annotations()},
        "links": [
            {
                "type": "dashboards",
                "title": TAG,
                "tags": [TAG],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": variables(*chosen)},
        "panels": Grid().all(parts),
    }
