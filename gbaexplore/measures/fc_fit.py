"""How near the functional connectivity of a model is to a measured one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from gbaexplore.measures.base import Run, Variable
from gbaexplore.measures.fc import CONSTANT, FC
from gbaexplore.measures.given_matrix import GivenMatrix, GivenPairs
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome


@dataclass(frozen=True)
class FCFit(FC):
    """Pearson's correlation of the functional connectivity with a measured one, over pairs of different areas.

    Args:
        data: the measured one, (area, area): an array in the order of the network's areas, or a DataArray or DataFrame
            with their names, in any order. Only the pairs above the diagonal count.
        pairs: which pairs count, True or False, (area, area), as the data; all if None. With `same[:, None] == same`,
            where `same` is each area's hemisphere, those within hemispheres.
        fisher_z: compare Fisher's z instead of r; the data are r all the same.

    Raises:
        UserError: data that are no such matrix; an area of the network that they lack.
    """

    data: Any = dataclasses.field(kw_only=True, repr=False)
    pairs: Any = dataclasses.field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_given", GivenMatrix(self.data, "data of FCFit"))
        object.__setattr__(self, "_counted", GivenPairs(self.pairs, "pairs of FCFit"))

    @property
    def given(self) -> GivenMatrix:
        """The measured matrix."""
        return self._given  # type: ignore[attr-defined]

    @property
    def counted(self) -> GivenPairs:
        """The pairs that count."""
        return self._counted  # type: ignore[attr-defined]

    def recipe(self) -> dict[str, Any]:
        found = {**super().recipe(), "data": self.given.sha256}
        del found["pairs"]
        return {**found, **self.counted.recipe()}

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, _ = self.measured(model)
        text = f"correlation of the functional connectivity of {name} with the data"
        return {f"fc_fit_{what}": Variable((), "1", text, missing=CONSTANT)}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        self.given.of(connectome.areas)
        self.counted.of(connectome.areas)
        return {}

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        pairs = self.counted.of(run.areas)
        found, data = self.correlations(acc)[pairs], self.given.of(run.areas)[pairs]
        if self.fisher_z:
            with np.errstate(divide="ignore"):
                data, found = np.arctanh(data), jnp.arctanh(found)
        off = jnp.asarray(data - data.mean(), found.dtype)
        found = found - found.mean()
        fit = (found * off).sum() / jnp.sqrt((found**2).sum() * (off**2).sum())
        return {f"fc_fit_{run.what}": fit}
