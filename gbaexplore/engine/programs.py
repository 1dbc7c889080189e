"""What the engine traces for a batch: the identity of a model and its measures, as the compiler gets them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from gbaexplore.basics.errors import UserError, one_line
from gbaexplore.engine.platform import check_platform
from gbaexplore.identity.traced import Traced, traced
from gbaexplore.measures.base import Now
from gbaexplore.measures.peak import Peak
from gbaexplore.measures.signals import Signal
from gbaexplore.models.parameters import Parameters
from gbaexplore.models.sending import advanced, apart, checked_sends, looks
from gbaexplore.networks.seen import Network

if TYPE_CHECKING:
    from gbaexplore.engine.plan import Batch


def program(batch: Batch) -> dict[str, Any]:
    """Return the identities of all that the engine traces for a batch, and the parameters that its model looks at.

    Raises:
        UserError: JAX has nothing to compute on.
    """
    check_platform()
    model, areas = batch.model, len(batch.runs[0].areas)
    with jax.enable_x64(batch.dtype == "float64"):
        area, matrix = (jax.ShapeDtypeStruct((areas,) * d, batch.dtype) for d in (1, 2))
        p = dict.fromkeys((*(name for name, _ in batch.fixed), *batch.swept), area)
        network = Network(matrix, dict.fromkeys(batch.by_area, area), dict.fromkeys(batch.by_pathway, matrix))
        start = {"p": p, "net": network.named()}
        numbers = jax.ShapeDtypeStruct((model.random_start, areas), batch.dtype)
        random = {"normal": numbers} if model.random_start else {}

        def started(p: Any, net: Any, **normal: Any) -> Any:
            return model.start(Parameters(p), Network.of_named(net), *normal.values())

        x = jax.eval_shape(started, **start, **random)
        sent = (
            list(jax.eval_shape(lambda p, x: apart(checked_sends(model, x, Parameters(p), areas)), p, x))
            if batch.late
            else []
        )
        arrived = dict.fromkeys(sent, area)
        late = network._replace(arrived=arrived, arrived_by=dict.fromkeys(batch.by_pathway, arrived))
        seen = {"p": p, "net": (late if batch.late else network).named(), "x": x}
        step = seen | {"stimulus": jax.ShapeDtypeStruct(model.stimulus_shape(areas), batch.dtype)}
        if batch.draws:
            step["normal"] = jax.ShapeDtypeStruct((batch.draws, areas), batch.dtype)

        def observed(p: Any, net: Any, x: Any) -> list[Any]:
            found = looks(model, x, Parameters(p), Network.of_named(net, sent))
            known = [found[name] if name in found else getattr(x, name) for name in model.observables]
            leaves = apart(model.sends(x, Parameters(p)))
            return known + [leaves[name] for name in sent]

        def stepped(p: Any, net: Any, x: Any, stimulus: Any, **normal: Any) -> Any:
            return advanced(model, x, Parameters(p), Network.of_named(net, sent), stimulus, batch.dt, *normal.values())

        def rest(p: Any, net: Any) -> list[Any]:
            found = model.rest(Parameters(p), Network.of_named(net))
            return [found[name] for name in model.observables]

        parts = {
            "start": _by_name(started, start | random),
            "rest": _by_name(rest, start),
            "step": _by_name(stepped, step),
            "observed": _by_name(observed, seen),
            "away": traced(model.distance_from_rest, x=x),
        }
        used = frozenset().union(*(part.uses for part in parts.values()))
        rests = dict(zip(model.observables, jax.eval_shape(rest, **start)))
        changes = dict(zip(model.observables, jax.eval_shape(observed, **seen)))
        return {
            "model": {name: part.hash for name, part in parts.items()},
            "uses": sorted(name.removeprefix("p: ") for name in used if name.startswith("p: ")),
            "measures": [_measure(batch, i, changes, rests) for i in range(len(batch.measures))],
        }


def _measure(batch: Batch, i: int, changes: Mapping[str, Any], rests: Mapping[str, Any]) -> dict[str, str]:
    """Return the identity of what one measure of a batch does."""
    measure, run = batch.measures[i], batch.runs[i]
    names = measure.observables(batch.model)
    change, rest = (tuple(found[name] for name in names) for found in (changes, rests))
    if not isinstance(measure.of, (tuple, list)):
        change, rest = change[0], rest[0]
    areas = len(run.areas)
    # The engine counts steps in whole numbers of 32 bits, one for each area; a sample's number is one for all.
    step, sample = (jax.ShapeDtypeStruct(shape, jnp.int32) for shape in ((areas,), ()))
    acc = jax.eval_shape(lambda change: measure.init(change, run), change)
    parts = {
        "init": traced(lambda change: measure.init(change, run), change=change),
        "update": traced(
            lambda acc, change, step, sample: measure.update(acc, change, Now(step, sample), run),
            acc=acc, change=change, step=step, sample=sample,
        ),
        "finish": traced(lambda acc, rest: measure.finish(acc, rest, run), acc=acc, rest=rest),
    }  # fmt: skip
    if measure.signal is not None:
        parts |= _signal(measure.signal, change, batch.dt)
    if isinstance(measure, Peak):  # whose largest value the engine watches
        parts["highest"] = traced(measure.highest, acc=acc)
    return {part: found.hash for part, found in parts.items()}


def _signal(signal: Signal, mean: Any, dt: float) -> dict[str, Traced]:
    """Return the identity of a signal's program."""
    start = jax.eval_shape(lambda: signal.start(mean.shape[0]))
    x = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, mean.dtype), start)
    h = signal.steps(dt) * dt
    return {
        "signal start": traced(lambda: signal.start(mean.shape[0])),
        "signal step": traced(lambda x, mean: signal.advanced(x, mean, h), x=x, mean=mean),
        "signal": traced(signal.value, x=x),
    }


def _by_name(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Traced:
    """Trace a function of (p, net, ...), whose parameters and fields are known one by one, by their names."""
    flat = {f"p: {name}": value for name, value in inputs["p"].items()}
    flat |= {f"net: {name}": value for name, value in inputs["net"].items()}
    others = {name: value for name, value in inputs.items() if name not in ("p", "net")}

    def named(**given: Any) -> Any:
        parts: dict[str, Any] = {"p": {}, "net": {}}
        for name, value in given.items():
            group, _, own = name.partition(": ")
            if own:
                parts[group][own] = value
            else:
                parts[name] = value
        return function(**parts)

    return traced(named, **flat, **others)


def key(program: Mapping[str, Any]) -> str:
    """Return a hash that tells programs apart, from `program`."""
    return hashlib.sha256(json.dumps(program, sort_keys=True).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Kind:
    """A batch that is told from others by what the compiler gets of its model and measures, not by what these are."""

    batch: Batch = dataclasses.field(compare=False)
    key: str
    rest: Batch  # without them

    @classmethod
    def of(cls, batch: Batch, key: str) -> Kind:
        """Return the kind of a batch whose program has this key."""
        return cls(batch, key, batch._replace(model=None, measures=()))  # type: ignore[arg-type]


class Programs:
    """The programs of a run: each kind of batch is looked at once, and is then known."""

    def __init__(self) -> None:
        self._found: dict[Any, tuple[Batch, dict[str, Any]]] = {}
        self.alone: set[str] = set()  # keys of those whose lanes can't have networks of their own

    def __reduce__(self) -> tuple[type[Programs], tuple[()]]:
        return Programs, ()  # objects have other addresses in another process

    def of(self, batch: Batch) -> dict[str, Any]:
        """Return what `program` does.

        Raises:
            UserError: the model or a measure can't be traced.
        """
        kind = batch._replace(model=None, measures=()), _told(batch.model), _told(batch.measures)  # type: ignore[arg-type]
        if kind not in self._found:
            try:
                found = program(batch)
            except UserError:
                raise
            except Exception as error:
                raise UserError(
                    f"the study can't be simulated: {one_line(error)}; fix the model or the measure"
                ) from error
            self._found[kind] = batch, found  # with the batch, so that nothing else gets an object's address
        return self._found[kind][1]


def _told(thing: Any) -> Any:
    """Return what tells objects apart: of this package's by their fields, else each is another one."""
    if isinstance(thing, tuple):
        return tuple(map(_told, thing))
    if dataclasses.is_dataclass(thing) and type(thing).__module__.split(".")[0] == __name__.split(".")[0]:
        return type(thing), *(_told(getattr(thing, field.name)) for field in dataclasses.fields(thing))
    return thing if thing is None or isinstance(thing, (bool, int, float, str)) else id(thing)
