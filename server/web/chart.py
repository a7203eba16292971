"""A bar chart as SVG, drawn here: no script, no style of its own."""

from collections.abc import Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _FOOT, _HEAD = 720, 150, 18, 14
_NAMED = 6  # how many bars have their name below


def bars(names: Sequence[str], values: Sequence[int], title: str) -> Markup:
    """One bar a value, with the name of some; the highest value stands at the top line."""
    top = max([1, *values])
    step = _WIDTH / len(values)
    every = max(1, len(values) // _NAMED)
    drawn = [
        _bar(number * step, step, value, top, name) + (_name(number * step, name) if number % every == 0 else "")
        for number, (name, value) in enumerate(zip(names, values, strict=True))
    ]
    total = sum(values)
    label = escape(f"{title}: {total} in all, at most {max(values)} at once")
    return Markup(  # noqa: S704 - numbers of ours, names escaped
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f'<line class="top" x1="0" y1="{_HEAD}" x2="{_WIDTH}" y2="{_HEAD}"/>'
        f'<text class="mark" x="0" y="{_HEAD - 4}">{top}</text>'
        f"{''.join(drawn)}"
        f'<line class="foot" x1="0" y1="{_HEIGHT - _FOOT}" x2="{_WIDTH}" y2="{_HEIGHT - _FOOT}"/></svg>'
    )


def _bar(left: float, step: float, value: int, top: int, name: str) -> str:
    room = _HEIGHT - _FOOT - _HEAD
    height = max(2.0, room * value / top) if value else 0.0
    shape = f'x="{left + step * 0.1:.1f}" y="{_HEIGHT - _FOOT - height:.1f}" width="{step * 0.8:.1f}"'
    return f'<rect class="bar" {shape} height="{height:.1f}"><title>{escape(name)}: {value}</title></rect>'


def _name(left: float, name: str) -> str:
    return f'<text class="mark" x="{left:.1f}" y="{_HEIGHT - 4}">{escape(name)}</text>'
