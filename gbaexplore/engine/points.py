"""One point's functions as functions of all lanes: its parameters, its network, a step, what is seen of its state."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.layout import Layout, with_layout_constraint

from gbaexplore.engine import delays, products
from gbaexplore.engine.mapped import each
from gbaexplore.engine.noise import normals
from gbaexplore.engine.plan import Batch
from gbaexplore.models.checks import checked_start, checked_step
from gbaexplore.models.parameters import Parameters
from gbaexplore.models.sending import advanced, apart, looks
from gbaexplore.networks.seen import Network


class Queued(NamedTuple):
    """The points of a queue; arrays are padded to its size."""

    values: Any  # name -> (point,) or (point, area)
    noise: Any  # (point, 2) the generator's keys, or None
    starts: Any  # (point, number, area) random numbers that points start with, or None
    network: Any  # (point,) which of the networks is a point's, or None if there is one
    count: Any  # () how many there are


class Own(NamedTuple):
    """What lanes have of their own."""

    values: dict[str, Any]  # of parameters: (lanes,), or (area, lanes) of what is given per area
    by_area: Any = None  # name -> (area, lanes) values of areas, if lanes have networks of their own
    matrices: Any = None  # and their `Matrices`, lanes last


class PointFunctions:
    """The functions of the points of a queue, for as many at once as there are lanes; traced once per program."""

    def __init__(
        self, batch: Batch, size: int, n_slices: int, sums: int | None, queued: Queued, network: Network, tables: Any
    ) -> None:
        self.batch, self.size, self.n_slices = batch, size, n_slices
        self.points, self.noise, self.starts, self.which, self.count = queued
        self.network, self.tables = network, tables  # of several networks, these are last in each array
        self.areas = len(batch.runs[0].areas)
        self.sums = sums  # of products, if lanes have networks of their own
        if sums is not None:
            weights = {"weights": network.weights, "by_pathway": network.by_pathway}
            self.matrices = products.with_strength(weights)

    def spread(self, values: Any) -> Any:
        """Per lane (lanes,), per area (area, 1), both or one number -> (area, lanes); XLA fuses it into its use."""
        return jnp.broadcast_to(jnp.asarray(values), (self.areas, self.batch.lanes))

    def own(self, point: Any) -> Own:
        """Return what lanes have of their own that work on these points."""
        at = jnp.minimum(point, self.size - 1)
        own = {name: v[at] for name, v in self.points.items()}
        values = {name: v if v.ndim == 1 else _batch_last(v.T) for name, v in own.items()}
        if self.which is None:
            return Own(values)
        taken = jax.tree.map(lambda a: _batch_last(a[..., self.which[at]]), (self.network.by_area, self.matrices))
        return Own(values, *taken)

    def parameters(self, own: Own) -> Parameters:
        fixed = {name: jnp.asarray(value, self.batch.dtype) for name, value in self.batch.fixed}
        return Parameters({name: self.spread(v) for name, v in {**fixed, **own.values}.items()})

    def with_network(self, function: Any, own: Own, **arriving: Any) -> Any:
        """Return function(*args, network) for a point as one for all lanes; `arriving` are (area, lanes)."""
        # Without noise JAX's own map keeps the layout of the shipped models, and the bits of stores that there are.
        mapped = each if self.batch.draws else each_of_lanes
        if self.sums is None:
            by_area = {name: self.spread(v[:, None]) for name, v in self.network.by_area.items()}
            parts = {"by_area": by_area, **arriving}
            return functools.partial(mapped(lambda p, *args: function(*args, self.network._replace(**p))), parts)
        changed = products.with_own_products(
            lambda weights, p, *args: function(*args, self.network._replace(**weights, **p)),
            self.sums,
            jnp.minimum(self.count, 0).astype(self.batch.dtype),
        )
        return functools.partial(mapped(changed), own.matrices, {"by_area": own.by_area, **arriving})

    def rest(self, values: dict[str, Any], by_area: Any) -> Any:
        """Return the rest of one point of these parameters; `by_area` is the network's, or None if all have one."""
        values = {name: jnp.asarray(value, self.batch.dtype) for name, value in self.batch.fixed} | values
        p = Parameters({name: jnp.broadcast_to(v, (self.areas,)) for name, v in values.items()})
        if by_area is None:
            return self.batch.model.rest(p, self.network)
        weights = jax.tree.map(lambda w: w[..., 0], self.matrices.weights)

        def rest(weights: Any) -> Any:
            return dict(self.batch.model.rest(p, self.network._replace(by_area=by_area, **weights)))

        products.check_unused(rest, weights)
        return rest(weights)

    def start(self, point: Any) -> Any:
        model = self.batch.model

        def one(p: Any, *rest: Any) -> Any:
            *normal, network = rest
            return checked_start(model, model.start(p, network, *normal), self.areas)

        numbers = []
        if model.random_start:
            numbers = [jnp.moveaxis(self.starts[jnp.minimum(point, self.size - 1)], 0, -1)]
        own = self.own(point)
        return self.with_network(one, own)(self.parameters(own), *numbers)

    def key(self, point: Any) -> Any:
        """Return the generator's key of each lane, (2, lanes)."""
        return self.noise[jnp.minimum(point, self.size - 1)].T

    # What is under way from area to area.

    def lines(self, x: Any, point: Any) -> list[Any]:
        late = self.batch.late
        return [] if late is None else [delays.first_line(late, s) for s in self.sent(x, self.own(point)).values()]

    def sent(self, x: Any, own: Own) -> Mapping[str, Any]:
        """Return what leaves now and arrives late, (area, lanes), by its names."""
        if self.batch.late is None:
            return {}
        return each_of_lanes(lambda x, p: apart(self.batch.model.sends(x, p)))(x, self.parameters(own))

    def arriving_at_first(self, x: Any, point: Any) -> dict[str, Any]:
        """Return what arrives at the start, as before it the network was as it is there."""
        if self.batch.late is None or not self.batch.model.has_outputs:
            return {}
        heard = self.network.hearing(self.sent(x, self.own(point)))
        return {"arrived": heard.arrived, "arrived_by": heard.arrived_by}

    def step(self, x: Any, own: Own, stimulus: Any, normal: tuple[Any, ...], arriving: dict[str, Any]) -> Any:
        def one(x: Any, p: Any, stimulus: Any, *rest: Any) -> Any:
            *normal, network = rest
            new = advanced(self.batch.model, x, p, network, stimulus, self.batch.dt, *normal)
            return checked_step(self.batch.model, x, new)

        # Without this, one constant array in a model's step makes XLA turn the state's layout round: 2.6 x slower.
        return jax.tree.map(
            _batch_last, self.with_network(one, own, **arriving)(x, self.parameters(own), stimulus, *normal)
        )

    def normal(self, key: Any, common: Any, i: Any, step: Any) -> tuple[Any, ...]:
        """Return what a step gets of random numbers: ((draws, area, lanes),), or nothing."""
        if key is None:
            return ()

        def own() -> Any:
            return normals(key, step, self.batch.draws, self.areas)

        if common is None:
            return (own().astype(self.batch.dtype),)
        alike, numbers = common

        def spread() -> Any:
            return jnp.broadcast_to(numbers[i][..., None], (self.batch.draws, self.areas, self.batch.lanes))

        return (jax.lax.cond(alike, spread, own).astype(self.batch.dtype),)

    def looking_at(self, x: Any, own: Own, arriving: dict[str, Any]) -> Callable[[str], Any]:
        """Return a function of an observable's name: its change, (area, lanes), in a state."""
        outputs: Mapping[str, Any] = {}
        if self.batch.model.has_outputs:
            computed = functools.partial(looks, self.batch.model)
            outputs = self.with_network(computed, own, **arriving)(x, self.parameters(own))
        return lambda name: outputs[name] if name in outputs else getattr(x, name)


def each_of_lanes(function: Any) -> Any:
    """Return a function of one point as one of all lanes, which are the last axis."""
    return jax.vmap(function, in_axes=-1, out_axes=-1)


def _batch_last(array: Any) -> Any:
    return with_layout_constraint(array, Layout(major_to_minor=tuple(range(array.ndim))))
