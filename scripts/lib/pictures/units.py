"""Numbers as people read them, by Grafana's names of units."""

import time


def short(value):
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {sign}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def shown(value, unit, decimals=None):
    """A number with its unit."""
    if unit == "percentunit":
        value = 100 * value
        return (
            f"{value:.{decimals}f} %"
            if decimals is not None
            else f"{value:.4g} %" if abs(value) < 100 else f"{value:.0f} %"
        )
    if unit == "hex":
        return f"{int(value):X}"
    if unit == "dateTimeFromNow":
        return f"{max(0, time.time() - value / 1000):.0f} s ago"
    number = f"{value:.{decimals}f}" if decimals is not None else short(value)
    return number + {"ms": " ms", "reqps": " req/s", "ops": "/s"}.get(unit, "")
