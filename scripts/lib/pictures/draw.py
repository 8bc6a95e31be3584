"""Draws a dashboard: each panel in its place, as what it is, from what Prometheus answers."""

import io
import itertools
import re
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch
from PIL import Image
from units import shown

# A place of Grafana's grid, in inches.
WIDTH, HEIGHT, HEAD = 0.62, 0.34, 0.95
COLORS = {
    "green": "#37872d",
    "red": "#c4162a",
    "orange": "#e57800",
    "blue": "#1f60c4",
    "purple": "#8f3bb8",
    "text": "#6b7077",
}
PALETTE = ("#3274d9", "#ff780a", "#37872d", "#a352cc", "#e0b400", "#7c2ea3", "#c4162a", "#0f8a8a", "#8a5a2b", "#5c6370")
KNOWN = {"checkout=stable": PALETTE[0], "checkout=canary": PALETTE[1]}
LEGENDS = 7
NOTE = (
    "Drawn by a plotting library from what a real Prometheus answered to the dashboard's own queries; not a screenshot of "
    "Grafana. Four minutes of a real Envoy; all ranges\nare 20 times shorter than in the dashboard, and a day is 20 seconds. "
    "Dotted lines are its annotations: a weight changed (orange), another policy (purple), a guard (red)."
)


def color_of(name):
    """The same color for a variant everywhere."""
    for variant, color in KNOWN.items():
        if variant in name:
            return color
    return PALETTE[sum(name.encode()) % len(PALETTE)]


def properties(panel, name, ref):
    """What the overrides say of a series."""
    found = {}
    for one in panel["fieldConfig"]["overrides"]:
        kind, options = one["matcher"]["id"], one["matcher"]["options"]
        if (
            kind == "byName"
            and options == name
            or kind == "byFrameRefID"
            and options == ref
            or kind == "byRegexp"
            and re.search(options.strip("/"), name)
        ):
            found.update({each["id"]: each["value"] for each in one["properties"]})
    return found


def step_color(thresholds, value):
    color = thresholds["steps"][0]["color"]
    for step in thresholds["steps"][1:]:
        if value >= step["value"]:
            color = step["color"]
    return COLORS[color]


def fixed(of):
    return COLORS[of["color"]["fixedColor"]] if "color" in of else None


def words(axis, text, size=8.5, color="#6b7077"):
    """A text in the middle of an empty panel."""
    axis.text(
        0.5,
        0.5,
        textwrap.fill(text, 44),
        ha="center",
        va="center",
        fontsize=size,
        color=color,
        transform=axis.transAxes,
    )
    axis.axis("off")


def whole(points):
    """Times and numbers, with a gap where none was answered."""
    times, numbers = [], []
    for at, value in points:
        if times and at - times[-1] > 2:
            times.append(at - 1)
            numbers.append(float("nan"))
        times.append(at)
        numbers.append(value)
    return times, numbers


def draw_lines(axis, panel, asking, events):
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    series = list(asking.series(panel))
    if not series:
        return words(axis, defaults.get("noValue", "No data"))
    unit, factor = defaults["unit"], 100 if defaults["unit"] == "percentunit" else 1
    stacked, colors = "stacking" in custom, set()
    if stacked:
        times = sorted({at for _, _, points in series for at, _ in points})
        values = [[dict(points).get(at, 0) * factor for at in times] for _, _, points in series]
        axis.stackplot(times, values, colors=[color_of(name) for name, _, _ in series], alpha=0.75, linewidth=0)
    marks = []
    for name, ref, points in series:
        of = properties(panel, name, ref)
        color = fixed(of) or color_of(name)
        if not stacked and not fixed(of):
            # Two lines of one panel are two, whatever their names.
            color = next(
                c for c in itertools.chain([color], PALETTE, [color]) if c not in colors or len(colors) >= len(PALETTE)
            )
            colors.add(color)
        style = {"dash": "--", "dot": ":"}.get(of.get("custom.lineStyle", {}).get("fill"), "-")
        marks.append((name, points[-1][1], color, style))
        if not stacked:
            steps = "steps-post" if custom.get("lineInterpolation") == "stepAfter" else "default"
            times, numbers = whole(points)
            axis.plot(
                times,
                [value * factor for value in numbers],
                color=color,
                linestyle=style,
                drawstyle=steps,
                linewidth=1.6 if style == "-" else 1.3,
                marker="o" if len(points) == 1 else None,
                markersize=3,
            )
    if custom.get("scaleDistribution", {}).get("type") == "log":
        axis.set_yscale("log")
    elif not any(value for _, _, points in series for _, value in points):
        axis.set_ylim(-0.02, 1)
    if "min" in defaults:
        axis.set_ylim(bottom=defaults["min"] * factor)
    bottom, top = axis.get_ylim()
    for step in defaults.get("thresholds", {}).get("steps", [])[1:]:
        if bottom <= step["value"] * factor <= top:
            axis.axhline(
                step["value"] * factor, color=COLORS[step["color"]], linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.8
            )
    for at, color in events:
        axis.axvline(at, color=COLORS[color], linewidth=1.1, linestyle=":")
    axis.set_xlim(0, asking.end - asking.begin)
    axis.xaxis.set_major_formatter(lambda x, _: f"{int(x) // 60}:{int(x) % 60:02}")
    axis.xaxis.set_major_locator(plt.MultipleLocator(60))
    if axis.get_yscale() == "linear":
        axis.yaxis.set_major_locator(plt.MaxNLocator(4, min_n_ticks=3))
    else:
        axis.yaxis.set_minor_locator(plt.NullLocator())
    axis.yaxis.set_major_formatter(lambda y, _: shown(y / factor, unit))
    axis.tick_params(labelsize=7, length=0, colors="#6b7077")
    axis.grid(axis="y", color="#e6e8eb", linewidth=0.7)
    for side in axis.spines.values():
        side.set_visible(False)
    if "sortBy" in panel["options"]["legend"]:
        marks.sort(key=lambda mark: -mark[1])
    return marks


def draw_legend(figure, box, marks, unit, size):
    """Names with their last numbers, below the lines."""
    x, y, width, height = box
    line = 0.155 / size[1]
    for at, (name, last, color, style) in enumerate(marks[:LEGENDS]):
        top = y + height - line * (at + 0.6)
        figure.add_artist(
            plt.Line2D(
                [x, x + 0.16 / size[0]],
                [top, top],
                color=color,
                linestyle=style,
                linewidth=2,
                transform=figure.transFigure,
            )
        )
        figure.text(x + 0.22 / size[0], top, name, fontsize=7, va="center", color="#30343a")
        figure.text(x + width, top, shown(last, unit), fontsize=7, va="center", ha="right", color="#30343a")
    if len(marks) > LEGENDS:
        figure.text(
            x,
            y + height - line * (LEGENDS + 0.6),
            f"and {len(marks) - LEGENDS} more",
            fontsize=7,
            va="center",
            color="#6b7077",
        )


def draw_stat(axis, panel, asking):
    defaults = panel["fieldConfig"]["defaults"]
    numbers = list(asking.numbers(panel))
    if not numbers:
        return words(axis, defaults.get("noValue", "No data"))
    axis.axis("off")
    for at, (name, ref, value) in enumerate(numbers):
        of = properties(panel, name, ref)
        color = fixed(of) or step_color(of.get("thresholds", defaults["thresholds"]), value)
        x = (at + 0.5) / len(numbers)
        size = {1: 24, 2: 19}.get(len(numbers), 15)
        text = shown(value, defaults["unit"], defaults.get("decimals"))
        axis.text(
            x,
            0.42,
            text,
            fontsize=size,
            ha="center",
            va="center",
            color=color,
            fontweight="bold",
            transform=axis.transAxes,
        )
        axis.text(x, 0.84, name, fontsize=8, ha="center", va="center", color="#30343a", transform=axis.transAxes)
    return None


def table_of(panel, asking):
    """Columns and lines, as the transformations make them."""
    merged, columns = {}, []
    several = len(panel["targets"]) > 1
    for target in panel["targets"]:
        value = f"Value #{target['refId']}" if several else "Value"
        for labels, number in asking.now(target["expr"]):
            known = {name: text for name, text in labels.items()}
            one = merged.setdefault(tuple(sorted(known.items())) if several else len(merged), known)
            one[value] = number
            columns += [column for column in one if column not in columns]
    organize = panel["transformations"][-1]["options"]
    columns = [column for column in columns if column not in organize["excludeByName"]]
    columns.sort(key=lambda column: organize["indexByName"].get(column, 99))
    return columns, organize["renameByName"], list(merged.values())


def draw_table(axis, panel, asking):
    defaults = panel["fieldConfig"]["defaults"]
    columns, names, lines = table_of(panel, asking)
    if not lines:
        return words(axis, defaults.get("noValue", "No data"))
    axis.axis("off")

    def cell(column, line):
        if column not in line:
            return ""
        of = properties(panel, names.get(column, column), "")
        return line[column] if isinstance(line[column], str) else shown(line[column], of.get("unit", defaults["unit"]))

    texts = [[cell(column, line) for column in columns] for line in lines]
    heads = [names.get(column, column) for column in columns]
    lengths = [max(len(text) for text in each) + 2 for each in zip(heads, *texts)]
    starts = [sum(lengths[:at]) / sum(lengths) for at in range(len(lengths))]
    room = max(7, len(texts) + 1)
    for at, line in enumerate([heads, *texts]):
        for start, text in zip(starts, line):
            axis.text(
                start,
                1 - (at + 0.5) / room,
                text,
                fontsize=7.5,
                va="center",
                color="#1f60c4" if at == 0 else "#30343a",
                transform=axis.transAxes,
            )
    return None


def draw_heatmap(axis, panel, asking):
    buckets = sorted(((float(name), dict(points)) for name, _, points in asking.series(panel)), key=lambda one: one[0])
    times = sorted({at for _, points in buckets for at in points})
    rates = [[points.get(at, 0) for at in times] for _, points in buckets]
    within = [
        [max(0, here - below) for here, below in zip(row, before)]
        for row, before in zip(rates, [[0] * len(times), *rates])
    ]
    used = [at for at, row in enumerate(within) if max(row) > 0.05]
    first, last = max(0, used[0] - 1), min(len(within), used[-1] + 2)
    axis.pcolormesh(times, range(first, last), within[first:last], cmap="Oranges", shading="nearest")
    axis.set_yticks(range(first, last), [f"{bucket:g} ms" for bucket, _ in buckets[first:last]])
    axis.xaxis.set_major_formatter(lambda x, _: f"{int(x) // 60}:{int(x) % 60:02}")
    axis.xaxis.set_major_locator(plt.MultipleLocator(60))
    axis.tick_params(labelsize=7, length=0, colors="#6b7077")
    for side in axis.spines.values():
        side.set_visible(False)


def draw_text(axis, panel):
    axis.axis("off")
    plain = panel["options"]["content"].replace("`", "")
    lines = [part for line in plain.split("\n") for part in (textwrap.wrap(line, 190) or [""])]
    axis.text(0, 1, "\n".join(lines), fontsize=8, va="top", color="#30343a", transform=axis.transAxes, linespacing=1.5)


def panels_of(dashboard):
    """Each panel with its place; a closed row is its heading only."""
    closed = 0
    for panel in dashboard["panels"]:
        place = dict(panel["gridPos"])
        place["y"] -= closed
        yield panel, place
        if panel.get("collapsed"):
            closed += sum({one["gridPos"]["y"]: one["gridPos"]["h"] for one in panel["panels"]}.values())


def picture(dashboard, asking, path):
    panels = list(panels_of(dashboard))
    rows = max(place["y"] + place["h"] for _, place in panels)
    size = (24 * WIDTH + 0.2, rows * HEIGHT + HEAD)
    figure = plt.figure(figsize=size, facecolor="#f2f4f6")
    figure.text(
        0.1 / size[0],
        1 - 0.22 / size[1],
        dashboard["title"],
        fontsize=13,
        va="center",
        fontweight="bold",
        color="#30343a",
    )
    figure.text(0.1 / size[0], 1 - 0.62 / size[1], NOTE, fontsize=8, va="center", color="#6b7077")
    events = list(asking.events(dashboard))
    for panel, place in panels:
        left, top = 0.1 + place["x"] * WIDTH, HEAD + place["y"] * HEIGHT
        wide, high = place["w"] * WIDTH, place["h"] * HEIGHT

        def at(x, y, w, h):
            """Inches from a panel's upper left corner as a part of the figure."""
            return [(left + x) / size[0], 1 - (top + y + h) / size[1], w / size[0], h / size[1]]

        if panel["type"] == "row":
            closed = "  (closed: it needs Loki or Tempo)" if panel["collapsed"] else ""
            mark = "▸" if panel["collapsed"] else "▾"
            figure.text(
                at(0.05, 0, 0, high / 2)[0],
                at(0, 0, 0, high / 2)[1],
                f"{mark} {panel['title']}{closed}",
                fontsize=10,
                va="center",
                color="#30343a",
            )
            continue
        x, y, w, h = at(0.04, 0.04, wide - 0.08, high - 0.08)
        figure.add_artist(
            FancyBboxPatch(
                (x, y),
                w,
                h,
                boxstyle="square,pad=0",
                facecolor="white",
                edgecolor="#dcdfe3",
                linewidth=0.8,
                zorder=-1,
                transform=figure.transFigure,
            )
        )
        figure.text(
            at(0.14, 0.2, 0, 0)[0],
            at(0, 0.2, 0, 0)[1],
            panel["title"],
            fontsize=9,
            va="center",
            fontweight="bold",
            color="#30343a",
        )
        if panel["type"] == "timeseries":
            names = min(LEGENDS + 1, sum(1 for _ in asking.series(panel)))
            room = 0.155 * names + 0.08
            axis = figure.add_axes(at(0.75, 0.42, wide - 0.9, max(0.5, high - 0.42 - 0.3 - room)))
            marks = draw_lines(axis, panel, asking, events)
            if marks:
                draw_legend(
                    figure,
                    at(0.16, high - room - 0.02, wide - 0.34, room),
                    marks,
                    panel["fieldConfig"]["defaults"]["unit"],
                    size,
                )
        elif panel["type"] == "heatmap":
            draw_heatmap(figure.add_axes(at(0.75, 0.42, wide - 0.9, high - 0.8)), panel, asking)
        else:
            axis = figure.add_axes(at(0.16, 0.4, wide - 0.3, high - 0.5))
            if panel["type"] == "stat":
                draw_stat(axis, panel, asking)
            elif panel["type"] == "table":
                draw_table(axis, panel, asking)
            else:
                draw_text(axis, panel)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=88, facecolor=figure.get_facecolor())
    plt.close(figure)
    # Few colors are enough, and keep the file small.
    image = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
