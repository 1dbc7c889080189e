"""Maps of a Dataset as plain arrays: any variable over any two axes, for Bokeh and matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.analysis.boundaries import divergence_boundary, linear_boundary
from gbaexplore.analysis.ratios import propagation_ratio
from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA, BOUNDED, DIVERGED, OK, STATUS, unit
from gbaexplore.store.recipe import tables_of

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

RATIO = "propagation_ratio"


@dataclass(frozen=True)
class Scale:
    """An axis of a map: its labels, and where they are drawn.

    Numbers that are evenly spaced are drawn at their values; all else, labels too, at 0, 1, 2, ...
    """

    name: str
    title: str
    labels: list[Any]

    @cached_property
    def even(self) -> bool:
        """Whether the labels are evenly spaced, rising numbers."""
        if isinstance(self.labels[0], str) or len(self.labels) < 2:
            return False
        steps = np.diff(np.asarray(self.labels, float))
        return bool(steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0.0))

    @cached_property
    def positions(self) -> np.ndarray:
        """Positions of the labels."""
        return np.asarray(self.labels, float) if self.even else np.arange(len(self.labels), dtype=float)

    @cached_property
    def words(self) -> list[str]:
        """The labels as text, no two the same."""
        words = [short(label) for label in self.labels]
        return words if len(set(words)) == len(words) else [str(label) for label in self.labels]

    @property
    def step(self) -> float:
        """Distance of neighbouring labels."""
        return float(np.ptp(self.positions)) / (len(self.labels) - 1) if len(self.labels) > 1 else 1.0

    @property
    def ends(self) -> tuple[float, float]:
        """Outer edges of the first and the last cell."""
        return float(self.positions[0] - self.step / 2), float(self.positions[-1] + self.step / 2)

    def nearest(self, position: float) -> Any:
        """Return the label whose cell a position is in."""
        return self.labels[int(np.abs(self.positions - position).argmin())]

    def position(self, label: Any) -> float:
        """Return a label's position."""
        return float(self.positions[self.labels.index(label)])


@dataclass(frozen=True)
class Plane:
    """A map: values and states over two axes."""

    x: Scale
    y: Scale
    title: str  # what the values are, with their unit
    values: np.ndarray  # (y, x) float64; NaN where there is none to show
    state: np.ndarray  # (y, x) uint8: the code of each point's status
    limits: tuple[float, float]  # of the colours; positive, if they are to be logarithmic
    boundaries: dict[str, tuple[list[Any], list[Any]]]  # name -> xs and ys of curves

    @cached_property
    def cover(self) -> np.ndarray:
        """The states that are drawn, (y, x): those of points without a value, OK elsewhere."""
        return np.where(np.isfinite(self.values), OK, self.state).astype(np.uint8)


def variables(ds: xr.Dataset) -> list[str]:
    """Return the names of possible maps: the measures' variables, and the propagation ratio if there are peaks."""
    grid = set(ds[STATUS].dims)
    found = sorted(str(name) for name, array in ds.data_vars.items() if name != STATUS and grid <= set(array.dims))
    return ([RATIO] if "peak_rate" in found and AREA in ds.peak_rate.dims else []) + found


def axes(ds: xr.Dataset) -> list[str]:
    """Return the axes of the grid that have more than one label, numbers first; rows of a table are in no order."""
    several = [str(dim) for dim in ds[STATUS].dims if ds.sizes[dim] > 1 and dim not in tables_of(ds)]
    return sorted(several, key=lambda name: isinstance(labels(ds, name)[0], str))


def two_axes(ds: xr.Dataset, path: Path) -> list[str]:
    """Return the axes of possible maps.

    Raises:
        UserError: there are not two.
    """
    found = axes(ds)
    if len(found) < 2:
        raise UserError(
            f"{path} has {len(found)} axes of more than one label; expected two for a map, other than a table's: "
            "gbaexplore plot draws what has fewer"
        )
    return found


def others(ds: xr.Dataset, variable: str, x: str, y: str) -> list[str]:
    """Return the dimensions to select one label of: other axes of the grid, then the variable's own."""
    dims = [str(dim) for dim in ds["peak_rate" if variable == RATIO else variable].dims]
    return [dim for dim in dims if dim not in (x, y)]


def scale(ds: xr.Dataset, name: str) -> Scale:
    """Return an axis of the Dataset as one of a map."""
    return Scale(name, name + unit(ds[name].attrs), labels(ds, name))


def plane(ds: xr.Dataset, variable: str, x: str, y: str, at: dict[str, int], log: bool) -> Plane:
    """Return the map of a variable over two axes.

    Args:
        at: position along each of the `others`.

    Raises:
        UserError: there is no such variable or axis.
    """
    if variable not in variables(ds):
        raise UserError(f"no variable {variable} to map; expected one of {', '.join(variables(ds)) or 'none'}")
    if x == y or not {x, y} <= set(map(str, ds[STATUS].dims)):
        raise UserError(f"no map over {x} and {y}; expected two of {', '.join(map(str, ds[STATUS].dims))}")
    grid = {dim: i for dim, i in at.items() if dim in ds[STATUS].dims}
    one = ds.isel(grid)
    state = one[STATUS].transpose(y, x).values
    array = _ratio(one, at) if variable == RATIO else one[variable].isel({d: i for d, i in at.items() if d not in grid})
    values = array.transpose(y, x).values.astype(np.float64)
    values[~np.isin(state, BOUNDED) | ~np.isfinite(values) | (log & (values <= 0))] = np.nan
    title = f"{array.attrs.get('long_name', variable)}{unit(array.attrs)}"
    return Plane(scale(ds, x), scale(ds, y), title, values, state, _limits(values, log), boundaries(one, x, y))


def _ratio(one: xr.Dataset, at: dict[str, int]) -> xr.DataArray:
    target = str(one[AREA].values[at[AREA]])
    return propagation_ratio(one, target, source_and_target(one)[0])


def labels(ds: xr.Dataset, name: str) -> list[Any]:
    """Return the labels along a dimension, as plain Python."""
    values = ds[name].values if name in ds.coords else np.arange(ds.sizes[name])
    return [str(value) for value in values] if values.dtype.kind not in "iufb" else values.tolist()


def _limits(values: np.ndarray, log: bool) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(known.min()), float(known.max())
    if low == high:  # a colour bar needs two ends
        return (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    return low, high


def boundaries(one: xr.Dataset, x: str, y: str) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return the stability boundaries of one map, by name, where both axes are drawn at their values."""
    if not (scale(one, x).even and scale(one, y).even):
        return {}
    found = {}
    if (one[STATUS] == DIVERGED).any():
        found["boundary of divergence"] = divergence_boundary(one, x, y)
    if "spectral_abscissa" in one and one.spectral_abscissa.ndim == 2:
        found["boundary of linear stability"] = linear_boundary(one, x, y)
    return {name: _lines(curves, x) for name, curves in found.items() if curves.size}


def _lines(curves: xr.DataArray, x: str) -> tuple[list[Any], list[Any]]:
    numbers = curves["curve"].values
    parts = [numbers == number for number in np.unique(numbers)]
    return [curves[x].values[p].tolist() for p in parts], [curves.values[p].tolist() for p in parts]


def short(label: Any) -> str:
    """Return a label's text on an axis."""
    return f"{label:.6g}" if isinstance(label, float) else str(label)
