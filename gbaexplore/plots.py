"""Datasets to matplotlib; it knows labels and units, never models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis import propagation_ratio
from gbaexplore.errors import UserError
from gbaexplore.labels import DIVERGED, STATUS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_UNSTABLE = "0.8"


def map(
    ds: xr.Dataset, x: str = "muEE", y: str = "omegaEI", target: str = "24c", source: str = "V1", ax: Axes | None = None
) -> Axes:
    """Draw log10 of the propagation ratio over two axes, the unstable region in grey; return the axes.

    `ds` has no other axis left: select first, as in `plots.map(ds.sel(feedback="on"))`.

    Raises:
        UserError: other axes are left, or there are no peaks.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    left = [str(dim) for dim in ds[STATUS].dims if dim not in (x, y)]
    if left or {x, y} - set(ds[STATUS].dims):
        raise UserError(
            f"a map has the axes {x} and {y}, the Dataset {', '.join(str(d) for d in ds[STATUS].dims)}; "
            "select one value of each other axis first, with ds.sel(...)"
        )
    ratio = propagation_ratio(ds, target, source).transpose(y, x)
    axes = ax if ax is not None else plt.subplots(figsize=(5.6, 4.2), layout="constrained")[1]
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
