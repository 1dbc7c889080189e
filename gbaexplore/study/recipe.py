"""A study's recipe: everything that determines its numbers, as JSON data."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import SEED
from gbaexplore.identity.code import code_hash
from gbaexplore.identity.revisions import FORMAT, REVISIONS
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import pieces_of
from gbaexplore.stimuli.recorded import dataset_of
from gbaexplore.store.inputs import input_name
from gbaexplore.store.recipe import course_hash, variant_name
from gbaexplore.study.grid import is_object
from gbaexplore.study.made import made
from gbaexplore.study.settings import Settings
from gbaexplore.study.simulation import Simulation
from gbaexplore.study.variants import Variant, Variants

if TYPE_CHECKING:
    import xarray as xr


def recipe(simulation: Simulation) -> dict[str, Any]:
    """Return everything that determines a study's numbers, as JSON data; equal recipes give equal results.

    Raises:
        UserError: a model or measure that can't be traced or identified.
    """
    settings, values, outputs = simulation.settings, simulation.values, simulation.outputs
    grid = values.grid
    axes: dict[str, Any] = {}
    for name in grid.names:
        if name in grid.numeric:
            axes[name] = grid.numeric[name].tolist()
        elif name in grid.tables:
            axes[name] = grid.tables[name].recipe()
        else:
            axes[name] = {label: _meaning(values.variants, name, label) for label in grid.categorical[name]}
    variants, revisions = {}, {"engine": REVISIONS["engine"]}
    for variant in values.variants:
        # Derived values may be many and are a coordinate of the store, so the recipe has a hash of them.
        derived = {
            name: {"along": along, "sha256": _hash(found)} for name, (along, found) in values.returned(variant).items()
        }
        # As the variant has them, whatever others have: labels may be added that give values of areas.
        own = values.own(variant)
        by_area = {name: _hash(value) for name, value in own.items() if isinstance(value, np.ndarray)}
        same = {name: value for name, value in own.items() if name not in by_area}
        variants[variant_name(variant.labels)] = {
            "model": _described(variant.model),
            "connectome": _described(variant.connectome),
            "stimulus": _stimulus(settings, variant),
            "parameters": same | {k: v for k, v in values.fixed.items() if k == SEED},
            "derived": derived,
            **({"by_area": by_area} if by_area else {}),
            "made": made(simulation, variant, revisions),
        }
    whole = {
        "format": FORMAT,
        "name": settings.name,
        "revisions": revisions,
        "axes": axes,
        # JSON objects have no order, but blocks need one.
        "order": {"axes": list(grid.names), **{name: list(labels) for name, labels in grid.categorical.items()}},
        "variants": variants,
        "measures": [measure.recipe() for measure in outputs.measures],
        "dt_s": settings.dt,
        "duration_s": settings.duration,
        "ceiling": settings.ceiling,
        "precision": settings.precision,
        **({"noise": settings.noise} if values.noisy else {}),
    }
    return json.loads(json.dumps(whole, default=_plain))


def _meaning(variants: Variants, axis: str, label: str) -> list[Any]:
    """Return what a label stands for: objects, and values of parameters."""
    objects = [_described(thing) for thing in variants.grid.categorical[axis][label] if is_object(thing)]
    given = variants.labelled[axis][label].items()
    values = {name: _hash(value) if isinstance(value, np.ndarray) else value for name, value in given}
    return [*objects, *([{"parameters": values}] if values else [])]


def _hash(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def _stimulus(settings: Settings, variant: Variant) -> dict[str, Any]:
    """Return a stimulus's identity: the levels and edges that the engine gets."""
    first, again = (
        course_hash(*pieces_of(variant.stimulus, variant.connectome, settings.dt, settings.n_steps)) for _ in range(2)
    )
    if first != again:
        raise UserError(
            f"the {type(variant.stimulus).__name__} of the study gives other values each time; "
            "expected the same values: draw random numbers once, outside its functions, or give an array"
        )
    return {**variant.stimulus.recipe(), "sha256": first}


def inputs(simulation: Simulation, recipe: dict[str, Any]) -> dict[str, xr.Dataset]:
    """Return the connectomes and stimuli as Datasets, by the names of their groups in a store."""
    settings, found = simulation.settings, {}
    for variant in simulation.values.variants:
        connectome, stimulus = variant.connectome, variant.stimulus
        described = recipe["variants"][variant_name(variant.labels)]
        network = input_name("connectomes", described["connectome"])
        if network not in found:
            found[network] = connectome.to_dataset()
        course = input_name("stimuli", described["stimulus"])
        if course not in found:
            found[course] = dataset_of(stimulus, connectome, settings.dt, settings.n_steps)
    return found


def _described(thing: Any) -> Any:
    if isinstance(thing, Connectome):
        return {"name": thing.name, "sha256": thing.content_hash}
    return thing.recipe()


def _plain(value: Any) -> Any:
    """Return a value as JSON data: NumPy numbers become plain, arrays and functions become their identities."""
    return value.item() if isinstance(value, np.generic) else {"hash": code_hash(value)}
