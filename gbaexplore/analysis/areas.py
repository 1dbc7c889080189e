"""Default source and target areas of a response."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA
from gbaexplore.store.recipe import RECIPE, variant_name

if TYPE_CHECKING:
    import xarray as xr


def source_and_target(ds: xr.Dataset) -> tuple[str, str]:
    """Return the stimulated area and the last area of a Dataset.

    The source is the first of its areas that a stimulus of the study's recipe names, else its first area.

    Raises:
        UserError: no areas are left, or the recipe can't be read.
    """
    if AREA not in ds.dims or not ds.sizes[AREA]:
        raise UserError(f"no areas along {AREA}; expected two at least: select no area in ds.sel(...)")
    areas = [str(area) for area in ds[AREA].values]
    stimulated = _stimulated(ds)
    return next((area for area in areas if area in stimulated), areas[0]), areas[-1]


def ends(ds: xr.Dataset, source: str | None, target: str | None) -> tuple[str, str]:
    """Return the source and target of a ratio: the given ones, else those of `source_and_target`.

    Raises:
        UserError: there would be one area for both.
    """
    if source is not None and target is not None:
        return source, target
    first, last = source_and_target(ds)
    pair = source or first, target or last
    if pair[0] == pair[1]:
        raise UserError(f'the ratio of "{pair[0]}" to itself; expected two areas: name another source or target')
    return pair


def _stimulated(ds: xr.Dataset) -> set[str]:
    """Return the areas that stimuli name in the recipe's variants whose labels are left in the Dataset."""
    try:
        recipe = json.loads(ds.attrs.get(RECIPE, '{"order": {}, "variants": {}}'))
        labels = {axis: known for axis, known in recipe["order"].items() if axis != "axes"}
        left = [np.atleast_1d(ds[axis].values).tolist() if axis in ds.coords else labels[axis] for axis in labels]
        names = {variant_name(dict(zip(labels, at))) for at in itertools.product(*left)}
        stimuli = [variant["stimulus"] for name, variant in recipe["variants"].items() if name in names]
        return {area for given in stimuli for area in given.get("areas", [given.get("area")])}
    except (ValueError, TypeError, AttributeError, KeyError):
        raise UserError(f"the attribute {RECIPE} can't be read; expected it as gbaexplore wrote it") from None
