"""A stimulus read from a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus, Pieces, pieces_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Recorded(AbstractStimulus):
    """A stimulus read from a store: its pieces for the connectome and dt of its study."""

    recorded: Pieces
    dt: float
    amplitude: float = 1.0
    into: tuple[str, ...] | None = None

    @property
    def inputs(self) -> tuple[str, ...] | None:
        return self.into

    @classmethod
    def of(cls, ds: xr.Dataset, dt: float) -> Recorded:
        """Return the stimulus in a Dataset of `dataset_of`."""
        into = tuple(map(str, ds["input"].values)) if "input" in ds.coords else None
        return cls(Pieces(ds["edge"].values, ds["level"].values), dt, into=into)

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        if dt != self.dt or self.recorded.edges[-1] > n_steps:
            raise UserError(f"a stimulus recorded at dt = {self.dt:g} s can't be used with dt = {dt:g} s, or cut short")
        return self.recorded

    def recipe(self) -> dict[str, Any]:
        return {"kind": "Recorded"}


def dataset_of(stimulus: AbstractStimulus, connectome: Connectome, dt: float, n_steps: int) -> xr.Dataset:
    """Return a stimulus of amplitude 1 as a Dataset: steps at which it changes (edge), levels (piece, area).

    Of several inputs, levels are (piece, input, area).
    """
    import xarray as xr

    edges, levels = pieces_of(stimulus, connectome, dt, n_steps)
    areas = np.array(connectome.areas, dtype=object)
    ds = xr.Dataset(coords={"area": areas})
    ds["edge"] = ("edge_number", np.asarray(edges), {"long_name": "step at which a piece begins or the last ends"})
    if stimulus.inputs is not None:
        ds.coords["input"] = np.array(stimulus.inputs, dtype=object)
    dims = ("piece", *(() if stimulus.inputs is None else ("input",)), "area")
    ds["level"] = (dims, np.asarray(levels), {"long_name": "stimulus of amplitude 1", "units": "1"})
    return ds
