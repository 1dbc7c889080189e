"""Simulating the points of a study."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import jax
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import NOISE
from gbaexplore.engine.first_step import try_first_step
from gbaexplore.engine.plan import Plan, make_plan
from gbaexplore.engine.platform import check_platform
from gbaexplore.engine.products import OneNetwork
from gbaexplore.engine.programs import Kind, Programs, key
from gbaexplore.engine.queue import Results, in_queues, rows, shapes, split
from gbaexplore.engine.trials import SimulatedTrials
from gbaexplore.measures.base import StreamingMeasure
from gbaexplore.measures.linear import LinearMeasure
from gbaexplore.measures.solved import SolvedMeasure, Trials
from gbaexplore.models.setup import Setup
from gbaexplore.networks.seen import Network
from gbaexplore.study.blocks import Block, Blocks
from gbaexplore.study.outputs import Outputs
from gbaexplore.study.settings import Settings
from gbaexplore.study.values import Values
from gbaexplore.study.variants import Variant


class Part(NamedTuple):
    """Points of one variant."""

    variant: Variant
    points: dict[str, np.ndarray]  # from `Simulation.points`, of some of a block's; or from `Values.points_at`
    size: int  # number of points (a study without numeric axes has one, and no values)


@dataclass(frozen=True, eq=False)
class Simulation:
    """Everything that simulating a study's points needs."""

    settings: Settings
    values: Values
    outputs: Outputs
    blocks: Blocks
    programs: Programs  # programs of this run, or of this moment

    def variant_of(self, block: Block) -> Variant:
        """Return the variant of a block that has one label of each axis."""
        return self.values.variants.of(self.blocks.labels_of(block))

    def points(self, block: Block) -> dict[str, np.ndarray]:
        """Return the values of each parameter that varies in such a block: see `Values.points`."""
        return self.values.points(self.variant_of(block), block)

    def parts(self, block: Block, which: np.ndarray) -> Iterator[tuple[Part, tuple[slice, ...]]]:
        """Yield the parts of a block that have points in a mask of it, with these, and their places in it."""
        for own, place in self.blocks.parts_of(block):
            if (chosen := which[place or ...].ravel()).any():
                points = {name: values[chosen] for name, values in self.points(own).items()}
                yield Part(self.variant_of(own), points, int(chosen.sum())), place

    def plan(self, variant: Variant, points: Mapping[str, np.ndarray] = MappingProxyType({})) -> Plan:
        """Return the engine's plan for the points of a variant."""
        return make_plan(self.setup(variant, points), self._streaming)

    def setup(self, variant: Variant, points: Mapping[str, np.ndarray] = MappingProxyType({})) -> Setup:
        """Return all that the points of a variant share; its swept values are those of the grid and of `points`."""
        base = self.values.base(variant)
        return Setup(
            model=variant.model,
            connectome=variant.connectome,
            stimulus=variant.stimulus,
            swept=self.values.swept(variant, points) | self._of_variant(base),
            fixed={name: value for name, value in base.items() if name not in self.values.varying},
            dt=self.settings.dt,
            n_steps=self.settings.n_steps,
            ceiling=self.settings.ceiling,
            precision=self.settings.precision,
            noise=self.settings.noise,
        )

    @property
    def _streaming(self) -> tuple[StreamingMeasure, ...]:
        return tuple(m for m in self.outputs.measures if isinstance(m, StreamingMeasure))

    def _of_variant(self, base: dict[str, float]) -> dict[str, np.ndarray]:
        """Return the values that all points of a variant share but variants do not."""
        return {name: np.array([base[name]]) for name in self.values.varying & set(base)}

    def prepare(self, variant: Variant) -> None:
        """Compile the programs of `run_points` for a variant, after `check`."""
        self.check(variant)
        self._simulate([Part(variant, self._some_points(), 0)])

    def prepare_queue(self, blocks: Sequence[Block]) -> None:
        """Compile the programs of `run` for the blocks of a queue, after `check`."""
        parts = [part for block in blocks for part, _ in self.parts(block, np.ones(block.shape, bool))]
        self.check(parts[0].variant)
        self._simulate([part._replace(size=0) for part in parts])

    def _some_points(self) -> dict[str, np.ndarray]:
        first, _ = self.blocks.parts_of(self.blocks.all[0])[0]
        return self.points(first)

    def check(self, variant: Variant) -> None:
        """Simulate one step of one point of each kind of model, and trace the programs of `run_points` for a variant.

        Raises:
            UserError: a model's first step is invalid; a measure does not return what it declares.
        """
        self._try_models()
        returned = shapes(**self._batch(Part(variant, self._some_points(), 0)), size=self.blocks.queue_points)
        lengths = {dim: len(values) for dim, (values, _) in self.outputs.coordinates().items()}
        for measure, found in zip(self._streaming, returned):
            declared = measure.variables(variant.model)
            expected = {name: tuple(lengths[dim] for dim in variable.dims) for name, variable in declared.items()}
            if found != expected:
                raise UserError(
                    f"{type(measure).__name__}.finish returned {found}; expected what its variables() declare: "
                    f"{expected}"
                )

    def _try_models(self) -> None:
        """Take a first step, and linearise if a measure needs it, with each kind of model."""
        check_platform()
        last_first = reversed(list(self.values.variants))
        tried = {(type(v.model), json.dumps(v.model.options(), default=repr)): v for v in last_first}
        for variant in tried.values():
            values = {name: v.flat[0] for name, v in self.values.every(variant).items()}
            plan, own = self.plan(variant), None
            with contextlib.suppress(UserError):  # what can't be traced has no key, and its first step says why
                own = key(self.programs.of(plan.batch))
            try_first_step(plan, Network.of(variant.connectome), values, own)
            for measure in self.outputs.measures:
                if isinstance(measure, LinearMeasure):
                    try:
                        measure.compute(variant.model, [SimpleNamespace(**values)], variant.connectome)
                    except UserError:
                        raise
                    except Exception:  # perhaps only at this point; its block will report it
                        continue

    def _simulate(self, parts: Sequence[Part]) -> list[Results]:
        """Return the results of each part; parts of one program are one queue, if they can be."""
        asked = [self._batch(part) for part in parts]
        groups: dict[Any, list[int]] = {}
        for i, one in enumerate(asked):
            tables = tuple((np.shape(a), np.asarray(a).tobytes()) for a in one["plan"].tables if a is not None)
            groups.setdefault((Kind.of(one["plan"].batch, one["key"]), tables), []).append(i)
        found: dict[int, Results] = {}
        for group in groups.values():
            found |= zip(group, self._together([parts[i] for i in group], [asked[i] for i in group]))
        return [found[i] for i in range(len(parts))]

    def _together(self, parts: list[Part], asked: list[dict[str, Any]]) -> list[Results]:
        """Return the results of parts of one program, of some networks."""
        counts, connectomes = [part.size for part in parts], [part.variant.connectome for part in parts]
        networks = {connectome: one["network"] for connectome, one in zip(connectomes, asked)}
        which = np.repeat([list(networks).index(connectome) for connectome in connectomes], np.maximum(counts, 1))
        points = {
            name: np.concatenate([rows(one["points"][name], max(count, 1)) for one, count in zip(asked, counts)])
            for name in asked[0]["points"]
        }
        shared = dict(plan=asked[0]["plan"], key=asked[0]["key"], size=self.blocks.queue_points)
        if len(networks) > 1 and shared["key"] in self.programs.alone:
            return [self._together([part], [one])[0] for part, one in zip(parts, asked)]
        if len(networks) == 1:
            whole = in_queues(sum(counts), network=asked[0]["network"], points=points, **shared)
        else:
            alone = list(networks.values())
            # As many in each queue, so that one program is compiled.
            most = min(self.values.variants.networks, self.blocks.queue_points)
            filled = alone + alone[-1:] * (most - len(alone))
            network = jax.tree.map(lambda *arrays: np.stack(arrays), *filled)
            try:
                whole = in_queues(sum(counts), network=network, points=points, which=which, **shared)
            except OneNetwork:
                self.programs.alone.add(shared["key"])
                return self._together(parts, asked)
        return split(whole, counts)

    def _batch(self, part: Part) -> dict[str, Any]:
        """Return what the engine gets of a part, besides its queue's size."""
        variant = part.variant
        points = part.points | self._of_variant(self.values.base(variant))
        plan = self.plan(variant, points)
        own = key(self.programs.of(plan.batch))
        return dict(plan=plan, network=Network.of(variant.connectome), points=points, key=own)

    def run(self, parts: Sequence[Part]) -> list[dict[str, np.ndarray]]:
        """Return every variable of the points of each part, (point, ...).

        Parts share lanes where they can: bits do not depend on it.
        """
        return [self._variables(part, results) for part, results in zip(parts, self._simulate(parts))]

    def run_points(self, variant: Variant, points: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        """Return every variable of points of a variant; see `Part` and `run`."""
        return self.run([Part(variant, points, count)])[0]

    def _variables(self, part: Part, results: Results) -> dict[str, np.ndarray]:
        variant, points, count = part
        found: dict[str, np.ndarray] = {}
        for streaming, values in zip(self._streaming, results.values):
            found |= {name + streaming.suffix: array for name, array in values.items()}
        for measure in self.outputs.measures:
            if isinstance(measure, LinearMeasure):
                found |= self._linear(measure, variant, points, count)
            elif isinstance(measure, SolvedMeasure):
                solved = measure.solve(self.trials(variant, points, count))
                found |= {name + measure.suffix: array for name, array in solved.items()}
        return self.outputs.finite(found, results.status, self.settings.precision)

    def _linear(
        self, measure: LinearMeasure, variant: Variant, points: dict[str, np.ndarray], count: int
    ) -> dict[str, np.ndarray]:
        base = self.values.base(variant)
        plain = {name: v[..., None] if v.ndim > 1 else v for name, v in points.items() if name != NOISE}
        sets = [SimpleNamespace(**base, **{name: values[i] for name, values in plain.items()}) for i in range(count)]
        values = measure.compute(variant.model, sets, variant.connectome)
        return {name + measure.suffix: array for name, array in values.items()}

    def trials(self, variant: Variant, points: dict[str, np.ndarray], count: int) -> Trials:
        """Return the trials of points, which a solved measure gets."""
        own = self._of_variant(self.values.base(variant))
        return SimulatedTrials(
            **vars(self.setup(variant, points)),
            points=points | {name: np.resize(value, count) for name, value in own.items()},
            size=self.blocks.queue_points,
            programs=self.programs,
        )

    def run_block(self, block: Block) -> dict[str, np.ndarray]:
        """Return every variable of a block, the grid's dimensions first; see `run`."""
        (found,) = self.run_blocks([block], [np.ones(block.shape, bool)])
        return {name: array.reshape(block.shape + array.shape[1:]) for name, array in found.items()}

    def run_blocks(self, blocks: Sequence[Block], masks: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Return, for each block, every variable of its points in a mask, (point, ...)."""
        parts = [(i, *part) for i, block in enumerate(blocks) for part in self.parts(block, masks[i])]
        found: list[dict[str, np.ndarray]] = [{} for _ in blocks]
        for (i, _, place), arrays in zip(parts, self.run([part for _, part, _ in parts])):
            for name, array in arrays.items():
                shape, kept = blocks[i].shape + array.shape[1:], found[i]
                whole = kept.setdefault(name, np.empty(shape, array.dtype))
                whole[place or ...][masks[i][place]] = array
        return [{name: array[mask] for name, array in kept.items()} for kept, mask in zip(found, masks)]
