import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from distributed import Client
from grids import STUDY, same

from gbaexplore import Peak, SpectralAbscissa, ThresholdLinear, UserError, load_study, open_study, run
from gbaexplore.running import runner
from gbaexplore.store import stores
from gbaexplore.study.blocks import Blocks


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "grid.py"
    path.write_text(STUDY)
    return path


def test_run_gives_what_the_blocks_give(study_file, run_all, tmp_path):
    study = load_study(study_file)
    ds = run(study, store=tmp_path / "store")
    expected = run_all(study)
    for name, values in expected.items():
        np.testing.assert_array_equal(ds[name].values, values)
    assert ds.peak_rate.sel(area="24c", feedback="on").dims == ("muEE", "omegaEI")
    assert ds.attrs["created"]
    plain = xr.open_zarr(tmp_path / "store" / "grid.zarr", consolidated=False)
    same(plain, ds)


@pytest.mark.slow
def test_worker_processes_give_the_same_bits(study_file, tmp_path):
    study = load_study(study_file)
    same(run(study, store=tmp_path / "two", workers=2), run(study, store=tmp_path / "threads"))


def test_a_study_without_a_file_runs_in_worker_processes(make_study, tmp_path):
    parts = dict(axes={"muEE": [30.0, 33.7]}, derived={"omegaEI": eval("lambda muEE: 19.7 + 0 * muEE")})
    same(
        run(make_study(**parts), store=tmp_path / "two", workers=1),
        run(make_study(**parts), store=tmp_path / "threads"),
    )


def test_only_what_is_missing_is_computed(study_file, tmp_path, monkeypatch):
    study = load_study(study_file)
    whole = run(study, store=tmp_path).load()
    path = tmp_path / "grid.zarr"
    blocks = study.blocks()
    assert len(blocks) >= 4
    # As if killed before block 1 was marked, and block 2 had failed.
    stores.write_block(path, blocks[1].slices, {"status": np.zeros(blocks[1].shape, np.uint8)})
    stores.write_block(path, blocks[2].slices, {"status": np.full(blocks[2].shape, 3, np.uint8)})
    computed = []
    original = stores.write_block
    monkeypatch.setattr(stores, "write_block", lambda p, b, *rest: (computed.append(b), original(p, b, *rest)))
    report = runner.execute(study, tmp_path)
    assert sorted(computed, key=str) == sorted([blocks[1].slices, blocks[2].slices], key=str)
    assert report.computed == blocks[1].size + blocks[2].size
    same(open_study(path), whole)
    assert runner.execute(study, tmp_path).computed == 0


def test_a_finished_study_starts_nothing(study_file, tmp_path):
    run(load_study(study_file), store=tmp_path)
    code = f"""
import sys
from pathlib import Path
from gbaexplore import load_study
from gbaexplore.running import runner
report = runner.execute(load_study({str(study_file)!r}), Path({str(tmp_path)!r}))
assert report.computed == 0
assert "distributed" not in sys.modules, "no cluster"
from gbaexplore.engine import queue
assert queue._program.cache_info().currsize == 0, "nothing compiled"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_study_under_the_same_name_is_refused(make_study, tmp_path):
    run(make_study(), store=tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with pytest.raises(UserError, match="holds another study's results"):
        run(make_study(fixed={"eta": 0.5}), store=tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


@dataclass(frozen=True)
class Fragile(ThresholdLinear):
    """A model of a user's that fails at some points, as long as something outside of its code is missing."""

    def jacobian(self, p, net):
        if p.muEE > 33 and "MENDED" not in os.environ:
            raise ZeroDivisionError("too strong")
        return super().jacobian(p, net)


def test_a_block_that_fails_is_recorded_and_the_rest_is_done(make_study, tmp_path, monkeypatch):
    study = make_study(
        model=Fragile(),
        axes={"muEE": np.linspace(31, 35, 1200), "omegaEI": [19.7, 22.0]},
        measures=[Peak(window=(1.75, 2.5)), SpectralAbscissa()],
    )
    report = runner.execute(study, tmp_path)
    assert any("ZeroDivisionError: too strong" in error and "test_runner.py" in error for error in report.errors)
    ds = open_study(report.path)
    failed = ds.status == 3
    assert failed.any()
    assert (ds.status == 1).any()
    assert not (failed & (ds.muEE < 31.5)).any()
    assert f"{int(failed.sum()):,} failed" in str(report)
    with pytest.raises(RuntimeError, match=r"points failed in .*too strong"):
        run(study, store=tmp_path)
    monkeypatch.setenv("MENDED", "1")
    assert (run(study, store=tmp_path).status != 3).all()


def test_a_model_that_can_not_be_traced_is_a_users_mistake(make_study, tmp_path):
    @dataclass(frozen=True)
    class Broken(ThresholdLinear):
        def step(self, x, p, net, stimulus, dt):
            return x._replace(E=x.E + net.nothing)

    with pytest.raises(UserError, match=r"can't be simulated: AttributeError: .*nothing.*test_runner.py, line \d+"):
        run(make_study(model=Broken()), store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_more_blocks_than_are_submitted_at_once(make_study, tmp_path, macaque, monkeypatch):
    monkeypatch.setattr("gbaexplore.running.dispatch._TASKS_AHEAD", 1)
    pathways = {f"x{factor}": macaque.scaled(factor) for factor in np.linspace(0.5, 1.0, 11)}
    study = make_study(connectome=None, axes={"pathways": pathways}, measures=[Peak(window=(1.75, 2.3))])
    report = runner.execute(study, tmp_path)
    assert report.complete
    np.testing.assert_array_equal(open_study(report.path).status, np.ones(11))


def test_the_scheduler_is_not_asked_for_its_workers_with_every_task(make_study, tmp_path, monkeypatch):
    asked, original = [], Client.nthreads
    monkeypatch.setattr(Client, "nthreads", lambda client: asked.append(client) or original(client))
    monkeypatch.setattr("gbaexplore.running.dispatch._ASK_S", 60.0)
    study = make_study(axes={"muEE": np.linspace(28, 40, 30)}, measures=[Peak(window=(1.75, 2.3))], block_points=1)
    monkeypatch.setattr(Blocks, "queue_blocks", 1)
    assert runner.execute(study, tmp_path).complete
    assert len(asked) == 1


def test_what_is_left_is_said(study_file, tmp_path):
    study = load_study(study_file)
    report = runner.execute(study, tmp_path, only=[0])
    assert not report.complete
    assert f"{study.size - study.blocks()[0].size:,} are still to be computed" in str(report)


def test_another_order_of_the_axes_is_another_grid(make_study, tmp_path):
    runner.execute(make_study(axes={"muEE": [28.0, 30.0], "omegaEI": [19.7, 22.0]}), tmp_path, only=[0])
    with pytest.raises(UserError, match=r"another study's results \(order: "):
        runner.execute(make_study(axes={"omegaEI": [19.7, 22.0], "muEE": [28.0, 30.0]}), tmp_path)


def test_another_order_of_the_labels_is_carried_over(make_study, tmp_path, macaque):
    """Blocks are positions: a run may not just go on where the labels stand in another order."""
    variants = {"on": macaque, "off": macaque.without_feedback()}
    axes = {"muEE": [28.0, 30.0], "feedback": variants}
    runner.execute(make_study(connectome=None, axes=axes, block_points=2), tmp_path, only=[0])
    turned = make_study(connectome=None, axes={**axes, "feedback": dict(reversed(variants.items()))})
    assert runner.execute(turned, tmp_path).computed == 2
    same(open_study(tmp_path / "small.zarr"), run(turned, store=tmp_path / "fresh"))


def test_a_store_keeps_its_blocks(make_study, tmp_path):
    axes = {"muEE": np.linspace(28, 34, 30), "omegaEI": [19.7, 22.0]}
    parts = dict(axes=axes, measures=[Peak(window=(1.75, 2.3))])
    fine = make_study(block_points=10, **parts)
    assert len(fine.blocks()) == 6
    runner.execute(fine, tmp_path, only=[0, 3])
    assert runner.execute(make_study(block_points=25, **parts), tmp_path).computed == 40
    same(open_study(tmp_path / "small.zarr"), run(make_study(**parts), store=tmp_path / "whole"))


def test_a_measure_that_does_not_make_what_it_says(make_study, tmp_path):
    @dataclass(frozen=True)
    class Forgets(Peak):
        def finish(self, acc, rest, run):
            return {"peak_rate": super().finish(acc, rest, run)["peak_rate"]}

    with pytest.raises(UserError, match=r"Forgets.finish returned .*expected what its variables\(\) declare"):
        run(make_study(measures=[Forgets()]), store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_workers_are_counted_from_one(make_study, tmp_path):
    with pytest.raises(UserError, match="workers = 0; expected at least 1"):
        run(make_study(), store=tmp_path, workers=0)
