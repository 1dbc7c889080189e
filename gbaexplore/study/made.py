"""Identity of the code that computes a study's numbers: traced programs, and code that is not traced."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from gbaexplore.engine import programs
from gbaexplore.identity.code import code_hash, is_shipped
from gbaexplore.identity.revisions import REVISIONS
from gbaexplore.measures.base import Measure, StreamingMeasure
from gbaexplore.measures.linear import LinearMeasure
from gbaexplore.measures.solved import SolvedMeasure
from gbaexplore.models.base import Model
from gbaexplore.models.equations import ODEModel
from gbaexplore.networks.seen import Network
from gbaexplore.study.simulation import Simulation
from gbaexplore.study.variants import Variant


def made(simulation: Simulation, variant: Variant, revisions: dict[str, int]) -> dict[str, Any]:
    """Return the identity of the code that computes a variant's numbers, as JSON data.

    "code" may change with a version of some software although the numbers stay; "asked" changes only with the study.

    Args:
        revisions: receives those of this package's untraced parts that the variant uses.

    Raises:
        UserError: a model or measure that can't be traced or identified.
    """
    batch = simulation.plan(variant).batch
    program = simulation.programs.of(batch)
    values, defaults = simulation.values.every(variant), type(variant.model).parameters()
    for part, used in {
        "noise": batch.draws or variant.model.random_start,
        "delays": batch.late,
        "lanes": _fewer_lanes(variant),
    }.items():
        if used:
            revisions[part] = REVISIONS[part]
    traced = iter(program["measures"])
    code = {
        "model": program["model"],
        "draws": batch.draws,
        "at_rest": bool(not batch.draws and variant.model.starts_at_rest(values)),
        "measures": [
            next(traced) if isinstance(measure, StreamingMeasure) else _solved(simulation, variant, measure, revisions)
            for measure in simulation.outputs.measures
        ],
    }
    # A parameter that nothing uses leaves no trace, as long as it has its default.
    neutral = [
        name
        for name, value in simulation.values.own(variant).items()
        if name in defaults and name not in program["uses"] and not np.ndim(value) and value == defaults[name].default
    ]
    return {
        "code": code,
        "asked": [_asked(simulation, variant, measure) for measure in simulation.outputs.measures],
        "neutral": sorted(neutral),
    }


def _fewer_lanes(variant: Variant) -> bool:
    """Return whether the last bits may depend on the number of lanes: up to 32 areas they do not from 32 lanes on."""
    return len(variant.connectome.areas) > 32


def _asked(simulation: Simulation, variant: Variant, measure: Measure) -> dict[str, Any]:
    """Return a description of what a measure reads and returns."""
    dt, n_steps = simulation.settings.dt, simulation.settings.n_steps
    found: dict[str, Any] = {
        "makes": {
            name + measure.suffix: list(variable.dims) for name, variable in measure.variables(variant.model).items()
        },
        "along": {
            name: _labels(values)
            for name, (values, _) in measure.coordinates(
                variant.connectome, simulation.settings.dt, simulation.settings.n_steps
            ).items()
        },
    }
    dims = {dim for variable in measure.variables(variant.model).values() for dim in variable.dims}
    for labelled in variant.model.dimensions.values():
        found["along"] |= {d: _labels(np.array(labels, dtype=object)) for d, labels in labelled.items() if d in dims}
    if isinstance(measure, StreamingMeasure):
        found["samples"] = list(measure.steps(dt, n_steps))
        at = [list(variant.model.observables).index(name) for name in measure.observables(variant.model)]
        found["of"] = at if isinstance(measure.of, (tuple, list)) else at[0]
        found["only"] = [measure.skips_rest, measure.ends_early, measure.large]
        if measure.every is not None or measure.signal is not None:
            found["every"] = measure.sampling(dt, n_steps).every
        if measure.signal is not None:
            found["signal"] = measure.signal.steps(dt)
    elif is_shipped(type(measure)):
        own = measure.recipe().items()
        found["settings"] = {name: value for name, value in own if name not in ("kind", "measure", "suffix")}
    return found


def _labels(values: np.ndarray) -> str:
    return hashlib.sha256(repr(np.asarray(values).tolist()).encode()).hexdigest()[:16]


def _solved(simulation: Simulation, variant: Variant, measure: Measure, revisions: dict[str, int]) -> dict[str, Any]:
    """Return the identity of a measure that is not folded into the simulation."""
    if not is_shipped(type(measure)):
        own: dict[str, Any] = {"code": code_hash(measure)}
    else:
        own = {}
        revisions[type(measure).__name__] = REVISIONS[type(measure).__name__]
    if isinstance(measure, LinearMeasure):
        own |= _jacobian(variant.model, Network.of(variant.connectome), revisions)
    if isinstance(measure, SolvedMeasure):
        parts = (part for block in simulation.blocks.all for part, _ in simulation.blocks.parts_of(block))
        part = next(part for part in parts if simulation.variant_of(part).labels == variant.labels)
        plans = measure.simulates(simulation.trials(variant, simulation.points(part), part.size))
        own["programs"] = [programs.key(simulation.programs.of(plan.batch))[:16] for plan in plans]
        own["homogeneous"] = bool(variant.model.homogeneous(simulation.values.every(variant)))
    return own


def _jacobian(model: Model, network: Network, revisions: dict[str, int]) -> dict[str, Any]:
    """Return the identity of a model's linearisation."""
    function = type(model).jacobian
    if not is_shipped(function):
        return {"jacobian": code_hash(function)}
    revisions[function.__qualname__] = REVISIONS[function.__qualname__]
    if isinstance(model, ODEModel) and function is ODEModel.jacobian:
        return {"jacobian": model.linear_program(network).hash}
    return {}
