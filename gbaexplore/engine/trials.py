"""The trials that a solved measure is handed: its points, simulated by the engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gbaexplore.basics.names import DIVERGED
from gbaexplore.basics.points import AMPLITUDE, NOISE
from gbaexplore.engine import programs
from gbaexplore.engine.plan import Plan, make_plan
from gbaexplore.engine.queue import Results, simulate_batch
from gbaexplore.measures.base import StreamingMeasure, without_diverged
from gbaexplore.measures.solved import Trials
from gbaexplore.networks.seen import Network
from gbaexplore.stimuli.base import pieces_of


@dataclass(frozen=True)
class SimulatedTrials(Trials):
    """Trials that are simulated in batches."""

    programs: programs.Programs  # that have been looked at
    noise: str  # whose is one: see `points.noise_hashes`

    def simulate(
        self, measure: StreamingMeasure, points: dict[str, np.ndarray], n_steps: int, ceiling: float, size: int
    ) -> Results:
        plan = self.plan(measure, points, n_steps, ceiling)
        key = programs.key(self.programs.of(plan.batch))
        found = simulate_batch(plan, Network.of(self.connectome), points, len(points[AMPLITUDE]), size, key)
        variables = [made.variables(plan.batch.model) for made in plan.batch.measures]
        diverged = found.status == DIVERGED
        return found._replace(values=[without_diverged(v, of, diverged) for v, of in zip(found.values, variables)])

    def plan(self, measure: StreamingMeasure, points: dict[str, np.ndarray], n_steps: int, ceiling: float) -> Plan:
        return make_plan(
            model=self.model,
            measures=(measure,),
            connectome=self.connectome,
            pieces=pieces_of(self.stimulus, self.connectome, self.dt, self.n_steps),
            swept={name: self.values.get(name, values) for name, values in points.items() if name != NOISE},
            fixed=self.fixed,
            dt=self.dt,
            n_steps=n_steps,
            ceiling=ceiling,
            precision=self.precision,
            noise=self.noise,
        )
