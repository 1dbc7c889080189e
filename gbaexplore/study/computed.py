"""Computing a whole study in memory."""

from __future__ import annotations

import dataclasses
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.store.provenance import attributes
from gbaexplore.store.stores import as_opened
from gbaexplore.study.simulation import Simulation
from gbaexplore.study.template import template

if TYPE_CHECKING:
    import xarray as xr


def computed(simulation: Simulation, recipe: dict[str, Any]) -> xr.Dataset:
    """Return the Dataset of a study, every point computed; see `Study.compute`."""
    # No queue is longer than a block, since arrays are padded to the queue's length.
    blocks = dataclasses.replace(simulation.blocks, given_queue=math.prod(simulation.blocks.shape))
    simulation = dataclasses.replace(simulation, blocks=blocks)
    like = template(simulation, recipe)
    try:
        values = {name: np.empty(variable.shape, variable.dtype) for name, variable in like.data_vars.items()}
    except MemoryError:
        raise UserError(
            f"the results take {like.nbytes / 2**30:,.1f} GiB, more than there is memory; expected a run that writes "
            "them to a store: gbaexplore.run(study)"
        ) from None
    simulation.prepare_queue(blocks.all[:1])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for block, arrays in zip(blocks.all, pool.map(simulation.run_block, blocks.all)):
            for name, array in arrays.items():
                values[name][block.slices] = array
    whole = like.assign({name: (like[name].dims, array, like[name].attrs) for name, array in values.items()})
    return as_opened(whole.assign_attrs(attributes()))
