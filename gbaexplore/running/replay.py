"""Replaying a point of a store: simulating it anew from the store's own recipe and inputs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError, text_of, unknown
from gbaexplore.basics.names import canonical, stored_name
from gbaexplore.basics.numbers import number
from gbaexplore.basics.places import place
from gbaexplore.basics.points import AMPLITUDE, INDEPENDENT, SEED
from gbaexplore.basics.time import whole_steps
from gbaexplore.engine import programs
from gbaexplore.engine.plan import make_plan
from gbaexplore.identity.revisions import EARLIER
from gbaexplore.models.base import Model
from gbaexplore.models.checks import parameter_values
from gbaexplore.models.found import shipped_models
from gbaexplore.models.setup import Setup
from gbaexplore.networks.connectome import Connectome
from gbaexplore.running.simulate import checked_setup, courses
from gbaexplore.stimuli.base import AbstractStimulus
from gbaexplore.stimuli.recorded import Recorded
from gbaexplore.store import stores
from gbaexplore.store.recipe import tables, variant_name
from gbaexplore.study.study import Study

if TYPE_CHECKING:
    import xarray as xr

SHIPPED: dict[str, type[Model]] = {cls.__name__: cls for cls in shipped_models()}
"""The models whose points are replayed without their study, by their names in a recipe."""


def replay(
    store: str | Path,
    *,
    window: tuple[float, float] | None = None,
    every: float | None = None,
    study: Study | None = None,
    **labels: float | str,
) -> xr.Dataset:
    """Return the time courses of one point of a store; see `simulate`.

    Args:
        window: (start, stop) of the samples to return, s; the whole run if None.
        every: seconds from sample to sample; each step if None.
        study: the store's study; needed if its model is not one of gbaexplore's, because a store holds no code.
        labels: the point: a label of every axis with more than one.

    Raises:
        UserError: it is not a store; an unknown label; the model has changed since, or needs the study.
    """
    return Replay(store, study).simulate(labels, window, every)


class Replay:
    """The points of a store, ready to be simulated one after another.

    Raises:
        UserError: it is not a store; it was made with another study.
    """

    def __init__(self, store: str | Path, study: Study | None = None) -> None:
        self.path = place(store)
        self.ds = stores.open_study(self.path)
        self.recipe = stores.recipe(self.path)
        self.study = study
        if study is not None:
            self._check(study)
        self._programs = programs.Programs()
        self._parts: dict[str, tuple[Model, Connectome, AbstractStimulus]] = {}

    def _check(self, study: Study) -> None:
        ours = study.recipe()
        there = stores.recipe_for(self.path, ours)
        names = there["variants"].keys() & ours["variants"].keys()
        if missing := there["variants"].keys() - names:
            raise UserError(
                f'{self.path} has "{min(missing)}", which the study lacks; expected the study that it was made with'
            )
        both = [
            {**recipe, "axes": {}, "order": {}, "variants": {name: recipe["variants"][name] for name in names}}
            for recipe in (there, ours)
        ]
        stores.check_same_recipe(self.path, *both)

    @cached_property
    def axes(self) -> dict[str, list[float] | list[str]]:
        """The labels along each axis of the grid."""
        return {name: self.ds[name].values.tolist() for name in self.recipe["order"]["axes"]}

    @property
    def observables(self) -> list[str]:
        """Names of the model's observables that are one number for each area."""
        model, *_ = self._objects({axis: labels[0] for axis, labels in self.axes.items()})
        return [name for name in model.observables if name not in model.dimensions]

    def simulate(
        self, labels: dict[str, Any], window: tuple[float, float] | None = None, every: float | None = None
    ) -> xr.Dataset:
        """Return the time courses of the point at these labels; its parameters are attributes."""
        at = self.position(labels)
        point = {axis: self.axes[axis][i] for axis, i in at.items()}
        model, connectome, stimulus = self._objects(point)
        entry = self.recipe["variants"][self._variant(point)]
        rows = {axis: v for axis, v in point.items() if axis in tables(self.recipe)}
        columns: dict[str, Any] = {name: self._at(name, at) for names in tables(self.recipe).values() for name in names}
        coordinates = {axis: v for axis, v in point.items() if axis not in rows} | columns
        values = {**entry["parameters"], **{a: v for a, v in coordinates.items() if not isinstance(v, str)}}
        values |= {name: self._at(name, at) for name in entry["derived"]}
        values |= {name: self._at(stored_name(name, self.recipe["order"]), at) for name in entry.get("by_area", {})}
        seed = int(values.pop(SEED, 0))
        known = {*model.parameters(), AMPLITUDE}
        values = {name: value for name, value in values.items() if name in known}
        dt, duration, precision = (self.recipe[name] for name in ("dt_s", "duration_s", "precision"))
        noise = self.recipe.get("noise", INDEPENDENT)
        setup = checked_setup(model, connectome, stimulus, values, dt, duration, precision, noise)
        ds = courses(self._programs, setup, window, every, seed, coordinates)
        return ds.assign_attrs(rows | {axis: v for axis, v in point.items() if isinstance(v, str)})

    def _at(self, name: str, at: dict[str, int]) -> float | np.ndarray:
        """Return the value of a coordinate that may vary along several axes, (area,) if it has areas."""
        coordinate = self.ds[name]
        found = coordinate.isel({axis: i for axis, i in at.items() if axis in coordinate.dims}).values
        return found if found.ndim else float(found)

    def position(self, labels: dict[str, Any]) -> dict[str, int]:
        """Return the position of labels on each axis; numbers are compared to 12 digits.

        Raises:
            UserError: an unknown axis or label, or an axis with several labels and none given.
        """
        for axis in labels:
            if axis not in self.axes:
                raise UserError(unknown(f'no axis "{axis}"', axis, self.axes, "Axes"))
        return {axis: self._index(axis, known, labels.get(axis)) for axis, known in self.axes.items()}

    def _index(self, axis: str, known: list[Any], label: Any) -> int:
        if label is None:
            if len(known) > 1:
                raise UserError(f"no label for the axis {axis}; expected {axis}= one of {_all(known)}")
            return 0
        if isinstance(known[0], str):
            if not isinstance(label, str) or label not in known:
                raise UserError(f'no label "{label}" on the axis {axis}; expected one of {_all(known)}')
            return known.index(label)
        wanted = number(label, axis)
        nearest = int(np.abs(np.asarray(known) - wanted).argmin())
        if canonical(np.array([known[nearest]])) != canonical(np.array([wanted])):
            raise UserError(f"no value {label} on the axis {axis}; the nearest is {known[nearest]}")
        return nearest

    def _variant(self, point: dict[str, Any]) -> str:
        return variant_name({axis: label for axis, label in point.items() if isinstance(label, str)})

    def _objects(self, point: dict[str, Any]) -> tuple[Model, Connectome, AbstractStimulus]:
        name = self._variant(point)
        if name not in self._parts:
            connectome = Connectome.from_dataset(stores.read_input(self.path, "connectomes", name))
            stimulus = Recorded.of(stores.read_input(self.path, "stimuli", name), self.recipe["dt_s"])
            if self.study is not None:
                model = next(v.model for v in self.study.variants() if variant_name(v.labels) == name)
            else:
                model = self._model(self.recipe["variants"][name]["model"])
                self._check_model(model, connectome, stimulus, name)
            self._parts[name] = model, connectome, stimulus
        return self._parts[name]

    def _check_model(self, model: Model, connectome: Connectome, stimulus: AbstractStimulus, name: str) -> None:
        """Raise UserError if a shipped model has changed since the store was made."""
        recipe, variant = self.recipe, self.recipe["variants"][name]
        values = {parameter: np.array([value]) for parameter, value in variant["parameters"].items()}
        known = {*model.parameters(), AMPLITUDE}
        # What is no parameter is an argument of functions that give some.
        listed = [parameter for parameter in _listed(recipe) if parameter in known]
        values |= {parameter: self.ds[parameter].values.ravel() for parameter in listed}
        values |= {parameter: self.ds[parameter].values.ravel() for parameter in variant["derived"]}
        by_area = {parameter: stored_name(parameter, recipe["order"]) for parameter in variant.get("by_area", {})}
        values |= {parameter: self.ds[stored].values.ravel() for parameter, stored in by_area.items()}
        values.pop(SEED, None)
        needed = {*parameter_values(model), AMPLITUDE}
        same = needed <= values.keys() <= known and self._same_program(model, connectome, stimulus, values, variant)
        if not same:
            raise UserError(
                f"{self.path} was made with another program of {type(model).__name__} than this gbaexplore and JAX "
                "make; `gbaexplore check STORE --against STUDY.py` tells whether the numbers are the same"
            )

    def _same_program(
        self,
        model: Model,
        connectome: Connectome,
        stimulus: AbstractStimulus,
        values: dict[str, np.ndarray],
        variant: dict[str, Any],
    ) -> bool:
        recipe = self.recipe
        if "format" not in recipe:
            kind = variant["model"]["kind"]
            return recipe["code"].get(kind) in EARLIER.get(kind, ())
        setup = Setup(
            model=model,
            connectome=connectome,
            stimulus=stimulus,
            swept=values,
            fixed={},
            dt=recipe["dt_s"],
            n_steps=whole_steps(recipe["duration_s"], recipe["dt_s"], "duration"),
            ceiling=recipe["ceiling"],
            precision=recipe["precision"],
        )
        plan = make_plan(setup)
        return programs.program(plan.batch)["model"] == variant["made"]["code"].get("model")

    def _model(self, made: dict[str, Any]) -> Model:
        options = dict(made)
        kind = options.pop("kind")
        if kind not in SHIPPED:
            raise UserError(
                f"{self.path} was made with a model of its study's own ({kind}), and a store holds no code; give the "
                "study: gbaexplore explore STORE --study STUDY.py, or study=load_study(...)"
            )
        try:
            return SHIPPED[kind](**options)
        except TypeError as error:
            raise UserError(
                f"{self.path} was made with another {kind} than this gbaexplore's ({text_of(error, 100)}); expected "
                "options that it knows: use the version that `gbaexplore info` names"
            ) from None


def _listed(recipe: dict[str, Any]) -> list[str]:
    """Return the parameters of numeric axes and of tables' columns."""
    numbers = [axis for axis, values in recipe["axes"].items() if isinstance(values, list)]
    return [*numbers, *(name for names in tables(recipe).values() for name in names)]


def _all(labels: Any) -> str:
    known = [str(label) for label in labels]
    return ", ".join(known) if len(known) <= 8 else f"{', '.join(known[:3])}, ... {known[-1]}"
