"""How long an observable remembers: the time in which its autocorrelation falls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.time import whole_steps
from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome


@dataclass(frozen=True)
class AutocorrelationTime(StreamingMeasure):
    """The lag at which the autocorrelation first falls to 1/e, in each area: the time constant of one that decays
    exponentially. It is interpolated linearly between samples. While a point is simulated its samples are in memory.

    Args:
        longest: lag up to which it is looked for, s; a quarter of the window if None.
    """

    longest: float | None = None

    large: ClassVar[bool] = True
    places_samples: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, _ = self.measured(model)
        missing = "the autocorrelation does not fall to 1/e, or the signal is constant"
        return {f"autocorrelation_time_{what}": Variable(("area",), "s", f"autocorrelation time of {name}", missing)}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        _, every, samples = self.sampling(dt, n_steps)
        self._lags(every * dt, samples)
        return {}

    def _lags(self, every: float, samples: int) -> int:
        lags = (
            samples // 4 if self.longest is None else whole_steps(self.longest, every, "longest of AutocorrelationTime")
        )
        if not 1 <= lags <= samples // 2:
            raise UserError(
                f"AutocorrelationTime looks at lags up to {lags} samples, of {samples}; expected from 1 to half of "
                "them: change longest, every or window"
            )
        return lags

    def init(self, change: Any, run: Run) -> Any:
        return jnp.zeros((run.samples, len(change)), change.dtype).at[0].set(change)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        return jax.lax.dynamic_update_index_in_dim(acc, change, now.sample, 0)

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        lags = self._lags(run.every, run.samples)
        x = acc - acc[:1]
        x = x - x.mean(axis=0)
        # By the Fourier transform, padded with zeros so that the end does not meet the beginning.
        size = 2 ** math.ceil(math.log2(run.samples + lags + 1))
        power = jnp.abs(jnp.fft.rfft(x, size, axis=0)) ** 2
        products = jnp.fft.irfft(power, size, axis=0)[: lags + 1]
        count = jnp.asarray(run.samples - np.arange(lags + 1), x.dtype)[:, None]
        r = products / count / (products[0] / run.samples)
        below = r <= math.exp(-1)
        at = jnp.argmax(below, axis=0)
        before, after = (jnp.take_along_axis(r, jnp.maximum(at - back, 0)[None], axis=0)[0] for back in (1, 0))
        found = (at - 1 + (before - math.exp(-1)) / (before - after)) * run.every
        return {f"autocorrelation_time_{run.what}": jnp.where(below.any(axis=0), found, jnp.nan).astype(x.dtype)}
