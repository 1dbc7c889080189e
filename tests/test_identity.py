import textwrap

import pytest

from gbaexplore import ThresholdLinear, load_study
from gbaexplore.identity import code_hash

OWN = '''
from dataclasses import dataclass
import numpy as np
import helper
from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome

GAIN = 1.0

def scaled(rate):
    return rate * GAIN

@dataclass(frozen=True)
class Own(ThresholdLinear):
    """My model."""

    def step(self, x, p, network, stimulus, dt):
        # as it was
        return super().step(x, p, network, scaled(stimulus) + helper.more(0.0), dt)

study = Study(
    name="own", model=Own(), axes={"muEE": [30.0]}, connectome=load_connectome("macaque29"),
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=1.0), measures=[Peak(window=(1.75, 2.5))],
)
'''


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """The hash of the model in a study file, with some text replaced."""
    count = iter(range(100))

    def of(*replacements, helper="def more(x):\n    return x\n"):
        folder = tmp_path / str(next(count))
        folder.mkdir()
        (folder / "helper.py").write_text(helper)
        text = OWN
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (folder / "own.py").write_text(text)
        monkeypatch.delitem(__import__("sys").modules, "helper", raising=False)
        return load_study(folder / "own.py").recipe()["code"]["Own"]

    return of


def test_layout_comments_and_axes_do_not_count(hashed):
    same = hashed()
    assert hashed(("# as it was", "# said otherwise")) == same
    assert hashed(('"""My model."""', '"""Mine."""')) == same
    assert hashed(("[30.0]", "[30.0, 31.0]")) == same
    assert hashed(("x, p, network, stimulus, dt)", "x, p, network,   stimulus, dt)")) == same


@pytest.mark.parametrize(
    "change",
    [
        ("scaled(stimulus)", "scaled(2 * stimulus)"),
        ("rate * GAIN", "rate + GAIN"),
        ("GAIN = 1.0", "GAIN = 1.5"),
        ("(ThresholdLinear)", "(ThresholdLinear, object)"),
    ],
)
def test_what_it_does_counts_wherever_it_stands(hashed, change):
    assert hashed(change) != hashed()


def test_a_helper_file_counts(hashed):
    assert hashed(helper="def more(x):\n    return x + 1\n") != hashed()


def test_classes_without_source_have_a_hash_too():
    def made(line):
        space = {"ThresholdLinear": ThresholdLinear}
        exec(textwrap.dedent(f"class Own(ThresholdLinear):\n    def step(self, *a):\n        {line}\n"), space)
        return code_hash(space["Own"])

    assert made("return 1") != made("return 2")
    assert made("return 1") == made("return 1")
