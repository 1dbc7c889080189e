"""Datasets to matplotlib; it knows labels and units, never models."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gbaexplore.analysis import propagation_ratio
from gbaexplore.errors import UserError, did_you_mean, listing
from gbaexplore.labels import AREA, DIVERGED, FAILED, OK, PENDING, STATUS, STATUS_MEANINGS, thinned
from gbaexplore.places import check_writable, local, place, reason
from gbaexplore.store import RECIPE, open_study
from gbaexplore.table import tables_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from gbaexplore.boundary import Boundary

# Okabe & Ito's palette: told apart with any colour vision, and in grey.
BLACK, ORANGE, GREEN, BLUE, VERMILION, PURPLE = "#000000", "#E69F00", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
COLOURS = {"weak": BLUE, "strong": VERMILION, "V1": BLACK, "24c": GREEN}
"""What keeps its colour in every figure: the regimes of amplification, and the two areas most often compared."""
CYCLE = (BLACK, VERMILION, BLUE, GREEN, PURPLE, ORANGE)
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

_SHADE = "0.9"
_WHATEVER_HAPPENS = ("spectral_abscissa", "calibrated_")  # variables that don't depend on whether a point diverges
_ENDINGS = (".png", ".svg", ".pdf")
_MOST_PANELS, _MOST_LINES = 12, 60  # that a person can still read
_SPOTS = 2e4  # points^2 in which a scatter's symbols are as large together
_WIDE = 100.0  # values that differ by more are shown on a logarithmic scale


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

    >>> symbol("muEE"), symbol("eta"), symbol("wEI"), symbol("amplitude")
    ('$\\mu_{EE}$', '$\\eta$', '$w_{EI}$', 'amplitude')
    """
    found = re.fullmatch(r"(alpha|beta|eta|mu|omega|tau|w(?=[A-Z]))([A-Z]*)", name)
    if not found:
        return name
    letter, populations = found.groups()
    letter = letter if letter == "w" else rf"\{letter}"
    return f"${letter}_{{{populations}}}$" if populations else f"${letter}$"


def traces(
    ds: xr.Dataset,
    areas: str | Sequence[str] | None = None,
    onset: float = 0.0,
    floor: float | None = None,
    cap: float = 500.0,
    variable: str | None = None,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw rates over time, a line for each point left in `ds` and each area; return the axes.

    Args:
        ds: of a study that measures `Trace` (the change from rest is drawn), or what `simulate` returns (the rate).
        areas: one area or several; all that there are if None.
        onset: what is time zero, s.
        floor: draws on a logarithmic scale, and smaller rates (Hz) at this height.
        cap: a run-away is drawn up to this height, Hz.
        variable: which time course, if there are several: of what `simulate` returns, the model's first if None.
        ax: where to draw; None makes a figure, with a legend.
        line: how to draw, as `Axes.plot` takes it.

    Raises:
        UserError: no time courses, no such area among them, or more lines than can be told apart.
    """
    name, time = _course(_dataset(ds), variable)
    dim = _area_dim(ds, name, "Trace")
    names = [areas] if isinstance(areas, str) else [_known(ds, area, dim) for area in areas or ds[dim].values]
    points = _points(ds, name, len(names))
    target = _axes(ax)
    for (area, (point, one)), style in zip(itertools.product(names, points), _styles(names, points, target)):
        rate = np.nan_to_num(one[name].sel({dim: _known(ds, area, dim)}).values.astype(float), nan=np.inf)
        rate = rate if floor is None else np.maximum(rate, floor)
        shown = rate <= cap
        label = ", ".join([point] * bool(point) + [area] * (not point or len(names) > 1)) + _why_not(one, shown)
        target.plot((one[time].values - onset)[shown], rate[shown], **{**style, "label": label, **line})
    if floor is not None:
        target.set_yscale("log")
    _label_outer(target, "time from stimulus onset (s)" if onset else quantity(ds, time), quantity(ds, name))
    return target if ax is not None else _with_legend(target)


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
        ax.set(ylim=(0, 1.2 * peak), yticks=[peak], yticklabels=[f"{peak:.3g}"], ylabel="")
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

    The areas are in hierarchical order. Points that diverged are left out, and so is what is not above zero: it
    can't be drawn on a logarithmic scale.

    Args:
        ds: of a study that measures `Peak`.
        source: the area that counts as 100 %.
        ax: where to draw; None makes a figure, with a legend where there are several lines.
        line: how to draw, as `Axes.plot` takes it.

    Raises:
        UserError: no peaks in the Dataset, no such area, or more lines than can be told apart.
    """
    _area_dim(_dataset(ds), "peak_rate", "Peak")
    _known(ds, source)
    points = _points(ds, "peak_rate")
    target = _axes(ax)
    for (point, one), style in zip(points, _styles([""], points, target)):
        peak = one.peak_rate.where(_bounded(one))
        percent = (100 * peak / peak.sel({AREA: source}, drop=True)).values
        drawn = _drawable(percent)
        given = {**style, "label": point + _why_not(one, drawn), "marker": "o", **line}
        target.plot(np.arange(len(drawn))[drawn], percent[drawn], **given)
    target.set_yscale("log")
    _name_ticks(target, ds[AREA].values)
    target.set_xlim(-0.5, ds.sizes[AREA] - 0.5)
    _label_outer(target, quantity(ds, AREA), f"peak response (% of {source})")
    return target if ax is not None or len(points) == 1 else _with_legend(target)


def sweep(
    ds: xr.Dataset, x: str | None = None, area: str = "24c", cap: float = 500.0, ax: Axes | None = None, **line: Any
) -> Axes:
    """Draw the peak in an area over one axis, on a logarithmic scale; return the axes.

    Peaks above the cap (Hz), and those of points that diverged, are drawn at the cap, with open symbols. `ds` has
    no other axis left.

    Raises:
        UserError: other axes are left, no peaks in the Dataset, or no such area.
    """
    _area_dim(_dataset(ds), "peak_rate", "Peak")
    x = x or next(iter([*_numeric(ds), *_axes_of(ds)]), "of numbers")
    _only(ds, (x,), "a sweep")
    ax = _axes(ax)
    ds = ds.sortby(x) if x in _numeric(ds) else ds
    peak = ds.peak_rate.sel({AREA: _known(ds, area)})
    capped = peak.where((ds[STATUS] != DIVERGED) & ~(peak > cap), cap).values
    at, drawn = _positions(ds, x, ax), _drawable(capped)
    given = {**_styles([""], [("", ds)], ax)[0], "marker": "o", "clip_on": False, **line}
    ax.plot(at[drawn], capped[drawn], **given)
    if (capped >= cap).any():
        away = at[capped >= cap]
        given |= {"linestyle": "none", "markerfacecolor": "white", "zorder": 3, "label": "_runs away"}
        ax.plot(away, np.full(len(away), cap), **given)
        if "runs away" not in [text.get_text() for text in ax.texts]:
            beside: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": "small"}
            ax.annotate("runs away", (away[0], cap), (4, -5), **beside)
    ax.set_yscale("log")
    _label_outer(ax, quantity(ds, x), f"peak response in {area} (Hz)")
    return ax


def quantity(ds: xr.Dataset, name: str) -> str:
    """Return what a coordinate or variable is, for the label of an axis: long name, symbol of a parameter, unit."""
    words = ds[name].attrs.get("long_name", "")
    if not words or (name in ds.coords and ds[name].dtype.kind in "iuf" and name not in words.split()):
        words = f"{words} {symbol(name)}".strip()
    return words + _unit(ds[name])


def _unit(values: xr.DataArray) -> str:
    units = values.attrs.get("units", "1")
    return "" if units == "1" else f" ({units})"


def map(
    ds: xr.Dataset,
    x: str | None = None,
    y: str | None = None,
    target: str = "24c",
    source: str = "V1",
    variable: str | None = None,
    area: str | None = None,
    scale: Literal["log", "linear"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the propagation ratio, or any variable, over two axes in colour; return the axes.

    A legend names the points that have no colour: diverged (grey), failed (dark grey), pending (blank), and those
    whose value a logarithm can't show (black). `spectral_abscissa` and calibrated amplitudes don't depend on
    whether a point diverged: they are drawn there too, and hatched.

    Args:
        ds: with no other axis left: select first, as in `plots.map(ds.sel(feedback="on"))`.
        x, y: its axes; the first two of numbers if None.
        target, source: the areas of the ratio, peak(target) / peak(source).
        variable: what to draw in place of the ratio, in its own unit.
        area: of the variable, if it has areas.
        scale: of the colours. If None, "log" for the ratio and for values that are not negative and differ by more
            than a hundredfold. Its limits are the smallest (for "log": positive) and the largest value.
        ax: where to draw; None makes a figure.

    Raises:
        UserError: other axes are left, or there are no two of numbers; no such variable or area.
    """
    x, y = _plane(_dataset(ds), x, y)
    field = _field(ds, variable, area, target, source).transpose(y, x).sortby([x, y])
    norm = _norm([field], scale)
    ax = _axes(ax)
    handles = _paint(ax, ds, field, norm)
    _colour_bar([ax], field, norm)
    if handles:
        ax.legend(handles=handles, loc=_emptiest(_shown(field, norm)), frameon=True, framealpha=0.9)
    _label_outer(ax, quantity(ds, x), quantity(ds, y))
    return ax


def scatter(
    ds: xr.Dataset,
    x: str | None = None,
    y: str | None = None,
    target: str = "24c",
    source: str = "V1",
    variable: str | None = None,
    area: str | None = None,
    scale: Literal["log", "linear"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the points of a table over two of its parameters, coloured as `map` colours them; return the axes.

    Args:
        ds: of a table of points, with no other axis left.
        x, y: parameters that are columns of the table; the first two that differ if None.
        target, source, variable, area, scale, ax: as `map` takes them.

    Raises:
        UserError: other axes are left, or no table of two such parameters; no such variable or area.
    """
    x, y = _columns(_dataset(ds), x, y)
    field = _field(ds, variable, area, target, source)
    norm = _norm([field], scale)
    ax = _axes(ax)
    handles = _spot(ax, ds, field, norm, x, y)
    _colour_bar([ax], field, norm)
    if handles:
        ax.legend(handles=handles, frameon=True, framealpha=0.9)
    _label_outer(ax, quantity(ds, x), quantity(ds, y))
    return ax


def boundary(found: Boundary, x: str | None = None, y: str | None = None, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the curves that `find_boundary` found, those of other labels in other styles; return the axes.

    A boundary in three parameters is a surface, and is drawn on axes with projection="3d".

    Args:
        found: all of it, or a part, as in `plots.boundary(found.sel(feedback="on"), ax=plots.map(...))`.
        x, y: the parameters of two; in the order of the study's axes if None.
        ax: where to draw; None makes a figure, with a legend where there are several labels.
        line: how to draw, as `Axes.plot` (in three parameters, `plot_trisurf`) takes it.

    Raises:
        UserError: `x` or `y` is none of the boundary's parameters.
    """
    curves = found.curves
    known = [str(name).removesuffix("_width") for name in curves.data_vars if str(name).endswith("_width")]
    free = [name for name in known if name not in (x, y)]
    names = [name or free.pop(0) for name in (x, y)] + free
    if sorted(names) != sorted(known):
        raise UserError(f"a boundary over {listing(names)}; expected its parameters: {listing(known)}")
    if len(names) > 2 and ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure(figsize=(5.6, 4.2), layout="constrained").add_subplot(projection="3d")
    target: Any = _axes(ax)
    labels = [str(name) for name in curves.coords if name not in (*known, "curve")]
    groups = list(dict.fromkeys(zip(*(curves[name].values.tolist() for name in labels)))) if labels else [()]
    for number, group in enumerate(groups):
        one = found.sel(**dict(zip(labels, group))).curves if group else curves
        given = {"color": CYCLE[number % len(CYCLE)], **line}
        if not one.sizes["vertex"]:
            continue
        if len(names) > 2:
            target.plot_trisurf(*(one[name].values for name in names), triangles=one["corners"].values, **given)
            continue
        text = ", ".join(f"{name} {label}" for name, label in zip(labels, group))
        for i, (_, curve) in enumerate(one.groupby("curve")):
            target.plot(curve[names[0]], curve[names[1]], **{"label": "_" * (i > 0) + text, **given})
    if len(names) > 2:
        target.set(**{f"{side}label": quantity(curves, name) for side, name in zip("xyz", names)})
        return target
    _label_outer(target, quantity(curves, names[0]), quantity(curves, names[1]))
    return target if ax is not None or len(groups) < 2 else _with_legend(target)


@styled
def overview(ds: xr.Dataset) -> Figure:
    """Return a figure of a whole study, with a panel for each combination of the axes that a panel has no room for.

    Two axes of numbers make maps: of the propagation ratio from V1 to 24c or, where there are no such areas, of the
    peak in the last area, or of another variable. One makes sweeps, and none profiles, with a line for each label
    of the longest other axis. Where there are only time courses they are drawn, area by area. A table of points is
    scattered over the first two of its parameters; one of a single parameter is an axis of numbers.

    Raises:
        UserError: it would take more than twelve panels, or there is nothing that could be drawn.
    """
    ds = _dataset(ds).squeeze([axis for axis in _axes_of(ds) if ds.sizes[axis] == 1])
    for axis, columns in tables_of(ds).items():
        if len(differing := _differing(ds, columns)) < 2:
            ds = ds.swap_dims({axis: (differing or columns)[0]})
    draw, inner = _suitable(ds)
    outer = [axis for axis in _axes_of(ds) if axis not in inner]
    count = math.prod(ds.sizes[axis] for axis in outer)
    if count > _MOST_PANELS:
        raise UserError(
            f"a picture of {count:,} panels ({_sizes(ds, outer)}); expected at most {_MOST_PANELS}: select in Python, "
            "as in gbaexplore.plots.overview(gbaexplore.open_study(STORE).sel(...))"
        )
    fig, panels = _panels(count, size=(3.2, 2.7) if draw in (_maps, _scatters) else (4.4, 3.0))
    parts = [ds.isel(dict(zip(outer, at))) for at in np.ndindex(*(ds.sizes[axis] for axis in outer))]
    handles = draw(panels, parts)
    for ax, part in zip(panels, parts):
        ax.set_title(", ".join(_value(part, axis, named=True) for axis in outer))
    if handles:
        title = ", ".join(axis for axis in inner if axis not in _numeric(ds) and draw is not _scatters)
        fig.legend(handles=handles, title=title, loc="outside lower center", ncols=min(5, len(handles)))
    fig.suptitle(ds.attrs.get("title", ""))
    return fig


def store(path: Path | str, out: Path | str | None = None) -> Path:
    """Draw a store (see `overview`) to a file, PNG, SVG or PDF by its ending; return the file's path.

    Args:
        path: of the store, or its URL.
        out: the file; `figures/NAME.png` if None.

    Raises:
        UserError: it is no store, or a damaged one; `out` has another ending or can't be written to; as `overview`.
    """
    path = place(path)
    out = Path("figures", f"{path.absolute().stem}.png") if out is None else local(out)
    if out.suffix.lower() not in _ENDINGS:
        raise UserError(f"{out} names no kind of picture that can be made; expected an ending: {', '.join(_ENDINGS)}")
    check_writable(out)
    fig = _drawn(path)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fig.savefig(out, dpi=200)
    except OSError as error:
        raise UserError(f"{out} can't be written to: {error.strerror or error}; choose another --out") from None
    return out


def _drawn(path: Path) -> Figure:
    ds = open_study(path)
    try:
        return overview(ds)
    except UserError:
        raise
    except (ValueError, RuntimeError) as error:  # a checksum that is wrong, bytes that can't be unpacked
        raise UserError(f"{path} can't be read ({reason(error)}); see `gbaexplore check {path}`") from error


# What a picture is made of.


def _dataset(ds: xr.Dataset) -> xr.Dataset:
    import xarray as xr

    if not isinstance(ds, xr.Dataset):
        raise UserError(
            f"found a {type(ds).__name__}; expected a Dataset, as open_study, run and simulate return it: select from "
            "that one with .sel(...)"
        )
    return ds


def _axes_of(ds: xr.Dataset) -> list[str]:
    """Return the axes of the study's grid that are left."""
    if STATUS not in ds:
        raise UserError(f"no {STATUS} among {_variables(ds)}; expected a Dataset as open_study returns it")
    return [str(dim) for dim in ds[STATUS].dims]


def _numeric(ds: xr.Dataset) -> list[str]:
    return [axis for axis in _axes_of(ds) if ds[axis].dtype.kind in "iuf" and axis not in tables_of(ds)]


def _variables(ds: xr.Dataset) -> str:
    return listing(sorted(str(name) for name in ds.data_vars))


def _sizes(ds: xr.Dataset, axes: Iterable[str]) -> str:
    return " x ".join(f"{axis}: {ds.sizes[axis]:,}" for axis in axes) or "none"


def _only(ds: xr.Dataset, axes: tuple[str, ...], what: str) -> None:
    if set(_axes_of(ds)) != set(axes):
        raise UserError(
            f"{what} has the {'axis' if len(axes) == 1 else 'axes'} {' and '.join(axes)}, the Dataset "
            f"{listing(_axes_of(ds))}; "
            "select one value of each other axis first, with ds.sel(...)"
        )


def _plane(ds: xr.Dataset, x: str | None, y: str | None) -> tuple[str, str]:
    """Return the axes of a map: those that were named, else the first of numbers."""
    known = [axis for axis in _numeric(ds) if ds.sizes[axis] > 1]
    free = iter([axis for axis in known if axis not in (x, y)])
    pair = x or next(free, ""), y or next(free, "")
    if not set(pair) <= set(known) or pair[0] == pair[1]:
        raise UserError(
            f"a map over {pair[0] or 'nothing'} and {pair[1] or 'nothing'}; expected two axes of two numbers or more: "
            f"the Dataset has {listing(known)} (plots.sweep draws one axis, plots.profile none)"
        )
    _only(ds, pair, "a map")
    return pair


def _columns(ds: xr.Dataset, x: str | None, y: str | None) -> tuple[str, str]:
    """Return the parameters of a scatter: those that were named, else the first that differ between points."""
    listed = tables_of(ds)
    axis = next(iter(listed), "of a table of points")
    _only(ds, (axis,), "a scatter")
    free = iter([name for name in _differing(ds, listed[axis]) if name not in (x, y)])
    pair = x or next(free, ""), y or next(free, "")
    if not set(pair) <= set(listed[axis]) or pair[0] == pair[1]:
        raise UserError(
            f"a scatter over {pair[0] or 'nothing'} and {pair[1] or 'nothing'}; expected two parameters of the table "
            f"{axis}: {listing(listed[axis])}"
        )
    return pair


def _differing(ds: xr.Dataset, columns: list[str]) -> list[str]:
    return [name for name in columns if float(ds[name].max()) > float(ds[name].min())]


def _areas_along(ds: xr.Dataset, name: str) -> str | None:
    """Return the dimension along which a variable has its areas, if it has them."""
    dims = [str(dim) for dim in ds[name].dims]
    return next((dim for dim in dims if dim == AREA or dim.startswith(f"trace_{AREA}")), None)


def _area_dim(ds: xr.Dataset, name: str, measure: str) -> str:
    """Return the same of a measure's variable, which must be there with its areas."""
    if name not in ds:
        raise UserError(f"no {name} among {_variables(ds)}; the study needs {measure}() as a measure")
    dim = _areas_along(ds, name)
    if dim is None:
        raise UserError(f"{name} has no areas left; expected them all: select no area in ds.sel(...)")
    return dim


def _known(ds: xr.Dataset, area: str, dim: str = AREA) -> str:
    known = [str(name) for name in ds[dim].values]
    if area not in known:
        raise UserError(f'no area "{area}"{did_you_mean(str(area), known) or ";"} Areas: {listing(known)}')
    return str(area)


def _course(ds: xr.Dataset, name: str | None) -> tuple[str, str]:
    """Return a time course and its dimension of time."""
    dims = {str(variable): [str(dim) for dim in values.dims] for variable, values in ds.data_vars.items()}
    times = {variable: dim for variable in dims for dim in dims[variable] if dim.startswith("time")}
    # A store gives its variables in no order, `simulate` in the model's.
    first = next(iter(sorted(times) if STATUS in ds else times), "rate_change")
    name = name or ("rate_change" if "rate_change" in times else first)
    if name in ds and name not in times:
        raise UserError(f"{name} is no time course; expected one of {listing(times)}")
    _area_dim(ds, name, "Trace")
    return name, times[name]


def _points(ds: xr.Dataset, name: str, lines: int = 1, along: str = "") -> list[tuple[str, xr.Dataset]]:
    """Return each point that is left (each sweep, along an axis), and its labels; each is to be some lines."""
    inner = (_areas_along(ds, name), along)
    axes = [str(dim) for dim in ds[name].dims if dim not in inner and not str(dim).startswith("time")]
    count = lines * math.prod(ds.sizes[axis] for axis in axes)
    if count > _MOST_LINES:
        raise UserError(
            f"{count:,} lines, for the points {_sizes(ds, axes)}; expected at most {_MOST_LINES}: select first, with "
            "ds.sel(...)"
        )
    ds = ds[[name, *([STATUS] if STATUS in ds else [])]]
    points = [ds.isel(dict(zip(axes, at))) for at in np.ndindex(*(ds.sizes[axis] for axis in axes))]
    return [(", ".join(_value(point, axis) for axis in axes), point) for point in points]


def _value(point: xr.Dataset, axis: str, named: bool = False) -> str:
    """Return where on an axis a point is: a label, or a number with its symbol and unit."""
    value = point[axis].item()
    if point[axis].dtype.kind not in "iuf":
        return f"{axis} {value}" if named else str(value)
    units = point[axis].attrs.get("units", "1")
    return f"{symbol(axis)} = {value:.6g}" + (f" {units}" if units != "1" else "")


def _why_not(point: xr.Dataset, drawn: np.ndarray) -> str:
    """Return what a legend adds for a point of which nothing is drawn: its state."""
    return "" if drawn.any() or STATUS not in point else f" ({STATUS_MEANINGS[int(point[STATUS])]})"


def _drawable(values: np.ndarray) -> np.ndarray:
    """Which values a logarithmic scale can show."""
    return np.isfinite(values) & (values > 0)


# Maps.


def _field(ds: xr.Dataset, variable: str | None, area: str | None, target: str, source: str) -> xr.DataArray:
    """Return what a map shows, NaN where it has no colour."""
    if variable is not None:
        return _variable(ds, variable, area).load()
    if area is not None:
        raise UserError(f'area="{area}" and no variable; expected variable="peak_rate" too, or target="{area}"')
    _area_dim(ds, "peak_rate", "Peak")
    ends = [_known(ds, name) for name in (target, source)]
    return propagation_ratio(ds.sel({AREA: list(dict.fromkeys(ends))}), *ends).load()


def _variable(ds: xr.Dataset, name: str, area: str | None) -> xr.DataArray:
    known = sorted({str(variable) for variable in ds.data_vars} - {STATUS})
    if name not in known:
        raise UserError(f'no variable "{name}"{did_you_mean(name, known) or ";"} Variables: {listing(known)}')
    field, dim = ds[name], _areas_along(ds, name)
    if dim is None and area is not None:
        raise UserError(f'{name} has no areas left, to take "{area}" from; leave area out')
    if dim is not None:
        if area is None:
            raise UserError(f"{name} has areas; expected area=..., one of {listing(ds[dim].values)}")
        field = field.sel({dim: _known(ds, area, dim)})
        field = field.assign_attrs(long_name=f"{field.attrs.get('long_name', name)}, in {area}")
    more = [dim for dim in field.dims if dim not in _axes_of(ds)]
    if more:
        raise UserError(f"{name} is over {listing(more)} too; select one value first, with ds.sel(...)")
    return field.where(ds[STATUS].isin([OK, DIVERGED] if name.startswith(_WHATEVER_HAPPENS) else [OK]))


def _norm(fields: Sequence[xr.DataArray], scale: str | None = None) -> Normalize:
    """Return the scale of the colours; it has no limits where there is nothing to show."""
    from matplotlib.colors import LogNorm, Normalize

    if scale not in ("log", "linear", None):
        raise UserError(f'scale="{scale}"; expected "log" or "linear", or None to have it chosen')
    values = np.concatenate([field.values[np.isfinite(field.values)] for field in fields])
    positive = values[values > 0]
    wide = positive.size > 0 and values.min() >= 0 and positive.max() > _WIDE * positive.min()
    if scale == "log" or (scale is None and (wide or fields[0].name == "propagation_ratio")):
        return LogNorm(positive.min(), positive.max()) if positive.size else LogNorm()
    return Normalize(values.min(), values.max()) if values.size else Normalize()


def _paint(ax: Axes, ds: xr.Dataset, field: xr.DataArray, norm: Normalize) -> list[Patch]:
    """Draw a field, and the states of points that have no colour in it; return a legend of these states."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    state = ds[STATUS].transpose(*field.dims).sortby(list(field.dims)).values
    shown = _shown(field, norm)
    y, x = (field[dim] for dim in field.dims)
    how: dict[str, Any] = {"shading": "nearest", "rasterized": True}
    handles = []
    for code, (colour, words) in _states(ds).items():
        where = (state == code) & ~shown
        if where.any():
            ax.pcolormesh(x, y, np.ma.masked_equal(where, False), cmap=ListedColormap([colour]), **how)
            handles.append(Patch(facecolor=colour, edgecolor="0.5", linewidth=0.5, label=words))
    if shown.any():
        ax.pcolormesh(x, y, np.ma.masked_array(field.values, ~shown), cmap="viridis", norm=norm, **how)
    both = (state == DIVERGED) & shown
    if both.any():
        ax.contourf(x, y, both.astype(float), levels=[0.5, 1.5], colors="none", hatches=["////"])
        handles.append(Patch(facecolor="none", hatch="////", linewidth=0.5, label="diverged, value known"))
    return handles


def _spot(ax: Axes, ds: xr.Dataset, field: xr.DataArray, norm: Normalize, x: str, y: str) -> list[Any]:
    """Draw the points of a table, and return a legend of the states of those that have no colour."""
    state, shown = ds[STATUS].values, _shown(field, norm)
    how: dict[str, Any] = {"s": min(30.0, max(2.0, _SPOTS / len(state))), "linewidth": 0.3, "rasterized": True}
    handles = []
    for code, (colour, words) in _states(ds).items():
        where = (state == code) & ~shown
        if where.any():
            handles.append(ax.scatter(ds[x][where], ds[y][where], color=colour, edgecolor="0.4", label=words, **how))
    ax.scatter(ds[x][shown], ds[y][shown], c=field.values[shown], cmap="viridis", norm=norm, **how)
    return handles


def _states(ds: xr.Dataset) -> dict[int, tuple[str, str]]:
    """Return, of each state in which a point may have no colour in a map, what it has in place of it, and its name."""
    ceiling = json.loads(ds.attrs.get(RECIPE, "{}")).get("ceiling")
    return {
        DIVERGED: ("0.8", f"diverged (above {ceiling:g} Hz)" if ceiling else "diverged"),
        FAILED: ("0.5", "failed"),
        PENDING: ("white", "pending"),
        OK: ("black", "no value above 0"),
    }


def _colour_bar(panels: Sequence[Axes], field: xr.DataArray, norm: Normalize) -> None:
    from matplotlib.cm import ScalarMappable

    if norm.vmin is None:
        return
    label = textwrap.fill(field.attrs.get("long_name", str(field.name)) + _unit(field), 40)
    panels[0].figure.colorbar(ScalarMappable(norm, "viridis"), ax=panels, label=label)


def _shown(field: xr.DataArray, norm: Normalize) -> np.ndarray:
    """Which values have a colour."""
    from matplotlib.colors import LogNorm

    return _drawable(field.values) if isinstance(norm, LogNorm) else np.isfinite(field.values)


def _emptiest(shown: np.ndarray) -> Any:
    """Return the corner, as legends name it, in which a legend hides least."""
    rows, columns = (length // 3 + 1 for length in shown.shape)
    lower, upper, right, left = slice(rows), slice(-rows, None), slice(-columns, None), slice(columns)
    corners = {
        "lower right": (lower, right),
        "upper left": (upper, left),
        "upper right": (upper, right),
        "lower left": (lower, left),
    }
    return min(corners, key=lambda name: shown[corners[name]].mean())


# Lines.


def _bounded(point: xr.Dataset) -> Any:
    return (point[STATUS] == OK) if STATUS in point else True


def _styles(areas: Sequence[str], points: Sequence[tuple[str, Any]], ax: Axes) -> list[dict[str, Any]]:
    """Return the style of the line of each area and, within it, of each point.

    What differs gets the colours; where both do, points get the colours, and areas the dashes.
    """
    labels = [label for label, _ in points]
    if len(labels) == 1 and (len(areas) > 1 or labels[0] not in COLOURS):
        return [{"color": colour} for colour in _colours(areas, ax)]
    colours = _colours(labels, ax)
    return [{"color": c, "linestyle": dashes} for _, dashes in zip(areas, itertools.cycle(DASHES)) for c in colours]


def _colours(names: Sequence[str], ax: Axes) -> list[str]:
    """Return a colour for each name: its own, or one that no line has yet; of many, their places along viridis."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    others = [name for name in names if name not in COLOURS]
    taken = {to_hex(line.get_color()).upper() for line in ax.lines} | {COLOURS.get(name) for name in names}
    free = [colour for colour in CYCLE if colour not in taken] or list(CYCLE[len(ax.lines) % len(CYCLE) :])
    if len(others) > len(free):
        return [to_hex(colour) for colour in mpl.colormaps["viridis"](np.linspace(0, 0.85, len(names)))]
    own = {**dict(zip(others, free)), **COLOURS}
    return [own[name] for name in names]


def _positions(ds: xr.Dataset, x: str, ax: Axes) -> np.ndarray:
    """Return where the values of an axis are: labels are one apart, and named by the ticks."""
    if x in _numeric(ds):
        return ds[x].values
    _name_ticks(ax, ds[x].values)
    return np.arange(ds.sizes[x])


def _name_ticks(ax: Axes, labels: Iterable[Any]) -> None:
    """Put a tick with its label at 0, 1, ...; upright where there are many, at some only where there are too many."""
    ticks = thinned(labels)
    ax.set_xticks(list(ticks), list(ticks.values()), rotation=90 if len(ticks) > 8 else 0)


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(5.6, 4.2), layout="constrained")[1]


def _with_legend(ax: Axes) -> Axes:
    ax.legend()
    return ax


def _label_outer(ax: Axes, x: str, y: str) -> None:
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


# Overviews.


def _suitable(ds: xr.Dataset) -> tuple[Callable[..., list[Any]], list[str]]:
    """Return what draws the panels of a study, and the axes that a panel has room for."""
    by_length = sorted(_axes_of(ds), key=lambda axis: -ds.sizes[axis])
    numbers = [axis for axis in by_length if axis in _numeric(ds)]
    labels = [axis for axis in by_length if axis not in numbers][:1]
    if len(numbers) >= 2:
        return _maps, numbers[:2]
    if not numbers and tables_of(ds):
        return _scatters, [max(tables_of(ds), key=lambda axis: ds.sizes[axis])]
    if "peak_rate" not in ds and "rate_change" in ds:
        return _courses, []
    return (_sweeps, [*numbers, *labels]) if numbers else (_profiles, labels)


def _panels(count: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure of some panels, each of a size (inches), in rows."""
    columns = count if count <= 3 else math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    size = (size[0] * columns + 0.8, size[1] * rows + 0.8)
    fig, grid = figure(rows, columns, size, sharex=True, sharey=True, squeeze=False)
    for ax in grid.flat[count:]:
        ax.remove()
    for ax in grid.flat[count - columns : count]:
        ax.tick_params(labelbottom=True)  # matplotlib leaves it out where a removed panel was below
    return fig, list(grid.flat[:count])


def _maps(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw a map of each part, all with one scale of colours; return a legend."""
    x, y = _plane(parts[0], None, None)
    fields = [_field(part, *_what(part)).transpose(y, x).sortby([x, y]) for part in parts]
    norm = _norm(fields)
    handles = [handle for drawn in zip(panels, parts, fields) for handle in _paint(*drawn, norm)]
    return _with_scale(panels, parts, (x, y), fields, norm, handles)


def _scatters(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the table's points of each part, all with one scale of colours; return a legend."""
    x, y = _columns(parts[0], None, None)
    fields = [_field(part, *_what(part)) for part in parts]
    norm = _norm(fields)
    handles = [handle for drawn in zip(panels, parts, fields) for handle in _spot(*drawn, norm, x, y)]
    return _with_scale(panels, parts, (x, y), fields, norm, handles)


def _with_scale(
    panels: Sequence[Axes],
    parts: Sequence[xr.Dataset],
    over: tuple[str, str],
    fields: Sequence[xr.DataArray],
    norm: Normalize,
    handles: list[Any],
) -> list[Any]:
    """Add what panels of one scale of colours share; return a legend, with an entry for each thing."""
    x, y = over
    _colour_bar(panels, fields[0], norm)
    for ax, part in zip(panels, parts):
        _label_outer(ax, quantity(part, x), quantity(part, y))
    return list({handle.get_label(): handle for handle in handles}.values())


def _what(ds: xr.Dataset) -> tuple[str | None, str | None, str, str]:
    """Return variable, area, target and source of the map that shows most of a study."""
    target, source = "24c", "V1"
    if "peak_rate" in ds and {target, source} <= set(ds[AREA].values):
        return None, None, target, source
    plain = [str(name) for name in ds.data_vars if set(ds[name].dims) <= {*_axes_of(ds), AREA} and name != STATUS]
    if not plain:
        raise UserError(
            f"nothing to draw a map of among {_variables(ds)}; expected a measure such as Peak(): plots.traces "
            "draws time courses, of a few points that you select"
        )
    name = "peak_rate" if "peak_rate" in plain else min(plain)
    return name, str(ds[AREA].values[-1]) if AREA in ds[name].dims else None, target, source


def _sweeps(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the peak in 24c (else in the last area) over the one axis of numbers, a line for each label; a legend."""
    (x,) = _numeric(parts[0])
    area = _either("24c", parts[0], -1)
    for ax, part in zip(panels, parts):
        for label, point in _points(part, "peak_rate", along=x):
            sweep(point, x, area, ax=ax, label=label)
    return _legend(panels)


def _profiles(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the peaks along the hierarchy, relative to V1's (else the first area's), a line for each label; a legend."""
    source = _either("V1", parts[0], 0)
    for ax, part in zip(panels, parts):
        profile(part, source, ax=ax, markersize=2.5)
    return _legend(panels)


def _courses(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the time courses of one point in each panel; return a legend."""
    for ax, part in zip(panels, parts):
        traces(part, ax=ax)
    return _legend(panels)


def _either(area: str, ds: xr.Dataset, position: int) -> str:
    """Return an area, or the one at a position of the hierarchy where there is none of that name."""
    known = [str(name) for name in ds[_area_dim(ds, "peak_rate", "Peak")].values]
    return area if area in known else known[position]


def _legend(panels: Sequence[Axes]) -> list[Any]:
    """Return a line for each label that there is in some panels."""
    found: dict[str, Any] = {}
    for ax in panels:
        handles, labels = ax.get_legend_handles_labels()
        found = {**dict(zip(labels, handles)), **found}
    return list(found.values())
