"""Studies of few points: whole runs in a warm process, the store written, in processor time.

- 64 points of a Wilson-Cowan network of 80 areas against the same equations in NumPy, all points at once, in float32.
- 58 connectomes with 16 points each, the lesions of the macaque's areas, against as many points of one connectome.

What is compared takes turns, and the shortest of some rounds counts.
"""

import tempfile
import time
from collections.abc import Callable

import numpy as np
from shell import say, sized

import gbaexplore as gba

AREAS, POINTS, DT = sized((80, 64, 2e-4), (4, 4, 2e-4))
SECONDS = sized(2.0, 0.02)
MACAQUE = gba.load_connectome("macaque29")
PULSE = gba.Pulse(area="V1", onset=0.0, duration=0.25, amplitude=22.05 * 1.9)
ROUNDS = sized(4, 1)


def main() -> None:
    numpy_batch()
    labels()


def numpy_batch() -> None:
    inputs, connectome = np.linspace(1.0, 1.6, POINTS), dense(AREAS)
    study = gba.Study(
        name="few",
        model=gba.WilsonCowan(),
        axes={"P": inputs},
        connectome=connectome,
        measures=[gba.Mean(window=(0.0, SECONDS))],
        dt=DT,
        duration=SECONDS,
    )
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        found["ours"] = whole_run(study).mean_E.transpose("P", "area").values

    def theirs() -> None:
        found["theirs"] = means(connectome.weights, inputs)

    took = rounds({"ours": ours, "theirs": theirs})
    steps = round(SECONDS / DT) * POINTS
    for who, name in {"ours": "whole run", "theirs": "NumPy, all points at once"}.items():
        say(
            f"{POINTS} points of Wilson-Cowan, {AREAS} areas, {name}", f"{took[who] / steps * 1e6:.2f} us a step of one"
        )
    say(f"{POINTS} points, NumPy / whole run", f"{took['theirs'] / took['ours']:.2f}")
    apart = np.abs(found["ours"] - found["theirs"]).max()
    # The areas oscillate, and rounding moves their phases.
    say(f"{POINTS} points, means agree to 2e-2", f"{bool(apart < 2e-2)} ({apart:.1e})")


def means(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Return the mean of E, (point, area), by Euler's method in float32, as one writes it in NumPy."""
    f = np.float32
    weights, inputs, step = weights.astype(f), inputs.astype(f), f(DT / 0.01)
    E, I, total = (np.zeros((len(weights), len(inputs)), f) for _ in range(3))

    def response(x: np.ndarray, a: float, theta: float) -> tuple[np.ndarray, np.float32]:
        low = f(1 / (1 + np.exp(a * theta)))
        return 1 / (1 + np.exp(f(-a) * (x - f(theta)))) - low, f(1) - low

    for _ in range(round(SECONDS / DT)):
        SE, kE = response(f(16) * E - f(12) * I + weights @ E + inputs, 1.3, 4.0)
        SI, kI = response(f(15) * E - f(3) * I, 2.0, 3.7)
        E, I = E + step * (-E + (kE - E) * SE), I + step * (-I + (kI - I) * SI)
        total += E
    return total.T / f(round(SECONDS / DT))


def labels() -> None:
    lesions = {
        f"{area}, {name}": network.lesioned(area)
        for name, network in {"feedback": MACAQUE, "no feedback": MACAQUE.without_feedback()}.items()
        for area in MACAQUE.areas
    }
    lesions = dict(list(lesions.items())[: sized(58, 2)])
    each = sized(16, 2)
    many = macaque("many", {"lesion": lesions, "muEE": np.linspace(31, 34, each)})
    one = macaque("one", {"muEE": np.linspace(31, 34, each * len(lesions))})
    took = rounds({study.name: lambda study=study: whole_run(study) for study in (many, one)})
    for name, what in {
        "many": f"{len(lesions)} connectomes x {each} points",
        "one": "as many of one connectome",
    }.items():
        say(what, f"{took[name] / one.size * 1e3:.3f} ms a point")
    say("connectomes / one connectome", f"{took['many'] / took['one']:.2f}")


def macaque(name: str, axes: dict) -> gba.Study:
    return gba.Study(
        name=name,
        model=gba.ThresholdLinear(),
        axes=axes,
        fixed={"omegaEI": 24.0},
        connectome=None if "lesion" in axes else MACAQUE,
        stimulus=PULSE,
        measures=[gba.Peak()],
        duration=sized(3.0, 0.3),
    )


def dense(areas: int) -> gba.Connectome:
    weights = np.random.default_rng(0).lognormal(size=(areas, areas))
    np.fill_diagonal(weights, 0)
    return gba.Connectome("dense", tuple(f"area {i}" for i in range(areas)), weights / weights.sum(1, keepdims=True))


def whole_run(study: gba.Study) -> object:
    with tempfile.TemporaryDirectory() as store:
        return gba.run(study, store=store).load()


def rounds(jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least processor time of each job, in s; a first round compiles."""
    least = dict.fromkeys(jobs, float("inf"))
    for _ in range(1 + ROUNDS):
        for name, job in jobs.items():
            started = time.process_time()
            job()
            least[name] = min(least[name], time.process_time() - started)
    return least


if __name__ == "__main__":
    main()
