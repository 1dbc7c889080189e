"""Points in the explorer: their time courses, simulated anew, and a line of text about each."""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA, unit
from gbaexplore.basics.points import SEED
from gbaexplore.plots.explorer.shapes import short
from gbaexplore.running.replay import Replay

if TYPE_CHECKING:
    import xarray as xr

    from gbaexplore.study.study import Study

MOST_SEEDS = 10  # that a mean is over: each is a simulation
_SAMPLES = 1600  # of a time course: as many as a screen can show


@dataclass(frozen=True)
class Course:
    """One point's time courses, as changes from the first sample."""

    labels: dict[str, Any]
    time: np.ndarray  # (time,) s
    change: np.ndarray  # (time, area) of the observable; NaN after the point has left the range
    areas: list[str]
    unit: str  # of the observable, in brackets; "" if it has none
    left: tuple[float, str] | None  # when, and in which area first, it rose by more than the ceiling
    ceiling: str  # with its unit
    spread: np.ndarray | None = None  # (time, area) standard deviation over seeds, if it is a mean over several
    peaks: np.ndarray | None = None  # (seed, area) the largest change with each of them

    @property
    def peak(self) -> np.ndarray:
        """The largest change in each area, (area,); of several seeds, the mean."""
        return np.nanmax(self.change, axis=0) if self.peaks is None else self.peaks.mean(axis=0)

    def share(self, source: str) -> np.ndarray:
        """The peak in each area, in % of that in `source`, (area,); NaN where there is none."""
        base = self.peak[self.areas.index(source)]
        return np.where(self.peak > 0, 100 * self.peak / base, np.nan) if base > 0 else np.full(len(self.areas), np.nan)

    def said(self, name: str, areas: list[str]) -> str:
        """Return one line: the point's labels, and its peaks or where it diverges."""
        at = ", ".join(f"{axis} {short(label)}" for axis, label in self.labels.items())
        if self.left is not None:
            time, area = self.left
            return f"{name}: {at}: diverges, {self.ceiling} above rest in {area} at {time:.3f} s"
        units = self.unit.strip(" ()")
        peaks = ", ".join(f"{area} {self._peak_in(area)} {units}".strip() for area in areas)
        return f"{name}: {at}{self.seeds}: peaks {peaks}"

    def _peak_in(self, area: str) -> str:
        at = self.areas.index(area)
        spread = "" if self.peaks is None else f" \u00b1 {self.peaks[:, at].std(ddof=1):.2g}"
        return f"{self.peak[at]:.3g}{spread}"

    @property
    def seeds(self) -> str:
        """What is said of the seeds that it is a mean over; "" if it is of one."""
        return "" if self.peaks is None else f", mean over {len(self.peaks)} seeds"


class Courses:
    """The points of a store, simulated on request and cached.

    Raises:
        UserError: it is not a store, or not the study's.
    """

    def __init__(self, store: Path, study: Study | None = None) -> None:
        self.replay = Replay(store, study)
        recipe = self.replay.recipe
        self.areas = [str(area) for area in self.replay.ds[AREA].values]
        self.source = source_and_target(self.replay.ds)[0]
        self.ceiling = float(recipe["ceiling"])
        windows = [measure["window"] for measure in recipe["measures"] if measure.get("window")]
        whole = (0.0, recipe["duration_s"])
        self.window = (min(w[0] for w in windows), max(w[1] for w in windows)) if windows else whole
        samples = (self.window[1] - self.window[0]) / recipe["dt_s"]
        self.every = max(1, int(samples / _SAMPLES)) * recipe["dt_s"]

    @functools.cached_property
    def observables(self) -> list[str]:
        """Observables that can be shown; none if the store's model is not at hand."""
        try:
            return self.replay.observables
        except UserError:
            return []

    def point(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Return a point's label along every axis, as the store has it.

        Raises:
            UserError: no such point.
        """
        return {axis: self.replay.axes[axis][i] for axis, i in self.replay.position(labels).items()}

    def course(self, labels: dict[str, Any], observable: str, over_seeds: bool = False) -> Course:
        """Return the time courses of a point.

        Args:
            over_seeds: whether they are means over the first ten of the store's seeds that do not diverge.

        Raises:
            UserError: no such point; a model that needs its study.
        """
        labels = self.point(labels)
        seeds = self.replay.axes.get(SEED, [])[:MOST_SEEDS] if over_seeds else []
        each = [self._single({**labels, SEED: seed}, observable) for seed in seeds]
        fine = [course for course in each if course.left is None]
        if len(fine) < 2:
            return next(iter([*fine, *each]), None) or self._single(labels, observable)
        changes = np.stack([course.change for course in fine])
        return dataclasses.replace(
            fine[0],
            labels={axis: label for axis, label in labels.items() if axis != SEED},
            change=changes.mean(axis=0),
            spread=changes.std(axis=0, ddof=1),
            peaks=np.stack([course.peak for course in fine]),
        )

    def _single(self, labels: dict[str, Any], observable: str) -> Course:
        ds = self._simulated(json.dumps(labels))
        change = (ds[observable] - ds[observable].isel(time=0)).values
        first = ds[self.observables[0]]
        time = ds["time"].values
        left = None
        beyond = ~((first - first.isel(time=0)).values <= self.ceiling)  # NaN, from where a rate has overflowed, too
        if beyond.any():
            at = int(beyond.any(axis=1).argmax())
            left = (float(time[at]), self.areas[int(beyond[at].argmax())])
            change[at + 1 :] = np.nan
        ceiling = f"{self.ceiling:g}{unit(first.attrs, ' {}')}"
        return Course(labels, time, change, self.areas, unit(ds[observable].attrs), left, ceiling)

    @functools.lru_cache(maxsize=128)  # noqa: B019 - it lives as long as its page
    def _simulated(self, labels: str) -> xr.Dataset:
        return self.replay.simulate(json.loads(labels), self.window, self.every)

    def warm(self) -> None:
        """Simulate one point, so that everything is compiled before the first click."""
        if self.observables:
            self._simulated(json.dumps({axis: labels[0] for axis, labels in self.replay.axes.items()}))
