"""The model of a run on many workers, in cases that can be told by hand."""

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture(scope="module")
def scale():
    sys.path.append(BENCHMARKS)  # last: one of its programs is called as a package is
    try:
        import scale
    finally:
        sys.path.remove(BENCHMARKS)
    return scale


def costs(scale, **others):
    return scale.Costs(**{"point": (0.01,), "block": 0.5, "task": 0.0, "outcome": 0.0, "start": 3.0, **others})


def test_one_worker_does_one_thing_after_another(scale):
    found = scale.predicted([100] * 10, 10, 1, costs(scale, worker_start=2.0))
    assert found == pytest.approx(3 + 2 + 10 * (100 * 0.01 + 0.5))


def test_more_workers_than_tasks_bring_nothing(scale):
    few, many = (scale.predicted([100] * 10, 10, workers, costs(scale, worker_start=2.0)) for workers in (10, 1000))
    assert few == many == pytest.approx(3 + 2 + 1.5)


@pytest.mark.parametrize("slower", ["task", "outcome"])
def test_handing_out_bounds_the_rate(scale, slower):
    found = scale.predicted([1] * 4000, 0, 1000, costs(scale, worker_start=0.0, **{slower: 0.1}))
    assert found == pytest.approx(3 + 4000 * 0.1, rel=0.03)


def test_the_tasks_are_a_runs_own(scale):
    study = scale.finer(40, 50)
    alone = scale.of_study(study, 1, costs(scale, worker_start=0.0))
    blocks = len(study.blocks())
    assert alone == pytest.approx(3 + study.size * 0.01 + blocks * 0.5)
    assert scale.of_study(study, 4, costs(scale, worker_start=0.0)) < 0.6 * alone
