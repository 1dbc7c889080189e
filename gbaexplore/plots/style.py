"""How all figures look: colours, style, symbols, units, ticks, legends."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import printable
from gbaexplore.basics.names import DIVERGED, FAILED, PENDING, UNDEFINED, thinned, unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Okabe & Ito's palette: distinct with any colour vision, and in grey.
BLACK, ORANGE, GREEN, BLUE, VERMILION, PURPLE = "#000000", "#E69F00", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
CYCLE = (BLACK, VERMILION, BLUE, GREEN, PURPLE, ORANGE)
STATE_COLOURS = {DIVERGED: "#cccccc", FAILED: "#d7191c", UNDEFINED: "#fdae61", PENDING: "#e4edf7"}
"""Colours of points without a value, by status, in every figure and on every page."""
DASHES = ("-", "--", ":", "-.")

STYLE: dict[Any, Any] = {  # matplotlib's own type lists every key that there is
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
}

_GREEK = (
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega|Gamma|Delta|"
    "Theta|Lambda|Sigma|Phi|Psi|Omega"
)
_SHADE = "0.9"
_LEVEL = 50  # characters of tick labels that fit side by side


_own_colours: ContextVar[Mapping[str, str]] = ContextVar("_own_colours", default=MappingProxyType({}))


def styled(draw: Callable[..., Figure] | None = None, *, colours: Mapping[str, str] | None = None) -> Any:
    """Wrap a function that draws a figure so that it uses the house style: `@plots.styled`.

    `@plots.styled(colours={"on": "black", "V4": "#D55E00"})` gives lines of these labels and areas their colours.
    """
    if draw is None:
        return functools.partial(styled, colours=colours)

    @functools.wraps(draw)
    def wrapped(*args: Any, **kwargs: Any) -> Figure:
        import matplotlib as mpl

        before = _own_colours.set(colours or {})
        try:
            with mpl.rc_context(STYLE):
                return draw(*args, **kwargs)
        finally:
            _own_colours.reset(before)

    return wrapped


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (3.4, 2.6), **grid: Any) -> tuple[Figure, Any]:
    """Return a new figure of some size (inches) and its axes: one, or an array of them, as `Figure.subplots` gives.

    `grid` goes to `Figure.subplots`. The figure is the caller's own: pyplot keeps no hold of it.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=size, layout="constrained")
    return made, made.subplots(rows, columns, **grid)


def plain(text: object) -> str:
    r"""Return text as matplotlib draws it: without formulas, and not hidden from legends by a first `_`.

    >>> print(plain("a$b$"), plain("_c"))
    a\$b\$ $\_$c
    """
    words = printable(text).replace("$", r"\$")
    return rf"$\_${words[1:]}" if words.startswith("_") else words


def symbol(name: str) -> str:
    r"""Return a parameter's name as the papers print it.

    >>> symbol("muEE"), symbol("tau_s"), symbol("wEI"), symbol("J_N"), symbol("amplitude")
    ('$\\mu_{EE}$', '$\\tau_{s}$', '$w_{EI}$', '$J_{N}$', 'amplitude')
    """
    found = re.fullmatch(rf"({_GREEK}|w(?=[A-Z])|[A-Za-z](?=_))(?:_([A-Za-z0-9]+)|([A-Z]*))", name)
    if not found:
        return plain(name)
    letter, *below = found.groups(default="")
    letter = letter if len(letter) == 1 else rf"\{letter}"
    return f"${letter}_{{{''.join(below)}}}$" if any(below) else f"${letter}$"


def shade(ax: Axes, start: float, stop: float) -> None:
    """Shade the time during which the stimulus acts."""
    ax.axvspan(start, stop, color=_SHADE, linewidth=0, zorder=0)


def cap_line(ax: Axes, height: float) -> None:
    """Draw the height at which diverged points are shown."""
    ax.axhline(height, color="0.6", linewidth=0.7, linestyle=":", zorder=0, label="_cap")


def quantity(ds: xr.Dataset, name: str) -> str:
    """Return what a coordinate or variable is, for the label of an axis: long name, symbol of a parameter, unit."""
    words = plain(ds[name].attrs.get("long_name", ""))
    if not words or (name in ds.coords and ds[name].dtype.kind in "iuf" and name not in words.split()):
        words = f"{words} {symbol(name)}".strip()
    return words + plain(unit(ds[name].attrs))


def line_styles(areas: Sequence[str], points: Sequence[tuple[str, Any]], ax: Axes) -> list[dict[str, Any]]:
    """Return the style of the line of each area and, within it, of each point.

    What differs gets the colours; where both do, points get the colours, and areas the dashes.
    """
    labels = [label for label, _ in points]
    if len(labels) == 1 and (len(areas) > 1 or labels[0] not in _own_colours.get()):
        return [{"color": colour} for colour in _colours(areas, ax)]
    colours = _colours(labels, ax)
    return [{"color": c, "linestyle": dashes} for _, dashes in zip(areas, itertools.cycle(DASHES)) for c in colours]


def _colours(names: Sequence[str], ax: Axes) -> list[str]:
    """Return a colour for each name: its own, or one that no line has yet; of many, their places along viridis."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    given = _own_colours.get()
    others = [name for name in names if name not in given]
    taken = {to_hex(line.get_color()).upper() for line in ax.lines} | {given.get(name) for name in names}
    free = [colour for colour in CYCLE if colour not in taken] or list(CYCLE[len(ax.lines) % len(CYCLE) :])
    if len(others) > len(free):
        return [to_hex(colour) for colour in mpl.colormaps["viridis"](np.linspace(0, 0.85, len(names)))]
    own = {**dict(zip(others, free)), **given}
    return [own[name] for name in names]


def name_ticks(ax: Axes, labels: Iterable[Any]) -> None:
    """Put a tick with its label at 0, 1, ...; upright where they are long, at some only where there are too many."""
    ticks = {position: plain(label) for position, label in thinned(labels).items()}
    long = len(ticks) > 8 or sum(map(len, ticks.values())) > _LEVEL
    ax.set_xticks(list(ticks), list(ticks.values()), rotation=90 if long else 0)


def ticks_upwards(ax: Axes, labels: Iterable[Any]) -> None:
    """Put a tick with its label at 0, 1, ... of the vertical axis; at some only where there are too many."""
    ticks = {position: plain(label) for position, label in thinned(labels).items()}
    ax.set_yticks(list(ticks), list(ticks.values()))


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the given axes, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(5.6, 4.2), layout="constrained")[1]


def with_legend(ax: Axes) -> Axes:
    """Return axes with their legend."""
    ax.legend()
    return ax


def label_outer(ax: Axes, x: str, y: str) -> None:
    """Label a panel's axes; one that panels share only where none of them is below, or to the left."""
    row, column = _place(ax)
    if not any(r > row and c == column for r, c in [_place(one) for one in ax.get_shared_x_axes().get_siblings(ax)]):
        ax.set_xlabel(x)
    if not any(r == row and c < column for r, c in [_place(one) for one in ax.get_shared_y_axes().get_siblings(ax)]):
        ax.set_ylabel(y)


def _place(ax: Axes) -> tuple[int, int]:
    """Return a panel's row and column; of axes that are in no grid, the first."""
    place = ax.get_subplotspec()
    return (place.rowspan.start, place.colspan.start) if place else (0, 0)
