"""What was measured as text, as Markdown between the markers of a page, as a picture."""

import html

from listeners import LISTENERS, TABLES
from running import Failed, read, write

NATIVE = "native-hashed"
# The part of a core that a saturated worker has where nobody else wants it.
IDLE_MACHINE = 0.85
TITLES = {listener.name: listener.title for listener in LISTENERS}


def number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def signed(value):
    return "" if value is None else f"{value:+,.0f}"


def exact_table(results, table):
    """Head and rows: instructions of each listener of a table."""
    exact = results["exact"]
    rows = []
    for listener in LISTENERS:
        if listener.table != table and not (table == "features" and listener.name == "plain"):
            continue
        if listener.name not in exact or (table != "main" and listener.name.startswith("plain")):
            continue
        count, plain = exact[listener.name], exact.get("plain")
        over = exact.get(listener.over)
        row = [listener.title, number(count)]
        if table == "features":
            base = exact.get("base")
            row += [number(None if plain is None else count - plain),
                    signed(None if base is None or listener.name == "base" else count - base)]
        else:
            row += [number(None if over is None or listener.name == listener.over else count - over)]
        if table == "main":
            row += [number(count / exact[NATIVE] if NATIVE in exact else None, 3)]
        rows.append(row)
    head = ["instructions per request", "in all", "over a plain route"]
    return head + {"main": ["ratio to native hashed"], "features": ["more than the first"], "growth": []}[table], rows


def times_table(results):
    rows = []
    for name, row in results["times"].items():
        ratio = row.get("cpu_ratio")
        added = [row.get(f"added_{point}") for point in ("p50_us", "p99_us")]
        rows.append([
            TITLES[name], f"{row['cpu_us']['median']:.1f}",
            f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "",
            *(f"{one['median']:+.0f} ({one['low']:+.0f} to {one['high']:+.0f})" if one else "" for one in added)])
    return ["per request", "CPU, µs", "ratio to native hashed", "added p50, µs", "added p99, µs"], rows


def footprint_table(results):
    found = results["footprint"]
    rows = [["the module", f"{found['module_bytes']:,} bytes"]]
    if "cargo_module_bytes" in found:
        rows = [["the module as cargo builds it", f"{found['cargo_module_bytes']:,} bytes"],
                ["the module after wasm-opt", f"{found['module_bytes']:,} bytes"]]
    rows += [
        ["memory per worker, the demo's policy", f"{found['memory_per_worker'] / 1e6:.1f} MB"],
        ["memory per worker, 1,000 splits", f"{found['memory_per_worker_1000_splits'] / 1e6:.1f} MB"]]
    for count in (1, 1000):
        one = found[f"configure_{count}"]
        rows.append([f"a new policy with {count:,} split{'s' * (count > 1)}, until it is in force", f"{one['ms']:.0f} ms"])
        rows.append(["CPU time of that, main thread and one worker", f"{one['cpu_ms']:.0f} ms"])
    return ["", "measured"], rows


def blocks(results):
    """Name, head and rows of each table that was measured."""
    if "exact" in results:
        for table in TABLES:
            head, rows = exact_table(results, table)
            if rows:
                yield table, head, rows
    if "times" in results:
        yield "times", *times_table(results)
    if "footprint" in results:
        yield "footprint", *footprint_table(results)


def text(results):
    lines = [measured(results)]
    for _, head, rows in blocks(results):
        rows = [[cell.replace("`", "") for cell in row] for row in (head, *rows)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines.append("")
        for row in rows:
            cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
            lines.append("  ".join(cells).rstrip())
    lines += ["", *(f"skipped: {name}: {why}" for name, why in results["skipped"].items())]
    return "\n".join(lines).rstrip()


def busy(how):
    return (f"saturated, Envoy had {100 * how['core_share']:.0f} % of a core: the machine, or the load program, was busy, "
            "and latencies say little")


def measured(results):
    parts = [f"Envoy {results['envoy']}", results["machine"]]
    if "exact" in results:
        parts.append("instructions of the worker in user space, by callgrind")
    if "times" in results:
        how = results["times_how"]
        parts.append(f"CPU time {'pinned to a core' if how['pinned'] else 'not pinned'}, {how['rounds']} rounds of {how['seconds']} s")
        parts.append(f"latency at {how['rate']:.0f} requests a second")
        if how["core_share"] < IDLE_MACHINE:
            parts.append(busy(how))
    return "; ".join(parts)


def into_page(results, path):
    """Replaces the tables between `<!-- bench-envoy NAME -->` and `<!-- /bench-envoy -->`."""
    page = read(path)
    if page is None:
        raise Failed(f"there is no page {path}")
    for name, head, rows in blocks(results):
        begin, stop = f"<!-- bench-envoy {name} -->\n", "<!-- /bench-envoy -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(stop)
        if not found or not closed:
            raise Failed(f"{path} has no place for the table `{name}`: {begin.strip()} ... {stop}")
        line = lambda cells: "| " + " | ".join(cells) + " |\n"
        table = line(head) + "|---" + "|---:" * (len(head) - 1) + "|\n" + "".join(line(row) for row in rows)
        skipped = "".join(f"\nNot measured: {TITLES[one]}: {why}.\n" for one, why in results["skipped"].items() if "unknown_field" not in why) if name == "main" else ""
        page = before + begin + table + skipped + "\n" + measured_by(results, name) + "\n" + stop + after
    write(path, page)


def measured_by(results, name):
    how = {"times": "--time", "footprint": "--footprint"}.get(name, f"--exact --tables {name}")
    note = ""
    if name == "times":
        note = f" Latency at {results['times_how']['rate']:.0f} requests a second."
        if results["times_how"]["core_share"] < IDLE_MACHINE:
            note += f" Beware: {busy(results['times_how'])}."
    return f"Measured by `scripts/bench-envoy {how}`: Envoy {results['envoy']}, {results['machine']}.{note}"


def picture(results, path):
    """Bars: instructions over a plain route."""
    if "exact" not in results or "plain" not in results["exact"]:
        raise Failed("a picture needs counted instructions of the table `main`")
    exact = results["exact"]
    bars = [(listener.title.replace("`", ""), exact[listener.name] - exact["plain"], listener.form)
            for listener in LISTENERS if listener.table == "main" and listener.name in exact and listener.name != "plain"]
    widest, left, step = max(count for _, count, _ in bars), 330, 26
    height = 58 + step * len(bars)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" viewBox="0 0 760 {height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="12" y="24" font-size="15" fill="#222222">Instructions per request over a plain route '
        f'({number(exact["plain"])})</text>']
    for place, (title, count, form) in enumerate(bars):
        y = 42 + step * place
        width = max(1, 340 * max(0, count) / widest)
        color = "#f58518" if form.startswith("filter") else "#4c78a8"
        out.append(f'<text x="{left - 10}" y="{y + 14}" text-anchor="end" fill="#222222">{html.escape(title)}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{step - 8}" fill="{color}"/>')
        out.append(f'<text x="{left + width + 6:.1f}" y="{y + 14}" fill="#222222">{number(count)}</text>')
    write(path, "\n".join([*out, "</svg>", ""]))
