"""What noise makes of a rate: its variance, its quantiles and its spectrum over time, folded into the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.connectome import Connectome
from gbaexplore.errors import UserError
from gbaexplore.measures import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model
from gbaexplore.timing import whole_steps

_MARKERS = 5
_LONGEST_SEGMENT = 2**16  # steps: products of two step numbers must fit into 32 bits


@dataclass(frozen=True)
class Variance(StreamingMeasure):
    """Variance over the window about the window's own mean, in each area (Welford 1962, Technometrics 4:419-420).

    A window that is not much longer than the slowest fluctuation underestimates the stationary variance.
    """

    skips_rest: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        name, units = self.observable(model), model.observables[self.observable(model)]
        return {"rate_variance": Variable(("area",), f"{units}2", f"variance of {name} over the window")}

    def init(self, change: Any, run: Run) -> Any:
        zero = jnp.zeros_like(change)
        return change, zero, zero

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        # Samples at rest that were skipped before the first one would have left mean and sum at 0.
        mean, total, lost = acc
        off = change - mean
        mean = mean + off / (now.sample + 1).astype(change.dtype)
        added = off * (change - mean) - lost  # Kahan's compensated sum
        larger = total + added
        return mean, larger, (larger - total) - added

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {"rate_variance": acc[1] / run.samples}


@dataclass(frozen=True)
class Quantile(StreamingMeasure):
    """Quantiles of the samples of the window, in each area, estimated without keeping them.

    The P2 algorithm (Jain & Chlamtac 1985, Communications of the ACM 28:1076-1085) moves five markers for each
    quantile. It is approximate: good to a hundredth or two of the spread for smooth distributions and some thousand
    independent samples. Samples that change slowly count for fewer: with fifty independent ones the median is off by
    a twentieth of the spread, a tail by a fifth, which is about as much as the sample itself leaves open.

    Args:
        q: the quantiles, each between 0 and 1.
    """

    q: tuple[float, ...] = (0.05, 0.5, 0.95)

    def __post_init__(self) -> None:
        object.__setattr__(self, "q", checked_quantiles(self.q, "Quantile(q=...)"))

    def steps(self, dt: float, n_steps: int) -> tuple[int, int]:
        first, stop = super().steps(dt, n_steps)
        if stop - first < _MARKERS:
            raise UserError(f"Quantile needs a window of at least {_MARKERS} samples; found {stop - first}")
        return first, stop

    def variables(self, model: Model) -> dict[str, Variable]:
        name, units = self.observable(model), model.observables[self.observable(model)]
        dims = (f"quantile{self.suffix}", "area")
        return {"rate_quantile": Variable(dims, units, f"quantile of {name} over the window")}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        return {f"quantile{self.suffix}": (np.array(self.q), {"units": "1", "long_name": "quantile"})}

    def init(self, change: Any, run: Run) -> Any:
        """The markers' heights and positions: five arrays each, (quantile, area)."""
        shape = (len(self.q), len(change))
        heights = [jnp.full(shape, jnp.inf, change.dtype)] * (_MARKERS - 1)
        positions = [jnp.full(shape, i, change.dtype) for i in range(_MARKERS)]
        return [jnp.broadcast_to(change, shape), *heights], positions

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        heights, positions = acc
        few = _inserted(heights, change), positions
        more = self._moved(heights, positions, change, now)
        return jax.tree.map(lambda a, b: jnp.where(now.sample < _MARKERS, a, b), few, more)

    def _moved(self, heights: list[Any], positions: list[Any], change: Any, now: Now) -> tuple[list[Any], list[Any]]:
        low, *inner, high = heights
        passed = [positions[0], *(n + (change < h) for n, h in zip(positions[1:-1], inner)), positions[-1] + 1]
        markers = [jnp.minimum(low, change), *inner, jnp.maximum(high, change)], passed
        q = np.array(self.q)
        for i, share in enumerate((q / 2, q, (1 + q) / 2), start=1):
            _adjust(*markers, now.sample.astype(change.dtype) * jnp.asarray(share, change.dtype)[:, None], i)
        return markers

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {"rate_quantile": rest + acc[0][2]}


def checked_quantiles(given: Sequence[float], what: str) -> tuple[float, ...]:
    """Return quantiles as a tuple.

    Raises:
        UserError: one is not between 0 and 1.
    """
    found = tuple(float(q) for q in given)
    if not all(0 < q < 1 for q in found) or len(set(found)) < len(found):
        raise UserError(f"{what} has {found}; expected different numbers between 0 and 1")
    return found


def _inserted(heights: list[Any], value: Any) -> list[Any]:
    """A sorted list, infinite where it is not filled yet, with one value more."""
    first, *others = heights
    return [jnp.minimum(first, value), *(jnp.minimum(h, jnp.maximum(b, value)) for b, h in zip(heights, others))]


def _adjust(heights: list[Any], positions: list[Any], wanted: Any, i: int) -> None:
    """Move marker i by one place, if it is off by one or more: along a parabola, or a line if that leaves the order."""
    low, here, high = heights[i - 1 : i + 2]
    before, at, after = positions[i - 1 : i + 2]
    up, down = (wanted - at >= 1) & (after - at > 1), (wanted - at <= -1) & (at - before > 1)
    side = jnp.where(up, 1.0, -1.0).astype(here.dtype)
    rising, falling = (high - here) / (after - at), (here - low) / (at - before)
    parabola = here + side / (after - before) * ((at - before + side) * rising + (after - at - side) * falling)
    line = here + side * jnp.where(up, rising, falling)
    moved = jnp.where((low < parabola) & (parabola < high), parabola, line)
    moves = up | down
    heights[i], positions[i] = jnp.where(moves, moved, here), jnp.where(moves, at + side, at)


@dataclass(frozen=True)
class Spectrum(StreamingMeasure):
    """Power spectral density at chosen frequencies, in each area, one-sided.

    The window is cut into segments that do not overlap; each has its mean removed, is tapered by Hann's window and
    transformed, and the powers are averaged (Welch 1967, IEEE Trans. Audio Electroacoust. 15:70-73). These are the
    numbers of `scipy.signal.welch(..., noverlap=0)`. What is left of the window after the last whole segment is not
    looked at.

    Args:
        frequencies: in Hz, multiples of 1 / segment.
        segment: length of a segment, s; the whole window if None.
    """

    frequencies: tuple[float, ...] = ()
    segment: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "frequencies", tuple(float(f) for f in self.frequencies))
        if not self.frequencies:
            raise UserError("Spectrum(frequencies=()): expected frequencies in Hz, such as frequencies=range(1, 51)")

    def variables(self, model: Model) -> dict[str, Variable]:
        name, units = self.observable(model), model.observables[self.observable(model)]
        dims = (f"frequency{self.suffix}", "area")
        return {"rate_spectrum": Variable(dims, f"{units}2 Hz-1", f"power spectral density of {name}")}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        first, stop = self.steps(dt, n_steps)
        self._cycles(self._length(dt, stop - first), dt)
        return {f"frequency{self.suffix}": (np.array(self.frequencies), {"units": "Hz", "long_name": "frequency"})}

    def _length(self, dt: float, samples: int) -> int:
        """Number of samples of a segment."""
        length = samples if self.segment is None else whole_steps(self.segment, dt, "the segment of Spectrum")
        if not 2 <= length <= min(samples, _LONGEST_SEGMENT):
            raise UserError(
                f"Spectrum has segments of {length} samples in a window of {samples}; expected 2 to "
                f"{min(samples, _LONGEST_SEGMENT)}: change segment or window"
            )
        return length

    def _cycles(self, length: int, dt: float) -> np.ndarray:
        """How many cycles of each frequency a segment has, (frequency,)."""
        exact = np.array(self.frequencies) * length * dt
        cycles = np.round(exact).astype(int)
        for frequency, wrong in zip(self.frequencies, (np.abs(exact - cycles) > 1e-6) | (cycles < 0)):
            if wrong or frequency > 0.5 / dt:
                raise UserError(
                    f"Spectrum has the frequency {frequency:g} Hz; expected multiples of 1 / segment = "
                    f"{1 / (length * dt):g} Hz, from 0 to {0.5 / dt:g} Hz"
                )
        return cycles

    def init(self, change: Any, run: Run) -> Any:
        """Cosine and sine sums (frequency, area) and sum (area,) of the segment, and the powers of those before."""
        zero = jnp.zeros((len(self.frequencies), len(change)), change.dtype)
        return self._added((zero, zero, jnp.zeros_like(change), zero), change, jnp.asarray(0), run)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        return self._added(acc, change, now.sample, run)

    def _added(self, acc: Any, change: Any, sample: Any, run: Run) -> Any:
        cosine, sine, total, power = acc
        length = self._length(run.dt, run.samples)
        cycles, taper = self._cycles(length, run.dt), _taper(length)
        turn = 2 * np.pi * np.arange(length) / length
        at = (sample % length).astype(jnp.uint32)
        phase = (at * jnp.asarray(cycles, jnp.uint32)) % jnp.uint32(length)
        tapered = jnp.asarray(taper, change.dtype)[at] * change
        cosine = cosine + jnp.asarray(np.cos(turn), change.dtype)[phase][:, None] * tapered
        sine = sine + jnp.asarray(np.sin(turn), change.dtype)[phase][:, None] * tapered
        total = total + change
        # Taking the mean off a segment takes off its mean times the transform of the taper.
        of_taper = np.exp(1j * np.outer(cycles, turn)) @ taper / length
        real, imaginary = (jnp.asarray(part, change.dtype)[:, None] * total for part in (of_taper.real, of_taper.imag))
        ends = at == length - 1
        found = jnp.where(ends, (cosine - real) ** 2 + (sine - imaginary) ** 2, 0)
        cosine, sine, total = (jnp.where(ends, 0, part) for part in (cosine, sine, total))
        return cosine, sine, total, power + found

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        length = self._length(run.dt, run.samples)
        cycles = self._cycles(length, run.dt)
        sides = np.where((cycles == 0) | (2 * cycles == length), 1, 2)
        scale = sides * run.dt / (_taper(length) ** 2).sum() / (run.samples // length)
        return {"rate_spectrum": acc[3] * jnp.asarray(scale, acc[3].dtype)[:, None]}


def _taper(length: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
