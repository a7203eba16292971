"""A bar chart as SVG, drawn here: no script, no style of its own. It stretches to the room it is given."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_HEIGHT = 100
_NAMED = 6  # about so many bars have their name below


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawing, and what stands around it."""

    drawing: Markup
    top: int  # the value at its upper edge
    marks: list[str]  # names of bars, at equal distances from the left edge


def bars(names: Sequence[str], values: Sequence[int], title: str) -> Chart:
    """One bar a value. The highest one reaches the upper edge."""
    top = max(values)
    drawn = [_bar(*bar, max(1, top)) for bar in zip(range(len(values)), names, values, strict=True)]
    label = escape(f"{title}: {sum(values)} in all, at most {top} in one bar")
    drawing = Markup(  # noqa: S704 - numbers of ours, names escaped
        f'<svg class="chart" viewBox="0 0 {len(values)} {_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{label}">{"".join(drawn)}</svg>'
    )
    return Chart(drawing, top, list(names[:: max(1, len(names) // _NAMED)]))


def _bar(number: int, name: str, value: int, top: int) -> str:
    height = max(1.0, _HEIGHT * value / top) if value else 0.0
    shape = f'x="{number + 0.1:.1f}" y="{_HEIGHT - height:.1f}" width="0.8" height="{height:.1f}"'
    return f'<rect class="bar" {shape}><title>{escape(name)}: {value}</title></rect>'
