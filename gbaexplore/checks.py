"""What a study must be: each check says in one line what was found, what was expected and what to do."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.connectome import Connectome, same_areas
from gbaexplore.engine import AMPLITUDE
from gbaexplore.errors import UserError, did_you_mean
from gbaexplore.labels import AREA, STATUS, canonical
from gbaexplore.measures import Measure
from gbaexplore.models.base import Model
from gbaexplore.noise import SEED
from gbaexplore.seeds import AcrossSeeds
from gbaexplore.stimulus import AbstractStimulus
from gbaexplore.timing import whole_steps

if TYPE_CHECKING:
    from gbaexplore.study import Study, Variant


def one_of(kind: type, candidates: list[Any], hint: str, otherwise: Any = None) -> Any:
    """Return the one object of a kind that the study gives, directly or by an axis."""
    found = [thing for thing in candidates if isinstance(thing, kind)] or [otherwise]
    if len(found) == 1 and found[0] is not None:
        return found[0]
    what = "stimulus" if kind is AbstractStimulus else kind.__name__.lower()
    raise UserError(
        f"the study has {'no' if found == [None] else 'more than one'} {what}; expected one, either given "
        f"directly{f' ({hint})' if hint else ''} or by one axis of labels"
    )


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return the mapping that this must be."""
    if not isinstance(value, Mapping):
        raise UserError(f"{what} is {type(value).__name__}; expected a mapping, such as {{'muEE': [28, 30]}}")
    return value


def measures_of(measures: Any) -> tuple[Any, ...]:
    """Return the measures of a list."""
    if not isinstance(measures, (list, tuple)):
        raise UserError(f"measures is {type(measures).__name__}; expected a list, such as [Peak()]")
    return tuple(measures)


def arguments_of(name: str, function: Callable[..., float]) -> list[str]:
    """Return which values a derived parameter's function needs: its arguments without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = None
    if parameters is None or any(p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise UserError(f'derived "{name}": expected a function of named parameters, such as lambda muEE: 2 * muEE')
    return [p.name for p in parameters if p.default is p.empty]


def settings(study: Study) -> None:
    """Refuse what is no name, number or measure."""
    if not isinstance(study.name, str) or not re.fullmatch(r"[\w][\w.-]*", study.name):
        raise UserError(f"study name {study.name!r}: expected letters, digits, '-', '_' and '.'; it names the store")
    for what in ("dt", "duration", "ceiling"):
        value = getattr(study, what)
        if not isinstance(value, (int, float, np.number)) or not (np.isfinite(value) and value > 0):
            raise UserError(f"{what} = {value!r}; expected a finite number above 0")
    if study.precision not in ("float32", "float64"):
        raise UserError(f'precision = {study.precision!r}; expected "float32" or "float64"')
    if study.block_points is not None and not (isinstance(study.block_points, int) and study.block_points > 0):
        raise UserError(f"block_points = {study.block_points!r}; expected a whole number above 0, or None")
    for measure in study.measures:
        if not isinstance(measure, Measure):
            raise UserError(f"measures has {measure!r}; expected measures such as Peak() or Mean()")
    if not study.measures:
        raise UserError("the study has no measures, so nothing would come out; expected e.g. measures=[Peak()]")
    whole_steps(study.duration, study.dt, "duration")


def labelled(axis: str, values: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the objects that each label stands for."""
    if not values:
        raise UserError(f'axis "{axis}" is empty; expected at least one label')
    found = {}
    for label, value in values.items():
        if not isinstance(label, str) or not label:
            raise UserError(f'axis "{axis}" has the label {label!r}; expected text (write "on", not True)')
        found[label] = value if isinstance(value, tuple) else (value,)
        for thing in found[label]:
            if _kind(thing) is None:
                raise UserError(
                    f'axis "{axis}": "{label}" is {type(thing).__name__}; expected a connectome, a stimulus or a '
                    "model, or a tuple of them"
                )
    if len({tuple(_kind(thing) for thing in things) for things in found.values()}) > 1:
        raise UserError(f'axis "{axis}" mixes kinds of objects; expected the same kinds for each label')
    return found


def _kind(thing: Any) -> type | None:
    return next((kind for kind in (Connectome, AbstractStimulus, Model) if isinstance(thing, kind)), None)


def numbers(axis: str, values: Any) -> np.ndarray:
    """Return the values of a numeric axis, canonical."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            raise ValueError
        array = array.astype(np.float64)
    except (ValueError, TypeError):
        raise UserError(
            f'axis "{axis}" has values that are not numbers: {str(values)[:80]}; expected numbers, or a mapping '
            "from labels to connectomes, stimuli or models"
        ) from None
    if array.ndim != 1 or not array.size:
        raise UserError(f'axis "{axis}" has shape {array.shape}; expected a non-empty list of numbers')
    if not np.isfinite(array).all():
        raise UserError(f'axis "{axis}" has {np.sum(~np.isfinite(array))} NaN or infinite values; expected numbers')
    array = canonical(array)
    unique, counts = np.unique(array, return_counts=True)
    if len(unique) < len(array):
        raise UserError(f'axis "{axis}" has {unique[counts > 1][0]:g} more than once; expected each value once')
    return array


def objects(study: Study, variants: list[Variant]) -> None:
    """Refuse models, connectomes and measures that do not fit each other, and names that are taken."""
    names = {" ".join(v.labels.values()) or "all": v.connectome for v in variants}
    same_areas(names)
    first = variants[0].model
    for variant in variants:
        if dict(variant.model.observables) != dict(first.observables):
            raise UserError(
                f"models {type(first).__name__} and {type(variant.model).__name__} have different observables; "
                "expected the same in all models of an axis"
            )
    for measure in study.measures:
        of = getattr(measure, "of", None)
        if of is not None and of not in first.observables:
            raise UserError(
                f'{type(measure).__name__}(of="{of}"): no such observable in {type(first).__name__}'
                f"{did_you_mean(of, first.observables) or ';'} Observables: {', '.join(first.observables)}"
            )
    reserved = {AREA, STATUS, "hierarchy"} | set(study.coordinates())
    clash = reserved & set(study.axes)
    if clash:
        raise UserError(f'axis "{min(clash)}" has a name that the results need; expected another name')


def parameters(study: Study, variants: list[Variant]) -> None:
    """Refuse parameters that the model does not have, or that two sources give."""
    fixed, derived = mapping(study.fixed, "fixed"), mapping(study.derived, "derived")
    sources: dict[str, Mapping[str, Any]] = {"axes": study.numeric, "fixed": fixed, "derived": derived}
    sources |= {f'the table "{axis}"': listed.columns for axis, listed in study.tables.items()}
    for (one, names), (other, others) in itertools.combinations(sources.items(), 2):
        both = set(names) & set(others)
        if both:
            raise UserError(f'"{min(both)}" is given by {one} and by {other}; expected one source for each parameter')
    for variant in variants:
        for what, axes in (("has labels", list(study.categorical)), ("is a table", list(study.tables))):
            clash = {*type(variant.model).parameters(), AMPLITUDE, SEED} & set(axes)
            if clash:
                raise UserError(f'axis "{min(clash)}" {what}, but has a parameter\'s name; expected another name')
        for name in itertools.chain(study.listed, fixed):
            type(variant.model).known_parameter(name, also=(AMPLITUDE, SEED))
        for name in derived:
            type(variant.model).known_parameter(name, also=(AMPLITUDE,))
    for name, value in study.fixed.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
            raise UserError(f'fixed["{name}"] = {value!r}; expected a finite number')
    for name, function in study.derived.items():
        if not callable(function):
            raise UserError(f'derived["{name}"] = {function!r}; expected a function of other parameters')
        for argument in arguments_of(name, function):
            for variant in variants:
                try:
                    type(variant.model).known_parameter(argument, also=(AMPLITUDE, *study.categorical))
                except UserError as error:
                    raise UserError(f'derived "{name}": {error}') from None


def seeds(study: Study) -> None:
    """Refuse seeds that are no whole numbers, or of a study in which nothing is random."""
    listed = study.listed[SEED][1] if SEED in study.listed else ()
    given = [*listed, *([study.fixed[SEED]] if SEED in study.fixed else [])]
    averages = any(isinstance(measure, AcrossSeeds) for measure in study.measures)
    if (given or averages) and not study.noisy:
        raise UserError(
            f"{'AcrossSeeds' if averages else 'seed'} is given, but nothing in the study is random; expected a "
            "parameter such as noise above 0, or neither"
        )
    if given and averages:
        raise UserError("AcrossSeeds takes seeds of its own; expected no seed among axes and fixed beside it")
    for seed in given:
        if seed < 0 or seed != int(seed):
            raise UserError(f"seed = {seed:g}; expected whole numbers of at least 0")
