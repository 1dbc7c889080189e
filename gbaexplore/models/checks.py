"""Checks of parameter values, and of the shapes and types that a model's methods return."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError, defined_at, unknown
from gbaexplore.basics.names import AREA, unit
from gbaexplore.basics.numbers import number
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome

_LARGEST = float(np.finfo(np.float32).max)


def checked_values(model: Model, values: Mapping[str, np.ndarray]) -> None:
    """Raise UserError for a parameter value outside its declared range, or that `model.check` refuses."""
    for name, found in values.items():
        if not np.isfinite(found).all():
            raise UserError(f"{name} has a value that is not finite; expected finite numbers")
    for name, info in type(model).parameters().items():
        if name not in values:  # an infinite velocity
            continue
        low, units = np.min(values[name]), unit({"units": info.units}, " {}")
        if low < info.minimum or low <= info.above:
            bound = f"at least {info.minimum:g}" if np.isfinite(info.minimum) else f"above {info.above:g}"
            raise UserError(f"{name} = {low:g}{units}; expected {bound}: {info.doc}")
        if np.abs(values[name]).max() > _LARGEST:
            raise UserError(f"{name} exceeds {_LARGEST:.2g}{units}; expected values that fit single precision")
    model.check(values)


def check_dimensions(model: Model) -> None:
    """Raise UserError for dimensions of variables that the model lacks, that are repeated, or without labels."""
    kind, known = type(model).__name__, {**model.observables, **model.state_units()}
    labelled: dict[str, tuple[str, ...]] = {}
    for name, own in model.dimensions.items():
        if name not in known:
            raise UserError(unknown(f'{kind}.dimensions: no variable "{name}"', name, known, "Variables"))
        for dimension, labels in own.items():
            given = (labels,) if isinstance(labels, str) else tuple(labels)
            if not str(dimension).isidentifier() or dimension in (AREA, *known) or isinstance(labels, str):
                raise UserError(
                    f'{kind}.dimensions: "{name}" has {dimension!r}: {labels!r}; expected a dimension with a name of '
                    'its own, and its labels: {"receptor": ("AMPA", "NMDA")}'
                )
            if not given or len(set(given)) < len(given) or labelled.setdefault(dimension, given) != given:
                raise UserError(
                    f'{kind}.dimensions: "{dimension}" has the labels {given} in "{name}"; expected some, each once, '
                    "and the same for all variables"
                )


def check_network(model: Model, connectome: Connectome) -> None:
    """Raise UserError for a connectome that a model can't be simulated on; warn of one that may not be meant."""
    kind = type(model).__name__
    check_dimensions(model)
    if clash := sorted(set(connectome.values) & set(type(model).parameters())):
        raise UserError(
            f'{connectome.name}: the values of areas "{clash[0]}" have the name of a parameter of {kind}; expected '
            "another name: rename them"
        )
    if connectome.has_negative_weights and not model.takes_negative_weights:
        raise UserError(f"{connectome.name} has negative weights, which {kind} does not take; expected weights >= 0")
    if np.diagonal(connectome.weights).any():
        warnings.warn(
            f"{connectome.name}: the weight of an area onto itself acts in addition to its model's local circuit; if "
            "that is not meant, take connectome.without_self_connections()",
            stacklevel=4,
        )


def parameter_values(model: Model) -> dict[str, float]:
    """Return a model's own value of each of its parameters, but for one that is infinite by default: it is left out.

    Raises:
        UserError: a value is not a finite number.
    """
    return {
        name: number(getattr(model, name), f"{name} of {type(model).__name__}")
        for name, info in type(model).parameters().items()
        if not (info.default == np.inf and getattr(model, name) == np.inf)
    }


def checked_start(model: Model, x: Any, areas: int) -> Any:
    """Return the state that `model.start` returned.

    Raises:
        UserError: it is not a NamedTuple that includes the observables, each (area,).
    """
    names = model.state_units()
    fits = hasattr(x, "_fields") and (model.has_outputs or all(hasattr(x, name) for name in names))
    expected = f"a NamedTuple with the observables among its fields: {', '.join(names)}"
    found = [name for name in names if hasattr(x, name)] if fits else names
    return checked(model, "start", x, fits, expected, _shapes(model, found, areas))


def checked_outputs(model: Model, x: Any, p: Any, net: Any) -> Mapping[str, Any]:
    """Return the observables that `model.outputs` computes of a state.

    Raises:
        UserError: they are not a mapping with (area,) for each observable that is no state variable.
    """
    if not model.has_outputs:
        return {}
    found, names = model.outputs(x, p, net), [name for name in model.observables if not hasattr(x, name)]
    fits = isinstance(found, Mapping) and set(found) == set(names)
    expected = f"{{observable: values}} for {', '.join(names)}"
    return checked(model, "outputs", found, fits, expected, _shapes(model, names, len(net.weights)))


def checked_rest(model: Model, rates: Any, areas: int) -> Any:
    """Return the rates that `model.rest` returned.

    Raises:
        UserError: they are not a mapping with (area,) for each observable.
    """
    fits = isinstance(rates, Mapping) and set(model.observables) <= set(rates)
    expected = f"{{observable: rates}} for {', '.join(model.observables)}"
    return checked(model, "rest", rates, fits, expected, _shapes(model, model.observables, areas))


def _shapes(model: Model, names: Iterable[str], areas: int) -> dict[str, Any]:
    """Return an array of the expected shape of each variable."""
    return {name: np.empty(model.shape_of(name, areas)) for name in names}


def checked_step(model: Model, x: Any, new: Any) -> Any:
    """Return the state `new` that `model.step` returned for `x`.

    Raises:
        UserError: its fields, shapes or types of number differ from those of `x`.
    """
    structure: Any = jax.tree.structure(x)
    fits = structure == jax.tree.structure(new)
    expected = f"a {type(x).__name__} as it got: {', '.join(x._fields)}"
    return checked(model, "step", new, fits, expected, dict(zip(x._fields, x)), typed=True)


def checked(
    model: Model, method: str, found: Any, fits: bool, expected: str, like: Mapping[str, Any], typed: bool = False
) -> Any:
    """Return the result `found` of a model's method.

    Args:
        fits: whether it has the expected form, shapes aside; `expected` names that form.
        like: {variable: an array of the expected shape, or a tree of them}; also of the expected type, if `typed`.

    Raises:
        UserError: the form, a shape or a type of number differs.
    """
    what, where = f"{type(model).__name__}.{method}", defined_at(getattr(type(model), method))
    if not fits:
        raise UserError(f"{what} returns {_fields_of(found)}; expected {expected}{where}")
    for name, before in like.items():
        part = found[name] if isinstance(found, Mapping) else getattr(found, name)
        for a, b in zip(jax.tree.leaves(jax.tree.broadcast(before, part)), jax.tree.leaves(part)):
            wanted, kind = np.shape(a), jnp.result_type(a)
            if typed and (np.shape(b), jnp.result_type(b)) != (wanted, kind):
                raise UserError(
                    f"{what} makes {name} {jnp.result_type(b)} of shape {np.shape(b)}; expected {kind} of shape "
                    f"{wanted}, as before the step{where}"
                )
            if np.shape(b) != wanted:
                each = "".join(f"{dimension} and " for dimension in model.dimensions.get(name, ()))
                raise UserError(
                    f"{what} makes {name} of shape {np.shape(b)}; expected one number per {each}area: {wanted}{where}"
                )
    return found


def _fields_of(x: Any) -> str:
    if hasattr(x, "_fields"):
        return f"{type(x).__name__}({', '.join(x._fields)})"
    return f"a {type(x).__name__}" + (f" of {', '.join(map(str, x))}" if isinstance(x, Mapping) else "")
