"""Functional connectivity: how much areas go up and down together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA
from gbaexplore.measures.base import Now, Run, Sampling, StreamingMeasure, Variable
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome

OTHER_AREA = "other_area"
"""The second dimension of a matrix of areas by areas that has no direction."""
CONSTANT = "an area's signal is constant"


def normalised(products: Any) -> Any:
    """Return correlations from sums of products about the mean, (..., area, area)."""
    size = jnp.sqrt(jnp.diagonal(products, axis1=-2, axis2=-1))
    found = jnp.clip(products / (size[..., :, None] * size[..., None, :]), -1, 1)
    same = jnp.eye(products.shape[-1], dtype=bool)
    return jnp.where(same & (size[..., None] > 0), 1.0, found)


@dataclass(frozen=True)
class FC(StreamingMeasure):
    """Functional connectivity: Pearson's correlation between areas over the samples of the window.

    It comes from running sums: memory does not grow with time.

    Args:
        fisher_z: Fisher's z = artanh(r) instead of r; the diagonal is then missing.
    """

    fisher_z: bool = False

    large: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, _ = self.measured(model)
        kind, missing = "functional connectivity", CONSTANT
        if self.fisher_z:
            kind, missing = "Fisher z of the functional connectivity", f"{CONSTANT}, or it is the same area"
        return {f"fc_{what}": Variable((AREA, OTHER_AREA), "1", f"{kind} of {name}", missing=missing)}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        return {OTHER_AREA: (np.array(connectome.areas, dtype=object), {"long_name": "area"})}

    def sampling(self, dt: float, n_steps: int) -> Sampling:
        found = super().sampling(dt, n_steps)
        if found.number < 3:
            raise UserError(
                f"{type(self).__name__} sees {found.number} samples; expected at least 3: a longer window, or a "
                "shorter every"
            )
        return found

    def init(self, change: Any, run: Run) -> Any:
        """Return the first sample, the mean of the changes from it, (area,), and their products' sums (area, area)."""
        return change, jnp.zeros_like(change), jnp.zeros((len(change), len(change)), change.dtype)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        # Welford's way, about the first sample: small fluctuations survive on top of a large mean.
        first, mean, products = acc
        seen = now.sample.astype(change.dtype)
        off = change - first - mean
        return first, mean + off / (seen + 1), products + off[:, None] * off * (seen / (seen + 1))

    @staticmethod
    def correlations(acc: Any) -> Any:
        """Return the correlations, (area, area); NaN of an area whose signal is constant."""
        _, _, products = acc
        return normalised(products)

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        found = self.correlations(acc)
        if self.fisher_z:
            found = jnp.where(jnp.eye(len(found), dtype=bool), jnp.nan, jnp.arctanh(found))
        return {f"fc_{run.what}": found}
