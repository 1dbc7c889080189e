"""What identifies a study's numbers: every change of them is noticed, and nothing else."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from gbaexplore import (
    AcrossSeeds,
    CalibratedAmplitude,
    DelayedThresholdLinear,
    Final,
    LocalCircuit,
    Model,
    NonNormality,
    ODEModel,
    Sensitivity,
    SpectralAbscissa,
    Study,
    ThresholdLinear,
    UserError,
    WilsonCowan,
    load_study,
    open_study,
    parameter,
    run,
)
from gbaexplore.identity.revisions import REVISIONS
from gbaexplore.running import runner
from gbaexplore.store.recipe import explained, identity

TRACED = """
import functools
from dataclasses import dataclass
from types import SimpleNamespace
import jax
import jax.numpy as jnp
import numpy as np
import gbaexplore as gba
{before}

@dataclass(frozen=True)
class Mine(gba.ODEModel):
    tau: float = gba.parameter(0.05, units="s", doc="time constant", above=0)
    observables = {{"r": "Hz"}}
    {inside}

    def derivative(self, x, p, net, stimulus):
        return {{"r": ({term} + stimulus - x.r) / p.tau}}

study = gba.Study(
    name="mine", model=Mine(), connectome=gba.load_connectome("macaque29"), axes={{"tau": [0.02, 0.05]}},
    measures=[gba.Final()], duration=0.1,
)
"""


@pytest.fixture
def recipe_of(tmp_path, monkeypatch):
    """The recipe of a study file; those that are loaded one after another have one path."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def of(text, **others):
        for name, content in others.items():
            (tmp_path / f"{name}.py").write_text(content)
        (tmp_path / "own.py").write_text(text)
        return load_study(tmp_path / "own.py").recipe()

    yield of
    for name in [n for n, m in sys.modules.items() if str(getattr(m, "__file__", "")).startswith(str(tmp_path))]:
        del sys.modules[name]


def traced(term, before="", inside=""):
    return TRACED.format(before=before, inside=inside, term=term)


# What a derivative may find somewhere: (lines before the class, what it adds), with a number to be changed.
REACHED = {
    "float": ("K = {v}", "K"),
    "array": ("K = np.array([{v}])", "K[0]"),
    "JAX array": ("K = jnp.array([{v}])", "K[0]"),
    "NumPy's number": ("K = np.float32({v})", "K"),
    "list": ("K = [{v}]", "K[0]"),
    "dictionary": ("K = dict(a={v})", 'K["a"]'),
    "object": ("K = SimpleNamespace(a={v})", "K.a"),
    "function": ("def f(x): return {v} * x", "f(1.0)"),
    "jitted function": ("@jax.jit\ndef f(x): return {v} * x", "f(1.0)"),
    "cached function": ("@functools.cache\ndef f(x): return {v} * x", "f(1.0)"),
    "partial": ("def g(k, x): return k * x\nf = functools.partial(g, {v})", "f(1.0)"),
    "vmap": ("def g(x): return {v} * x\nf = jax.vmap(g)", "f(jnp.ones(29))"),
    "second lambda of a line": ("e, f = (lambda x: x), (lambda x: {v} * x)", "e(1.0) * f(1.0)"),
    "second closure": (
        "def scaled(k):\n    def f(x): return k * x\n    return f\ne, f = scaled(1.0), scaled({v})", "e(1.0) * f(1.0)"
    ),
    "closure over an array": ("def scaled(k):\n    return lambda x: k[0] * x\nf = scaled(np.array([{v}]))", "f(1.0)"),
    "callable object": (
        "class G:\n    def __init__(s, k): s.k = k\n    def __call__(s, x): return s.k * x\nf = G({v})", "f(1.0)"
    ),
    "default argument": ("def f(x, k=np.array([{v}])): return k[0] * x", "f(1.0)"),
    "interpolated table": ("X, Y = np.arange(3.0), np.array([0.0, {v}, 9.0])", "jnp.interp(0.5 + 0 * x.r, X, Y)"),
    "branch of values": ("", "jnp.where(x.r > 100, {v}, 1.0)"),
    "branch of code": ("", "jax.lax.cond(x.r[0] > 100, lambda: {v}, lambda: 1.0)"),
    "loop": ("", "jax.lax.fori_loop(0, 3, lambda i, a: a + {v} * x.r, x.r)"),
    "scan": ("", "jax.lax.scan(lambda a, k: (a + k * x.r, None), x.r, jnp.array([1.0, {v}]))[0]"),
    "while": ("", "jax.lax.while_loop(lambda a: a[0] < {v}, lambda a: a + 1.0, x.r)"),
    "callback": (
        "def host(a): return {v} * a",
        "jax.pure_callback(host, jax.ShapeDtypeStruct((29,), jnp.float32), x.r, vmap_method='sequential')",
    ),
    "custom derivative": (
        "@jax.custom_jvp\ndef f(a): return {v} * a\n@f.defjvp\ndef g(p, t): return f(p[0]), t[0]", "f(x.r)"
    ),
    "weights": ("W = np.eye(29) * {v}", "W @ x.r"),
    "shape": ("N = int({v})", "jnp.ones(N).sum()"),
    "integer": ("", "x.r ** int({v})"),
    "set at the class": ("", "self.K"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REACHED)
def test_a_number_counts_wherever_it_stands(recipe_of, kind):
    before, term = REACHED[kind]
    inside = "K = np.array([{v}] * 29)" if kind == "set at the class" else ""

    def recipe(value):
        return recipe_of(traced(*(part.replace("{v}", value) for part in (term, before, inside))))

    one, other = recipe("1.0"), recipe("2.0")
    assert identity(recipe("1.0")) == identity(one)
    assert explained(one, other) == ["variants.all.code.model.step: another program there"]


SAME = traced("scaled(x.r)", "K = 2.0\ndef scaled(rate):\n    return K * rate")
UNCHANGED = {
    "comment": SAME.replace("K = 2.0", "K = 2.0  # as measured"),
    "documentation": SAME.replace("gba.ODEModel):", 'gba.ODEModel):\n    """Mine."""'),
    "name of a class": SAME.replace("Mine", "Ours"),
    "names of functions and variables": SAME.replace("scaled", "grown").replace("rate", "value"),
    "name of a constant": SAME.replace("K", "GAIN"),
    "a jit wrapper": SAME.replace("def scaled", "@jax.jit\ndef scaled"),
    "a line in two": SAME.replace("return K * rate", "found = K * rate\n    return found"),
    "unused code": SAME.replace("K = 2.0", "K = 2.0\nL = 3.0\ndef unused(x): return L"),
    "a constant as an array": SAME.replace("K = 2.0", "K = np.float32(2.0)"),
    "a message": SAME.replace(
        "    return K", "    if rate is None:\n        raise ValueError('no rate')\n    return K"
    ),
    "a global with a local's name": SAME.replace("K = 2.0", "K = 2.0\nrate = 5.0\nx = 3.0"),
    "another default of a parameter that is swept": SAME.replace("parameter(0.05", "parameter(0.06"),
    "a new parameter that nothing uses": SAME.replace(
        "    observables", '    other: float = gba.parameter(1.0, units="1", doc="new")\n    observables'
    ),
    "a helper elsewhere": SAME.replace("K = 2.0\ndef scaled(rate):\n    return K * rate", "from helper import scaled"),
}


@pytest.mark.parametrize("kind", UNCHANGED)
def test_what_changes_no_number_does_not_count(recipe_of, kind):
    helper = "K = 2.0\ndef scaled(rate):\n    return K * rate\n"
    assert explained(recipe_of(SAME), recipe_of(UNCHANGED[kind], helper=helper)) == []


def test_a_new_parameter_counts_where_it_is_used_or_changed(recipe_of):
    new = UNCHANGED["a new parameter that nothing uses"]
    used = new.replace("scaled(x.r)", "scaled(x.r) * p.other")
    assert explained(recipe_of(SAME), recipe_of(used))
    assert explained(recipe_of(SAME), recipe_of(new.replace("model=Mine()", "model=Mine(other=2.0)")))


def test_a_helper_that_changes_counts_in_a_session_that_has_loaded_it(recipe_of):
    text = traced("helper.gain()", "import helper")
    one = recipe_of(text, helper="def gain(): return 1.0\n")
    other = recipe_of(text, helper="def gain(): return 2.0\n")
    assert explained(one, other)
    assert explained(one, recipe_of(text, helper="def gain(): return 1.0\n")) == []


@pytest.mark.parametrize("folder", ["my-site-packages-talk", f"mnt{sys.base_prefix}/proj"])
def test_own_code_is_own_code_wherever_it_lies(tmp_path, folder):
    place = tmp_path / folder.lstrip("/")
    place.mkdir(parents=True)
    found = []
    for gain in "12":
        (place / "helperz.py").write_text(f"def gain(): return {gain}.0\n")
        (place / "own.py").write_text(UNTRACED.replace("from helper import", "from helperz import"))
        found.append(load_study(place / "own.py").recipe())
    assert explained(*found)


# What is not traced: here, how a linearisation is made and what is computed from it.
UNTRACED = """
from dataclasses import dataclass
import numpy as np
import gbaexplore as gba
from helper import gain
SHIFT = np.array([1.0])

@dataclass(frozen=True)
class Mine(gba.ThresholdLinear):
    def jacobian(self, p, net):
        # as it was
        matrix = super().jacobian(p, net)
        if not matrix.shape:
            raise ValueError("no matrix")
        return gain() * matrix

@dataclass(frozen=True)
class Shifted(gba.SpectralAbscissa):
    def compute(self, model, points, connectome):
        \"\"\"Return it, shifted.\"\"\"
        found = super().compute(model, points, connectome)
        return {name: values + SHIFT for name, values in found.items()}

study = gba.Study(
    name="own", model=Mine(), axes={"muEE": [30.0]}, connectome=gba.load_connectome("macaque29"),
    stimulus=gba.Pulse(area="V1", onset=0.1, duration=0.1, amplitude=1.0), duration=0.5,
    measures=[gba.Peak(), Shifted()],
)
"""
HELPER = "def gain(): return 1.0\n"


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("gain() * matrix", "gain() * matrix + 0.5", True),
        ("SHIFT = np.array([1.0])", "SHIFT = np.array([2.0])", True),
        ("values + SHIFT", "values - SHIFT", True),
        ("# as it was", "# said otherwise", False),
        ("Return it, shifted.", "Another word.", False),
        ("no matrix", "there is no matrix", False),
        ("matrix = ", "matrix  =  ", False),
        ("found", "values_by_name", False),
        ("Shifted", "Moved", False),
        ("SHIFT", "BY", False),
    ],
)
def test_code_that_is_not_traced_counts_by_what_it_does(recipe_of, old, new, counts):
    assert old in UNTRACED
    found = explained(recipe_of(UNTRACED, helper=HELPER), recipe_of(UNTRACED.replace(old, new), helper=HELPER))
    assert bool(found) == counts


def test_what_it_uses_of_other_files_counts(recipe_of):
    first = recipe_of(UNTRACED, helper=HELPER)
    assert explained(first, recipe_of(UNTRACED, helper="def gain(): return 2.0\n"))
    assert explained(first, recipe_of(UNTRACED, helper="def gain(): return 1.0  # one\n")) == []
    assert explained(first, recipe_of(UNTRACED, helper="K = 1.0\ndef gain(): return K\n"))


def test_nothing_not_traced_is_in_a_study_that_does_not_use_it(recipe_of):
    plain = UNTRACED.replace(", Shifted()", "")
    found = recipe_of(plain, helper=HELPER)
    assert explained(found, recipe_of(plain, helper="def gain(): return 2.0\n")) == []
    assert set(found["revisions"]) == {"engine"}


# In one session, as in a notebook.

GAIN = {"of": 1.0}


@dataclass(frozen=True)
class Changing(ODEModel):
    tau: float = parameter(0.05, units="s", doc="time constant", above=0)
    table: object = None  # a field that has no hash

    observables = {"r": "Hz"}

    def derivative(self, x, p, net, stimulus):
        return {"r": (GAIN["of"] + (0 if self.table is None else self.table) + stimulus - x.r) / p.tau}


@pytest.fixture
def changing(macaque):
    def make(**parts):
        given = dict(name="changing", model=Changing(), axes={"tau": [0.02, 0.05]}, measures=[Final()], duration=0.1)
        return Study(**{**given, "connectome": macaque, **parts})

    return make


def test_a_session_gets_the_numbers_of_now(changing, tmp_path, monkeypatch):
    study = changing()
    one = run(study, store=tmp_path / "one").final_rate
    monkeypatch.setitem(GAIN, "of", 2.0)
    np.testing.assert_allclose(run(study, store=tmp_path / "two").final_rate, 2 * one, rtol=1e-6)
    with pytest.raises(UserError, match="another study's results"):
        run(study, store=tmp_path / "one")
    with pytest.raises(UserError, match="another study's results"):
        run(changing(axes={"tau": [0.02, 0.03, 0.05]}), store=tmp_path / "one")
    monkeypatch.setitem(GAIN, "of", 1.0)
    assert runner.execute(study, tmp_path / "one").computed == 0


def test_one_look_at_a_study_is_one_program(changing, monkeypatch):
    study = changing().pinned()
    (block,) = study.blocks()
    one = study.run_block(block)["final_rate"]
    monkeypatch.setitem(GAIN, "of", 2.0)
    np.testing.assert_array_equal(study.run_block(block)["final_rate"], one)
    np.testing.assert_allclose(changing().run_block(block)["final_rate"], 2 * one, rtol=1e-6)
    late = changing(duration=0.2).pinned()
    late.recipe()
    monkeypatch.setitem(GAIN, "of", 3.0)
    with pytest.raises(UserError, match="Changing or a measure is another program than when it was first looked at"):
        late.run_block(block)


@pytest.mark.slow
def test_models_that_hold_arrays_are_told_apart(changing):
    tables = {f"table {i}": Changing(table=np.full(29, float(i))) for i in range(2)}
    study = changing(model=None, axes={"tau": [0.05], "model": tables}).pinned()
    values = [study.run_block(block)["final_rate"].ravel() for block in study.blocks()]
    np.testing.assert_allclose(values[1], 2 * values[0], rtol=1e-6)
    recipe = study.recipe()["variants"]
    assert recipe["model=table 0"]["made"]["code"] != recipe["model=table 1"]["made"]["code"]


def test_random_numbers_that_a_model_makes_itself_are_refused(changing, tmp_path, monkeypatch):
    monkeypatch.setattr(
        Changing, "derivative", lambda self, x, p, net, _: {"r": np.random.default_rng().normal() - x.r}
    )
    with pytest.raises(UserError, match="draw random numbers by `normal` alone"):
        run(changing(), store=tmp_path)


@pytest.mark.slow
def test_noise_may_come_to_a_grid_that_had_none(make_study, tmp_path):
    parts = dict(fixed={"muEE": 28.0, "restE": 20.0, "restI": 45.0}, duration=0.1, stimulus=None, measures=[Final()])
    one = run(make_study(axes={"noise": [0.0]}, **parts), store=tmp_path).final_rate.load()
    report = runner.execute(make_study(axes={"noise": [0.0, 0.05]}, **parts), tmp_path)
    assert (report.computed, report.carried.carried, report.proof) == (1, 1, None)
    both = open_study(tmp_path / "small.zarr").final_rate
    np.testing.assert_array_equal(both.sel(noise=0.0), one.sel(noise=0.0))
    alone = make_study(axes={"noise": [0.0, 0.05]}, **parts, name="alone")
    np.testing.assert_array_equal(run(alone, store=tmp_path).final_rate, both)


def test_what_can_not_be_told_is_refused(changing, tmp_path):
    file = (tmp_path / "file").open("w")

    @dataclass(frozen=True)
    class Kept(SpectralAbscissa):
        def compute(self, model, points, connectome):
            return super().compute(model, points[: 1 + file.tell()], connectome)

    with pytest.raises(UserError, match=r"_io.TextIOWrapper among what a model or measure uses can't be identified;"):
        changing(measures=[Kept()]).recipe()
    file.close()


def test_every_part_that_is_not_traced_has_a_revision():
    solved = [AcrossSeeds, CalibratedAmplitude, NonNormality, Sensitivity, SpectralAbscissa]
    assert {cls.__name__ for cls in solved} <= REVISIONS.keys()
    models = [ThresholdLinear, DelayedThresholdLinear, LocalCircuit, WilsonCowan, ODEModel, Model]
    assert {cls.jacobian.__qualname__ for cls in models} <= REVISIONS.keys()
