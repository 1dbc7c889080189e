import os
import subprocess
import sys

import numpy as np
import pytest

from gbaexplore import Peak, UserError, open_study, replay, run
from gbaexplore.basics.names import DIVERGED
from gbaexplore.cli import main
from gbaexplore.running import runner
from gbaexplore.running.forecast import forecast
from gbaexplore.store import making, stores
from gbaexplore.store import regrid as extensions
from gbaexplore.store.diff import diff
from gbaexplore.study import grid

MANY = np.linspace(28, 34, 1500)
SHORT = dict(measures=[Peak(window=(1.75, 2.3))])


@pytest.fixture
def grown(make_study, tmp_path):
    """Run a study and then one with other axes; both the report and what a fresh run of the second gives."""

    def grow(before, after, shrink=False, **parts):
        first = make_study(axes=before, **SHORT, **parts)
        assert not runner.execute(first, tmp_path).errors
        second = make_study(axes=after, **SHORT, **parts)
        report = runner.execute(second, tmp_path, shrink=shrink)
        fresh = run(second, store=tmp_path / "fresh")
        return report, open_study(report.path).load(), fresh.load()

    return grow


def identical(a, b):
    assert set(a.variables) == set(b.variables)
    for name in a.variables:
        assert a[name].dims == b[name].dims
        np.testing.assert_array_equal(a[name].values, b[name].values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ({"muEE": [30, 32], "omegaEI": [19.7, 22]}, {"muEE": [29, 30, 31, 32, 33], "omegaEI": [19.7, 22]}, 6),
        ({"muEE": np.linspace(30, 32, 3)}, {"muEE": np.linspace(30, 32, 9)}, 6),
        ({"muEE": [30.0, 32.0]}, {"muEE": [32.0, 31.0, 30.0]}, 1),
        ({"muEE": [30.0, 32.0]}, {"muEE": [32.0, 30.0]}, 0),
        ({"muEE": MANY, "omegaEI": [19.7, 22.0]}, {"muEE": MANY, "omegaEI": [19.7, 21.0, 22.0]}, 1500),
    ],
)
def test_only_new_points_are_computed(grown, before, after, new):
    report, extended, fresh = grown(before, after)
    assert report.computed == new
    assert report.carried.carried == extended.status.size - new
    identical(extended, fresh)


def test_a_new_label_anywhere(grown, macaque):
    on, off = macaque, macaque.without_feedback()
    report, extended, fresh = grown(
        {"feedback": {"on": on, "off": off}, "muEE": [30.0, 32.0]},
        {"feedback": {"weaker": macaque.scaled(0.9), "on": on, "off": off}, "muEE": [30.0, 31.0, 32.0]},
        connectome=None,
    )
    assert (report.computed, report.carried.carried) == (5, 4)
    identical(extended, fresh)


def test_numbers_that_differ_by_less_than_the_tolerance_are_one(grown):
    report, extended, _ = grown({"muEE": [30.0, 32.0]}, {"muEE": [30.0 * (1 + 5e-10), 32.0, 33.0]})
    assert report.computed == 1
    assert extended.muEE.values[0] == 30.0 * (1 + 5e-10)


def test_numbers_that_differ_by_more_are_two(grown):
    report, extended, fresh = grown({"muEE": [30.0, 32.0]}, {"muEE": [30.0, 30.0 * (1 + 1e-7), 32.0]})
    assert (report.computed, report.carried.carried) == (1, 2)
    identical(extended, fresh)


def test_points_that_have_diverged_are_carried_over(grown):
    report, extended, fresh = grown({"muEE": [30.0, 32.0]}, {"muEE": [30.0, 31.0, 32.0]}, ceiling=1.0)
    assert (report.computed, report.carried.carried) == (1, 2)
    assert (extended.status == DIVERGED).all()
    identical(extended, fresh)


def test_the_same_grid_within_the_tolerance_changes_nothing(grown):
    report, extended, _ = grown({"muEE": [30.0, 32.0]}, {"muEE": [30.0 * (1 + 5e-10), 32.0]})
    assert report.computed == 0
    assert report.carried is None
    assert extended.muEE.values[0] == 30.0


def test_fewer_values_are_refused_and_nothing_changes(grown, make_study, tmp_path):
    axes = {"muEE": [30.0, 31.0, 32.0]}
    runner.execute(make_study(axes=axes, **SHORT), tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with pytest.raises(UserError, match=r"no longer has \(muEE: \[31\.0\]\); give the study another name.*--shrink"):
        runner.execute(make_study(axes={"muEE": [30.0, 32.0, 33.0]}, **SHORT), tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_fewer_values_with_shrink(grown):
    report, extended, fresh = grown({"muEE": [30.0, 31.0, 32.0]}, {"muEE": [30.0, 32.0, 33.0]}, shrink=True)
    assert (report.computed, report.carried.carried, report.carried.dropped) == (1, 2, 1)
    identical(extended, fresh)


def test_derived_values_are_compared_where_both_have_them(make_study, tmp_path):
    def study(slope, values):
        derived = {"omegaEI": eval(f"lambda muEE: 20 + {slope} * (muEE - 30)")}
        return make_study(axes={"muEE": values}, derived=derived, **SHORT)

    runner.execute(study(0.3, [30.0, 32.0]), tmp_path)
    report = runner.execute(study(0.3, [30.0, 31.0, 32.0]), tmp_path)
    assert report.computed == 1
    np.testing.assert_allclose(open_study(report.path).omegaEI, [20, 20.3, 20.6])
    with pytest.raises(UserError, match='derived "omegaEI" has other values there'):
        runner.execute(study(0.4, [30.0, 31.0, 32.0, 33.0]), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(fixed={"eta": 0.5}), r"variants\.all\.parameters\.eta: 0\.68 there, 0\.5 here"),
        (dict(precision="float64"), 'precision: "float32" there, "float64" here'),
        (dict(axes={"muEE": [30.0, 31.0], "eta": [0.5]}), 'lacks the axis "eta": its points have eta = 0.68'),
    ],
)
def test_more_than_other_values_is_another_study(make_study, tmp_path, change, said):
    runner.execute(make_study(axes={"muEE": [30.0]}, **SHORT), tmp_path)
    with pytest.raises(UserError, match=said):
        runner.execute(make_study(**{"axes": {"muEE": [30.0, 31.0]}, **SHORT, **change}), tmp_path)


def test_failed_and_pending_points_are_not_carried(make_study, tmp_path):
    first = make_study(axes={"muEE": [30.0, 31.0, 32.0]}, **SHORT)
    path = runner.execute(first, tmp_path).path
    stores.write_block(path, (slice(0, 3),), {"status": np.array([1, 3, 0], np.uint8)})
    report = runner.execute(make_study(axes={"muEE": [30.0, 31.0, 32.0, 33.0]}, **SHORT), tmp_path)
    assert (report.computed, report.carried.carried) == (3, 1)


def test_a_dry_run_says_how_many_of_each(make_study, tmp_path):
    runner.execute(make_study(axes={"muEE": [30.0, 31.0]}, **SHORT), tmp_path)
    bigger = make_study(axes={"muEE": [30.0, 31.0, 32.0]}, **SHORT)
    said = str(forecast(bigger, tmp_path))
    assert "3, of which 1 are to be computed" in said
    assert "2 carried over, 1 new" in said
    assert open_study(tmp_path / "small.zarr").sizes["muEE"] == 2, "nothing is changed"


def test_a_crash_on_the_way_leaves_the_old_store(make_study, tmp_path, monkeypatch):
    path = runner.execute(make_study(axes={"muEE": [30.0, 31.0]}, **SHORT), tmp_path).path
    before = open_study(path).load()
    bigger = make_study(axes={"muEE": [30.0, 31.0, 32.0]}, **SHORT)

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    for module, moment in ((extensions, "carried"), (making, "_put")):
        with monkeypatch.context() as patch:
            patch.setattr(module, moment, killed)
            with pytest.raises(Killed):
                runner.execute(bigger, tmp_path)
        identical(open_study(path).load(), before)
    assert runner.execute(bigger, tmp_path).computed == 1
    assert sorted(os.listdir(tmp_path)) == ["small.zarr"], "nothing is left beside it"


def test_without_an_exchange_of_names_a_crash_is_mended(make_study, tmp_path, monkeypatch):
    """Where a file system can't exchange two folders, two renames do, and the next run finishes them."""
    monkeypatch.setattr(making, "_exchanged", lambda *_: False)
    path = runner.execute(make_study(axes={"muEE": [30.0, 31.0]}, **SHORT), tmp_path).path
    assert runner.execute(make_study(axes={"muEE": [30.0, 31.0, 32.0]}, **SHORT), tmp_path).computed == 1
    os.rename(path, tmp_path / ".small.zarr.123.aside")  # as if killed between the two
    assert runner.execute(make_study(axes={"muEE": [30.0, 31.0, 32.0]}, **SHORT), tmp_path).computed == 0


def test_a_late_worker_does_not_write_into_another_grid(make_study, tmp_path):
    from gbaexplore.running import worker

    first = make_study(axes={"muEE": [30.0, 31.0]}, **SHORT)
    path = runner.execute(first, tmp_path).path
    source = worker.source_of(first, stores.generation(path))
    worker.HERE[source.key] = first
    runner.execute(make_study(axes={"muEE": [30.0, 30.5, 31.0]}, **SHORT), tmp_path)
    with pytest.raises(UserError, match="has been replaced since the run was started"):
        worker.compute(source, str(path), [0])


HOLD = """
import sys, time
from pathlib import Path
from gbaexplore.store import making
with making.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_run_is_told_who_holds_the_store(make_study, tmp_path):
    study = make_study(axes={"muEE": [30.0]}, **SHORT)
    path = runner.store_path(study, tmp_path)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"is being written by process {holder.pid} on .* since .*; wait for it"):
            runner.execute(study, tmp_path)
        assert not path.exists()
    finally:
        holder.kill()
        holder.communicate()
    assert (tmp_path / ".small.zarr.lock").exists(), "a dead process' lock"
    assert runner.execute(study, tmp_path).computed == 1
    assert sorted(os.listdir(tmp_path)) == ["small.zarr"]


def test_a_store_of_an_axis_in_no_order(make_study, tmp_path, monkeypatch):
    """As earlier versions made them: it is opened and replayed as it is, and in order from the next run on."""
    monkeypatch.chdir(tmp_path)
    path, values = tmp_path / "small.zarr", [32.0, 28.0, 30.0]
    with monkeypatch.context() as patch:
        patch.setattr(grid, "_numbers", lambda axis, values: np.array(values))
        runner.execute(make_study(axes={"muEE": values}, **SHORT), tmp_path)
    there, fresh = open_study(path).load(), make_study(axes={"muEE": values}, **SHORT).compute()
    assert there.muEE.values.tolist() == values
    identical(there.sortby("muEE"), fresh)
    course = replay(path, muEE=28.0, window=(1.75, 2.3))
    peak = (course.E - course.E.isel(time=0)).max("time")
    np.testing.assert_allclose(peak, there.peak_rate.sel(muEE=28.0), atol=1e-4)
    assert [main([word, str(path)]) for word in ("info", "check", "plot")] == [0, 0, 0]
    assert diff(path, path) == []
    assert forecast(make_study(axes={"muEE": values}, **SHORT), tmp_path).to_do == 0
    report = runner.execute(make_study(axes={"muEE": values}, **SHORT), tmp_path)
    assert (report.computed, report.carried.carried) == (0, 3)
    identical(open_study(path).load(), fresh)
    assert runner.execute(make_study(axes={"muEE": [*values, 29.0]}, **SHORT), tmp_path).computed == 1
