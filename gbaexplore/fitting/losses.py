"""Losses: one number for each evaluation of a fit, from what its points measured."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gbaexplore.basics.errors import UserError, listing, one_line, shown, unknown
from gbaexplore.basics.names import AREA, OK, STATUS
from gbaexplore.basics.numbers import array, number
from gbaexplore.identity.code import code_hash

if TYPE_CHECKING:
    import xarray as xr

EVALUATION = "evaluation"
LOSS = "loss"
GENERATION, RESTART = "generation", "restart"

Loss: TypeAlias = "Callable[[xr.Dataset], xr.DataArray]"


@dataclass(frozen=True, eq=False)
class SumOfSquares:
    """A loss: the sum of the squares of (simulated - data) / scale, over all that the data have.

    Args:
        of: a variable of the study, such as "mean_rate".
        data: a DataArray with dimensions of this variable (those labels of each that it has are compared); or values
            by area; or one number.
        scale: the data's standard deviation: a number, or a DataArray along some of the same dimensions.

    Raises:
        UserError: data that are no finite numbers; a scale that is not above 0.
    """

    of: str
    data: Any
    scale: Any = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.of, str):
            raise UserError(f"SumOfSquares(of={self.of!r}): expected the name of a variable, such as mean_rate")
        object.__setattr__(self, "data", _labelled(self.data, f"the data of {self.of}"))
        object.__setattr__(self, "scale", _labelled(self.scale, f"the scale of {self.of}"))
        if not (self.scale.values > 0).all():
            raise UserError(f"SumOfSquares(scale={shown(self.scale.values)}): expected numbers above 0")

    def at(self, dim: str, label: str) -> SumOfSquares:
        """Return the sum over the data at one label of a dimension, all of them if they lack it.

        Raises:
            UserError: the data have the dimension, and not this label.
        """
        for values, what in ((self.data, "data"), (self.scale, "scale")):
            if dim in values.coords and label not in values[dim].values:
                raise UserError(f"the {what} of {self.of} lack {dim} {label}; expected {what} of each {dim}")
        data, scale = (v.sel({dim: [label]}) if dim in v.coords else v for v in (self.data, self.scale))
        return SumOfSquares(self.of, data, scale)

    def residuals(self, ds: xr.Dataset) -> xr.DataArray:
        """Return (simulated - data) / scale of points.

        Raises:
            UserError: no such variable, or data that it has no labels for.
        """
        if self.of not in ds:
            raise UserError(unknown(f'no variable "{self.of}"', self.of, map(str, ds.data_vars), "Variables"))
        return (self._matched(ds[self.of]) - self.data) / self.scale

    def slopes(self, ds: xr.Dataset) -> xr.DataArray | None:
        """Return the residuals' derivatives with respect to the labels along `parameter`; None if not measured."""
        name = f"d_{self.of}"
        return self._matched(ds[name]) / self.scale if name in ds else None

    def _matched(self, found: xr.DataArray) -> xr.DataArray:
        for dim in self.data.dims:
            if dim not in found.dims:
                raise UserError(
                    f"the data of {self.of} are along {dim}; expected dimensions of it: {listing(found.dims)}"
                )
            if dim in self.data.coords:
                missing = [label for label in self.data[dim].values.tolist() if label not in found[dim].values]
                if missing:
                    raise UserError(f"the data of {self.of} have {dim} {listing(missing)}, which it lacks")
                found = found.sel({dim: self.data[dim].values})
        return found

    def __call__(self, ds: xr.Dataset) -> xr.DataArray:
        found = self.residuals(ds)
        return (found.astype(np.float64) ** 2).sum([d for d in found.dims if d not in ds[STATUS].dims], skipna=False)

    def recipe(self) -> dict[str, Any]:
        """Return its identity, as JSON data."""
        return {"kind": "SumOfSquares", "of": self.of, "data": _hash(self.data), "scale": _hash(self.scale)}


def _labelled(values: Any, what: str) -> xr.DataArray:
    import xarray as xr

    if isinstance(values, xr.DataArray):
        return values.copy(data=array(values, what)).reset_coords(drop=True)
    if isinstance(values, Mapping):
        return xr.DataArray(array(list(values.values()), what), {AREA: list(values)}, [AREA])
    return xr.DataArray(number(values, what))


def _hash(values: xr.DataArray) -> str:
    labels = {str(dim): values[dim].values.tolist() if dim in values.coords else "" for dim in values.dims}
    return hashlib.sha256(repr(labels).encode() + values.values.tobytes()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Losses:
    """The parts of a fit's loss, each a function with a weight; their weighted sum is the loss."""

    parts: Mapping[str, Loss]
    weights: Mapping[str, float]

    @classmethod
    def of(cls, loss: Any, weights: Any) -> Losses:
        """Return the parts of what a user gives: a function, or several by name.

        Raises:
            UserError: something else; a weight of no part.
        """
        parts = dict(loss) if isinstance(loss, Mapping) else {"": loss}
        if not parts:
            raise UserError("loss has no parts; expected a function of a Dataset, or several by name")
        for name, part in parts.items():
            if not isinstance(name, str) or (isinstance(loss, Mapping) and not name.isidentifier()):
                raise UserError(f"loss has the part {name!r}; expected a word, such as fc")
            if not callable(part):
                raise UserError(
                    f"loss = {shown(part)}; expected a function of a Dataset, such as lambda ds: (ds.mean_rate - "
                    'data).pow(2).mean("area"), or SumOfSquares(...)'
                )
        if not isinstance(weights, Mapping):
            raise UserError(f"weights = {shown(weights)}; expected numbers by the names of the loss's parts")
        for name in weights:
            if name not in parts or not isinstance(loss, Mapping):
                raise UserError(unknown(f'weights: no part "{name}"', name, [p for p in parts if p], "Parts"))
        given = {name: number(value, f'the weight of "{name}"') for name, value in weights.items()}
        return cls(parts, {name: given.get(name, 1.0) for name in parts})

    def recipe(self) -> dict[str, Any]:
        """Return their identity, as JSON data.

        Raises:
            UserError: a function that can't be identified.
        """
        told = {
            name: part.recipe() if isinstance(part, SumOfSquares) else {"hash": code_hash(part)}
            for name, part in self.parts.items()
        }
        return {"parts": told, "weights": dict(self.weights)}

    @property
    def names(self) -> dict[str, str]:
        """Variable of the store -> what it is."""
        return {LOSS: "loss"} | {f"{LOSS}_{name}": f"{name}, a part of the loss" for name in self.parts if name}

    def data(self, like: xr.Dataset) -> dict[str, Any]:
        """Return the data of sums of squares, as coordinates `VARIABLE_data` of a Dataset; NaN where there are none."""
        found: dict[str, Any] = {}
        for part in self.parts.values():
            if isinstance(part, SumOfSquares) and f"{part.of}_data" not in (*found, *like):
                known = {dim: like[dim].values for dim in part.data.dims if dim in like.coords}
                attrs = {"long_name": f"data of {part.of}", "units": like[part.of].attrs["units"]}
                found[f"{part.of}_data"] = (part.data.dims, part.data.reindex(known).values, attrs)
        return found

    def values(self, ds: xr.Dataset) -> dict[str, np.ndarray]:
        """Return the loss and its parts over the grid of a Dataset of points, NaN where an evaluation has none.

        Raises:
            UserError: a function raises, or returns no number for each evaluation.
        """
        found: dict[str, np.ndarray] = {}
        total: Any = 0.0
        for name, part in self.parts.items():
            values = _checked(part, f"the loss {name!r}" if name else "the loss", ds)
            total = total + self.weights[name] * values
            if name:
                found[f"{LOSS}_{name}"] = values
        return {LOSS: total, **found}

    def residuals(self, ds: xr.Dataset) -> np.ndarray:
        """Return the residuals of each evaluation, (evaluation, residual), of losses that are all sums of squares."""
        return self._stacked(ds, lambda part: part.residuals(ds), ())

    def jacobian(self, ds: xr.Dataset, names: Sequence[str]) -> np.ndarray | None:
        """Return d(residual)/d(parameter), (evaluation, residual, parameter); None where it is not measured."""
        slopes = [part.slopes(ds) for part in self.parts.values() if isinstance(part, SumOfSquares)]
        known = [None if found is None else found["parameter"].values.tolist() for found in slopes]
        if not all(labels is not None and set(names) <= set(labels) for labels in known):
            return None
        return self._stacked(ds, lambda part: part.slopes(ds).sel(parameter=list(names)), ("parameter",))

    def _stacked(self, ds: xr.Dataset, of: Callable[[Any], xr.DataArray], last: tuple[str, ...]) -> np.ndarray:
        stacked = []
        for name, part in self.parts.items():
            found = of(part).astype(np.float64)
            averaged = [dim for dim in ds[STATUS].dims if dim in found.dims and dim != EVALUATION]
            inner = [dim for dim in found.dims if dim not in (*averaged, EVALUATION, *last)]
            found = found.transpose(EVALUATION, *averaged, *inner, *last)
            count = int(np.prod([found.sizes[dim] for dim in averaged], initial=1))
            shape = (ds.sizes[EVALUATION], -1, *(found.sizes[dim] for dim in last))
            stacked.append(found.values.reshape(shape) * np.sqrt(self.weights[name] / count))
        return np.concatenate(stacked, axis=1)


def of_evaluations(values: np.ndarray) -> np.ndarray:
    """Return the mean over all points of each evaluation, (evaluation,), of values over the grid."""
    return np.ascontiguousarray(values).reshape(len(values), -1).mean(axis=1)


def _checked(part: Loss, what: str, ds: xr.Dataset) -> np.ndarray:
    """Return a loss over the grid, float64."""
    import xarray as xr

    try:
        with np.errstate(all="ignore"):
            found = part(ds)
    except UserError:
        raise
    except Exception as error:
        names = listing(sorted({str(name) for name in ds.data_vars} - {STATUS}))
        raise UserError(
            f"{what} raised {one_line(error)}; expected a function of a Dataset with the variables {names}"
        ) from None
    dims: tuple[Hashable, ...] = ds[STATUS].dims
    if not isinstance(found, xr.DataArray) or found.dtype.kind not in "iuf":
        is_array = isinstance(found, xr.DataArray)
        told = f"{found.dtype} along ({', '.join(map(str, found.dims))})" if is_array else shown(found)
        raise UserError(f'{what} returned {told}; expected a DataArray of numbers along "{EVALUATION}"')
    if EVALUATION not in found.dims or not set(found.dims) <= set(dims):
        raise UserError(
            f"{what} is along ({', '.join(map(str, found.dims))}); expected a number for each evaluation, along "
            f'"{EVALUATION}" and no more than ({", ".join(map(str, dims))}): take a mean over the others, or select'
        )
    plain = found.drop_vars(list(found.coords)).astype(np.float64)
    values = plain.broadcast_like(ds[STATUS].drop_vars(list(ds[STATUS].coords))).transpose(*dims).values
    whole = (ds[STATUS].values == OK).reshape(ds.sizes[EVALUATION], -1).all(axis=1)
    wrong = whole & ~np.isfinite(values).reshape(len(whole), -1).all(axis=1)
    if wrong.any():
        raise UserError(
            f"{what} is not finite at {wrong.sum()} of {whole.sum()} evaluations whose points are ok; expected a "
            "number: give them one, as in .fillna(1.0)"
        )
    return np.where(np.isfinite(values), values, np.nan)
