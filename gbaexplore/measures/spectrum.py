"""The power spectrum of an observable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import squared
from gbaexplore.basics.numbers import array
from gbaexplore.basics.time import whole_steps
from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome

_LONGEST_SEGMENT = 2**16  # samples: products of two of their numbers must fit into 32 bits


@dataclass(frozen=True)
class Spectrum(StreamingMeasure):
    """Power spectral density at chosen frequencies, in each area, one-sided.

    The window is cut into segments that do not overlap. Each has its mean removed, is tapered with Hann's window and
    transformed; then the powers are averaged (Welch 1967, IEEE Trans. Audio Electroacoust. 15:70-73). The result is
    that of `scipy.signal.welch(..., noverlap=0)`. Samples after the last whole segment are ignored.

    Args:
        frequencies: in Hz, multiples of 1 / segment.
        segment: length of a segment, s; the whole window if None.
    """

    frequencies: tuple[float, ...] = ()
    segment: float | None = None

    def __post_init__(self) -> None:
        found = array(self.frequencies, "frequencies of Spectrum")
        if found.ndim != 1:
            raise UserError(f"frequencies of Spectrum has shape {found.shape}; expected a list of frequencies in Hz")
        object.__setattr__(self, "frequencies", tuple(found.tolist()))
        if not self.frequencies:
            raise UserError("Spectrum(frequencies=()): expected frequencies in Hz, such as frequencies=range(1, 51)")

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, units = self.measured(model)
        dims = (f"frequency{self.suffix}", "area")
        return {
            f"{what}_spectrum": Variable(
                dims, f"{squared(units)} Hz-1".removeprefix("1 "), f"power spectral density of {name}"
            )
        }

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        _, every, count = self.sampling(dt, n_steps)
        self._cycles(self._length(every * dt, count), every * dt)
        return {f"frequency{self.suffix}": (np.array(self.frequencies), {"units": "Hz", "long_name": "frequency"})}

    def _length(self, every: float, samples: int) -> int:
        """Return the number of samples, `every` seconds apart, of a segment."""
        length = samples if self.segment is None else whole_steps(self.segment, every, "the segment of Spectrum")
        if not 2 <= length <= min(samples, _LONGEST_SEGMENT):
            raise UserError(
                f"Spectrum has segments of {length} samples in a window of {samples}; expected 2 to "
                f"{min(samples, _LONGEST_SEGMENT)}: change segment or window, or look less often (every=...)"
            )
        return length

    def _cycles(self, length: int, every: float) -> np.ndarray:
        """Return the number of cycles of each frequency in a segment, (frequency,)."""
        exact = np.array(self.frequencies) * length * every
        cycles = np.round(exact).astype(int)
        for frequency, wrong in zip(self.frequencies, (np.abs(exact - cycles) > 1e-6) | (cycles < 0)):
            if wrong or frequency > 0.5 / every:
                raise UserError(
                    f"Spectrum has the frequency {frequency:g} Hz; expected multiples of 1 / segment = "
                    f"{1 / (length * every):g} Hz, from 0 to {0.5 / every:g} Hz"
                )
        return cycles

    def init(self, change: Any, run: Run) -> Any:
        """Return a segment's cosine and sine sums (frequency, area), sum and first sample (area,), and all powers."""
        zero = jnp.zeros((len(self.frequencies), len(change)), change.dtype)
        return self._added((zero, zero, jnp.zeros_like(change), zero, change), change, jnp.asarray(0), run)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        return self._added(acc, change, now.sample, run)

    def _added(self, acc: Any, change: Any, sample: Any, run: Run) -> Any:
        cosine, sine, total, power, first = acc
        length = self._length(run.every, run.samples)
        cycles, taper = self._cycles(length, run.every), _taper(length)
        turn = 2 * np.pi * np.arange(length) / length
        at = (sample % length).astype(jnp.uint32)
        phase = (at * jnp.asarray(cycles, jnp.uint32)) % jnp.uint32(length)
        # A segment's mean is removed, so any constant may be: without a large one float32 keeps small fluctuations.
        first = jnp.where(at == 0, change, first)
        change = change - first
        tapered = jnp.asarray(taper, change.dtype)[at] * change
        cosine = cosine + jnp.asarray(np.cos(turn), change.dtype)[phase][:, None] * tapered
        sine = sine + jnp.asarray(np.sin(turn), change.dtype)[phase][:, None] * tapered
        total = total + change
        # Removing a segment's mean removes the mean times the transform of the taper.
        of_taper = np.exp(1j * np.outer(cycles, turn)) @ taper / length
        real, imaginary = (jnp.asarray(part, change.dtype)[:, None] * total for part in (of_taper.real, of_taper.imag))
        ends = at == length - 1
        found = jnp.where(ends, (cosine - real) ** 2 + (sine - imaginary) ** 2, 0)
        cosine, sine, total = (jnp.where(ends, 0, part) for part in (cosine, sine, total))
        return cosine, sine, total, power + found, first

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        length = self._length(run.every, run.samples)
        cycles = self._cycles(length, run.every)
        sides = np.where((cycles == 0) | (2 * cycles == length), 1, 2)
        scale = sides * run.every / (_taper(length) ** 2).sum() / (run.samples // length)
        return {f"{run.what}_spectrum": acc[3] * jnp.asarray(scale, acc[3].dtype)[:, None]}


def _taper(length: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
