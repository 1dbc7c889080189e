"""The dynamics of functional connectivity: how much that of one time is like that of another."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError, shown
from gbaexplore.basics.numbers import whole_number
from gbaexplore.basics.time import whole_steps
from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.measures.fc import CONSTANT, normalised
from gbaexplore.measures.given_matrix import GivenPairs
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome


@dataclass(frozen=True)
class FCD(StreamingMeasure):
    """Functional connectivity dynamics: correlations between the connectivities of sliding windows of time.

    The connectivity of each window is the correlations of all pairs of areas, or of some; two windows are compared by
    the correlation of these (Hansen et al. 2015, NeuroImage 105:525-535). What is kept is the distribution over all
    pairs of windows, as shares of equal bins from -1 to 1, unless the matrix is asked for. While a point is simulated
    its samples are in memory.

    Args:
        length: of a sliding window, s. step: from one to the next, s. Both are multiples of `every`.
        bins: of the distribution.
        matrix: keep all correlations, (sliding window, sliding window), instead of their distribution.
        pairs: which pairs of areas count, True or False, (area, area), as `FCFit` takes it.
    """

    length: float = 60.0
    step: float = 3.0
    bins: int = 100
    matrix: bool = False
    pairs: Any = dataclasses.field(default=None, kw_only=True, repr=False)

    large: ClassVar[bool] = True
    places_samples: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", whole_number(self.bins, f"bins of {type(self).__name__}", least=2))
        object.__setattr__(self, "_counted", GivenPairs(self.pairs, f"pairs of {type(self).__name__}"))

    @property
    def counted(self) -> GivenPairs:
        """The pairs that count."""
        return self._counted  # type: ignore[attr-defined]

    def recipe(self) -> dict[str, Any]:
        found = super().recipe()
        del found["pairs"]
        return {**found, **self.counted.recipe()}

    def _starts(self, every: float, samples: int) -> tuple[np.ndarray, int]:
        """Return where the sliding windows start, and how many samples they have."""
        kind = type(self).__name__
        length, step = (whole_steps(t, every, f"{what} of {kind}") for what, t in self._times.items())
        if length < 3 or step < 1 or length + step > samples:
            raise UserError(
                f"{kind} has sliding windows of {length} samples, {step} apart, in {samples} samples; expected "
                "at least 3, at least 1 apart, and room for two: change length, step, every or window"
            )
        return np.arange(0, samples - length + 1, step), length

    @property
    def _times(self) -> dict[str, float]:
        return {"length": self.length, "step": self.step}

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, _ = self.measured(model)
        dims: tuple[str, ...]
        if self.matrix:
            dims = (f"sliding_window{self.suffix}", f"other_sliding_window{self.suffix}")
            text = f"correlation of functional connectivities of {name}"
        else:
            dims, text = (f"fcd_correlation{self.suffix}",), f"share of pairs of sliding windows of {name}"
        return {f"fcd_{what}": Variable(dims, "1", text, missing=CONSTANT)}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        self.counted.of(connectome.areas)
        first, every, samples = self.sampling(dt, n_steps)
        starts, length = self._starts(every * dt, samples)
        if self.matrix:
            middle = np.round((first + every * (starts + (length - 1) / 2)) * dt, 12)
            attrs = {"units": "s", "long_name": "middle of the sliding window"}
            return {f"{name}{self.suffix}": (middle, attrs) for name in ("sliding_window", "other_sliding_window")}
        edges = np.linspace(-1, 1, self.bins + 1)
        attrs = {"units": "1", "long_name": "correlation, middle of the bin"}
        return {f"fcd_correlation{self.suffix}": (np.round((edges[1:] + edges[:-1]) / 2, 12), attrs)}

    def init(self, change: Any, run: Run) -> Any:
        return jnp.zeros((run.samples, len(change)), change.dtype).at[0].set(change)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        return jax.lax.dynamic_update_index_in_dim(acc, change, now.sample, 0)

    def between_windows(self, acc: Any, run: Run) -> Any:
        """Return the correlations between sliding windows, (window, window); all are NaN if an area is constant."""
        starts, length = self._starts(run.every, run.samples)
        pairs = self.counted.of(run.areas)

        def connectivity(start: Any) -> Any:
            x = jax.lax.dynamic_slice_in_dim(acc, start, length)
            x = x - x[:1]
            x = x - x.mean(axis=0)
            found = normalised(x.T @ x)[pairs]
            return found - found.mean()

        all_of_them = jax.lax.map(connectivity, jnp.asarray(starts))
        return normalised(all_of_them @ all_of_them.T)

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        found = self.between_windows(acc, run)
        if not self.matrix:
            pairs = found[np.triu_indices(len(found), 1)]
            at = jnp.clip(((pairs + 1) / 2 * self.bins).astype(jnp.int32), 0, self.bins - 1)
            shares = jnp.zeros(self.bins, found.dtype).at[at].add(1) / len(pairs)
            found = jnp.where(jnp.isnan(pairs).any(), jnp.nan, shares)
        return {f"fcd_{run.what}": found}


@dataclass(frozen=True)
class FCDFit(FCD):
    """Kolmogorov-Smirnov distance between the FCD of a model and a measured one: from 0, the same distribution, to 1.

    Args:
        data: the measured one: its matrix (window, window), of which the pairs above the diagonal count, or the
            correlations of the pairs, (pair,).

    Raises:
        UserError: data that are no such numbers.
    """

    data: Any = dataclasses.field(kw_only=True, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            given = np.array(getattr(self.data, "values", self.data), dtype=np.float64)
        except (TypeError, ValueError):
            raise UserError(f"data of FCDFit is {shown(self.data)}; expected correlations") from None
        if given.ndim == 2 and given.shape[0] == given.shape[1]:
            given = given[np.triu_indices(len(given), 1)]
        if given.ndim != 1 or not given.size or not (np.abs(given) <= 1).all():
            raise UserError(
                f"data of FCDFit has shape {given.shape}; expected correlations from -1 to 1, a square matrix or a list"
            )
        object.__setattr__(self, "_data", np.sort(given))

    def recipe(self) -> dict[str, Any]:
        pairs = self._data  # type: ignore[attr-defined]
        return {**super().recipe(), "data": hashlib.sha256(pairs.tobytes()).hexdigest()}

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, _ = self.measured(model)
        return {f"fcd_fit_{what}": Variable((), "1", f"distance of the FCD of {name} from the data", missing=CONSTANT)}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        self.counted.of(connectome.areas)
        _, every, samples = self.sampling(dt, n_steps)
        self._starts(every * dt, samples)
        return {}

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        found = self.between_windows(acc, run)
        ours = jnp.sort(found[np.triu_indices(len(found), 1)])
        data = jnp.asarray(self._data, ours.dtype)  # type: ignore[attr-defined]
        both = jnp.concatenate([ours, data])
        # Both distributions only change where one of them has a value.
        shares = [jnp.searchsorted(values, both, side="right") / len(values) for values in (ours, data)]
        far = jnp.abs(shares[0] - shares[1]).max().astype(ours.dtype)
        return {f"fcd_fit_{run.what}": jnp.where(jnp.isnan(ours).any(), jnp.nan, far)}
