"""A whole store in one figure."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.analysis.ratios import peaks_of
from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.names import AREA, STATUS
from gbaexplore.basics.numbers import from_text
from gbaexplore.basics.places import check_writable, local, place, reason, writing
from gbaexplore.basics.points import SEED
from gbaexplore.plots.anything import (
    curves,
    matrices,
    of_any_seed,
    over_axes,
    own_dims,
    spectra,
    spreads,
    variable_of,
    without_seeds,
)
from gbaexplore.plots.fields import (
    MOST_PANELS,
    areas_along,
    axes_of,
    checked_dataset,
    columns_of,
    field_of,
    norm_of,
    numeric_axes,
    plane_of,
    sizes_of,
    value_of,
    without_single,
)
from gbaexplore.plots.fits import fit, is_fit
from gbaexplore.plots.lines import points_of, profile, sweep, traces
from gbaexplore.plots.maps import colour_bar, paint, spot
from gbaexplore.plots.style import figure, label_outer, plain, quantity, styled
from gbaexplore.store.recipe import tables_of
from gbaexplore.store.stores import open_study

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_ENDINGS = (".png", ".svg", ".pdf")


@styled
def overview(ds: xr.Dataset) -> Figure:
    """Return a figure of a whole study, with a panel for each combination of the axes that a panel has no room for.

    Two axes of numbers make maps: of the propagation ratio from the stimulated area to the last or, where these
    are one, of the peak in it, or of another variable. One makes sweeps, and none profiles, with a line for each label
    of the longest other axis. Where there are only time courses they are drawn, area by area. A table of points is
    scattered over the first two of its parameters; one of a single parameter is an axis of numbers. Without peaks it
    is another variable; matrices and spectra are drawn as such. Over seeds there are means and standard deviations.
    A fit has a figure of its own, see `fit`.

    Raises:
        UserError: it would take more than twelve panels, or there is nothing that could be drawn.
    """
    if is_fit(checked_dataset(ds)):
        return fit(ds)
    ds = without_single(ds)
    draw, inner, outer = _suitable(ds)
    count = math.prod(ds.sizes[axis] for axis in outer)
    if count > MOST_PANELS:
        raise UserError(
            f"a picture of {count:,} panels ({sizes_of(ds, outer)}); expected at most {MOST_PANELS}: select in Python, "
            "as in gbaexplore.plots.overview(gbaexplore.open_study(STORE).sel(...)), or by "
            f"gbaexplore plot STORE --select {outer[0]}={ds[outer[0]].values[0]}"
        )
    parts = [ds.isel(dict(zip(outer, at))) for at in np.ndindex(*(ds.sizes[axis] for axis in outer))]
    flat = draw in (_maps, _scatters)
    both = flat and SEED in axes_of(ds)  # the means, then the spreads
    fig, panels = _panels(count, size=(3.2, 2.7) if flat or draw is matrices else (4.4, 3.0), rows=2 if both else 1)
    handles = draw(panels, parts) or _legend(panels)
    for ax, part in zip(panels, [*parts, *parts] if both else parts):
        ax.set_title(", ".join(value_of(part, axis, named=True) for axis in outer))
    if handles:
        title = ", ".join(plain(axis) for axis in inner if axis not in numeric_axes(ds) and draw is not _scatters)
        fig.legend(handles=handles, title=title, loc="outside lower center", ncols=min(5, len(handles)))
    fig.suptitle(plain(ds.attrs.get("title", "")))
    return fig


def store(path: Path | str, out: Path | str | None = None, select: Mapping[str, Any] = MappingProxyType({})) -> Path:
    """Draw a store (see `overview`) to a file, PNG, SVG or PDF by its ending; return the file's path.

    More than twelve panels are pages of a PDF; a PNG or SVG shows the first twelve, and says of how many.

    Args:
        path: of the store, or its URL.
        out: the file; `figures/NAME.png` if None.
        select: axis or dimension -> the label to draw; of numbers, the nearest.

    Raises:
        UserError: it is no store, or a damaged one; `out` has another ending or can't be written to; no such axis or
            label.
    """
    path = place(path)
    out = Path("figures", f"{path.absolute().stem}.png") if out is None else local(out)
    if out.suffix.lower() not in _ENDINGS:
        raise UserError(f"{out} names no kind of picture that can be made; expected an ending: {', '.join(_ENDINGS)}")
    check_writable(out)
    ds = selected(open_study(path), select)
    pages = _pages(ds) if out.suffix.lower() == ".pdf" else itertools.islice(_pages(ds), 1)
    with writing(out, "choose another --out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix.lower() == ".pdf":
            from matplotlib.backends.backend_pdf import PdfPages

            with PdfPages(out) as file:
                for fig in _read(path, pages):
                    file.savefig(fig)
        else:
            for fig in _read(path, pages):
                fig.savefig(out, dpi=200)
    return out


def selected(ds: xr.Dataset, select: Mapping[str, Any]) -> xr.Dataset:
    """Return a Dataset at the selected labels; of numbers, the nearest.

    Raises:
        UserError: no such dimension or label.
    """
    for dim, label in select.items():
        if dim not in ds.dims or dim not in ds.coords:
            raise UserError(unknown(f'no axis "{dim}"', dim, sorted(map(str, ds.dims)), "Axes"))
        numbers = ds[dim].dtype.kind in "iuf"
        value = from_text(str(label), f"--select {dim}") if numbers else str(label)
        known = ds[dim].values.tolist()
        if not numbers and value not in known:
            raise UserError(unknown(f'no label "{label}" on {dim}', str(label), known, "Labels"))
        at = int(np.abs(np.asarray(known) - value).argmin()) if numbers else known.index(value)
        ds = ds.isel({dim: [at] if dim in axes_of(ds) else at})
    return ds


def _pages(ds: xr.Dataset) -> Iterator[Figure]:
    """Yield figures of at most twelve panels each; the first says how many panels there are, if there are more."""
    if is_fit(checked_dataset(ds)):
        yield fit(ds)
        return
    left = without_single(ds)
    _, _, outer = _suitable(left)
    count = math.prod(left.sizes[axis] for axis in outer)
    if count <= MOST_PANELS:
        yield overview(ds)
        return
    # Pages along the longest of the axes that panels differ in; of the others, one combination after another.
    axis = max(outer, key=lambda one: left.sizes[one])
    others = [one for one in outer if one != axis]
    done = 0
    for at in np.ndindex(*(left.sizes[one] for one in others)):
        for start in range(0, left.sizes[axis], MOST_PANELS):
            part = left.isel({axis: slice(start, start + MOST_PANELS)} | {o: [i] for o, i in zip(others, at)})
            fig = overview(part)
            shown = part.sizes[axis]
            words = [fig.get_suptitle(), *(value_of(part.isel({one: 0}), one, named=True) for one in others)]
            note = f"panels {done + 1} to {done + shown} of {count:,} ({sizes_of(left, outer)})"
            more = "" if done or shown == count else f"; others: --select {axis}=..., or all in a .pdf"
            fig.suptitle("\n".join([", ".join(filter(None, words)), note + more]))
            done += shown
            yield fig


def _read(path: Path, pages: Iterator[Figure]) -> Iterator[Figure]:
    """Yield figures; tell of a store that can't be read meanwhile."""
    try:
        yield from pages
    except UserError:
        raise
    except (ValueError, RuntimeError) as error:  # a checksum that is wrong, bytes that can't be unpacked
        raise UserError(f"{path} can't be read ({reason(error)}); see `gbaexplore check {path}`") from error


def _suitable(ds: xr.Dataset) -> tuple[Callable[..., Any], list[str], list[str]]:
    """Return the function that draws a study's panels, the axes that one panel shows, and those that panels differ in.

    Seeds are in neither: panels show what is common to them.
    """
    by_length = sorted((axis for axis in axes_of(ds) if axis != SEED), key=lambda axis: -ds.sizes[axis])
    numbers = [axis for axis in by_length if axis in numeric_axes(ds)]
    labels = [axis for axis in by_length if axis not in numbers][:1]
    draw, inner = _kind(ds, numbers, labels)
    return draw, inner, [axis for axis in axes_of(ds) if axis not in (*inner, SEED)]


def _kind(ds: xr.Dataset, numbers: list[str], labels: list[str]) -> tuple[Callable[..., Any], list[str]]:
    if len(numbers) >= 2:
        return _maps, numbers[:2]
    if not numbers and tables_of(ds):
        return _scatters, [max(tables_of(ds), key=lambda axis: ds.sizes[axis])]
    if _has_peaks(ds) and SEED not in axes_of(ds):
        return (_sweeps, [*numbers, *labels]) if numbers else (_profiles, labels)
    if _has_courses(ds) and SEED not in axes_of(ds):
        return _courses, []
    if numbers:
        return curves, [*numbers, *labels]
    own = [dim for dim in own_dims(ds, variable_of(ds)) if dim != areas_along(ds, variable_of(ds))]
    if any(ds[dim].dtype.kind in "iuf" for dim in own if dim in ds.coords):
        return spectra, labels
    return (matrices, []) if own else (spreads, labels)


def _has_peaks(ds: xr.Dataset) -> bool:
    """Return whether a study has peaks of areas, without dimensions of their own."""
    peaks = peaks_of(ds)
    return peaks in ds and areas_along(ds, peaks) is not None and len(own_dims(ds, peaks)) == 1


def _has_courses(ds: xr.Dataset) -> bool:
    """Return whether a study has time courses of areas, and no variable with fewer dimensions that comes first."""
    name = "rate_change" if "rate_change" in ds and peaks_of(ds) not in ds else variable_of(ds)
    return areas_along(ds, name) is not None and any(dim.startswith("time") for dim in own_dims(ds, name))


def _panels(count: int, size: tuple[float, float], rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure of some panels, each of a size (inches), in rows; or of some in each of two rows."""
    if rows == 2:
        fig, grid = figure(
            2, count, (size[0] * count + 0.8, 2 * size[1] + 0.8), sharex=True, sharey=True, squeeze=False
        )
        return fig, list(grid.flat)
    columns = count if count <= 3 else math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    size = (size[0] * columns + 0.8, size[1] * rows + 0.8)
    fig, grid = figure(rows, columns, size, sharex=True, sharey=True, squeeze=False)
    for ax in grid.flat[count:]:
        ax.remove()
    for ax in grid.flat[count - columns : count]:
        ax.tick_params(labelbottom=True)  # matplotlib omits it above a removed panel
    return fig, list(grid.flat[:count])


def _maps(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw a map of each part, all with one scale of colours; return a legend."""
    x, y = plane_of(parts[0].isel({SEED: 0}, missing_dims="ignore"), None, None)
    found = [tuple(f.transpose(y, x).sortby([x, y]) for f in fields) for fields in map(_fields, parts)]
    return _coloured(panels, parts, (x, y), found, paint)


def _scatters(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the table's points of each part, all with one scale of colours; return a legend."""
    x, y = columns_of(parts[0].isel({SEED: 0}, missing_dims="ignore"), None, None)
    return _coloured(panels, parts, (x, y), list(map(_fields, parts)), functools.partial(spot, x=x, y=y))


def _coloured(
    panels: Sequence[Axes],
    parts: Sequence[xr.Dataset],
    over: tuple[str, str],
    found: Sequence[tuple[xr.DataArray, ...]],
    draw: Callable[..., list[Any]],
) -> list[Any]:
    """Draw each part's fields: all means, or values, with one colour bar, then all spreads; return a legend."""
    x, y = over
    handles = []
    for fields, row in zip(zip(*found), [panels[: len(parts)], panels[len(parts) :]]):
        norm = norm_of(fields)
        for ax, part, field in zip(row, parts, fields):
            handles += draw(ax, of_any_seed(part), field, norm)
            label_outer(ax, quantity(part, x), quantity(part, y))
        colour_bar(row, fields[0], norm)
    return list({handle.get_label(): handle for handle in handles}.values())


def _fields(part: xr.Dataset) -> tuple[xr.DataArray, ...]:
    """Return the values of a part's default map; over seeds, their means and spreads."""
    what = _what(part)
    field = over_axes(part, variable_of(part)) if what is None else field_of(part, *what)
    mean, spread = without_seeds(field)
    return (mean,) if spread is None else (mean, spread)


def _what(ds: xr.Dataset) -> tuple[str | None, str | None, str | None, str | None] | None:
    """Return variable, area, target and source of a study's default map; None if variables have more dimensions."""
    peaks = peaks_of(ds)
    if _has_peaks(ds) and AREA in ds[peaks].dims:
        source, target = source_and_target(ds)
        if source != target:
            return None, None, target, source
    plain = [str(name) for name in ds.data_vars if set(ds[name].dims) <= {*axes_of(ds), AREA} and name != STATUS]
    if not plain:
        return None
    name = peaks if peaks in plain else min(plain)
    return name, str(ds[AREA].values[-1]) if AREA in ds[name].dims else None, None, None


def _sweeps(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> None:
    """Draw the peak in the last area over the one axis of numbers, a line for each label."""
    (x,) = numeric_axes(parts[0])
    for ax, part in zip(panels, parts):
        for label, point in points_of(part, peaks_of(part), along=x):
            sweep(point, x, ax=ax, label=label)


def _profiles(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> None:
    """Draw the peaks along the hierarchy, relative to the stimulated area, a line for each label."""
    for ax, part in zip(panels, parts):
        profile(part, ax=ax, markersize=2.5)


def _courses(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> None:
    """Draw the time courses of one point in each panel."""
    for ax, part in zip(panels, parts):
        traces(part, ax=ax)


def _legend(panels: Sequence[Axes]) -> list[Any]:
    """Return a line for each label that there is in some panels."""
    found: dict[str, Any] = {}
    for ax in panels:
        handles, labels = ax.get_legend_handles_labels()
        found = {**dict(zip(labels, handles)), **found}
    return list(found.values())
