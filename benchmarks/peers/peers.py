"""gbaexplore beside tvboptim, neurolib and cuBNM on the same work, in one run: `make bench-peers`.

Each peer is a process with an environment of its own (`.venv-peers-NAME`), which answers with the seconds that a job
took. All take turns, and the shortest of some rounds counts, so that what disturbs one disturbs all. What is compared:

- tvboptim: its compiled kernel alone, `jit` of `lax.map` in batches, on the reduced Wong-Wang network; ours is a whole
  `gbaexplore.run` in a warm process, the store written. Both share noise between points; delays are those of 10 to
  200 mm at 3 m/s. Ours evaluates the coupling in both stages of Heun's method, tvboptim once a step.
- neurolib: what a step of one point of its Wilson-Cowan network (two variables an area, Euler) takes, from the
  difference of two lengths, beside `simulate` of ours, which has sigmoids of its own.
- cuBNM: steps of the excitatory-inhibitory Wong-Wang network (100 areas, dt 0.1 ms, noise, feedback inhibition) in a
  second. cuBNM works in float64 and computes BOLD too, and repeats segments of noise; ours is a whole run in float32
  that keeps the mean.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import work

import gbaexplore as gba

HERE = Path(__file__).parent
ROUNDS = 2 if work.SMALLEST else 3
LENGTHS = {"short": 0.2, "long": 0.4 if work.SMALLEST else 4.2}


@dataclass(frozen=True)
class WongWang(gba.ODEModel):
    """The reduced Wong-Wang network of tvboptim, with its numbers; its own time is in ms."""

    G: float = gba.parameter(1.0, units="1", doc="global coupling", minimum=0)
    observables: ClassVar[Mapping[str, str]] = {"S": "1"}

    def start(self, p: Any, net: gba.Network) -> Any:
        return self.state(S=0.1 + 0 * net.weights[0])

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"S": x.S}

    def derivative(self, x: Any, p: Any, net: gba.Network, stimulus: Any) -> Mapping[str, Any]:
        current = 0.270 * (0.2609 * (0.6 * x.S + p.G * net.received.S) + 0.33) - 0.108
        rate = current / (1 - jnp.exp(-154.0 * current))
        return {"S": 1e3 * (-x.S / 100.0 + (1 - x.S) * rate * 0.641)}


class NoisyWongWang(WongWang):
    def diffusion(self, x: Any, p: Any, net: gba.Network) -> Mapping[str, Any]:
        return {"S": work.NOISE + 0 * x.S}


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    ours: dict[str, Callable[[], object]] = {}
    for points in work.POINTS:
        for kind, model in {"plain": WongWang, "noise": NoisyWongWang, "delays": WongWang}.items():
            late = {"velocity": work.VELOCITY} if kind == "delays" else {}
            if late and points > min(work.POINTS):
                continue  # it would take tvboptim minutes
            asked = study(model(method="heun"), points, work.AREAS, work.SECONDS, work.DT, **late)
            ours[f"{points} {kind}"] = whole_run(asked, folder)
    compared("tvboptim", ours, kernels)
    single = {f"{length} {kind}": one_point(seconds, kind) for length, seconds in LENGTHS.items() for kind in KINDS}
    compared("neurolib", single, steps)
    large = study(gba.WongWang(), work.EI_OURS, work.EI_AREAS, work.EI_SECONDS, 1e-4, J=gba.feedback_inhibition)
    compared("cubnm", {"noise": whole_run(large, folder)}, network_steps)


def study(model: gba.Model, points: int, areas: int, seconds: float, dt: float, **fixed: Any) -> gba.Study:
    return gba.Study(
        name=f"{type(model).__name__}_{points}",
        model=model,
        axes={"G": work.couplings(points)},
        fixed={name: value for name, value in fixed.items() if not callable(value)},
        derived={name: value for name, value in fixed.items() if callable(value)},
        connectome=network(areas),
        measures=[gba.Mean(window=(seconds / 2, seconds))],
        dt=dt,
        duration=seconds,
    )


def whole_run(study: gba.Study, folder: Path) -> Callable[[], object]:
    def run() -> object:
        with tempfile.TemporaryDirectory(dir=folder) as store:
            return gba.run(study, store=store).load()

    return run


def one_point(seconds: float, kind: str) -> Callable[[], object]:
    connectome = network(work.ONE_POINT_AREAS)
    pulse = gba.Pulse(area=connectome.areas[0], onset=0.0, duration=0.01, amplitude=0.0)
    model = (NoisyWilsonCowan if kind == "noise" else gba.WilsonCowan)(P=1.25, method="euler")
    return lambda: gba.simulate(model, connectome, pulse, dt=2e-4, duration=seconds)


class NoisyWilsonCowan(gba.WilsonCowan):
    def diffusion(self, x: Any, p: Any, net: gba.Network) -> Mapping[str, Any]:
        return {"E": 0.01 + 0 * x.E, "I": 0.01 + 0 * x.I}


def network(areas: int) -> gba.Connectome:
    names = tuple(f"area {i}" for i in range(areas))
    return gba.Connectome("dense", names, work.weights(areas), lengths_mm=work.lengths(areas))


def compared(peer: str, ours: dict[str, Callable[[], object]], told: Callable[[Any, Any], None]) -> None:
    """Measure our jobs and a peer's in turn; say what came out, or that the peer is not installed."""
    python = HERE.parent.parent / f".venv-peers-{peer}" / "bin" / "python"
    if not python.exists():
        print(f"{peer}: not measured: no {python}; `make bench-peers` installs it", flush=True)
        return
    best: dict[str, dict[str, work.Took]] = {"ours": {}, peer: {}}
    command = [python, HERE / PROGRAMS[peer]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=HERE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(ROUNDS):
            for name, job in ours.items():
                took = {"ours": work.timed(job)}
                print(name, file=process.stdin, flush=True)
                took[peer] = work.Took(*map(float, process.stdout.readline().split()))
                for who, seconds in took.items():
                    best[who][name] = seconds.best(best[who].get(name))
        process.stdin.close()
    told(best["ours"], best[peer])


def kernels(ours: dict[str, work.Took], theirs: dict[str, work.Took]) -> None:
    for name in ours:
        points, kind = name.split()
        for clock in work.Took._fields:
            a, b = (int(points) / getattr(took[name], clock) for took in (ours, theirs))
            say(f"{points} points, {kind}, {CLOCKS[clock]}: {a:,.0f} points/s, tvboptim's kernel {b:,.0f}", a / b)


def steps(ours: dict[str, work.Took], theirs: dict[str, work.Took]) -> None:
    count = (LENGTHS["long"] - LENGTHS["short"]) / 2e-4
    for kind in KINDS:
        a, b = (
            (took[f"long {kind}"].processor - took[f"short {kind}"].processor) / count * 1e6 for took in (ours, theirs)
        )
        say(f"one point, {kind}, processor time: {a:.1f} us a step, neurolib {b:.1f}", b / a)


def network_steps(ours: dict[str, work.Took], theirs: dict[str, work.Took]) -> None:
    for clock in work.Took._fields:
        a, b = (
            points * work.EI_SECONDS / 1e-4 / getattr(took["noise"], clock) / 1e6
            for points, took in ((work.EI_OURS, ours), (work.EI_THEIRS, theirs))
        )
        say(f"E-I Wong-Wang, {CLOCKS[clock]}: {a:.2f} million network steps/s, cuBNM {b:.3f}", a / b)


def say(what: str, ratio: float) -> None:
    print(f"{what}: {ratio:.2f} x", flush=True)


CLOCKS = {"wall": "start to end", "processor": "processor time"}
KINDS = ("plain", "noise")
PROGRAMS = {"tvboptim": "tvboptim_kernel.py", "neurolib": "neurolib_step.py", "cubnm": "cubnm_runs.py"}

if __name__ == "__main__":
    main()
