"""Calibration: the stimulus amplitude that gives a target response, at every point of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import number
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.measures.base import Variable
from gbaexplore.measures.peak import Peak
from gbaexplore.measures.solved import SolvedMeasure, Trials
from gbaexplore.models.base import Model
from gbaexplore.models.setup import HIGHEST
from gbaexplore.networks.connectome import Connectome

LEAST, MOST = 1e-3, 1e6
"""The range of amplitudes searched, in the stimulus' unit."""

_CLOSE = {"float32": 1e-5, "float64": 1e-10}  # tolerance, relative to the target
_MOST_RUNS = 100


@dataclass(frozen=True)
class CalibratedAmplitude(SolvedMeasure):
    """The stimulus amplitude that brings an area's peak change to a target, and the peak it gives.

    The variables are `calibrated_amplitude` and `calibrated_peak` (change of the observable from the start
    of the window). Where no amplitude is found both are 0: no stimulus gives no change. They are never NaN;
    `ds.calibrated_amplitude.where(ds.calibrated_amplitude > 0)` selects the amplitudes that were found.
    None is found where the response jumps over the target, where any area passes the study's ceiling before the
    target is reached, and outside 1e-3 to 1e6. `status` does not tell: it belongs to the study's
    own amplitude, which is only the first guess. A network that diverges slowly may still have an amplitude
    that gives the target by the end of the window; look at its `status`.

    For a positively homogeneous model (`Model.homogeneous`) one simulation is enough: amplitude x target / peak.
    Otherwise the amplitude of every point is bracketed and then solved for with the Illinois method (Dowell &
    Jarratt 1971, BIT 11:168-174), all unfinished points of a block at once, until the peak is within 1e-5 of the
    target (1e-10 in float64). If several amplitudes give the target, the result is one of them.

    Args:
        area: the area whose peak is calibrated. target: its peak change, in the observable's unit.
        window: (start, stop) of the peak, s; the whole run if None.
        of: the observable; the model's first if None.

    Raises:
        UserError: a target that is not above 0; when the study is made, an unknown area or a window outside the run.
    """

    area: str = "V1"
    target: float = 100.0
    window: tuple[float, float] | None = None
    of: str | None = None

    def __post_init__(self) -> None:
        if number(self.target, "target of CalibratedAmplitude") <= 0:
            raise UserError(f"CalibratedAmplitude(target={self.target!r}): expected a finite number above 0")

    @property
    def _peak(self) -> Peak:
        return Peak(window=self.window, of=self.of)

    def variables(self, model: Model) -> dict[str, Variable]:
        name = self._peak.observable(model)
        units = model.observables[name]
        goal = f"for a peak change of {name} in {self.area} of {self.target:g} {units}; 0 where none was found"
        peak = f"peak change of {name} in {self.area}"
        return {
            "calibrated_amplitude": Variable(
                (), model.units_of(AMPLITUDE), "calibrated amplitude", if_diverged=True, comment=goal
            ),
            "calibrated_peak": Variable((), units, peak, if_diverged=True, comment="at the calibrated amplitude"),
        }

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        connectome.index(self.area)
        self._peak.steps(dt, n_steps)
        return {}

    def simulates(self, trials: Trials) -> list[Any]:
        return [trials.plan(self._peak)]

    def solve(self, trials: Trials) -> dict[str, np.ndarray]:
        solve = self._scaled if trials.model.homogeneous(trials.values) else self._bracketed
        amplitude, peak = solve(trials)
        return {"calibrated_amplitude": amplitude, "calibrated_peak": peak}

    def _scaled(self, trials: Trials) -> tuple[np.ndarray, np.ndarray]:
        """Return amplitudes and peaks, (point,), from one simulation by homogeneity."""
        tried = _first_guess(trials)
        peaks, highest, finite = trials.peaks(self._peak, tried, np.arange(len(tried)), HIGHEST)
        peak = peaks[:, trials.connectome.index(self.area)]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            scale = np.where(finite & (peak > 0), self.target / peak, np.inf)
            found = (scale * highest <= trials.ceiling) & (scale * tried >= LEAST) & (scale * tried <= MOST)
        return np.where(found, scale * tried, 0.0), np.where(found, self.target, 0.0)

    def _bracketed(self, trials: Trials) -> tuple[np.ndarray, np.ndarray]:
        """Return amplitudes and peaks, (point,), by repeated simulation."""
        search = _Search(_first_guess(trials), self.target, trials.precision)
        area = trials.connectome.index(self.area)
        if not trials.model.starts_at_rest(trials.values):
            which = np.arange(len(search.guess))
            peaks, _, bounded = trials.peaks(self._peak, np.zeros(len(which)), which, trials.ceiling)
            search.start(peaks[:, area], bounded)
        for _ in range(_MOST_RUNS):
            which = np.flatnonzero(search.open)
            if not which.size:
                break
            peaks, _, bounded = trials.peaks(self._peak, search.guess[which], which, trials.ceiling)
            search.learn(which, peaks[:, area], bounded)
        return search.amplitude, search.peak


def _first_guess(trials: Trials) -> np.ndarray:
    """Return the study's own amplitudes, (point,), or 1 where they are not positive."""
    given = trials.points[AMPLITUDE]
    return np.where(given > 0, given, 1.0).astype(trials.precision).astype(np.float64)


class _Search:
    """A bracket (low, high) per point: the peak is below the target at `low`, and above it or diverged at `high`."""

    def __init__(self, guess: np.ndarray, target: float, precision: str) -> None:
        self.target, self.precision = target, precision
        self.guess = np.clip(guess, LEAST, MOST)
        self.open = np.ones(guess.shape, bool)
        self.amplitude, self.peak = np.zeros(guess.shape), np.zeros(guess.shape)
        self.low, self.high = np.zeros(guess.shape), np.full(guess.shape, np.inf)
        self.below = np.full(guess.shape, -target)  # peak - target at `low`: without stimulus nothing changes
        self.above = np.full(guess.shape, np.nan)  # peak - target at `high`, NaN if it diverged there
        self.side = np.zeros(guess.shape, int)  # which end moved last: -1 or 1

    def start(self, peak: np.ndarray, bounded: np.ndarray) -> None:
        """Record the peaks without stimulus, for models in which they are not 0."""
        self.below = peak - self.target
        self.open &= bounded & (self.below < 0)

    def learn(self, which: np.ndarray, peak: np.ndarray, bounded: np.ndarray) -> None:
        """Record the peaks (point,) of the points `which` at their guess, and make the next guess."""
        off = peak - self.target
        met = bounded & (np.abs(off) <= _CLOSE[self.precision] * self.target)
        self.amplitude[which[met]], self.peak[which[met]] = self.guess[which[met]], peak[met]
        self.open[which[met]] = False
        self._narrow(which, off, bounded & (off < 0), bounded)
        self._next(which, peak)

    def _narrow(self, which: np.ndarray, off: np.ndarray, is_below: np.ndarray, bounded: np.ndarray) -> None:
        low, high = which[is_below], which[~is_below]
        # Illinois: the residual of an end that stays for the second time is halved.
        self.above[low] *= np.where(self.side[low] < 0, 0.5, 1.0)
        self.below[high] *= np.where(self.side[high] > 0, 0.5, 1.0)
        self.low[low], self.below[low], self.side[low] = self.guess[low], off[is_below], -1
        self.high[high], self.side[high] = self.guess[high], 1
        self.above[high] = np.where(bounded, off, np.nan)[~is_below]

    def _next(self, which: np.ndarray, peak: np.ndarray) -> None:
        low, high, below, above = (a[which] for a in (self.low, self.high, self.below, self.above))
        # Far above the target, halving the exponent converges faster than a straight line.
        with np.errstate(divide="ignore", invalid="ignore"):
            further = low * np.clip(1.1 * self.target / np.where(peak > 0, peak, np.nan), 1.5, 16.0)
            further = np.where(np.isnan(further), low * 16.0, further)
            nearer = np.where(low > 0, np.sqrt(low * high), high / 8)
            inside = (low * above - high * below) / (above - below)
        guess = np.where(np.isinf(high), further, np.where(above <= 10 * self.target, inside, nearer))
        guess = guess.astype(self.precision).astype(np.float64)
        # No number is left inside the bracket: the peak jumps over the target.
        stuck = (guess <= low) | (guess >= high)
        self.guess[which] = guess
        self.open[which[stuck | (guess < LEAST) | (guess > MOST)]] = False
