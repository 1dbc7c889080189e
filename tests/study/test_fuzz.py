"""Wrong values at every door, by the hundred: each gives a result, or one line that says what is wrong."""

from __future__ import annotations

import itertools
import os
import random
import warnings
from collections.abc import Hashable
from decimal import Decimal

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

import gbaexplore as gba
from gbaexplore import UserError, analysis, cli, designs

NET = gba.Connectome("small", ("A1", "B2"), [[0.0, 0.2], [0.3, 0.0]], values={"hierarchy": [0.0, 0.5]})
PULSE = gba.Pulse(area="A1", onset=0.01, duration=0.01, amplitude=20.0)
STUDY = gba.Study(
    name="fuzzed", model=gba.ThresholdLinear(), connectome=NET, axes={"muEE": [28.0, 30.0], "omegaEI": [19.0, 20.0]},
    measures=[gba.Peak()], stimulus=PULSE, duration=0.02,
)  # fmt: skip


class Quantity:
    """As pint's and astropy's."""

    units = "Hz"

    def __float__(self):
        return 1.0


WRONG = {
    "None": None,
    "True": True,
    "text": "V9",
    "empty": "",
    "escape": "a\x1b[2K\n",
    "bytes": b"28",
    "-1": -1,
    "0": 0,
    "1.5": 1.5,
    "huge": 1e300,
    "2**80": 2**80,
    "nan": float("nan"),
    "inf": float("inf"),
    "complex": 1j,
    "list": [],
    "numbers": [1.0, 2.0],
    "words": ["a", "b"],
    "ragged": [[1.0], [2.0, 3.0]],
    "tuple": (1,),
    "dict": {},
    "labels": {"a": 1},
    "set": {1, 2},
    "generator": (x for x in (1, 2)),
    "an object": object(),
    "class": gba.Peak,
    "function": len,
    "array": np.zeros((2, 3)),
    "0-d": np.array(1.0),
    "masked": np.ma.array([1.0, 2.0], mask=[0, 1]),
    "matrix": np.ones((1, 2)).view(np.matrix),
    "date": np.datetime64("2020-01-01"),
    "NA": pd.NA,
    "frame": pd.DataFrame({"x": [1.0]}),
    "series": pd.Series(["a"]),
    "dataset": xr.Dataset(),
    "study": STUDY,
    "10**400": 10**400,
    "NaT": pd.NaT,
    "sparse": sparse.csr_matrix([[1.0]]),
    "decimal": Decimal("1.5"),
    "quantity": Quantity(),
    "object": np.array([None, 1.0], object),
    "pair": (0.03, 0.01),
    "letters": "a\u202e\x07",
    "long name": "n" * 300,
    "url": "file:///tmp/x?y#z",
    "two colons": "zip::x.zarr",
}


def _doors():
    """Yield name, function of a wrong value."""

    def study(**parts):
        return gba.Study(**{**{f: getattr(STUDY, f) for f in _FIELDS}, **parts})

    for field in _FIELDS:
        yield f"Study({field})", lambda v, field=field: study(**{field: v})
    yield "axis", lambda v: study(axes={"muEE": v})
    yield "axis of labels", lambda v: study(axes={"x": {"a": v}})
    yield "label", lambda v: study(axes={"x": _named(v, NET)}, connectome=None)
    yield "axis' name", lambda v: study(axes=_named(v, [1.0]))
    yield "seed", lambda v: study(fixed={"noise": 0.1, "seed": v})
    yield "seeds", lambda v: study(fixed={"noise": 0.1}, axes={"seed": [0, v]})
    yield "fixed", lambda v: study(fixed={"muIE": v})
    yield "fixed name", lambda v: study(fixed=_named(v, 1.0))
    yield "derived", lambda v: study(derived={"muIE": v})
    yield "derived value", lambda v: study(derived={"muIE": lambda muEE: v})
    yield "column", lambda v: study(axes={"point": pd.DataFrame({"muEE": [v]})})
    yield "measure", lambda v: study(measures=[v])
    kinds = (gba.ThresholdLinear, gba.DelayedThresholdLinear, gba.WilsonCowan, gba.LocalCircuit)
    for kind in kinds:
        for parameter in (*list(kind.parameters())[:3], *kind().options()):
            yield (
                f"{kind.__name__}({parameter})",
                lambda v, k=kind, p=parameter: study(axes={"amplitude": [1]}, model=k(**{p: v})),
            )
    for kind, fields in _MEASURES.items():
        for field in fields:
            yield f"{kind.__name__}({field})", lambda v, k=kind, f=field: study(measures=[_measure(k, **{f: v})])
    for field in ("area", "onset", "duration", "amplitude"):
        parts = dict(area="A1", onset=0.01, duration=0.01, amplitude=20.0)
        yield f"Pulse({field})", lambda v, f=field, p=parts: study(stimulus=gba.Pulse(**{**p, f: v}))
    yield "Stimulus", lambda v: study(stimulus=gba.Stimulus({"A1": v}, onset=0.01, duration=0.01))
    yield "Stimulus(courses)", lambda v: study(stimulus=gba.Stimulus(v, onset=0.01, duration=0.01))
    parts = dict(name="n", areas=("A", "B"), weights=np.zeros((2, 2)), values={"hierarchy": [0.0, 1.0]})
    for field in (*parts, "lengths_mm", "further_weights", "pathway_values", "positions_mm", "about"):
        yield f"Connectome({field})", lambda v, f=field: gba.Connectome(**{**parts, f: v})
    yield "lesioned", lambda v: NET.lesioned(v)
    yield "scaled", lambda v: NET.scaled(v, source="A1")
    for name in ("window", "every", "dt", "duration", "precision", "seed", "at", "muEE", "nonsense"):
        yield (
            f"simulate({name})",
            lambda v, n=name: gba.simulate(gba.ThresholdLinear(), NET, PULSE, **{"duration": 0.02, n: v}),
        )
    yield "simulate(model)", lambda v: gba.simulate(v, NET, PULSE, duration=0.02)
    yield "simulate(connectome)", lambda v: gba.simulate(gba.ThresholdLinear(), v, PULSE, duration=0.02)
    yield "simulate(stimulus)", lambda v: gba.simulate(gba.ThresholdLinear(), NET, v, duration=0.02)
    yield "open_study", gba.open_study
    yield "load_connectome", gba.load_connectome
    yield "load_study", gba.load_study
    for name in ("random", "latin_hypercube", "sobol", "saltelli"):
        if hasattr(designs, name):
            design = getattr(designs, name)
            yield f"{name}(n)", lambda v, d=design: d(v, {"muEE": (28, 30)})
            yield f"{name}(ranges)", lambda v, d=design: d(4, v)
            yield f"{name}(range)", lambda v, d=design: d(4, {"muEE": v})
    for name in analysis.__all__:
        if name == "stationary_covariance":
            function, given = getattr(analysis, name), {"model": gba.ThresholdLinear(), "connectome": NET}
            for part in (*given, "muEE"):
                yield f"{name}({part})", lambda v, f=function, g=given, p=part: f(**{**g, p: v})
        else:
            yield name, getattr(analysis, name)
    for words in (("run", "--dry-run"), ("info",), ("check",), ("figure",)):
        yield f"gbaexplore {words[0]}", lambda v, w=words: _command(*w, v)
    for name in ("store", "window", "every", "study", "muEE"):
        yield f"replay({name})", lambda v, n=name: gba.replay(**{"store": "none.zarr", n: v})
    yield "Quantile(q)", lambda v: study(measures=[gba.Quantile(q=v)])
    yield "Sensitivity(parameters)", lambda v: study(measures=[gba.Sensitivity(gba.Peak(), v)])
    yield "AcrossSeeds(quantiles)", lambda v: study(measures=[gba.AcrossSeeds(gba.Peak(), 2, v)], fixed={"noise": 0.1})
    yield "find_boundary(of)", lambda v: gba.find_boundary(STUDY, v, most=1)
    yield "find_boundary(tolerance)", lambda v: gba.find_boundary(STUDY, tolerance={"muEE": v}, most=1)
    yield "find_boundary(start)", lambda v: gba.find_boundary(STUDY, start=v, most=1)
    yield "find_boundary(known)", lambda v: gba.find_boundary(STUDY, known=v, most=1)


_FIELDS = ("name", "axes", "measures", "model", "stimulus", "connectome", "fixed", "derived", "dt", "duration",
           "ceiling", "precision", "block_points")  # fmt: skip
_MEASURES = {
    gba.Peak: ("window", "of", "suffix"),
    gba.Mean: ("window", "of"),
    gba.Trace: ("window", "every", "areas"),
    gba.Spectrum: ("frequencies", "segment"),
    gba.CalibratedAmplitude: ("area", "target"),
    gba.AcrossSeeds: ("measure", "seeds"),
}


def _command(*words):
    """Give the command line something that it has to refuse."""
    try:
        code = cli.main([str(word) for word in words])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2, code


def _named(name, value):
    return {name: value} if isinstance(name, Hashable) else {"other": value}


def _measure(kind, **parts):
    given = {gba.Spectrum: {"frequencies": [50.0]}, gba.CalibratedAmplitude: {"area": "A1", "target": 10.0},
             gba.AcrossSeeds: {"measure": gba.Peak(), "seeds": 2}}.get(kind, {})  # fmt: skip
    return kind(**{**given, **parts})


# Chosen once and for all: the same in each process.
DOORS = dict(_doors())
CASES = sorted(random.Random(1).sample(list(itertools.product(DOORS, WRONG)), 400))


def test_a_mistake_is_a_result_or_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = []
    for door, what in CASES:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                DOORS[door](WRONG[what])
            except UserError as error:
                if "\n" in str(error) or not str(error).strip() or "\x1b" in str(error):
                    wrong.append(f"{door}, {what}: {error!r}")
            except (Exception, SystemExit) as error:
                wrong.append(f"{door}, {what}: {type(error).__name__}: {error}")
        written = os.listdir(tmp_path)
        if written:
            wrong.append(f"{door}, {what}: wrote {written}")
            break
    assert not wrong, "\n".join(wrong)
