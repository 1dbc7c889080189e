"""The map, a whole-brain study and a study of 10^5 points on an accelerator: a program of its own, not of `make bench`.

Each is a whole `gbaexplore.run`, with the store written, once to compile and then three times, of which the shortest
counts. At the end the kernel with other numbers of lanes, and how far its numbers are from the processor's. Without
an accelerator it says so, and measures nothing.
"""

from __future__ import annotations

import functools
import sys
import tempfile

import jax
import numpy as np
from shell import best, map_study, say, sized

import gbaexplore as gba
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.engine.queue import Results, simulate_batch
from gbaexplore.networks.seen import Network
from gbaexplore.study.study import Study

ROUNDS = 3
AREAS = sized(100, 10)
SECONDS = sized(2.0, 0.01)
LANES = sized((1024, 4096, 16384), (4,))


def main() -> None:
    (device, *_) = jax.devices()
    if device.platform == "cpu" and sized(True, False):
        sys.exit("no accelerator: JAX finds the processor alone, which `make bench` measures")
    say("device", f"{device.device_kind}, jax {jax.__version__}")
    whole(gba.load_study(map_study()), "map")
    whole(excitatory_inhibitory(sized(256, 2)), "E-I Wong-Wang, 256 points, noise")
    many = excitatory_inhibitory(sized(100_000, 4))
    whole(many, "E-I Wong-Wang, 10^5 points, noise")
    kernel(many)
    agreement()


def excitatory_inhibitory(points: int, sigma: float = 0.316) -> Study:
    """Return a study of the model of Deco et al. (2014), dt 0.1 ms; points of a seed share their noise."""
    weights = np.random.default_rng(0).lognormal(size=(AREAS, AREAS))
    np.fill_diagonal(weights, 0)
    return gba.Study(
        name=f"wong_wang_{points}",
        model=gba.WongWang(sigma=sigma, method="euler"),
        connectome=gba.Connectome("dense", tuple(f"area {i}" for i in range(AREAS)), weights / weights.sum(1).mean()),
        axes={"G": np.linspace(0.1, 1.0, points)},
        derived={"J": gba.feedback_inhibition},
        measures=[gba.Mean(of="S_E", window=(SECONDS / 2, SECONDS))],
        dt=1e-4,
        duration=SECONDS,
    )


def whole(study: Study, name: str) -> None:
    """Print what a run takes."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as store:
            gba.run(study, store=store)

    run()
    seconds = best(run, ROUNDS)
    say(name, f"{seconds:.2f} s, {study.size / seconds:,.0f} points/s")
    say(f"{name}, million steps of a point a second", f"{study.size * study.n_steps / seconds / 1e6:.2f}")


def kernel(study: Study) -> None:
    """Print what a step of a point takes with other numbers of lanes, all of them busy."""
    for lanes in LANES:
        run = functools.partial(batch, study, lanes)
        run()
        seconds = best(run, ROUNDS) / (study.n_steps * lanes)
        say(f"kernel with {lanes} lanes, a point's step", f"{seconds * 1e9:.2f} ns")


def batch(study: Study, lanes: int) -> Results:
    (variant,) = study.variants()
    plan = study.plan(variant)
    plan = plan._replace(batch=plan.batch._replace(lanes=lanes))
    some = study.points(study.blocks()[0])
    points = {name: np.resize(values, (lanes, *values.shape[1:])) for name, values in some.items()}
    points[AMPLITUDE] = np.zeros(lanes)  # no stimulus
    return simulate_batch(plan, Network.of(variant.connectome), points, lanes, lanes)


def agreement() -> None:
    """Print how far the accelerator's numbers are from the processor's, without noise."""
    study = excitatory_inhibitory(sized(256, 2), sigma=0.0)
    ours = study.compute().mean_S_E
    with jax.default_device(jax.devices("cpu")[0]):
        theirs = study.compute().mean_S_E
    say("largest relative difference from the processor's numbers", f"{float(abs(ours / theirs - 1).max()):.1e}")


if __name__ == "__main__":
    main()
