"""How well points agree with data: over one or two parameters, with the best point marked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.plots.anything import draw_lines, of_any_seed, over_axes, variable_of, without_seeds
from gbaexplore.plots.fields import (
    checked_dataset,
    emptiest_corner,
    norm_of,
    numeric_axes,
    only_axes,
    plane_of,
    shown_values,
    value_of,
)
from gbaexplore.plots.maps import colour_bar, paint
from gbaexplore.plots.style import VERMILION, axes_or_new, label_outer, quantity

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def agreement(
    ds: xr.Dataset,
    variable: str | None = None,
    best: Literal["max", "min"] = "max",
    beside: Mapping[str, float] = MappingProxyType({}),
    area: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a variable over one or two axes of numbers, with a star at its best point; return the axes.

    Over seeds it is the mean, and a curve has a band of one standard deviation each way. The legend tells where the
    best point is, and its value.

    Args:
        ds: of a study, with no other axis left.
        variable: how well points agree with data; the first variable if None.
        best: whether the largest or the smallest value is best, such as of a correlation or a distance.
        beside: label -> value to show the fit against, such as the correlation of the weights with the data: a dashed
            line, or, over two axes, a line on the colour bar.
        area: of the variable, if it has areas; the last if None.
        ax: where to draw; None makes a figure.

    Raises:
        UserError: no, or more than two, axes of numbers are left; no such variable; nothing but missing values.
    """
    ds = checked_dataset(ds)
    if best not in ("max", "min"):
        raise UserError(f'best="{best}"; expected "max" or "min"')
    known = [str(name) for name in ds.data_vars]
    if variable is not None and variable not in known:
        raise UserError(unknown(f'no variable "{variable}"', variable, known, "Variables"))
    field = over_axes(ds, variable or variable_of(ds), area)
    mean, _ = without_seeds(field)
    ax = axes_or_new(ax)
    one = of_any_seed(ds)
    axes = [axis for axis in numeric_axes(one) if one.sizes[axis] > 1]
    if not np.isfinite(mean.values).any():
        raise UserError(f"{mean.name} has no values here; expected some: select others, or run the study")
    only_axes(one, tuple(axes[:2]) or ("of numbers",), "a picture of agreement")
    place = mean.isel((mean.argmax if best == "max" else mean.argmin)(...))
    words = ", ".join(value_of(place.to_dataset(name="value"), axis) for axis in axes)
    star: dict[str, Any] = {
        "marker": "*",
        "markersize": 13,
        "markeredgecolor": "white",
        "linestyle": "none",
        "zorder": 5,
    }
    star |= {"color": VERMILION, "label": f"best: {words} ({place.item():.3g})"}
    if len(axes) == 1:
        (x,) = axes
        draw_lines(ax, field.sortby(x), x, np.sort(field[x].values))
        ax.plot(place[x].item(), place.item(), **star)
        for label, value in beside.items():
            ax.axhline(value, color="0.4", linewidth=0.8, linestyle="--", label=f"{label} ({value:.3g})")
        label_outer(ax, quantity(ds, x), quantity(mean.to_dataset(name="value"), "value"))
        ax.legend()
        return ax
    x, y = plane_of(one, None, None)
    mean = mean.transpose(y, x).sortby([x, y])
    norm = norm_of([mean], "linear")
    handles: list[Any] = paint(ax, one, mean, norm)
    handles += ax.plot(place[x].item(), place[y].item(), **star)
    bar = colour_bar([ax], mean, norm)
    for label, value in beside.items():
        if bar is not None:
            bar.ax.axhline(value, color="white", linewidth=1.5)
        handles += ax.plot([], [], color="0.6", linewidth=1.5, label=f"{label} ({value:.3g}), on the colour bar")
    ax.legend(handles=handles, loc=emptiest_corner(shown_values(mean, norm)), frameon=True, framealpha=0.9)
    label_outer(ax, quantity(ds, x), quantity(ds, y))
    return ax
