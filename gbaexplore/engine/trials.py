"""The trials that a solved measure is handed: its points, simulated by the engine."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from gbaexplore.basics.names import DIVERGED
from gbaexplore.basics.points import AMPLITUDE, NOISE
from gbaexplore.engine import programs
from gbaexplore.engine.plan import Plan, make_plan
from gbaexplore.engine.queue import Results, simulate_batch
from gbaexplore.measures.base import StreamingMeasure, without_diverged
from gbaexplore.measures.solved import Trials
from gbaexplore.networks.seen import Network


@dataclass(frozen=True, kw_only=True)
class SimulatedTrials(Trials):
    """Trials that are simulated in batches."""

    programs: programs.Programs  # that have been looked at

    def simulate(self, measure: StreamingMeasure) -> Results:
        plan = self.plan(measure)
        key = programs.key(self.programs.of(plan.batch))
        count = len(self.points[AMPLITUDE])
        found = simulate_batch(plan, Network.of(self.connectome), self.points, count, self.size, key)
        variables = [made.variables(plan.batch.model) for made in plan.batch.measures]
        diverged = found.status == DIVERGED
        return found._replace(values=[without_diverged(v, of, diverged) for v, of in zip(found.values, variables)])

    def plan(self, measure: StreamingMeasure) -> Plan:
        swept = {name: self.swept.get(name, values) for name, values in self.points.items() if name != NOISE}
        return make_plan(dataclasses.replace(self, swept=swept), (measure,))
