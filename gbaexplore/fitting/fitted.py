"""The result of a fit: the best evaluation, and what it deserves to be believed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError, printable
from gbaexplore.basics.names import DIVERGED, STATUS, unit
from gbaexplore.fitting.losses import EVALUATION, LOSS, RESTART, of_evaluations
from gbaexplore.fitting.ranges import Range
from gbaexplore.fitting.records import Records
from gbaexplore.running.proof import Proof

if TYPE_CHECKING:
    import xarray as xr

OFFSETS = (-0.5, -0.2, -0.1, -0.05, -0.02, -0.01, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Where the loss is looked at beside the best evaluation, in shares of a free parameter's range."""
_TENTH = 0.1
_AT_THE_END = 0.01  # of a range: within it the best is at the range's end


@dataclass(frozen=True, eq=False)
class Fitted:
    """The result of a fit; printed, it is a table.

    Args:
        path: of the store of all evaluations.
        best: free parameter -> its value in the best evaluation.
        loss: of the best evaluation.
        held_out: losses of the best evaluation that the fit has not seen: with other seeds, by other losses.
        profiles: the loss beside the best evaluation, along `evaluation`: coordinates are all free parameters, and
            `parameter`, the one that is moved.
        converged: which searches have converged; the others were ended by the budget.
        refused: why the model refused proposals, each; they are no evaluations.
    """

    path: Path
    best: dict[str, float]
    loss: float
    held_out: dict[str, float]
    profiles: xr.Dataset
    converged: list[int]
    refused: list[str]
    ranges: Mapping[str, Range]
    added: int
    seconds: float
    proof: Proof | None = None  # that the fit still gives the numbers that other software made

    @cached_property
    def dataset(self) -> xr.Dataset:
        """All evaluations, as `open_study` returns them."""
        from gbaexplore.store.stores import open_study

        return open_study(self.path)

    @cached_property
    def losses(self) -> np.ndarray:
        """(evaluation,) the loss of each, NaN where it has none."""
        return of_evaluations(self.dataset[LOSS].values)

    @property
    def best_evaluation(self) -> xr.Dataset:
        """The points of the best evaluation, with all that was measured."""
        return self.dataset.isel({EVALUATION: int(np.nanargmin(self.losses))})

    @property
    def spread(self) -> float | None:
        """Standard deviation of the loss over the points of the best evaluation; None where it has one point."""
        found = self.best_evaluation[LOSS]
        return float(found.std(ddof=1)) if found.size > 1 else None

    @property
    def restarts(self) -> xr.Dataset:
        """The best evaluation of each search, along `restart`: the free parameters and the loss."""
        import xarray as xr

        of = self.dataset[RESTART].values
        found = [np.flatnonzero(of == number) for number in np.unique(of)]
        known = [rows for rows in found if np.isfinite(self.losses[rows]).any()]
        at = [rows[np.nanargmin(self.losses[rows])] for rows in known]
        values: dict[str, Any] = {name: (RESTART, self.dataset[name].values[at]) for name in self.best}
        return xr.Dataset({**values, LOSS: (RESTART, self.losses[at])}, {RESTART: of[at]})

    def __str__(self) -> str:
        ds, others = self.dataset, self.restarts
        status = ds[STATUS].values.reshape(ds.sizes[EVALUATION], -1)
        diverged = int((status == DIVERGED).any(axis=1).sum())
        lines = [
            f"{ds.sizes[EVALUATION]:,} evaluations of {_points(status.shape[1])}: {diverged:,} diverged; "
            f"{len(self.converged)} of {len(self.converged) + self._ended} searches converged"
        ]
        if self.refused:
            lines += [f"{len(self.refused):,} proposals refused, such as: {self.refused[0]}"]
        if self.proof:
            lines += [f"the store was made by other software: {self.proof}"]
        lines += [f"{self.added:,} evaluated now in {self.seconds:.1f} s"] if self.added else ["nothing was left to do"]
        rows = [("", "best", "all searches' best", "loss 10 % of the range below, above")]
        for name, value in self.best.items():
            beside = ", ".join("outside" if np.isnan(v) else f"{v:.4g}" for v in self._beside(name))
            at_end = "" if _AT_THE_END < self.ranges[name].units(np.array(value)) < 1 - _AT_THE_END else " (at an end)"
            shown = f"{value:.5g}{unit(ds[name].attrs, ' {}')}{at_end}"
            rows.append((name, shown, _range(others[name].values), beside))
        spread = "" if self.spread is None else f" ± {self.spread:.2g}"
        rows.append(("loss", f"{self.loss:.4g}{spread}", _range(others[LOSS].values), ""))
        rows += [(f"  {name}", f"{value:.4g}", "", "") for name, value in self.held_out.items()]
        lines += _in_columns(rows)
        lines += [f"result: {self.path}", f"next:   gbaexplore plot {shlex.quote(str(self.path))}"]
        lines += [f"        or, in Python: gbaexplore.open_study({str(self.path)!r})"]
        return "\n".join(map(printable, lines))

    @property
    def _ended(self) -> int:
        searches = np.unique(self.dataset[RESTART].values)
        return len(set(searches.tolist()) - set(self.converged))

    def _beside(self, name: str) -> list[float]:
        """Return the loss a tenth of a range below and above the best; NaN outside."""
        own = self.profiles.isel({EVALUATION: self.profiles.parameter.values == name})
        offset = self.ranges[name].units(own[name].values) - self.ranges[name].units(np.array(self.best[name]))
        found = [np.flatnonzero(np.isclose(offset, at, atol=1e-6)) for at in (-_TENTH, _TENTH)]
        return [float(own[LOSS].values[at[0]]) if len(at) else np.nan for at in found]


@dataclass(frozen=True, eq=False)
class FittedEach(Mapping[str, Fitted]):
    """The results of a fit that has an optimum for each label of an axis: label -> `Fitted`; printed, a table.

    Args:
        axis: of the labels.
        results: of each label.
    """

    axis: str
    results: Mapping[str, Fitted]

    def __getitem__(self, label: str) -> Fitted:
        return self.results[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def added(self) -> int:
        """Number of evaluations that were simulated now."""
        return sum(found.added for found in self.values())

    @cached_property
    def best(self) -> xr.Dataset:
        """The best evaluation of each label, along the axis: the free parameters, the loss, and the losses held out.

        A loss that is held out has its name, in which "_" stands for what is no letter or digit.
        """
        import pandas as pd

        rows = [
            {**found.best, LOSS: found.loss, **{re.sub(r"\W+", "_", name): v for name, v in found.held_out.items()}}
            for found in self.values()
        ]
        return pd.DataFrame(rows, index=pd.Index(list(self), name=self.axis)).to_xarray()

    def __str__(self) -> str:
        names = list(next(iter(self.values())).best)
        held_out = list(next(iter(self.values())).held_out)
        rows = [(self.axis, *names, LOSS, *held_out, "evaluations", "result")]
        for label, found in self.items():
            values = [*found.best.values(), found.loss, *found.held_out.values()]
            rows.append((label, *(f"{v:.5g}" for v in values), f"{len(found.losses):,}", str(found.path)))
        lines = _in_columns(rows)
        lines += [
            f"{len(f.refused):,} proposals of {label} refused: {f.refused[0]}" for label, f in self.items() if f.refused
        ]
        lines += [f"{label}: the store was made by other software: {f.proof}" for label, f in self.items() if f.proof]
        seconds = sum(found.seconds for found in self.values())
        lines += [f"{self.added:,} evaluated now in {seconds:.1f} s" if self.added else "nothing was left to do"]
        return "\n".join(map(printable, lines))


def _in_columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip() for row in rows]


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count:,} points"


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def best_of(records: Records, refused: list[str]) -> int:
    """Return the position of the best evaluation.

    Raises:
        UserError: none has a loss.
    """
    if refused and not len(records):
        raise UserError(
            f"the model refuses all of {len(refused):,} proposals, such as: {refused[0]}; change the ranges"
        )
    if not np.isfinite(records.losses).any():
        raise UserError(
            f"none of {len(records):,} evaluations has a loss, as points diverged; expected one that does not: change "
            "the ranges, or give points that diverge a loss"
        )
    return int(np.nanargmin(records.losses))


def beside(best: np.ndarray, ranges: Mapping[str, Range]) -> tuple[np.ndarray, list[str]]:
    """Return evaluations, (evaluation, parameter), with one parameter moved from the best, and which one it is."""
    rows, moved = [], []
    for i, (name, one) in enumerate(ranges.items()):
        units = one.units(best[i]) + np.array(OFFSETS)
        for value in one.values(units[(units >= 0) & (units <= 1)]):
            rows.append(np.where(np.arange(len(best)) == i, value, best))
            moved.append(name)
    return np.array(rows), moved
