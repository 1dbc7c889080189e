import dataclasses
import os
import signal
from pathlib import Path

# What one test's process has compiled, another loads: half of the time that a short program takes. Before JAX is
# imported, and for all processes that tests start.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import numpy as np
import pytest
from every_step import computed_in_full
from fits import RANGES, TRUE

from gbaexplore import (
    Connectome,
    Fit,
    Mean,
    Peak,
    Pulse,
    Study,
    SumOfSquares,
    ThresholdLinear,
    WilsonCowan,
    load_connectome,
)

collect_ignore = ["verification/brainpy_notebook.py"]  # a program of its own; looking for doctests would import brainpy

# A shell that starts the tests in the background makes them, and all that they start, deaf to an interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as `nohup` does to a hangup


def pytest_collection_modifyitems(items):
    """Let what takes longest be first: else, of several processes, one works on after the others."""
    items.sort(key=lambda item: (item.path.name != "test_faults.py", item.get_closest_marker("slow") is None))


WEAK = dict(muEE=33.7, omegaEI=19.7)
STRONG = dict(muEE=51.5, omegaEI=25.2)


@pytest.fixture(scope="session")
def macaque():
    return load_connectome("macaque29")


@pytest.fixture(scope="session")
def pulse():
    return Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9)


@pytest.fixture(scope="session")
def make_study(macaque, pulse):
    """A small study; keywords replace parts of it."""

    def make(**parts):
        given = dict(
            name="small",
            model=ThresholdLinear(),
            axes={"muEE": [28.0, 33.7], "omegaEI": np.array([19.7, 22.0, 25.2])},
            connectome=macaque,
            stimulus=pulse,
            measures=[Peak(window=(1.75, 5.0))],
        )
        return Study(**{**given, **parts})

    return make


@pytest.fixture(scope="session")
def run_all():
    """Every variable of a study, over its whole grid, without a store."""

    def run(study):
        return {name: variable.values for name, variable in study.compute().items()}

    return run


@pytest.fixture(scope="session")
def run_in_full():
    """The same, with every step of every point run."""

    def run(study):
        return {name: variable.values for name, variable in computed_in_full(study).items()}

    return run


@pytest.fixture(scope="session")
def small():
    """Three areas of Wilson & Cowan, for 30 steps."""
    return Study(
        name="small",
        model=WilsonCowan(),
        connectome=Connectome(
            "three", ("a", "b", "c"), weights=np.array([[0, 0.5, 0.1], [0.3, 0, 0.2], [0.1, 0.4, 0]]),
            values={"myelin": [0.0, 0.4, 1.0]},
        ),
        axes={},
        measures=[Mean(window=(0.01, 0.03)), Mean(of="I", window=(0.01, 0.03))],
        dt=1e-3,
        duration=0.03,
    )  # fmt: skip


@pytest.fixture(scope="session")
def squares(small):
    """The loss of data that the model made with `TRUE`."""
    true = dataclasses.replace(small, fixed=TRUE).compute()
    return {
        "E": SumOfSquares("mean_E", true.mean_E, scale=0.01),
        "I": SumOfSquares("mean_I", true.mean_I, scale=0.01),
    }


@pytest.fixture(scope="session")
def make_fit(small, squares):
    """A fit of the small study; keywords replace parts of it."""

    def make(**parts):
        return Fit(**{**dict(study=small, free=RANGES, loss=squares, budget=60), **parts})

    return make
