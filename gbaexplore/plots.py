"""Datasets to matplotlib; it knows labels and units, never models."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis import propagation_ratio
from gbaexplore.errors import UserError, did_you_mean
from gbaexplore.labels import AREA, DIVERGED, STATUS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette: told apart with any colour vision, and in grey.
BLACK, ORANGE, GREEN, BLUE, VERMILION, PURPLE = "#000000", "#E69F00", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
COLOURS = {"weak": BLUE, "strong": VERMILION, "V1": BLACK, "24c": GREEN}
"""What keeps its colour in every figure: the regimes of amplification, and the two areas most often compared."""
CYCLE = (BLACK, VERMILION, BLUE, GREEN, PURPLE, ORANGE)

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

_UNSTABLE = "0.8"
_SHADE = "0.9"


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Return a function that draws a figure as one that draws it in the house style: `@plots.styled`."""

    @functools.wraps(draw)
    def wrapped(*args: Any, **kwargs: Any) -> Figure:
        import matplotlib as mpl

        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapped


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (3.4, 2.6), **grid: Any) -> tuple[Figure, Any]:
    """Return a new figure of some size (inches) and its axes: one, or an array of them, as `Figure.subplots` gives.

    `grid` goes to `Figure.subplots`. The figure is the caller's own: pyplot keeps no hold of it.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=size, layout="constrained")
    return made, made.subplots(rows, columns, **grid)


def symbol(name: str) -> str:
    r"""Return a parameter's name as the papers print it.

    >>> symbol("muEE"), symbol("eta"), symbol("amplitude")
    ('$\\mu_{EE}$', '$\\eta$', 'amplitude')
    """
    found = re.fullmatch(r"(alpha|beta|eta|mu|omega|tau)([A-Z]*)", name)
    if not found:
        return name
    greek, populations = found.groups()
    return rf"$\{greek}_{{{populations}}}$" if populations else rf"$\{greek}$"


def traces(
    ds: xr.Dataset,
    areas: str | Sequence[str],
    onset: float = 0.0,
    floor: float | None = None,
    cap: float = 500.0,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw the change of rate over time, a line for each point left in `ds` and each area; return the axes.

    Args:
        ds: of a study that measures `Trace`.
        areas: one area or several.
        onset: what is time zero, s.
        floor: draws on a logarithmic scale, and smaller changes (Hz) at this height.
        cap: a run-away is drawn up to this height, Hz.
        line: how to draw, as `Axes.plot` takes it.

    Raises:
        UserError: no time courses, or no such area among them.
    """
    where = _area_dim(ds, "rate_change", "Trace")
    ax = _axes(ax)
    names = [areas] if isinstance(areas, str) else areas
    for area in names:
        for point, one in _points(ds.rate_change.sel({where: _known(ds, area, where)}), "time"):
            change = np.nan_to_num(one.values.astype(float), nan=np.inf)
            change = change if floor is None else np.maximum(change, floor)
            shown = change <= cap
            colour = COLOURS.get(point) or COLOURS.get(area) or CYCLE[len(ax.lines) % len(CYCLE)]
            label = ", ".join([point] * bool(point) + [area] * (not point or len(names) > 1))
            given = {"color": colour, "label": label, **line}
            ax.plot((one.time.values - onset)[shown], change[shown], **given)
    if floor is not None:
        ax.set_yscale("log")
    return ax


def stack(ds: xr.Dataset, panels: Sequence[Axes], scale: xr.DataArray, onset: float = 0.0) -> None:
    """Draw time courses (see `traces`) one area a panel, each from 0 to 1.2 times a peak of its own, its one tick.

    Args:
        ds: of a study that measures `Trace`.
        panels: one below the other, for the areas in the order in which they were traced.
        scale: the peak of each area, (area,) Hz.
        onset: what is time zero, s.
    """
    dim = _area_dim(ds, "rate_change", "Trace")
    for ax, area in zip(panels, (str(name) for name in ds[dim].values)):
        traces(ds, area, onset=onset, ax=ax, clip_on=False, zorder=3)
        peak = float(scale.sel({AREA: area}))
        ax.set(ylim=(0, 1.2 * peak), yticks=[peak], yticklabels=[f"{peak:.3g}"])
        ax.text(1.01, 0.4, area, transform=ax.transAxes)
        if ax is not panels[-1]:
            ax.tick_params(bottom=False)
            ax.spines.bottom.set_visible(False)
    panels[-1].set_xlabel("time from stimulus onset (s)")
    panels[-1].figure.supylabel("change in firing rate (Hz)", fontsize="medium")


@styled
def regimes(ds: xr.Dataset, onset: float = 2.0, duration: float = 0.25) -> Figure:
    """Return a figure that compares weak and strong regimes: time courses in the traced areas, and the hierarchy.

    `ds` has an axis `regime` (weak, strong), a Peak, and a Trace of some areas; the stimulus acts for `duration`
    from `onset`, s.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7.2, 3.0), layout="constrained")
    halves: Any = fig.subfigures(1, 2, width_ratios=(2, 3))
    left, right = halves
    panels = left.subplots(ds.sizes["trace_area"], 1, sharex=True)
    shown = ds.sel(time=slice(onset - 0.25, onset + 2.0))
    stack(shown, panels, scale=ds.peak_rate.sel(regime="strong"), onset=onset)
    panels[0].set(xlim=(-0.25, 2.0), ylim=(0, 120))
    for ax in panels:
        shade(ax, 0.0, duration)
    ax = right.subplots()
    profile(ds, ax=ax)
    ax.set(ylim=(None, 150), xlabel="cortical area, in hierarchical order")
    ax.legend(ax.get_lines(), ["weak GBA", "strong GBA"], loc="upper right")
    return fig


def shade(ax: Axes, start: float, stop: float) -> None:
    """Shade the time during which the stimulus acts."""
    ax.axvspan(start, stop, color=_SHADE, linewidth=0, zorder=0)


def cap_line(ax: Axes, height: float) -> None:
    """Draw the height at which run-aways are shown."""
    ax.axhline(height, color="0.6", linewidth=0.7, linestyle=":", zorder=0, label="_cap")


def profile(ds: xr.Dataset, source: str = "V1", ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the peak in every area as a percentage of the source's, a line for each point left; return the axes.

    The areas are in hierarchical order. What is not above zero can't be drawn on a logarithmic scale: it is left out.

    Raises:
        UserError: no peaks in the Dataset, or no such area.
    """
    _area_dim(ds, "peak_rate", "Peak")
    ax = _axes(ax)
    percent = 100 * ds.peak_rate / ds.peak_rate.sel({AREA: _known(ds, source)}, drop=True)
    for label, one in _points(percent, AREA):
        drawn = _drawable(one.values)
        given = {"color": COLOURS.get(label) or CYCLE[len(ax.lines) % len(CYCLE)], "label": label, "marker": "o"}
        ax.plot(np.arange(len(drawn))[drawn], one.values[drawn], **{**given, **line})
    ax.set_yscale("log")
    ax.set_xticks(np.arange(ds.sizes[AREA]), [str(area) for area in ds[AREA].values], rotation=90)
    ax.set_xlim(-0.5, ds.sizes[AREA] - 0.5)
    ax.set_ylabel(f"peak response (% of {source})")
    return ax


def sweep(
    ds: xr.Dataset, x: str = "muEE", area: str = "24c", cap: float = 500.0, ax: Axes | None = None, **line: Any
) -> Axes:
    """Draw the peak in an area over one axis, on a logarithmic scale; return the axes.

    Peaks above the cap (Hz), and those of points that diverged, are drawn at the cap, with open symbols. `ds` has
    no other axis left.

    Raises:
        UserError: other axes are left, no peaks in the Dataset, or no such area.
    """
    _area_dim(ds, "peak_rate", "Peak")
    _only(ds, (x,), "a sweep")
    ax = _axes(ax)
    peak = ds.peak_rate.sel({AREA: _known(ds, area)})
    capped = peak.where((ds[STATUS] != DIVERGED) & ~(peak > cap), cap).values
    drawn = _drawable(capped)
    given = {"color": CYCLE[len(ax.lines) % len(CYCLE)], "marker": "o", "clip_on": False, **line}
    ax.plot(ds[x].values[drawn], capped[drawn], **given)
    if (capped >= cap).any():
        away = ds[x].values[capped >= cap]
        given |= {"linestyle": "none", "markerfacecolor": "white", "zorder": 3, "label": "_runs away"}
        ax.plot(away, np.full(len(away), cap), **given)
        beside: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": "small"}
        ax.annotate("runs away", (away[0], cap), (4, -5), **beside)
    ax.set_yscale("log")
    ax.set_xlabel(quantity(ds, x))
    ax.set_ylabel(f"peak response in {area} (Hz)")
    return ax


def quantity(ds: xr.Dataset, name: str) -> str:
    """Return what a coordinate is, for the label of an axis: its long name, symbol and unit."""
    attrs = ds[name].attrs
    units = attrs.get("units", "1")
    return f"{attrs.get('long_name', '')} {symbol(name)}".strip() + (f" ({units})" if units != "1" else "")


def map(
    ds: xr.Dataset, x: str = "muEE", y: str = "omegaEI", target: str = "24c", source: str = "V1", ax: Axes | None = None
) -> Axes:
    """Draw log10 of the propagation ratio over two axes, the unstable region in grey; return the axes.

    `ds` has no other axis left: select first, as in `plots.map(ds.sel(feedback="on"))`.

    Raises:
        UserError: other axes are left, or there are no peaks.
    """
    from matplotlib.patches import Patch

    _only(ds, (x, y), "a map")
    ratio = propagation_ratio(ds, target, source).transpose(y, x)
    axes = _axes(ax)
    diverged = (ds[STATUS] == DIVERGED).transpose(y, x)
    grid: dict[str, Any] = {"shading": "nearest", "rasterized": True}
    grey = np.ma.masked_equal(diverged.values.astype(float), 0)
    axes.pcolormesh(ds[x], ds[y], grey, cmap=_one_colour(_UNSTABLE), **grid)
    values = np.log10(ratio.where(ratio > 0).values)
    mesh = axes.pcolormesh(ds[x], ds[y], np.ma.masked_invalid(values), cmap="viridis", **grid)
    axes.figure.colorbar(mesh, ax=axes, label=f"log10 peak({target}) / peak({source})")
    if diverged.any():
        axes.legend(handles=[Patch(color=_UNSTABLE, label="unstable")], loc="lower right", frameon=False)
    for name, label in ((x, axes.set_xlabel), (y, axes.set_ylabel)):
        units = ds[name].attrs.get("units", "1")
        label(name if units == "1" else f"{name} ({units})")
    return axes


def _one_colour(colour: str) -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap([colour])


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(5.6, 4.2), layout="constrained")[1]


def _only(ds: xr.Dataset, axes: tuple[str, ...], what: str) -> None:
    if set(ds[STATUS].dims) != set(axes):
        raise UserError(
            f"{what} has the {'axis' if len(axes) == 1 else 'axes'} {' and '.join(axes)}, the Dataset "
            f"{', '.join(str(dim) for dim in ds[STATUS].dims) or 'none'}; "
            "select one value of each other axis first, with ds.sel(...)"
        )


def _area_dim(ds: xr.Dataset, name: str, measure: str) -> str:
    """Return the dimension along which a measure's variable has its areas."""
    if name not in ds:
        found = ", ".join(str(variable) for variable in ds.data_vars)
        raise UserError(f"no {name} among {found}; the study needs {measure}() as a measure")
    return next(str(dim) for dim in ds[name].dims if str(dim) in (AREA, f"trace_{AREA}"))


def _known(ds: xr.Dataset, area: str, dim: str = AREA) -> str:
    known = [str(name) for name in ds[dim].values]
    if area not in known:
        raise UserError(f'no area "{area}"{did_you_mean(area, known) or ";"} Areas: {", ".join(known)}')
    return area


def _points(values: xr.DataArray, along: str) -> list[tuple[str, xr.DataArray]]:
    """Return each point that is left, with its labels, as an array along one dimension."""
    others = [dim for dim in values.dims if dim != along]
    if not others:
        return [("", values)]
    stacked = values.stack(point=others)
    names = [", ".join(str(label) for label in key) for key in stacked.point.values]
    return [(name, stacked.isel(point=i, drop=True)) for i, name in enumerate(names)]


def _drawable(values: np.ndarray) -> np.ndarray:
    """Which values a logarithmic scale can show."""
    return np.isfinite(values) & (values > 0)
