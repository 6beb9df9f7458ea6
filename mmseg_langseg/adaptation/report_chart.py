"""Small chart of an interval, for a table cell."""

from __future__ import annotations

from mmseg_langseg.verdict import Verdict

_WIDTH, _HEIGHT, _MARGIN = 180, 18, 6
_COLORS = dict(better='#1a7f37', worse='#b42318', undecided='#57606a')


def interval_chart(verdict: Verdict, low: float, high: float) -> str:
    """Draw an estimate with its interval and a line at zero, as SVG.

    Args:
        verdict: The estimate.
        low: Left end of the axis, the same for all rows of a table.
        high: Right end.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    span = max(high - low, 1e-9)

    def at(value: float) -> float:
        return round(_MARGIN + (_WIDTH - 2 * _MARGIN) * (value - low) / span, 1)

    color, middle = _COLORS[verdict.decision], _HEIGHT / 2
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true">'
        f'<line x1="{at(0)}" x2="{at(0)}" y1="0" y2="{_HEIGHT}" stroke="#999"/>'
        f'<line x1="{at(verdict.low)}" x2="{at(verdict.high)}" y1="{middle}" y2="{middle}" '
        f'stroke="{color}" stroke-width="3"/>'
        f'<circle cx="{at(verdict.gain)}" cy="{middle}" r="5" fill="{color}"/></svg>'
    )
