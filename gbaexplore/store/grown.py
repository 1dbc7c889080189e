"""Axes that a study has and its store lacks: at which of their labels the store's points are."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import INDEPENDENT, SEED
from gbaexplore.store.recipe import Recipe, combinations, short, tables, variant_name

if TYPE_CHECKING:
    import xarray as xr

TOLERANCE = 1e-9
"""Relative tolerance within which two numbers of an axis, or of a table's row, are the same."""


class Before(NamedTuple):
    """Where, on the axes that a store lacks, the study's points are the store's."""

    labels: dict[str, Any]
    """Axis -> label."""
    numbers: dict[str, float]
    """Parameters of these axes, with the store's numbers: the labels' are the same within the tolerance."""


def labels_before(path: Path, there: Recipe, wanted: Recipe, template: xr.Dataset) -> Before:
    """Return where on the axes that the store at `path` lacks the study's points are the store's.

    Args:
        there: the store's recipe. wanted: the study's. template: the study's empty Dataset.

    Raises:
        UserError: an axis of the store is no axis of the study any more; a new axis has no such label.
    """
    axes = wanted["order"]["axes"]
    gone = [axis for axis in there["order"]["axes"] if axis not in axes]
    new = [axis for axis in axes if axis not in there["order"]["axes"]]
    if gone:
        _refuse_gone(path, gone, new, there)
    if set(new) - {SEED} and there.get("noise") == INDEPENDENT:
        raise UserError(
            f'{path} lacks the axis "{new[0]}", and with noise="{INDEPENDENT}" each point of a grid with that axis has '
            "noise of its own, so none of what is there would be the study's; give the study another name"
        )
    labels, numbers = dict[str, Any](), dict[str, float]()
    for axis in new:
        if axis in tables(wanted):
            columns = {name: template[name].values for name in tables(wanted)[axis]}
        elif axis not in wanted["order"]:
            columns = {axis: template[axis].values}
        else:
            continue
        was = {name: _value(path, axis, name, there) for name in columns}
        labels[axis] = template[axis].values.tolist()[_row(path, axis, columns, was)]
        numbers |= was
    words = [axis for axis in new if axis not in labels]
    return Before(labels | (_words(path, words, there, wanted) if words else {}), numbers)


def _refuse_gone(path: Path, gone: list[str], new: list[str], there: Recipe) -> None:
    axis = gone[0]
    values = there["axes"][axis]
    kept = short(list(values) if isinstance(values, dict) else values)
    instead = f' (a new axis is "{new[0]}")' if new else ""
    raise UserError(
        f'{path} has the axis "{axis}", which the study no longer has{instead}; expected it there with one or more of '
        f"its values ({kept}), of which --shrink drops those that the study lacks; or give the study another name"
    )


def _row(path: Path, axis: str, columns: dict[str, np.ndarray], was: dict[str, float]) -> int:
    """Return the position of the number, or of the table's row, that the store's points have."""
    same = [np.isclose(values, was[name], rtol=TOLERANCE, atol=0.0) for name, values in columns.items()]
    rows = np.flatnonzero(np.all(same, axis=0))
    if len(rows):
        return int(rows[0])
    told = ", ".join(f"{name} = {value:.12g}" for name, value in was.items())
    raise UserError(
        f'{path} lacks the axis "{axis}": its points have {told}, which the axis has not; expected an axis that '
        "has it: add it, in order to carry over what is there, or give the study another name"
    )


def _value(path: Path, axis: str, name: str, there: Recipe) -> float:
    """Return the value of a parameter at all points of a store."""
    otherwise = {SEED: 0.0} if name == SEED else {}
    found = {(otherwise | variant["parameters"]).get(name) for variant in there["variants"].values()}
    if len(found) == 1 and None not in found:
        return float(found.pop())
    if any(name in variant.get("by_area", {}) for variant in there["variants"].values()):
        what = "a number for each area"
    elif any(name in variant["derived"] for variant in there["variants"].values()):
        what = "a derived value"
    else:
        what = "several values" if found - {None} else "no value"
    raise UserError(
        f'{path} lacks the axis "{axis}", and {name} has {what} there; expected one number, which the axis has too: '
        "give the study another name"
    )


def _words(path: Path, axes: list[str], there: Recipe, wanted: Recipe) -> dict[str, str]:
    """Return the labels of new axes that stand for what the store's points were made with."""
    order = wanted["order"]
    for labels in itertools.product(*(order[axis] for axis in axes)):
        new = dict(zip(axes, labels))
        pairs = []
        for old in combinations(there["order"]):
            name = variant_name({axis: (old | new)[axis] for axis in order["axes"] if axis in old | new})
            if name in wanted["variants"]:
                pairs.append((there["variants"][variant_name(old)], wanted["variants"][name]))
        if pairs and all(_alike(*pair) for pair in pairs):
            return new
    raise UserError(
        f"{path} lacks the axis {' and '.join(map(repr, axes))}, and no label stands for what its points were made "
        "with; expected one for the same connectome, stimulus, model and parameters: add it, in order to carry over "
        "what is there, or give the study another name"
    )


def _alike(old: Recipe, new: Recipe) -> bool:
    """Return whether two variants have the same objects, and the same parameters as far as both name them."""
    both = old["parameters"].keys() & new["parameters"].keys()
    return (
        old["model"] == new["model"]
        and all(old[thing].get("sha256") == new[thing].get("sha256") for thing in ("connectome", "stimulus"))
        and all(old["parameters"][name] == new["parameters"][name] for name in both)
        and all(new.get("by_area", {}).get(name) == value for name, value in old.get("by_area", {}).items())
    )
