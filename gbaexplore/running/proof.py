"""Proof that a study still gives the numbers of its store: a sample of points is computed again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import BOUNDED, STATUS, STATUS_MEANINGS
from gbaexplore.store import provenance, stores
from gbaexplore.store.regrid import Extension, carried
from gbaexplore.store.upgrade import renamed

if TYPE_CHECKING:
    from gbaexplore.study.study import Study

POINTS = 32  # at least, and one for each combination of labels
_ROUNDING = {"float32": 5e-5, "float64": 1e-9}  # relative differences that another compiler or processor may make


@dataclass(frozen=True)
class Proof:
    """The result of a proof: a sample of the store's points has the study's numbers."""

    points: int
    largest: float
    """Largest relative difference."""

    def __str__(self) -> str:
        same = "to the bit" if self.largest == 0 else f"to {self.largest:.1g} relative"
        what = "1 finished point was" if self.points == 1 else f"{self.points:,} finished points were"
        return f"{what} computed again and agree {same}"


def other_software(path: Path) -> bool:
    """Return whether any version of the software differs from those that made a store."""
    there = stores.software(path)
    return any(there.get(name) != version for name, version in provenance.software().items())


def prove(study: Study, path: Path, change: Extension) -> Proof:
    """Compute a sample of a store's finished points again.

    Args:
        study: the study, in any blocks.
        change: how the store's grid maps onto the study's.

    Raises:
        UserError: a point, which is named, has other numbers or can't be computed.
    """
    count, largest = 0, 0.0
    names = renamed(path, study.simulation.outputs.earlier_names)
    for index, which in _sample(study, ~change.pending):
        block = study.blocks()[index]
        (ours,) = study.run_blocks([block], [which])
        theirs = {names.get(name, name): values for name, values in carried(path, block.slices, change, which).items()}
        count += int(which.sum())
        numbers = np.flatnonzero(which.ravel())
        point = functools.partial(_point, study, index, numbers)
        largest = max(largest, compare(study, path, theirs, ours, point))
    return Proof(count, largest)


def _sample(study: Study, done: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield blocks with masks of points to compute: spread over the grid, some of each combination of labels."""
    groups: dict[tuple[str, ...], list[tuple[int, np.ndarray]]] = {}
    for index, block in enumerate(study.blocks()):
        for labels, mask in study.simulation.blocks.labels_apart(block, done[block.slices]):
            groups.setdefault(labels, []).append((index, mask))
    for masks in groups.values():
        wanted = -(-POINTS // len(groups))
        chosen = [masks[i] for i in spread(len(masks), wanted)]
        for index, mask in chosen:
            which, there = np.zeros(mask.size, bool), np.flatnonzero(mask)
            which[there[spread(len(there), -(-wanted // len(chosen)))]] = True
            yield index, which.reshape(mask.shape)


def spread(length: int, count: int) -> list[int]:
    """Return `count` positions spread over a list, the first and last among them; all if there are fewer."""
    return sorted(set(np.linspace(0, length - 1, min(length, count)).round().astype(int).tolist()))


def compare(
    study: Study,
    path: Path,
    theirs: Mapping[str, np.ndarray],
    ours: Mapping[str, np.ndarray],
    point: Callable[[int], str],
) -> float:
    """Return the largest relative difference between two sets of values of points, (point, ...).

    Args:
        point: a function from a point's position to words for it.

    Raises:
        UserError: they differ by more than another compiler would cause.
    """
    largest = 0.0
    for name in [STATUS, *(n for n in ours if n != STATUS)]:
        a, b, positions = theirs[name], ours[name], np.arange(len(ours[name]))
        if name == STATUS:
            differs = (a != b).reshape(len(a), -1)
        else:
            ok = np.isin(ours[STATUS], BOUNDED)
            a, b, positions = a[ok].astype(float), b[ok].astype(float), positions[ok]
            off, allowed = np.abs(a - b), _allowed(study, name, a, b)
            differs = ~((off <= allowed) | ((a != a) & (b != b)))
            scale = np.maximum(np.abs(a), np.abs(b))
            relative = np.divide(off, scale, where=(scale > 0) & ~differs, out=np.zeros_like(off))
            largest = max(largest, float(relative.max(initial=0.0)))
            differs = differs.reshape(len(a), -1)
        if differs.any():
            at, column = np.argwhere(differs)[0]
            stored, found = (array.reshape(len(array), -1)[at, column] for array in (a, b))
            raise UserError(
                f"{path} has other numbers than the study gives now: {name} at {point(positions[at])} is "
                f"{_said(name, stored)} there, {_said(name, found)} here; expected the same: change the study's name, "
                "choose another --store, or use the versions that `gbaexplore info` names"
            )
    return largest


def _allowed(study: Study, name: str, a: np.ndarray, b: np.ndarray) -> Any:
    """Return how far rounding may change values, (point, ...)."""
    rounding = _ROUNDING[study.precision]
    # Along time or frequency a value may be near zero beside large ones; areas differ by orders of magnitude.
    over = tuple(range(1, a.ndim - 1))
    scale = np.maximum(np.abs(a), np.abs(b)).max(axis=over, keepdims=True, initial=0.0)
    # A time that is counted in steps may fall on the next one.
    return rounding * scale + (
        1.01 * study.dt if name in study.variables and study.variables[name].units == "s" else 0.0
    )


def _point(study: Study, index: int, numbers: np.ndarray, position: int) -> str:
    block = study.blocks()[index]
    at = np.unravel_index(numbers[position], block.shape)
    labels = (study.labels(axis)[part.start + i] for axis, part, i in zip(study.axes, block.slices, at))
    return ", ".join(
        f"{axis} = {label if isinstance(label, str) else format(label, 'g')}" for axis, label in zip(study.axes, labels)
    )


def _said(name: str, value: float) -> str:
    return STATUS_MEANINGS[int(value)] if name == STATUS else f"{value:.8g}"
