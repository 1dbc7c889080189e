"""Studies whose points all run to their last step: early ending must not change a bit, and kernels are timed so."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr

from gbaexplore.engine.plan import Plan
from gbaexplore.study.computed import computed
from gbaexplore.study.simulation import Simulation
from gbaexplore.study.study import Study
from gbaexplore.study.variants import Variant


class EveryStep(Simulation):
    def plan(self, variant: Variant, points: Mapping[str, np.ndarray] = MappingProxyType({})) -> Plan:
        plan = super().plan(variant, points)
        return plan._replace(batch=plan.batch._replace(refill=False))


def every_step(study: Study) -> Simulation:
    """Return a study's simulation in which no point ends early."""
    return EveryStep(**vars(study.simulation))


def computed_in_full(study: Study) -> xr.Dataset:
    """Return the whole result of a study, as `Study.compute` does, with every step of every point run."""
    pinned = study.pinned()
    return computed(every_step(pinned), pinned.recipe())
