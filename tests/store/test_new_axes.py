"""A study with axes that its store lacks: what is finished is carried over, nothing is computed twice."""

import numpy as np
import pandas as pd
import pytest

from gbaexplore import Peak, Pulse, ThresholdLinear, UserError, open_study, run
from gbaexplore.running import runner
from gbaexplore.running.forecast import forecast
from gbaexplore.store import integrity, stores
from gbaexplore.store import regrid as extensions
from gbaexplore.study.study import Study

SHORT = dict(measures=[Peak(window=(1.75, 2.3))])
OLD = {"muEE": [30.0, 32.0]}


@pytest.fixture
def counted(monkeypatch):
    """How many points are simulated."""
    found = []
    simulate = Study.run_blocks
    monkeypatch.setattr(Study, "run_blocks", lambda *a: (found.append(sum(m.sum() for m in a[2])), simulate(*a))[1])
    return found


@pytest.fixture
def grown(make_study, tmp_path, counted):
    """Run a study and then one with more axes; the report, the store, and what a fresh run of the second gives."""

    def grow(before, after, shrink=False):
        assert not runner.execute(make_study(**SHORT | before), tmp_path).errors
        second = make_study(**SHORT | after)
        counted.clear()
        report = runner.execute(second, tmp_path, shrink=shrink)
        assert sum(counted) == report.computed == int(report.carried.pending.sum()), "nothing is computed twice"
        extended = open_study(report.path).load()
        assert not diff_of(run(second, store=tmp_path / "fresh").load(), extended)
        assert not list(integrity.check(report.path))
        assert runner.execute(second, tmp_path).computed == 0
        return report, extended

    def diff_of(fresh, extended):
        assert fresh.sizes == extended.sizes
        np.testing.assert_array_equal(fresh.status, extended.status)
        for name in fresh.data_vars:
            assert fresh[name].dims == extended[name].dims
            # What was fixed was a constant of the program, which may round otherwise.
            np.testing.assert_allclose(extended[name].values, fresh[name].values, rtol=2e-6, err_msg=name)
        return None

    return grow


@pytest.mark.slow
@pytest.mark.parametrize("values", [[19.7, 22.0], [22.0, 21.0, 19.7], [19.7 * (1 + 5e-10), 25.0]])
@pytest.mark.parametrize("first", [True, False])
def test_a_parameter_that_had_its_default(grown, values, first):
    new = {"omegaEI": values}
    report, extended = grown({"axes": OLD}, {"axes": new | OLD if first else OLD | new})
    assert (report.carried.carried, report.computed) == (2, 2 * (len(values) - 1))
    assert extended.peak_rate.dims == (*(new | OLD if first else OLD | new), "area")
    assert "2 carried over to omegaEI = 19.7" in str(report)


@pytest.mark.slow
def test_a_parameter_that_was_fixed_and_new_values_of_an_old_axis_at_once(grown):
    before = {"axes": OLD, "fixed": {"muIE": 26.0}}
    report, _ = grown(before, {"axes": {"muEE": [30.0, 31.0, 32.0], "muIE": [25.0, 26.0]}})
    assert (report.carried.carried, report.computed) == (2, 4)


@pytest.mark.slow
def test_several_axes_of_every_kind(grown, macaque):
    table = pd.DataFrame({"omegaEE": [24.0, 24.3], "omegaIE": [12.0, 12.2]}, index=[3, 7])
    axes = {
        "feedback": {"off": macaque.without_feedback(), "on": macaque},
        **OLD,
        "set": table,
        "amplitude": [41.895, 20.0],
    }
    report, _ = grown({"axes": OLD}, {"axes": axes, "connectome": None})
    assert (report.carried.carried, report.computed) == (2, 14)
    assert report.carried.before == {"set": 7, "amplitude": 41.895, "feedback": "on"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["model", "stimulus", "parameters"])
def test_labels_of_any_kind(grown, pulse, kind):
    labels = {
        "model": {"other": ThresholdLinear(update="simultaneous"), "same": ThresholdLinear()},
        "stimulus": {"other": Pulse(area="V4", onset=2.0, duration=0.25, amplitude=20.0), "same": pulse},
        "parameters": {"other": {"muIE": 26.0}, "same": {"muIE": 25.3}},
    }[kind]
    given = {} if kind == "parameters" else {kind: None}
    report, _ = grown({"axes": OLD}, {"axes": {"kind": labels} | OLD, **given})
    assert (report.carried.before, report.carried.carried, report.computed) == ({"kind": "same"}, 2, 2)


def test_labels_beside_old_labels(grown, macaque):
    feedback = {"feedback": {"on": macaque, "off": macaque.without_feedback()}}
    update = {"update": {"one": ThresholdLinear(), "two": ThresholdLinear(update="simultaneous")}}
    report, _ = grown(
        {"axes": feedback | OLD, "connectome": None},
        {"axes": update | feedback | OLD, "connectome": None, "model": None},
    )
    assert (report.carried.carried, report.computed) == (4, 4)


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["shared", "independent"])
def test_seeds_of_a_study_that_had_none(grown, noise):
    noisy = {"fixed": {"noise": 0.1}, "noise": noise}
    report, _ = grown({"axes": OLD, **noisy}, {"axes": OLD | {"seed": [1, 0]}, **noisy})
    assert (report.carried.carried, report.computed) == (2, 2)


@pytest.mark.slow
def test_noise_and_seeds_of_a_study_that_had_neither(grown):
    report, _ = grown({"axes": OLD}, {"axes": OLD | {"noise": [0.0, 0.1], "seed": [0, 1]}})
    assert (report.carried.carried, report.computed) == (2, 6)


def test_a_derived_parameter_that_is_the_same_there(grown):
    derived = {"derived": {"omegaEI": lambda muEE: 20 + 0.3 * (muEE - 30)}}
    more = {"derived": {"omegaEI": lambda muEE, muIE: 20 + 0.3 * (muEE - 30) + (muIE - 25.3)}}
    report, _ = grown({"axes": OLD, **derived}, {"axes": OLD | {"muIE": [25.3, 25.4]}, **more})
    assert (report.carried.carried, report.computed) == (2, 2)


def test_what_was_not_finished_is_computed_there(make_study, tmp_path, counted):
    first = make_study(axes={"muEE": np.linspace(30, 32, 8)}, block_points=2, **SHORT)
    report = runner.execute(first, tmp_path, only=[0, 2])
    second = make_study(axes={"omegaEI": [19.7, 22.0], "muEE": np.linspace(30, 32, 8)}, block_points=2, **SHORT)
    todo = runner.outstanding(second, report.path)
    assert (todo.change.carried, todo.points) == (4, 12)
    counted.clear()
    assert runner.execute(second, tmp_path).computed == sum(counted) == 12


def test_killed_in_the_midst_the_old_store_is_whole_and_the_next_run_grows_it(make_study, tmp_path, monkeypatch):
    first = make_study(axes=OLD, **SHORT)
    path = runner.execute(first, tmp_path).path
    second = make_study(axes=OLD | {"omegaEI": [19.7, 22.0]}, **SHORT)
    write = stores.write_block

    def killed(*args):
        write(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(extensions.stores, "write_block", killed)
        with pytest.raises(KeyboardInterrupt):
            runner.execute(second, tmp_path)
    assert runner.execute(first, tmp_path).computed == 0
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    report = runner.execute(second, tmp_path)
    assert (report.carried.carried, report.computed) == (2, 2)


def test_a_dry_run_says_it_too(make_study, tmp_path):
    runner.execute(make_study(axes=OLD, **SHORT), tmp_path)
    found = forecast(make_study(axes=OLD | {"omegaEI": [19.7, 22.0]}, **SHORT), tmp_path)
    assert (found.to_do, found.change.carried) == (2, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({}, {"axes": {"omegaEI": [20.0, 22.0]} | OLD},
         r'lacks the axis "omegaEI": its points have omegaEI = 19.7, which the axis has not; .* add it, in order to'),
        ({}, {"axes": OLD | {"set": pd.DataFrame({"omegaEE": [24.0, 24.3], "omegaIE": [12.2, 12.0]})}},
         r'lacks the axis "set": its points have omegaEE = 24.3, omegaIE = 12.2, which the axis has not'),
        ({}, {"axes": OLD | {"kind": {"other": {"muIE": 26.0}}}},
         r"lacks the axis 'kind', and no label stands for what its points were made with; .* add it, in order"),
        ({"derived": {"omegaEI": lambda muEE: muEE - 10}}, {"axes": OLD | {"omegaEI": [20.0, 22.0]}},
         r'lacks the axis "omegaEI", and omegaEI has a derived value there; expected one number'),
        ({"fixed": {"omegaEI": np.full(29, 20.0)}}, {"axes": OLD | {"omegaEI": [20.0, 22.0]}},
         r'lacks the axis "omegaEI", and omegaEI has a number for each area there'),
        ({"fixed": {"noise": 0.1}, "noise": "independent"},
         {"fixed": {"noise": 0.1}, "noise": "independent", "axes": OLD | {"omegaEI": [19.7, 20.0]}},
         r'lacks the axis "omegaEI", and with noise="independent" each point .* noise of its own'),
        ({"axes": OLD | {"omegaEI": [19.7, 22.0]}}, {},
         r'has the axis "omegaEI", which the study no longer has; expected it there .* \(\[19.7, 22.0\]\).*--shrink'),
        ({}, {"axes": {"omegaEI": [19.7]}},
         r'has the axis "muEE", which the study no longer has \(a new axis is "omegaEI"\); expected it there'),
        ({}, {"axes": OLD | {"omegaEI": [19.7, 22.0]}, "fixed": {"muIE": 26.0}},
         r"holds another study's results \(.*muIE: 25.3 there, 26.0 here"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_to_do_and_changes_nothing(make_study, tmp_path, before, after, message):
    runner.execute(make_study(**{**SHORT, "axes": OLD, **before}), tmp_path)
    there = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with pytest.raises(UserError, match=message):
        runner.execute(make_study(**{**SHORT, "axes": OLD, **after}), tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == there


def test_an_axis_goes_as_its_message_says(grown):
    both = {"axes": OLD | {"omegaEI": [19.7, 22.0]}}
    report, _ = grown(both, {"axes": OLD | {"omegaEI": [19.7]}}, shrink=True)
    assert (report.carried.carried, report.carried.dropped, report.computed) == (2, 2, 0)
