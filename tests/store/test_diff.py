import numpy as np
import pytest

from gbaexplore import Peak, UserError
from gbaexplore.cli import main
from gbaexplore.running import runner
from gbaexplore.store import stores
from gbaexplore.store.diff import diff

SHORT = dict(measures=[Peak(window=(1.75, 2.1))])


@pytest.fixture
def stored(make_study, tmp_path):
    count = iter("abcdef")

    def make(**parts):
        return runner.execute(make_study(**{**SHORT, **parts}), tmp_path / next(count)).path

    return make


def test_the_same_study_twice_agrees(stored, capsys):
    a, b = stored(), stored()
    assert diff(a, b) == []
    assert main(["diff", str(a), str(b)]) == 0
    assert "no difference" in capsys.readouterr().out


def test_a_parameter_and_what_it_does(stored, capsys):
    a, b = stored(), stored(fixed={"eta": 0.6})
    found = diff(a, b)
    assert found[0] == "recipe  variants.all.parameters.eta: 0.68 there, 0.6 here"
    (peak,) = [line for line in found if line.startswith("values  peak_rate")]
    assert "of 174 differ; most at muEE 33.7, omegaEI 19.7, area " in peak
    assert main(["diff", str(a), str(b)]) == 1
    assert "eta" in capsys.readouterr().out


def test_values_are_compared_by_label(stored):
    a = stored(axes={"muEE": [28.0, 30.0, 33.7]})
    b = stored(axes={"muEE": [33.7, 28.0 + 1e-13, 31.0]})
    found = diff(a, b)
    assert "labels  muEE: [30.0] only in the first" in found
    assert "labels  muEE: [31.0] only in the second" in found
    assert not [line for line in found if line.startswith("values")], "what both have is the same"


def test_where_and_how_much_values_differ(stored, make_study):
    a, b = stored(), stored()
    study = make_study(**SHORT)
    (block,) = study.blocks()
    arrays = {name: array.copy() for name, array in study.run_block(block).items()}
    arrays["peak_rate"][1, 2, 4] += 0.5
    arrays["peak_rate"][0, 0, 0] = np.nan
    arrays["status"][1, 1] = 2
    stores.write_block(b, block.slices, arrays)
    found = diff(a, b)
    area = study.areas[0]
    assert found[0].startswith(f"values  peak_rate: 2 of 174 differ; most at muEE 28.0, omegaEI 19.7, area {area}: ")
    assert found[0].endswith("and nan")
    assert "status  1 points: ok and diverged" in found


def test_other_measures(stored):
    found = diff(stored(), stored(measures=[Peak(window=(1.75, 2.1), suffix="_late")]))
    assert "values  peak_rate: only in the first" in found
    assert "values  peak_rate_late: only in the second" in found


def test_what_is_no_store(stored, tmp_path):
    with pytest.raises(UserError, match="is not a gbaexplore store"):
        diff(stored(), tmp_path)
