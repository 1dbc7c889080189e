import json

import pytest

from gbaexplore import BOLD, FC, Peak
from gbaexplore.cli import main
from gbaexplore.running import runner
from gbaexplore.store.history import Log, history
from gbaexplore.store.info import describe

SHORT = dict(measures=[Peak(window=(1.75, 2.1))])


@pytest.fixture
def extended(make_study, tmp_path):
    """A store that was computed, extended and has a failed block."""
    runner.execute(make_study(axes={"muEE": [28.0, 30.0]}, **SHORT), tmp_path)
    path = runner.execute(make_study(axes={"muEE": [28.0, 29.0, 30.0]}, **SHORT), tmp_path).path
    Log(path).add("failed", run="x", block=[[0, 3]], error="ZeroDivisionError: too strong")
    return path


def test_the_page_tells_the_history(extended):
    page = describe(extended)
    assert "2 points in 1 blocks in " in page
    assert "grid changed: 2 carried over, 1 new, 0 dropped" in page
    assert "1 points in 1 blocks in " in page
    assert "failed: ZeroDivisionError: too strong" in page
    assert "revisions   engine=1" in page


def test_a_signal_that_is_measured_is_said_with_what_it_is_made_of(make_study, tmp_path):
    measures = [FC(of=BOLD("E"), every=0.01, window=(0.02, 0.1))]
    report = runner.execute(make_study(axes={"muEE": [28.0]}, measures=measures, stimulus=None, duration=0.1), tmp_path)
    page = describe(report.path)
    assert "FC window=[0.02, 0.1] of=BOLD(of=E parameters=friston2003 linear=False) fisher_z=False every=0.01" in page


def test_a_failure_that_was_mended_is_not_shown(extended):
    Log(extended).add("block", run="y", block=[[0, 3]], points=3, seconds=0.1)
    assert "ZeroDivisionError" not in describe(extended)


def test_half_a_line_of_history_does_no_harm(extended):
    with (extended / "status/history.jsonl").open("a") as file:
        file.write('{"event": "blo')
    before = len(history(extended))
    Log(extended).add("extended", carried=1, new=0, dropped=2)
    assert len(history(extended)) == before + 1
    assert "1 carried over, 0 new, 2 dropped" in describe(extended)


def test_everything_for_machines(extended, capsys):
    assert main(["info", str(extended), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == {"pending": 0, "ok": 3, "diverged": 0, "failed": 0, "undefined": 0}
    peak = found["variables"]["peak_rate"]
    assert peak == {"dims": ["muEE", "area"], "shape": [3, 29], "dtype": "float32", "units": "Hz"}
    assert found["recipe"]["axes"]["muEE"] == [28.0, 29.0, 30.0]
    run, *_ = [event for event in found["history"] if event["event"] == "run"]
    assert run["software"]["jax"]
    assert run["code"].keys() == {"commit", "dirty"}
    assert "host" not in json.dumps(found["history"])
