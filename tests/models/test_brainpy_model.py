"""BrainPy's systems as models: against BrainPy's own runner, against ThresholdLinear, and in runs and stores."""

import copy
import functools
import subprocess
import sys
import textwrap
from pathlib import Path

import brainpy as bp
import brainpy.math as bm
import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from every_step import every_step

from gbaexplore import (
    BrainPyModel,
    Connectome,
    Final,
    Peak,
    Pulse,
    Study,
    ThresholdLinear,
    Trace,
    UserError,
    load_study,
    open_study,
    replay,
    run,
    simulate,
)
from gbaexplore.store.recipe import identity
from gbaexplore.study.file import STUDIES
from gbaexplore.study.simulation import Part

DT = 1e-4  # s
ON, OFF, STEPS = 100, 300, 400
CELL = Connectome("cell", ("cell",), weights=np.zeros((1, 1)))
PAIR = Connectome("pair", ("a", "b"), [[0.0, 0.3], [0.6, 0.0]], values={"hierarchy": [0.0, 1.0]})


TRACE = (Trace(),)


def study_of(model, axes=None, connectome=PAIR, amplitude=1.0, measures=TRACE, **parts):
    pulse = Pulse(area=connectome.areas[0], onset=ON * DT, duration=(OFF - ON) * DT, amplitude=amplitude)
    given = dict(dt=DT, duration=STEPS * DT, ceiling=1e4)
    return Study(
        "study", axes=axes or {}, model=model, connectome=connectome, stimulus=pulse, measures=list(measures),
        **given | parts,
    )  # fmt: skip


def ran_by_brainpy(make, monitors, amplitude=1.0, areas=1, precision="float32"):
    """Changes from the initial values at every step, as BrainPy's own runner finds them: {monitor: (step, area)}."""
    stimulus = np.zeros((STEPS, areas), precision)
    stimulus[ON:OFF, 0] = amplitude
    with jax.enable_x64(precision == "float64"), bm.environment(dt=DT * 1e3):
        system = make()
        start = {name: np.asarray(getattr(system, name).value, precision) for name in monitors}
        runner = bp.DSRunner(system, monitors=list(monitors), dt=DT * 1e3, progress_bar=False)
        runner.run(inputs=stimulus)
        found = {name: np.asarray(runner.mon[name], precision) - start[name] for name in monitors}
    assert all(np.ptp(course) > 0.1 for course in found.values())
    return found


class Leaky(bp.DynamicalSystem):
    """tau dr/dt = -r + w FLN r + input, and what it was 2 ms ago."""

    def __init__(self, weights, tau=20.0, w=0.0, count=1, name=None):
        super().__init__(name=name)
        self.weights, self.tau, self.w = weights, tau, w
        self.r = bm.Variable(bm.zeros(len(weights)))
        self.past = bp.VarDelay(self.r, time=2.0, entries={"past": 2.0})
        self.late = bm.Variable(bm.zeros(len(weights)))

    def update(self, x):
        self.r.value += bp.share["dt"] / self.tau * (-self.r.value + self.w * (self.weights @ self.r.value) + x)
        self.late.value = self.past.at("past")
        self.past.update()


# Agreement.


@pytest.mark.slow
def test_the_notebooks_class_agrees_with_the_model_in_float64_in_every_area(run_all, macaque):
    """Sequential updates; at rest until the pulse, and through all steps, where rounding moves what is at rest."""
    cortex = next(v.model for v in load_study("brainpy_notebook").variants() if isinstance(v.model, BrainPyModel))
    monitors = {"E": "Hz", "I": "Hz"}
    models = {
        "built in": ThresholdLinear(),
        "at rest": cortex,
        "all steps": BrainPyModel(cortex.factory, monitors),
    }
    pulse = Pulse(area="V1", onset=0.05, duration=0.1, amplitude=41.42)
    measures = [Peak(), Peak(of="I", suffix="_I")]
    axes = {"model": models, "muEE": [28.0, 33.7]}
    study = Study(
        "s", axes=axes, connectome=macaque, stimulus=pulse, measures=measures, duration=0.4, precision="float64"
    )
    found = run_all(study)
    assert 0 < found["peak_rate"][0].min() < 1e-6
    for name in ("peak_rate", "peak_rate_I"):
        expected, *others = found[name]
        for ours in others:
            # 1e-13: what float64 keeps of a change on top of 10 Hz, after 2,000 steps.
            np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-13)


OU = dict(x_ou_mean=0.0, x_ou_sigma=0.0, y_ou_mean=0.0, y_ou_sigma=0.0)
ZERO = dict(x_initializer=bp.init.ZeroInit(), y_initializer=bp.init.ZeroInit())
REST = dict(
    V_initializer=bp.init.OneInit(-65.0), m_initializer=bp.init.OneInit(0.05), h_initializer=bp.init.OneInit(0.6),
    n_initializer=bp.init.OneInit(0.3),
)  # fmt: skip
STOCK = {
    "rates.FHN": (bp.rates.FHN, dict(size=1, **ZERO, **OU), "beta", 4.0, ("x", "y"), 1.0, "float32"),
    "neurons.LIF": (bp.neurons.LIF, dict(size=1), "tau", 10.0, ("V", "spike"), 30.0, "float32"),
    "neurons.HH": (bp.neurons.HH, dict(size=1, **REST), "gNa", 120.0, ("V",), 10.0, "float64"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STOCK)
def test_a_stock_system_runs_as_brainpys_runner_runs_it(run_all, name):
    make, options, parameter, value, monitors, amplitude, precision = STOCK[name]
    model = BrainPyModel(make, monitors, options=options)
    measures = [Trace(of=monitor, suffix=f"_{monitor}") for monitor in monitors]
    axes = {parameter: [value, 1.5 * value]}
    found = run_all(study_of(model, axes, CELL, amplitude, measures, precision=precision))
    for i, at in enumerate(axes[parameter]):
        system = functools.partial(make, **options, **{parameter: at})
        expected = ran_by_brainpy(system, monitors, amplitude, 1, precision)
        for monitor, course in expected.items():
            ours = found[f"{monitor}_change_{monitor}"][i]
            np.testing.assert_allclose(ours, course, rtol=1e-4 if precision == "float32" else 1e-9, atol=1e-4)


@pytest.fixture(scope="module")
def leaky():
    return study_of(BrainPyModel(Leaky, ["r", "late"], units={"tau": "ms"}), {"w": [0.0, 0.5], "tau": [10.0, 20.0]})


@pytest.fixture(scope="module")
def leaky_found(leaky):
    (block,) = leaky.blocks()
    return leaky.run_block(block)


@pytest.mark.slow
def test_a_network_with_a_delay_and_the_studys_connectome_runs_as_in_brainpy(leaky, leaky_found):
    expected = ran_by_brainpy(lambda: Leaky(jnp.asarray(PAIR.weights, "float32"), w=0.5), ("r", "late"), areas=2)
    np.testing.assert_allclose(leaky_found["r_change"][1, 1], expected["r"], rtol=1e-5, atol=1e-7)
    one = simulate(leaky.model, PAIR, leaky.stimulus, dt=DT, duration=STEPS * DT, w=0.5, tau=20.0)
    np.testing.assert_allclose(one.late.values, expected["late"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(one.late.values[19:, 0], one.r.values[:-19, 0])


@pytest.mark.slow
def test_a_point_has_the_same_bits_in_any_batch_and_however_it_ends(run_all, run_in_full):
    model = BrainPyModel(Leaky, ["r"], at_rest=True)
    study = study_of(model, {"tau": [2.0, 3.0, 4.0]}, measures=[Peak()])
    whole, full = run_all(study), run_in_full(study)
    alone = run_all(study_of(model, {"tau": [3.0]}, measures=[Peak()]))
    for name, array in whole.items():
        np.testing.assert_array_equal(array[1], alone[name][0])
        np.testing.assert_array_equal(array, full[name])


@pytest.mark.slow
def test_a_response_that_is_over_ends_a_point_although_rates_are_raw():
    class Offset(bp.DynamicalSystem):
        def __init__(self, rest=10.0):
            super().__init__()
            self.rest_rate = rest
            self.r = bm.Variable(bm.zeros(1) + rest)

        def update(self, x):
            self.r.value += 0.1 * (self.rest_rate - self.r.value + x)

    assert "rest" in vars(BrainPyModel)
    with pytest.raises(UserError, match=r'the argument "rest" of .*Offset has a name that models use; rename it'):
        BrainPyModel(Offset, ["r"])
    model = BrainPyModel(lambda level=10.0: Offset(level), ["r"], at_rest=True)
    study = study_of(model, {"level": [10.0, 20.0]}, CELL, measures=[Peak()], duration=100 * STEPS * DT)
    part = Part(next(study.variants()), study.points(study.blocks()[0]), 2)
    (early,), (full,) = (which._simulate([part]) for which in (study.simulation, every_step(study)))
    np.testing.assert_array_equal(early.values[0]["peak_r"], full.values[0]["peak_r"])
    assert early.values[0]["peak_r"] == pytest.approx(1, rel=1e-4)
    assert early.slices < full.slices / 10


# What goes in, and what is left behind.


class Cells(bp.DynamicalSystem):
    """Variables in a part, in a list that BrainPy does not look into, and none for the size."""

    def __init__(self, areas=2, gain=1.0):
        super().__init__()
        self.part = Leaky(jnp.zeros((areas, areas)), tau=5.0)
        self.others = [bm.Variable(bm.zeros(areas)), bm.Variable(jnp.zeros((), bool))]
        self.seen, self.drive = bm.Variable(bm.zeros(areas)), bm.Variable(bm.zeros(areas))
        self.gain = gain

    def update(self):
        self.others[0].value += self.gain * self.drive.value
        self.others[1].value = ~self.others[1].value
        self.part(self.others[0].value)
        self.seen.value = self.others[0].value

    def clear_input(self):
        self.drive.value = bm.zeros_like(self.drive.value)


@pytest.mark.slow
def test_every_variable_that_changes_is_state_and_the_stimulus_goes_where_it_is_told(run_all):
    monitors = ["seen", "part.r"]
    measures = [Final(), Final(of="part.r", suffix="_part")]
    found = run_all(study_of(BrainPyModel(Cells, monitors, input="drive"), {"gain": [1.0, 2.0]}, measures=measures))
    np.testing.assert_allclose(found["final_seen"], [[200, 0], [400, 0]])
    assert (found["final_part.r_part"][:, 0] > 0).all()


def test_time_is_in_brainpys_unit(run_all):
    class Clock(bp.DynamicalSystem):
        def __init__(self, per_unit=1.0):
            super().__init__()
            self.t = bm.Variable(bm.zeros(1))
            self.per_unit = per_unit
            self.dt = bm.get_dt()

        def update(self):
            assert self.dt == bp.share["dt"]
            self.t.value = self.per_unit * (bp.share["t"] + self.dt) * bm.ones(1)

    model = BrainPyModel(Clock, ["t"], input=None, time_unit_s=0.1)
    found = run_all(study_of(model, {"per_unit": [1.0]}, CELL, measures=[Final()]))
    assert found["final_t"].item() == pytest.approx(STEPS * DT / 0.1, rel=1e-6)


@pytest.mark.slow
def test_nothing_of_a_trace_stays_in_brainpy(run_all):
    before = {**bp.share.get_shargs()}
    with jax.checking_leaks():
        run_all(study_of(BrainPyModel(Leaky, ["r"], options={"name": "named"}), {"tau": [7.0]}, precision="float64"))
    after = {**bp.share.get_shargs()}
    assert {name: id(value) for name, value in after.items()} == {name: id(value) for name, value in before.items()}


# Refused.


def test_arguments_are_parameters_options_or_the_connectome():
    model = BrainPyModel(Leaky, {"r": "Hz"}, units={"tau": "ms"}, w=0.5)
    declared = model.parameters()
    assert list(declared) == ["tau", "w"]
    assert (declared["tau"].units, declared["tau"].default, declared["w"].units) == ("ms", 20.0, "1")
    assert (model.w, model.observables) == (0.5, {"r": "Hz"})
    assert list(BrainPyModel(Leaky, ["r"], options={"tau": 1.0}).parameters()) == ["w"]
    assert model == BrainPyModel(Leaky, {"r": "Hz"}, w=0.5)
    assert model != BrainPyModel(Leaky, {"r": "Hz"}, w=0.6)
    assert hash(model) == hash(copy.copy(model)) == hash(cloudpickle.loads(cloudpickle.dumps(model)))


def needing(table, tau=1.0):
    return None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BrainPyModel(Leaky(np.zeros((1, 1))), ["r"]), "expected a class or a function that makes the system"),
        (lambda: BrainPyModel(Leaky, "r"), r"monitors = 'r'; expected names of Variables"),
        (lambda: BrainPyModel(Leaky, ["r"], time_unit_s=0), "time_unit_s = 0; expected BrainPy's unit of time"),
        (lambda: BrainPyModel(Leaky, ["r"], Tau=2.0), 'no parameter "Tau" in Leaky; did you mean "tau"'),
        (lambda: BrainPyModel(Leaky, ["r"], count=2), '"count" of Leaky is not a parameter, because its default is'),
        (lambda: BrainPyModel(Leaky, ["r"], units={"taw": "s"}), 'units: no parameter "taw" in Leaky; did you mean "t'),
        (lambda: BrainPyModel(Leaky, ["r"], options={"nam": "x"}), 'options: no argument "nam" in Leaky; did you mean'),
        (lambda: BrainPyModel(needing, ["r"]), 'nothing gives the argument "table" of needing; expected options='),
        (lambda: BrainPyModel(needing, ["r"], options={"table": bm}).recipe(), "an option of needing is module; exp"),
        (lambda: study_of(BrainPyModel(needing, ["r"], options={"table": 1})), "needing makes NoneType; expected a "),
        (lambda: study_of(BrainPyModel(Leaky, ["lat"])), 'no Variable "lat" in Leaky; did you mean "late"'),
        (lambda: study_of(BrainPyModel(Leaky, ["r"], input="inp")), 'no Variable "inp" in Leaky; Variables: r, '),
        (lambda: study_of(BrainPyModel(Cells, ["seen"])), "update of Cells has no argument for the stimulus; expected"),
        (lambda: study_of(BrainPyModel(Cells, ["seen"], input=None), connectome=CELL), 'of Cells has shape .2,., the '),
        (
            lambda: study_of(BrainPyModel(bp.rates.FHN, ["x"], options={"size": 2, **ZERO})),
            r"FHN needs the value of x_ou_mean, x_ou_sigma, .* options=.'x_ou_mean': 0.0, ",
        ),
        (
            lambda: study_of(BrainPyModel(bp.rates.FHN, ["x"], options={"size": 2, **OU})),
            "FHN is a different system each time it is built, as with random numbers",
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_when_the_study_is_made(make, message):
    with pytest.raises(UserError, match=message):
        make()


class Noisy(bp.DynamicalSystem):
    def __init__(self, source="default", size=1.0):
        super().__init__()
        self.r, self.source, self.size = bm.Variable(bm.zeros(2)), source, size
        self.own = bm.random.RandomState(1)

    def update(self, x):
        draws = {
            "default": lambda: bm.random.normal(size=2),
            "own": lambda: self.own.normal(size=2),
            "jax": lambda: jax.random.normal(jax.random.PRNGKey(0), (2,)),
        }
        self.r.value += self.size * bm.as_jax(draws[self.source]()).astype(float)


@pytest.mark.parametrize("source", ["default", "own", "jax"])
def test_noise_is_refused_and_never_the_same_in_every_point(source):
    with pytest.raises(UserError, match="update of Noisy draws random numbers, which would be the same in every"):
        study_of(BrainPyModel(Noisy, ["r"], options={"source": source}))


SINGLE = jnp.array([1.0, 2.0], "float32")


def test_float64_is_not_lost_on_an_array_that_is_not():
    class Scaled(Leaky):
        def update(self, x):
            super().update(SINGLE * x)

    study_of(BrainPyModel(Scaled, ["r"]))
    with pytest.raises(UserError, match="Scaled computes in float32 in a study of float64; expected arrays made"):
        study_of(BrainPyModel(Scaled, ["r"]), precision="float64")


# Runs and stores.

FILE = """
import brainpy as bp
import brainpy.math as bm
from gbaexplore import BrainPyModel, Peak, Pulse, Study, load_connectome

FLOOR = 0.0

class Rate(bp.DynamicalSystem):
    def __init__(self, weights, tau=20.0):
        super().__init__()
        self.weights, self.tau = weights, tau
        self.r = bm.Variable(bm.zeros(len(weights)))

    def update(self, x):
        # one step
        self.r.value += bp.share["dt"] / self.tau * (-self.r.value + bm.maximum(self.weights @ self.r.value + x, FLOOR))

study = Study(
    name="rate", model=BrainPyModel(Rate, {"r": "Hz"}), axes={"tau": [10.0, 20.0, 30.0, 40.0]}, block_points=2,
    connectome=load_connectome("macaque29"), stimulus=Pulse(area="V1", onset=0.01, duration=0.02, amplitude=1.0),
    measures=[Peak()], duration=0.04,
)
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A study file, and a store made from it."""
    folder = tmp_path_factory.mktemp("brainpy")
    path = folder / "rate.py"
    path.write_text(FILE)
    run(load_study(path), store=folder)
    return path, folder / "rate.zarr"


@pytest.mark.slow
def test_threads_and_processes_make_the_same_store(stored, tmp_path):
    path, store = stored
    command = [Path(sys.executable).with_name("gbaexplore"), "run", path, "--workers", "2", "--store", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ds, other = open_study(store), open_study(tmp_path / "rate.zarr")
    np.testing.assert_array_equal(ds.peak_rate, other.peak_rate)
    assert (ds.status == 1).all()


@pytest.mark.slow
def test_a_changed_class_is_not_mixed_into_a_store(stored, tmp_path):
    path, store = stored
    study = load_study(path)
    recipe = study.recipe()
    changes = [("# one step", "# a step"), ("FLOOR = 0.0", "FLOOR = 0.1"), ("/ self.tau *", "/ (2 * self.tau) *")]
    for n, (old, new) in enumerate(changes):
        changed = tmp_path / f"rate{n}.py"
        changed.write_text(FILE.replace(old, new))
        other = load_study(changed)
        assert (identity(other.recipe()) == identity(recipe)) == (n == 0)
    with pytest.raises(UserError, match=r"another study's results \(variants.all.code.model"):
        run(other, store=store.parent)


def test_a_point_of_a_store_is_replayed_with_its_study(stored):
    path, store = stored
    with pytest.raises(UserError, match=r"a model of its study's own \(BrainPyModel\), and a store holds no code"):
        replay(store, tau=20.0)
    one = replay(store, study=load_study(path), tau=20.0)
    peak = open_study(store).peak_rate.sel(tau=20.0)
    np.testing.assert_allclose(one.r.max("time"), peak, rtol=1e-6, atol=1e-12)


def test_an_error_in_her_class_names_her_line(tmp_path):
    path = tmp_path / "wrong.py"
    wrong = FILE.replace("self.weights @ self.r.value", "self.weights @ self.rates")
    path.write_text(wrong)
    line = wrong.splitlines().index("        # one step") + 2
    with pytest.raises(UserError, match=rf"wrong.py, line {line}: AttributeError: .*rates"):
        load_study(path)


def test_brainpy_is_not_imported_by_what_does_not_need_it(tmp_path):
    program = textwrap.dedent(f"""
        import sys
        import gbaexplore as gba
        gba.BrainPyModel
        gba.load_study({str(STUDIES / "fig2c.py")!r}).recipe()

        def make(tau=1.0):
            import brainpy

        gba.BrainPyModel(make, ["r"])
        assert not [name for name in sys.modules if name.startswith("brainpy")], sys.modules
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
