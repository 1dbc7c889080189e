"""How many points are side by side: what suits the queue, with the same bits."""

import dataclasses
import os

import numpy as np
import pytest

from gbaexplore import Connectome, Mean, Peak, Study, WongWang, run
from gbaexplore.engine import plan, queue
from gbaexplore.engine.alike import alike
from gbaexplore.running.forecast import forecast
from gbaexplore.study.simulation import Part


def study(areas, points, **parts):
    rng = np.random.default_rng(0)
    weights = rng.lognormal(size=(areas, areas)) / areas
    np.fill_diagonal(weights, 0)
    given = dict(
        name="dense",
        model=WongWang(sigma=0.01),
        axes={"G": np.linspace(0.1, 1, points)},
        connectome=Connectome("dense", tuple(f"area {i}" for i in range(areas)), weights),
        measures=[Mean(window=(0.005, 0.02)), Peak(of="r_I")],
        dt=1e-3,
        duration=0.02,
    )
    return Study(**{**given, **parts})


@pytest.fixture
def lanes_taken(monkeypatch):
    """The numbers of lanes that queues have taken."""
    taken, lanes_for = [], plan.lanes_for
    monkeypatch.setattr(queue, "lanes_for", lambda *of: taken.append(lanes_for(*of)) or taken[-1])
    return taken


@pytest.mark.parametrize(
    ("areas", "precision"),
    [
        (84, "float32"),
        *(pytest.param(*at, marks=pytest.mark.slow) for at in ((5, "float32"), (84, "float64"), (130, "float32"))),
    ],
)
def test_bits_are_the_same_with_any_number_of_lanes(areas, precision, run_all, monkeypatch, lanes_taken):
    whole = study(areas, 64, precision=precision, block_points=64)
    found = {}
    for lanes in (16, 32, 48, 64):
        own = plan.lanes_of(areas)
        if not alike(areas, precision, own, lanes):
            continue  # here they are never taken
        monkeypatch.setattr(queue, "lanes_for", lambda points, batch, lanes=lanes: lanes)
        found[lanes] = run_all(whole)
    first = next(iter(found.values()))
    for values in found.values():
        for name, expected in first.items():
            np.testing.assert_array_equal(values[name], expected)


@pytest.mark.slow
def test_a_queue_takes_the_lanes_that_it_fills(run_all, lanes_taken, monkeypatch):
    monkeypatch.setattr(plan, "alike", lambda *of: True)
    for points, lanes in ((16, 16), (64, 64), (80, 48), (256, 64)):
        lanes_taken.clear()
        run_all(study(84, points, block_points=points))
        assert set(lanes_taken) == {lanes}


def test_where_bits_would_differ_the_lanes_stay(run_all, lanes_taken, monkeypatch):
    monkeypatch.setattr(plan, "alike", lambda *of: False)
    run_all(study(84, 64, block_points=64))
    assert set(lanes_taken) == {16}


def test_few_points_are_shared_between_threads_in_full_queues():
    for points, threads, queue_points, blocks in ((32, 2, 16, 1), (64, 2, 32, 2), (256, 2, 64, 4), (256, 16, 16, 1)):
        shared = study(84, points).shared_by(threads)
        assert (shared.queue_points, shared.fewest_blocks) == (queue_points, blocks)
    large = study(84, 256, block_points=100)
    assert large.shared_by(2) is large, "a queue holds a block"
    many = study(84, 5000)
    assert many.shared_by(2) is many
    labelled = study(
        84, 32, axes={"G": np.linspace(0.1, 1, 32), "kind": {"a": WongWang(), "b": WongWang(w=1.3)}}, model=None
    )
    assert labelled.shared_by(2).queue_points == 32, "the other label's points are work for the other thread"


def test_a_forecast_times_queues_with_full_lanes(tmp_path):
    """Else it would take the time of lanes without a point for that of one."""
    whole, threads = study(84, 256), os.cpu_count() or 1
    shared = whole.shared_by(threads)
    queues = -(-len(shared.blocks()) // shared.fewest_blocks)
    found = forecast(whole, tmp_path)
    assert found.probes == min(threads, queues) * shared.fewest_blocks
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_few_points_has_the_bits_of_one_queue(tmp_path, run_all):
    small = study(84, 80)
    together = run_all(dataclasses.replace(small, block_points=80))
    ds = run(small, store=tmp_path)
    for name, expected in together.items():
        np.testing.assert_array_equal(ds[name].values, expected)


def test_no_operation_of_a_step_is_divided_between_threads():
    """That takes longer than the operation, and another queue is for the other thread."""
    made = study(84, 16).pinned()
    variant = next(made.variants())
    arguments = made.simulation._batch(Part(variant, made.points(made.blocks()[0]), 16))
    program, given = queue._called(**arguments, count=16, size=16)
    text = program.lower(*given).compile().as_text()
    assert "fusion" in text
    assert 'outer_dimension_partitions":["' not in text
