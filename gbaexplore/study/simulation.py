"""Simulating the points of a study."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import NOISE
from gbaexplore.engine.first_step import try_first_step
from gbaexplore.engine.plan import Plan, make_plan
from gbaexplore.engine.platform import check_platform
from gbaexplore.engine.programs import Programs, key
from gbaexplore.engine.queue import Results, shapes, simulate_batch
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


@dataclass(frozen=True, eq=False)
class Simulation:
    """Everything that simulating a study's points needs."""

    settings: Settings
    values: Values
    outputs: Outputs
    blocks: Blocks
    programs: Programs  # programs of this run, or of this moment

    def variant_of(self, block: Block) -> Variant:
        """Return the variant that all points of a block share."""
        return self.values.variants.of(self.blocks.labels_of(block))

    def points(self, block: Block) -> dict[str, np.ndarray]:
        """Return the values of each parameter that varies in a block: see `Values.points`."""
        return self.values.points(self.variant_of(block), block)

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
        self._simulate(variant, self.points(self.blocks.all[0]), count=0)

    def check(self, variant: Variant) -> None:
        """Simulate one step of one point of each kind of model, and trace the programs of `run_points` for a variant.

        Raises:
            UserError: a model's first step is invalid; a measure does not return what it declares.
        """
        self._try_models()
        returned = shapes(**self._batch(variant, self.points(self.blocks.all[0])))
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

    def _simulate(self, variant: Variant, points: dict[str, np.ndarray], count: int) -> Results:
        return simulate_batch(count=count, **self._batch(variant, points))

    def _batch(self, variant: Variant, points: dict[str, np.ndarray]) -> dict[str, Any]:
        """Return what the engine gets of points of a variant."""
        points = points | self._of_variant(self.values.base(variant))
        plan = self.plan(variant, points)
        own = key(self.programs.of(plan.batch))
        network = Network.of(variant.connectome)
        return dict(plan=plan, network=network, points=points, size=self.blocks.queue_points, key=own)

    def run_points(self, variant: Variant, points: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        """Return every variable of points of a variant, (point, ...).

        Args:
            points: from `points`, of one block or of `queue_blocks` of them; or from `Values.points_at`.
            count: number of points (a study without numeric axes has one, and no values).
        """
        results = self._simulate(variant, points, count)
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
        """Return every variable of a block, the grid's dimensions first; see `run_points`."""
        found = self.run_points(self.variant_of(block), self.points(block), block.size)
        return {name: array.reshape(block.shape + array.shape[1:]) for name, array in found.items()}
