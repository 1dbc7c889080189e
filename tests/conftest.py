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

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome

collect_ignore = ["verification/brainpy_notebook.py"]  # a program of its own; looking for doctests would import brainpy

# A shell that starts the tests in the background makes them, and all that they start, deaf to an interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as `nohup` does to a hangup


def pytest_collection_modifyitems(items):
    """Let the file that takes longest be the first: else, of several processes, its own works on after the others."""
    items.sort(key=lambda item: item.path.name != "test_faults.py")


WEAK = dict(muEE=33.7, omegaEI=19.7)
STRONG = dict(muEE=51.5, omegaEI=25.2)


@pytest.fixture(scope="session")
def macaque():
    return load_connectome("macaque29")


@pytest.fixture(scope="session")
def pulse():
    return Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9)


@pytest.fixture
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


@pytest.fixture
def run_all():
    """Every variable of a study, over its whole grid, without a store."""

    def run(study):
        return {name: variable.values for name, variable in study.compute().items()}

    return run


@pytest.fixture
def run_in_full():
    """The same, with every step of every point run."""

    def run(study):
        return {name: variable.values for name, variable in computed_in_full(study).items()}

    return run
