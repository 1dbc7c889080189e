"""Drawing the boundaries of `find_boundary`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gbaexplore.basics.errors import UserError, listing
from gbaexplore.plots.style import CYCLE, axes_or_new, label_outer, plain, quantity, with_legend

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from gbaexplore.analysis.search import Boundary


def boundary(found: Boundary, x: str | None = None, y: str | None = None, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the curves that `find_boundary` found, those of other labels in other styles; return the axes.

    A boundary in three parameters is a surface, and is drawn on axes with projection="3d".

    Args:
        found: all of it, or a part, as in `plots.boundary(found.sel(feedback="on"), ax=plots.map(...))`.
        x, y: the parameters of two; in the order of the study's axes if None.
        ax: where to draw; None makes a figure, with a legend where there are several labels.
        line: how to draw, as `Axes.plot` (in three parameters, `plot_trisurf`) takes it.

    Raises:
        UserError: `x` or `y` is not a parameter of the boundary.
    """
    curves = found.curves
    known = [str(name).removesuffix("_width") for name in curves.data_vars if str(name).endswith("_width")]
    names = _ordered(known, x, y)
    labels = [str(name) for name in curves.coords if name not in (*known, "curve")]
    groups = list(dict.fromkeys(zip(*(curves[name].values.tolist() for name in labels)))) if labels else [()]
    target: Any = axes_or_new(_solid_axes() if ax is None and len(names) > 2 else ax)
    for number, group in enumerate(groups):
        one = found.sel(**dict(zip(labels, group))).curves if group else curves
        text = ", ".join(plain(f"{name} {label}") for name, label in zip(labels, group))
        if one.sizes["vertex"]:
            _draw(target, one, names, text, {"color": CYCLE[number % len(CYCLE)], **line})
    if len(names) > 2:
        target.set(**{f"{side}label": quantity(curves, name) for side, name in zip("xyz", names)})
        return target
    label_outer(target, quantity(curves, names[0]), quantity(curves, names[1]))
    return target if ax is not None or len(groups) < 2 else with_legend(target)


def _ordered(known: list[str], x: str | None, y: str | None) -> list[str]:
    """Return the boundary's parameters, those of the axes x and y first."""
    free = [name for name in known if name not in (x, y)]
    names = [name or free.pop(0) for name in (x, y)] + free
    if sorted(names) != sorted(known):
        raise UserError(f"a boundary over {listing(names)}; expected its parameters: {listing(known)}")
    return names


def _solid_axes() -> Axes:
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(5.6, 4.2), layout="constrained").add_subplot(projection="3d")


def _draw(ax: Any, one: xr.Dataset, names: list[str], text: str, given: dict[str, Any]) -> None:
    """Draw the boundary at one label of each other axis: curves, or a surface in three parameters."""
    if len(names) > 2:
        ax.plot_trisurf(*(one[name].values for name in names), triangles=one["corners"].values, **given)
        return
    for i, (_, curve) in enumerate(one.groupby("curve")):
        ax.plot(curve[names[0]], curve[names[1]], **{"label": "_" * (i > 0) + text, **given})
