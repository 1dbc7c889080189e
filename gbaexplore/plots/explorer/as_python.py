"""The explorer's view as lines of Python."""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gbaexplore.basics.names import AREA, BOUNDED, STATUS
from gbaexplore.basics.points import SEED
from gbaexplore.plots.explorer import views
from gbaexplore.plots.explorer.courses import MOST_SEEDS
from gbaexplore.plots.explorer.shapes import Plane, Scatter, Shown

if TYPE_CHECKING:
    import xarray as xr

    from gbaexplore.study.study import Study


class View(NamedTuple):
    """A view of a store: its picture and the points whose time courses are shown."""

    path: Path
    ds: xr.Dataset
    shown: Shown | None
    variable: str
    x: str | None
    y: str
    at: dict[str, int]
    source: str  # area
    points: dict[str, dict[str, Any]]  # name -> labels
    window: tuple[float, float]  # s
    observable: str | None
    areas: list[str]
    study: Study | None  # with which points are replayed


def python(view: View) -> str:
    """Return the lines of Python that draw a view."""
    lines = ["import gbaexplore as gba", "", f"ds = gba.open_study({str(view.path)!r})"]
    if view.shown is not None:
        lines += _of_picture(view, view.shown)
    several = view.at.get(SEED, 0) < 0
    # Without an observable the model is not at hand, and nothing can be replayed.
    points = view.points if view.observable is not None else {}
    given = ""
    if points and view.study is not None:  # of a file, or an object that the reader has
        given = ", study=study"
        if view.study.source is not None:
            lines.append(f"study = gba.load_study({view.study.source[0]!r})")
    for name, labels in points.items():
        if several:
            rest = _arguments({axis: label for axis, label in labels.items() if axis != SEED})
            rest = f"{f'{rest}, ' if rest else ''}seed=seed{given}"
            replayed = f"gba.replay({str(view.path)!r}, window={view.window}, {rest})"
            lines.append(f"seeds = ds.seed[:{MOST_SEEDS}]")
            lines.append(f"{name} = xr.concat([{replayed} for seed in seeds.values.tolist()], seeds).mean('seed')")
        else:
            rest = f"{_arguments(labels)}{given}"
            lines.append(f"{name} = gba.replay({str(view.path)!r}, window={view.window}, {rest})")
        lines.append(f"{name}[{view.observable!r}].sel(area={view.areas!r}).plot(x='time', hue='area')")
    if several and points:
        lines.insert(0, "import xarray as xr")
    return "\n".join(lines)


def _of_picture(view: View, shown: Shown) -> list[str]:
    labels = {dim: views.labels(view.ds, dim)[i] for dim, i in view.at.items() if i >= 0}
    chosen = {dim: label for dim, label in labels.items() if dim in view.ds[STATUS].dims}
    own = {dim: label for dim, label in labels.items() if dim not in chosen}
    lines = [f"one = ds.sel({_arguments(chosen)})" if chosen else "one = ds"]
    over = f"x={view.x!r}, y={view.y!r}"
    area, seeds = own.get(AREA), view.at.get(SEED, 0)
    whole = isinstance(shown, Plane) and shown.x.numbers and shown.y.numbers and not {view.x, view.y} & {*own}
    grid = {view.x, view.y} <= {*map(str, view.ds[STATUS].dims), *views.columns(view.ds)}
    if grid and not {*own} - {AREA} and seeds == 0 and (whole or isinstance(shown, Scatter)):
        draw = "gba.plots.map" if whole else "gba.plots.scatter"
        if view.variable == views.RATIO:
            return [*lines, f"{draw}(one, {over}, target={area!r}, source={view.source!r})"]
        return [*lines, f"{draw}(one, {over}, variable={view.variable!r}, area={area!r})"]
    if view.variable == views.RATIO:
        lines.append(f"values = gba.analysis.propagation_ratio(one, {area!r}, {view.source!r})")
        own.pop(AREA, None)
    else:
        lines.append(f"values = one[{view.variable!r}].where(one.status.isin({list(BOUNDED)}))")
    lines += [f"values = values.sel({_arguments(own)})"] if own else []
    if seeds == -1:
        lines.append(f"values = values.mean({SEED!r})")
    elif seeds == -2:
        lines.append(f"values = values.quantile(0.95, {SEED!r}) - values.quantile(0.05, {SEED!r})")
    return [*lines, _of_values(view, shown, over)]


def _of_values(view: View, shown: Shown, over: str) -> str:
    if isinstance(shown, Scatter):
        return f"values.to_dataset(name='values').plot.scatter({over}, hue='values')"
    if isinstance(shown, Plane):
        return f"values.plot({over})"
    part = f".sel(area={list(shown.lines)!r})" if list(shown.lines) != [""] else ""
    column = f".swap_dims({{{shown.dim!r}: {view.x!r}}}).sortby({view.x!r})" if shown.dim != view.x else ""
    return f"values{part}{column}.plot.line(x={view.x!r})"


def _arguments(labels: dict[str, Any]) -> str:
    """Return labels as arguments of a call, whatever their axes are called."""
    if all(name.isidentifier() and not keyword.iskeyword(name) for name in labels):
        return ", ".join(f"{name}={label!r}" for name, label in labels.items())
    return f"**{labels!r}"
