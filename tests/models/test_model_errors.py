"""A mistake in a user's model, met through `gbaexplore run`: one line, her file and line, exit 2, nothing written."""

import re

import pytest

from gbaexplore.cli import main

FILE = """from dataclasses import dataclass
from typing import NamedTuple
import jax.numpy as jnp
import gbaexplore as gba

class State(NamedTuple):
    E: object
    a: object

@dataclass(frozen=True)
class Own(gba.{base}):
    muEE: float = gba.parameter(0.5, units="1", doc="coupling")
    tau: float = gba.parameter(0.02, units="s", doc="time constant", above=0)
    observables = {{"E": "Hz", "a": "Hz"}}

    {rest}

    {start}

    {step}

two = gba.Connectome("two", ("a", "b"), weights=[[0, 0.2], [0.3, 0]])
study = gba.Study(
    name="own", axes={{"muEE": [0.5, 1.0]}}, model=Own(), connectome=two, measures=[gba.Peak()], duration=0.1
)
"""
REST = 'def rest(self, p, net): return {"E": 0 * p.tau, "a": 0 * p.tau}'
START = "def start(self, p, net): return State(0 * p.tau, 0 * p.tau)"
STEP = "def step(self, x, p, net, stimulus, dt): return "
DERIVATIVE = "def derivative(self, x, p, net, stimulus): return "

# What is wrong: the one method that is, and what is said of it.
MISTAKES = {
    "misspelt parameter": (DERIVATIVE + '{"E": -p.muee * x.E, "a": x.a}', 'no parameter "muee"; did you mean "muEE"'),
    "misspelt variable": (DERIVATIVE + '{"E": -x.F, "a": x.a}', "AttributeError: 'State' object has no attribute 'F'"),
    "shapes that do not fit": (DERIVATIVE + '{"E": net.weights @ x.E[:1], "a": x.a}', "TypeError: .*shape"),
    "a derivative is missing": (DERIVATIVE + '{"E": -x.E}', "Own.derivative returns a dict of E; expected .* for E, a"),
    "no mapping": (DERIVATIVE + "-x.E", r"Own.derivative returns a \w*; expected .* for E, a"),
    "a sum over areas": (DERIVATIVE + '{"E": x.E.sum(), "a": x.a}', r"Own.derivative makes E of shape \(\); .*\(2,\)"),
    "an exception": (DERIVATIVE + '{"E": x.E * [1, 2][5], "a": x.a}', "IndexError: list index out of range"),
    "if": (DERIVATIVE + '{"E": -x.E if x.E[0] > 0 else x.E, "a": x.a}', "if, and, or, .*use jnp.where"),
    "if over areas": (DERIVATIVE + '{"E": -x.E if x.E > 0 else x.E, "a": x.a}', "if, and, or, .*use jnp.where"),
    "NaN": (DERIVATIVE + '{"E": -x.E, "a": x.a / x.E}', "Own is not finite .* from the start, at muEE = 0.5"),
    "a state without a field": (STEP + '{"E": x.E}', "Own.step returns a dict of E; expected a State as it got: E, a"),
    "a step of other shape": (STEP + "State(x.E.sum(), x.a)", r"Own.step makes E float32 of shape \(\); .*\(2,\)"),
    "a step of other numbers": (STEP + "State(x.E > 0, x.a)", "Own.step makes E bool of shape"),
    "a start without a field": (
        "def start(self, p, net): return (0 * p.tau, 0 * p.tau)",
        "Own.start returns a tuple; expected a NamedTuple with the observables among its fields: E, a",
    ),
    "a start of other shape": (
        "def start(self, p, net): return State(0.0, 0 * p.tau)",
        r"Own.start makes E of shape \(\); expected one number per area: \(2,\)",
    ),
    "a start that is NaN": ("def start(self, p, net): return State(jnp.nan * p.tau, p.tau)", "Own is not finite"),
    "a rest of other shape": (
        'def rest(self, p, net): return {"E": 0 * p.tau, "a": 0.0}',
        r"Own.rest makes a of shape \(\); expected one number per area: \(2,\)",
    ),
    "a rest without a field": ('def rest(self, p, net): return {"a": 0 * p.tau}', "Own.rest returns a dict of a;"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_its_line_before_anything_is_written(mistake, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wrong, said = MISTAKES[mistake]
    parts = dict(base="ODEModel", rest="", start="", step=wrong)
    if not wrong.startswith(DERIVATIVE):
        parts = dict(base="Model", rest=REST, start=START, step=STEP + "x")
        parts[wrong.split("(")[0].removeprefix("def ")] = wrong
    text = FILE.format(**parts)
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(main(["run", "own.py"]))
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    number = next(i for i, row in enumerate(text.splitlines(), 1) if wrong in row)
    assert line.startswith("gbaexplore: ")
    assert f"(own.py, line {number})" in line
    assert re.search(said, line), line
    assert not (tmp_path / "store").exists()
