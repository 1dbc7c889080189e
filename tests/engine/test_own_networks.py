"""Lanes with networks of their own: one queue for many connectomes, with the bits that each has alone."""

import dataclasses
import functools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gbaexplore as gba
from gbaexplore import Connectome, Mean, ODEModel, Peak, Study, Trace, parameter, run
from gbaexplore.basics.names import FAILED
from gbaexplore.engine import plan, products, queue
from gbaexplore.measures.base import Variable
from gbaexplore.measures.linear import LinearMeasure
from gbaexplore.running import worker
from gbaexplore.running.runner import execute
from gbaexplore.store import stores
from gbaexplore.study.blocks import Blocks


def networks(areas, count=3, lengths=False, further=()):
    rng = np.random.default_rng(areas)
    names = tuple(f"area {i}" for i in range(areas))
    found = {}
    for i in range(count):
        weights, *others = rng.lognormal(size=(1 + len(further), areas, areas)) / areas
        np.fill_diagonal(weights, 0)
        found[f"subject {i}"] = Connectome(
            f"subject {i}",
            names,
            weights,
            lengths_mm=rng.uniform(10, 200, (areas, areas)) if lengths else None,
            values={"hierarchy": rng.permutation(np.linspace(0, 1, areas))},
            further_weights=dict(zip(further, others)),
        )
    return found


def study(model, areas=29, axes=None, count=3, further=(), lengths=False, **parts):
    subjects = networks(areas, count, lengths, further)
    given = dict(
        name="subjects",
        model=model,
        axes={"subject": subjects, **(axes or {"G": [0.2, 0.5]})},
        measures=[Mean(window=(0.01, 0.02)), Trace(every=0.005)],
        dt=1e-3,
        duration=0.02,
    )
    return Study(**{**given, **parts})


@pytest.fixture
def queues(monkeypatch):
    """The number of networks of each queue."""
    found, simulate = [], queue.simulate_batch

    def seen(*args, which=None, count, **parts):
        results = simulate(*args, which=which, count=count, **parts)
        if count:
            found.append(1 if which is None else len(set(which.tolist())))
        return results

    monkeypatch.setattr(queue, "simulate_batch", seen)
    return found


def check_as_alone(whole, queues, mixed=True):
    """The bits are those of each subject's own study, and the subjects are in one queue."""
    together = whole.compute()
    lanes = whole.plan(next(whole.variants())).batch.lanes
    if mixed and products.sums(len(whole.areas), whole.precision, lanes) is not None:
        assert max(queues) == len(set(whole.axes["subject"].values())), "those of equal content are one"
    else:
        assert set(queues) == {1}
    for label in whole.axes["subject"]:
        alone = whole.at({"subject": label}, {}).compute()
        for name, variable in alone.items():
            np.testing.assert_array_equal(together[name].sel(subject=label).values, variable.values, err_msg=name)


PULSE = gba.Pulse(area="area 1", onset=0.002, duration=0.01, amplitude=20.0)
MODELS = {
    "reduced Wong-Wang, noise": (gba.ReducedWongWang(), {"fixed": {"sigma": 0.01}}),
    "threshold-linear": (gba.ThresholdLinear(), {"axes": {"muEE": [20.0, 30.0]}, "stimulus": PULSE, "dt": 2e-4}),
    "threshold-linear, noise": (
        gba.ThresholdLinear(noise=0.5, restE=20.0, restI=45.0),
        {"axes": {"muEE": [20.0, 30.0]}, "stimulus": PULSE, "dt": 2e-4},
    ),
    "further weights": (
        gba.ThresholdLinear(),
        {"axes": {"muIE": [20.0, 30.0]}, "stimulus": PULSE, "dt": 2e-4, "further": ("inhibitory",)},
    ),
    "Wilson-Cowan": (gba.WilsonCowan(), {"axes": {"P": [1.0, 1.4]}, "dt": 2e-4}),
    "Wong-Wang": (gba.WongWang(sigma=0.01), {"measures": [gba.FC(of="r_E"), Peak(of="r_I")]}),
    "reduced Wong-Wang": (gba.ReducedWongWang(), {}),
    "Hopf": (gba.Hopf(), {}),
    "Hopf, without noise": (gba.Hopf(sigma=0.0), {}),
    "Kuramoto": (gba.Kuramoto(), {"axes": {"K": [0.2, 0.5]}, "measures": [Mean(of="theta", window=(0.01, 0.02))]}),
    "Jansen-Rit": (gba.JansenRit(), {}),
    "Montbrio-Pazo-Roxin": (gba.MontbrioPazoRoxin(), {"axes": {"eta": [-5.0, -4.0]}, "dt": 1e-4}),
}
DAILY = "reduced Wong-Wang, noise"


@pytest.mark.parametrize("name", [DAILY, *(pytest.param(n, marks=pytest.mark.slow) for n in MODELS if n != DAILY)])
def test_a_models_bits_are_those_of_each_subject_alone(name, queues):
    model, parts = MODELS[name]
    check_as_alone(study(model, **parts), queues)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("areas", "precision"),
    [*((areas, "float32") for areas in (1, 3, 40, 51, 64, 66, 84, 90, 101)), (29, "float64"), (84, "float64")],
)
def test_any_number_of_areas(areas, precision, queues):
    check_as_alone(study(gba.ReducedWongWang(), areas, precision=precision), queues)


@pytest.mark.parametrize("areas", [29, 58, 66, 84, 101])
def test_a_product_of_lanes_has_the_bits_of_one(areas):
    """That `sums` finds a number on processors for which it was written; on others queues stay apart."""
    lanes = plan.lanes_of(areas)
    number = products.sums(areas, "float32", lanes)
    if number is None:
        pytest.skip("this processor's products add in another order")
    rng = np.random.default_rng(1)
    weights = rng.lognormal(size=(areas, areas, lanes)).astype("float32")
    x = rng.standard_normal((areas, lanes)).astype("float32")
    own = jax.jit(functools.partial(products._product, number))(weights, x, np.float32(0))
    for lane in (0, lanes - 1):
        alone = jax.jit(jnp.matmul)(np.ascontiguousarray(weights[..., lane]), x)
        np.testing.assert_array_equal(np.asarray(own)[:, lane], np.asarray(alone)[:, lane])


WORK = {
    "product": lambda net, x: net.weights @ x,
    "dot": lambda net, x: jnp.dot(net.weights, x),
    "jitted": lambda net, x: jax.jit(lambda w, x: 2 * (w @ x))(net.weights, x),
    "einsum": lambda net, x: jnp.einsum("ts,s->t", net.weights, x),
    "diffusive": lambda net, x: net.weights @ x - net.weights.sum(axis=1) * x,
    "by values": lambda net, x: net.values["hierarchy"] * (net.weights @ x),
    "transposed": lambda net, x: net.weights.T @ x,
    "from the left": lambda net, x: x @ net.weights,
    "scaled": lambda net, x: (2 * net.weights) @ x,
    "two at once": lambda net, x: (net.weights @ jnp.stack([x, 2 * x], axis=1)).sum(axis=1),
    "largest": lambda net, x: net.weights.max() * x,
    "both sides": lambda net, x: net.weights @ net.weights[0] * x,
    "in a loop": lambda net, x: jax.lax.fori_loop(0, 2, lambda _, y: 0.5 * (net.weights @ y), x),
}
MIXED = ("product", "dot", "jitted", "einsum", "diffusive", "by values")


@dataclass(frozen=True)
class Own(ODEModel):
    """A model that does with the weights what `work` says."""

    G: float = parameter(0.3, units="1", doc="coupling")
    work: str = "product"
    observables = {"a": "1"}

    def derivative(self, x, p, net, stimulus):
        return {"a": (WORK[self.work](net, x.a) * p.G - x.a + 1.0) / 0.01}


@pytest.mark.parametrize(
    "work", ["diffusive", "transposed", *(pytest.param(w, marks=pytest.mark.slow) for w in WORK if w[0] not in "dt")]
)
def test_what_a_model_does_with_weights_besides_a_product_keeps_queues_apart(work, queues):
    check_as_alone(study(Own(work=work)), queues, mixed=work in MIXED)


@dataclass(frozen=True)
class Resting(ODEModel):
    """A model whose rest depends on the network."""

    G: float = parameter(0.3, units="1", doc="coupling")
    of: str = "weights"
    observables = {"a": "1"}

    def start(self, p, net):
        return self.state(**self.rest(p, net))

    def rest(self, p, net):
        return {"a": p.G * (net.weights @ jnp.ones_like(p.G) if self.of == "weights" else net.values["hierarchy"])}

    def derivative(self, x, p, net, stimulus):
        return {"a": (p.G * (net.weights @ x.a) - x.a) / 0.01}


@pytest.mark.parametrize("of", [pytest.param("weights", marks=pytest.mark.slow), "values"])
def test_a_rest_by_values_of_areas(of, queues):
    measures = [gba.Quantile(q=(0.5,), window=(0.01, 0.02)), Mean()]
    check_as_alone(study(Resting(of=of), measures=measures), queues, mixed=of == "values")


@pytest.mark.parametrize("velocity", [math.inf, pytest.param(3.0, marks=pytest.mark.slow)])
def test_connectomes_that_share_an_array_are_others(queues, velocity):
    """Their weights are one object, and what else they have differs."""
    first, second = networks(29, 2, lengths=True).values()
    other = dataclasses.replace(first, name="other", values=second.values, lengths_mm=second.lengths_mm)
    assert other.weights is first.weights
    model = Own(work="by values") if velocity == math.inf else gba.ReducedWongWang(velocity=velocity)
    whole = study(model, lengths=True)
    whole = Study(**{**vars_of(whole), "axes": {"subject": {"first": first, "other": other}, "G": [0.2, 0.5]}})
    check_as_alone(whole, queues, mixed=velocity == math.inf)
    name = next(iter(whole.variables))
    assert (whole.compute()[name].sel(subject="first") != whole.compute()[name].sel(subject="other")).any()


def test_parameters_as_labels_are_in_one_queue(queues):
    areas = np.linspace(0.1, 0.5, 84)
    receptors = {"none": {"G": 0.3}, "of areas": {"G": areas}, "some": {"G": 0.2}}
    whole = study(gba.ReducedWongWang(), 84, axes={"receptors": receptors, "w": np.linspace(0.8, 1, 4)}, count=1)
    whole.compute()
    assert len(queues) == 1
    for label in receptors:
        np.testing.assert_array_equal(
            whole.compute().mean_S.sel(receptors=label), whole.at({"receptors": label}, {}).compute().mean_S
        )


@pytest.mark.slow
def test_with_delays_parameters_as_labels_share_a_queue_and_connectomes_do_not(queues):
    speeds = {"slow": {"velocity": 2.0}, "fast": {"velocity": 10.0}, "medium": {"velocity": 3.0}}
    whole = study(gba.ReducedWongWang(), axes={"speed": speeds, "G": [0.2, 0.5]}, count=2, lengths=True)
    ds = whole.compute()
    for subject in ds.subject.values:
        for speed in speeds:
            alone = whole.at({"subject": subject, "speed": speed}, {}).compute()
            np.testing.assert_array_equal(ds.mean_S.sel(subject=subject, speed=speed), alone.mean_S)
    assert set(queues) == {1}


def test_points_of_a_large_network_fill_their_lanes_alone():
    assert study(gba.ReducedWongWang(), 84, axes={"G": np.linspace(0, 1, 16)})._blocks.joined == frozenset()
    assert study(gba.ReducedWongWang(), 84, axes={"G": np.linspace(0, 1, 15)})._blocks.joined == {"subject"}
    assert study(gba.ReducedWongWang(), 200, axes={"G": [0.2]}, count=2)._blocks.joined == frozenset()
    labels = {"a": {"w": 0.9}, "b": {"w": 1.0}}
    both = study(gba.ReducedWongWang(), 84, axes={"G": np.linspace(0, 1, 8), "kind": labels})
    assert both._blocks.joined == {"kind"}, "16 points of each connectome fill the lanes"


def test_the_weights_of_a_queue_fit_into_memory():
    large = study(gba.ReducedWongWang(), 120, axes={"G": [0.2]}, count=2)
    assert large._blocks.most_points * 120**2 * 4 <= 64 * 2**20
    assert study(gba.ReducedWongWang(), 120, axes={"G": np.linspace(0, 1, 20)}, count=2)._blocks.most_points > 5000


# Stores whose blocks have several labels.


def test_a_store_is_extended_by_labels_and_by_numbers(tmp_path):
    subjects = networks(29, 7)
    few = {name: subjects[name] for name in list(subjects)[1:4]}
    small = study(gba.ReducedWongWang(), axes={"G": [0.2, 0.5]})
    small = Study(**{**vars_of(small), "axes": {"subject": few, "G": [0.2, 0.5]}})
    run(small, store=tmp_path)
    large = Study(**{**vars_of(small), "axes": {"subject": subjects, "G": np.linspace(0.2, 0.5, 4).tolist()}})
    report = execute(large, tmp_path)
    assert report.computed == 7 * 4 - 3 * 2
    ds, whole = gba.open_study(tmp_path / "subjects.zarr"), large.compute()
    for name in ("mean_S", "status", "S_change"):
        np.testing.assert_array_equal(ds[name].values, whole[name].values)


def test_a_store_with_a_label_in_each_block_is_gone_on_with(tmp_path, monkeypatch):
    whole = study(gba.ReducedWongWang(), count=5)
    assert whole.block_shape[0] > 1
    monkeypatch.setattr(Blocks, "shape", property(lambda self: self.given_shape or (1, 2)))
    forecast_like = execute(whole, tmp_path, only=[0, 2])
    assert forecast_like.computed == 4
    monkeypatch.undo()
    assert execute(whole, tmp_path).computed == 6
    np.testing.assert_array_equal(gba.open_study(tmp_path / "subjects.zarr").mean_S, whole.compute().mean_S)


def test_a_task_that_is_repeated_leaves_what_its_first_worker_has_written(tmp_path):
    whole = study(gba.ReducedWongWang(), axes={"G": np.linspace(0.2, 0.5, 20)}, count=5, block_points=20)
    execute(whole, tmp_path, only=[0, 2])
    path = tmp_path / "subjects.zarr"
    source = worker.source_of(whole, stores.generation(path))
    worker.HERE[source.key] = whole
    found = worker.compute(source, str(path), [0, 1])
    assert sorted((outcome.block, outcome.points, outcome.error) for outcome in found) == [(0, 0, None), (1, 20, None)]
    assert [(outcome.points, outcome.error) for outcome in worker.compute(source, str(path), [0])] == [(0, None)]


@dataclass(frozen=True)
class Refusing(LinearMeasure):
    """A measure that raises for one subject."""

    def variables(self, model):
        return {"strength": Variable((), "", "strength")}

    def compute(self, model, parameters, connectome):
        if connectome.name == "subject 2":
            raise ValueError("this subject has no strength")
        return {"strength": np.full(len(parameters), connectome.weights.sum())}

    def of_matrices(self, matrices):
        raise NotImplementedError


def test_a_label_that_fails_fails_alone(tmp_path):
    whole = study(gba.ReducedWongWang(), count=5, measures=[Mean(), Refusing()])
    report = execute(whole, tmp_path)
    assert [error.partition(" (")[0] for error in report.errors] == ["ValueError: this subject has no strength"]
    ds = gba.open_study(tmp_path / "subjects.zarr")
    failed = (ds.status == FAILED).any("G")
    assert failed.subject[failed].values.tolist() == ["subject 2"]
    assert np.isfinite(ds.mean_S.sel(subject=["subject 1", "subject 4"])).all()
    assert "failed: ValueError: this subject has no strength" in str(report)


def vars_of(made):
    return {f.name: getattr(made, f.name) for f in dataclasses.fields(made) if f.init}
