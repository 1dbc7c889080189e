"""Stores of earlier versions open, go on, grow and replay; other software is proved, not refused."""

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from gbaexplore import (
    Connectome,
    Final,
    Peak,
    Study,
    Trace,
    UserError,
    WilsonCowan,
    cli,
    load_study,
    open_study,
    replay,
    run,
)
from gbaexplore.running import runner
from gbaexplore.store import integrity, making, stores
from gbaexplore.store.history import history

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def earlier(tmp_path):
    """A function that puts a stored study into a folder, with its study file, perhaps changed."""

    def put(name, *changes):
        with zipfile.ZipFile(FIXTURES / f"{name}.zarr.zip") as archive:
            archive.extractall(tmp_path)
        return rewritten(name, *changes)

    def rewritten(name, *changes):
        text = (FIXTURES / f"{name}.py").read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / f"{name}.py").write_text(text)
        return load_study(tmp_path / f"{name}.py"), tmp_path / f"{name}.zarr"

    put.rewritten = rewritten
    return put


def stored(path):
    return open_study(path).load()


def agree(a, b):
    for name in b.data_vars:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_finished_store_is_finished(earlier):
    study, path = earlier("earlier")
    before = stores.attributes(path)
    report = runner.execute(study, path.parent)
    assert (report.computed, report.proof, report.carried) == (0, None, None)
    assert stores.attributes(path) == before, "it is upgraded in memory"
    assert list(history(path)) == [e for e in history(path) if e["event"] != "proved"]


def test_what_diverged_has_no_values_any_more(earlier, monkeypatch):
    """It is read so, and the next run makes it so: in one step, so that a run that is killed leaves it as it was."""
    study, path = earlier("earlier")

    def plain():
        return xr.open_zarr(path, consolidated=False).load()

    zarr.open_array(path / "status", mode="r+")[2, 0] = 2  # its values would have been cut off at the ceiling
    before, seen = plain(), stored(path)
    away = before.status == 2
    assert np.isfinite(before.peak_rate).all()
    for name in ("peak_rate", "mean_rate", "rate_change", "d_peak_rate_of"):
        xr.testing.assert_equal(seen[name], before[name].where(~away))
    for name in ("spectral_abscissa", "calibrated_amplitude", "calibrated_peak", "status"):
        xr.testing.assert_equal(seen[name], before[name])

    with monkeypatch.context() as killed:
        killed.setattr(making, "_put", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            runner.execute(study, path.parent)
    xr.testing.assert_identical(plain(), before)

    assert runner.execute(study, path.parent).computed == 0
    for name in before.data_vars:
        xr.testing.assert_equal(plain()[name], seen[name])
    assert plain().status.attrs["flag_meanings"] == "pending ok diverged failed undefined"
    assert integrity.check(path) == []
    assert [event["event"] for event in history(path)].count("upgraded") == 1


def test_it_goes_on_where_it_was(earlier):
    study, path = earlier("earlier")
    whole = stored(path)
    # As if it had been killed before the second block.
    for chunk in path.glob("*/c/0/1*"):
        if chunk.is_file():
            chunk.unlink()
    (path / "status/c/0/1").unlink(missing_ok=True)
    assert (stored(path).status == 0).sum() == 3
    report = runner.execute(study, path.parent)
    assert (report.computed, report.proof) == (3, None)
    agree(stored(path), whole)


@pytest.mark.slow
def test_its_grid_changes(earlier):
    study, path = earlier("earlier", ("[30.0, 33.7, 51.5]", "[30.0, 33.7, 40.0, 51.5]"))
    old = stored(path)
    report = runner.execute(study, path.parent)
    assert (report.computed, report.carried.carried) == (2, 6)
    agree(stored(path).sel(muEE=old.muEE), old)
    assert stores.recipe(path)["format"] == 2
    assert runner.execute(study, path.parent).computed == 0


def test_it_replays(earlier):
    _, path = earlier("earlier")
    ds = replay(path, muEE=33.7, feedback="on")
    peak = (ds.E - ds.E.isel(time=0)).max("time")
    np.testing.assert_allclose(peak, stored(path).peak_rate.sel(muEE=33.7, feedback="on"), rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("ThresholdLinear()", 'ThresholdLinear(update="simultaneous")'), "model.update"),
        (("20 * t", "21 * t"), "stimulus.sha256"),
        (("target=5.0", "target=6.0"), "measures"),
        (("muIE", "muEE"), "measures"),
        (("0.02, 0.1", "0.03, 0.1"), "measures"),
    ],
)
def test_another_study_is_refused(earlier, change, said):
    study, path = earlier("earlier", change)
    with pytest.raises(UserError, match=rf"holds another study's results \(.*{said}"):
        runner.execute(study, path.parent)


def test_a_model_of_ones_own_is_proved_once(earlier):
    """An earlier version did not keep what the compiler gets of it."""
    study, path = earlier("earlier_own")
    report = runner.execute(study, path.parent)
    assert (report.computed, report.proof.points) == (0, 3)
    assert "made by other software: 3 finished points were computed again and agree" in str(report)
    (event,) = [event for event in history(path) if event["event"] == "proved"]
    assert event["points"] == 3
    assert event["largest"] < 1e-5
    assert runner.execute(study, path.parent).proof is None
    assert replay(path, tau=0.05, study=study).sizes["area"] == 29
    # From now on it is known.
    other, _ = earlier.rewritten("earlier_own", ("GAIN = 2.0", "GAIN = 3.0"))
    with pytest.raises(UserError, match=r"another study's results \(variants.all.code.model.step"):
        runner.execute(other, path.parent)


def test_a_model_that_gives_other_numbers_is_refused_at_a_point(earlier):
    study, path = earlier("earlier_own", ("GAIN = 2.0", "GAIN = 2.001"))
    names = sorted(p for p in path.rglob("*"))
    said = r"other numbers than the study gives now: \w+ at tau = 0.02 is [\d.e-]+ there, [\d.e-]+ here; expected the"
    with pytest.raises(UserError, match=said):
        runner.execute(study, path.parent)
    assert sorted(p for p in path.rglob("*")) == names, "nothing is written"


def test_a_proof_on_the_way_to_another_grid(earlier):
    study, path = earlier("earlier_own", ("[0.02, 0.05, 0.1]", "[0.02, 0.04, 0.05, 0.1]"))
    report = runner.execute(study, path.parent)
    assert (report.computed, report.carried.carried, report.proof.points) == (1, 3, 3)
    assert [e["event"] for e in history(path)].count("proved") == 1
    assert runner.execute(study, path.parent).proof is None


def other_software(path, **versions):
    """Let a store have been made by other versions, with other programs."""
    attrs = json.loads((path / "zarr.json").read_text())
    recipe = json.loads(attrs["attributes"]["gbaexplore_recipe"])
    for variant in recipe["variants"].values():
        variant["made"]["code"]["model"]["step"] = "made by another JAX"
    software = json.loads(attrs["attributes"]["software"]) | versions
    attrs["attributes"] |= {"gbaexplore_recipe": json.dumps(recipe), "software": json.dumps(software)}
    (path / "zarr.json").write_text(json.dumps(attrs))
    (path / making.CHECKSUMS).write_text(
        json.dumps({n: s for n, s in json.loads((path / making.CHECKSUMS).read_text()).items() if n != "zarr.json"})
    )


SHORT = dict(axes={"muEE": [28.0, 30.0]}, duration=0.1)


@pytest.fixture
def short(make_study):
    from gbaexplore import Peak, Pulse

    return make_study(stimulus=Pulse("V1", 0.01, 0.05, 10.0), measures=[Peak()], **SHORT)


def test_other_programs_by_other_software_are_proved(short, tmp_path):
    path = runner.execute(short, tmp_path).path
    other_software(path, jax="0.1")
    report = runner.execute(short, tmp_path)
    assert (report.proof.points, report.proof.largest) == (2, 0.0)
    assert runner.execute(short, tmp_path).proof is None


def test_a_trace_that_counted_steps_is_proved(short, tmp_path):
    """`every` was a number of steps, which what is asked of a measure did not say."""
    trace = dataclasses.replace(short, measures=[Trace(every=0.002, window=(0.01, 0.05))])
    path = runner.execute(trace, tmp_path).path
    attrs = json.loads((path / "zarr.json").read_text())
    recipe = json.loads(attrs["attributes"]["gbaexplore_recipe"])
    recipe["measures"][0]["every"] = 10
    assert recipe["variants"]["all"]["made"]["asked"][0].pop("every") == 10
    attrs["attributes"]["gbaexplore_recipe"] = json.dumps(recipe)
    (path / "zarr.json").write_text(json.dumps(attrs))
    other_software(path, gbaexplore="0.1.0")
    report = runner.execute(trace, tmp_path)
    assert (report.computed, report.proof.points, report.proof.largest) == (0, 2, 0.0)
    assert runner.execute(trace, tmp_path).proof is None


def test_other_programs_by_the_same_software_are_another_model(short, tmp_path):
    path = runner.execute(short, tmp_path).path
    other_software(path)
    with pytest.raises(UserError, match="another study's results"):
        runner.execute(short, tmp_path)


def test_check_against_a_study(earlier, capsys, tmp_path):
    _, path = earlier("earlier_own")
    assert cli.main(["check", str(path), "--against", str(tmp_path / "earlier_own.py")]) == 0
    assert "3 finished points were computed again and agree" in capsys.readouterr().out
    assert "other software: 3 points computed again" in (cli.main(["info", str(path)]), capsys.readouterr().out)[1]
    earlier.rewritten("earlier_own", ("GAIN = 2.0", "GAIN = 1.0"))
    assert cli.main(["check", str(path), "--against", str(tmp_path / "earlier_own.py")]) == 2
    assert "is" in capsys.readouterr().err
    earlier.rewritten("earlier_own", ("10.0)", "11.0)"))
    assert cli.main(["check", str(path), "--against", str(tmp_path / "earlier_own.py")]) == 2
    assert "amplitude: 10.0 there, 11.0 here" in capsys.readouterr().err


def test_what_was_called_a_rate_has_its_own_name_now(tmp_path):
    """A store of a model without rates, as it was written before: the next run changes its names, and no bits."""
    net = Connectome("two", ("a", "b"), [[0, 0.2], [0.8, 0]], [[0, 20.0], [20.0, 0]], {"hierarchy": [0.0, 1.0]})
    measures = [Peak(), Final(of="I", suffix="_I")]
    given = dict(model=WilsonCowan(method="heun"), connectome=net, measures=measures, dt=1e-3, duration=0.05)
    before = run(Study("old", axes={"P": [0.5, 1.0]}, **given), store=tmp_path).load()
    path = tmp_path / "old.zarr"
    names = {"peak_E": "peak_rate", "final_I_I": "final_rate_I"}
    for file in (path / "zarr.json", path / "status" / "checksums.json"):
        text = file.read_text()
        for new, old in names.items():
            text = text.replace(f'"{new}/', f'"{old}/').replace(f'\\"{new}\\"', f'\\"{old}\\"')
        file.write_text(text)
    sums = json.loads((path / "status" / "checksums.json").read_text())
    sums["zarr.json"] = hashlib.sha256((path / "zarr.json").read_bytes()).hexdigest()
    (path / "status" / "checksums.json").write_text(json.dumps(sums))
    for new, old in names.items():
        (path / new).rename(path / old)

    assert set(names.values()) < set(open_study(path).data_vars)
    files = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    for other in (dict(fixed={"c1": 9.0}), dict(fixed={"c1": 9.0}, axes={"P": [0.5]})):
        with pytest.raises(UserError, match="another study's results"):
            run(Study("old", **{"axes": {"P": [0.5, 1.0]}, **given, **other}), store=tmp_path)
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == files, "nothing is written"
    again = run(Study("old", axes={"P": [0.5, 1.0, 1.5]}, **given), store=tmp_path).load()
    assert set(again.data_vars) == set(before.data_vars)
    xr.testing.assert_equal(again.sel(P=[0.5, 1.0]), before)
    assert integrity.check(path) == []
