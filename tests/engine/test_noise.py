"""Noise: whose numbers they are, and what they do."""

import hashlib
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from jax.extend.random import threefry2x32_p

from gbaexplore import (
    AcrossSeeds,
    Final,
    Mean,
    Model,
    Network,
    Peak,
    Spectrum,
    Study,
    ThresholdLinear,
    Trace,
    UserError,
    Variance,
    analysis,
    parameter,
    replay,
    run,
    simulate,
)
from gbaexplore.basics import points as points_of
from gbaexplore.engine import noise
from gbaexplore.running.runner import outstanding
from gbaexplore.stimuli.silence import Silence
from gbaexplore.store.making import CHECKSUMS

# A steady state above the thresholds, where noise is not rectified, of a network that is stable there.
LINEAR = dict(restE=20.0, restI=45.0, omegaEI=26.0)


@pytest.fixture(scope="module")
def words():
    """Random keys and counters."""
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.integers(0, 2**32, 1000, dtype=np.uint32)) for _ in range(4)]


def test_the_generator_is_threefry(words):
    for ours, jaxs in zip(noise.threefry(*words, rounds=20), threefry2x32_p.bind(*words)):
        np.testing.assert_array_equal(ours, jaxs)


@pytest.mark.parametrize(("word", "expected"), [(0, (0x9D1C5EC6, 0x8BD50731)), (2**32 - 1, (0xFD36D048, 0x2D17272C))])
def test_the_generator_gives_the_known_answers(word, expected):
    """Of 13 rounds, from the authors' own test vectors."""
    assert tuple(int(x[0]) for x in noise.threefry(*[jnp.full(1, word, jnp.uint32)] * 4)) == expected


@pytest.fixture(scope="module")
def numbers():
    """(step, draw, area, lane) of 400 steps, 3 draws, 29 areas, 64 points."""
    key = jnp.asarray(noise.keys(points_of.coordinate_hashes({"seed": np.arange(64)})).T)
    found = jax.jit(lambda steps: jax.lax.map(lambda step: noise.normals(key, step, 3, 29), steps))(jnp.arange(400))
    return np.asarray(found, np.float64)


def test_the_numbers_are_standard_normal(numbers):
    size = numbers.size
    assert abs(numbers.mean()) < 4 / np.sqrt(size)
    for power, moment in ((2, 1), (4, 3), (6, 15)):
        spread = np.sqrt(np.mean(numbers ** (2 * power)) / size)
        assert abs(np.mean(numbers**power) - moment) < 4 * spread
    found = np.histogram(numbers, bins=np.arange(-4, 4.1, 0.25))[0] / size
    expected = np.diff(scipy.stats.norm.cdf(np.arange(-4, 4.1, 0.25)))
    assert (np.abs(found - expected) < 5 * np.sqrt(expected / size)).all()


def test_the_numbers_are_independent(numbers):
    count, draws, areas, lanes = numbers.shape
    for axis in range(4):
        for shift in (1, 2):
            product = numbers * np.roll(numbers, shift, axis)
            assert abs(product.mean()) < 5 / np.sqrt(numbers.size)
    first = numbers[:, 0].reshape(count, -1)
    covariance = first.T @ first / count
    off = covariance[~np.eye(areas * lanes, dtype=bool)]
    assert np.std(off) == pytest.approx(1 / np.sqrt(count), rel=0.02)
    assert draws == 3


def test_the_noise_of_a_point_hangs_on_its_coordinates_and_its_seed():
    a = points_of.coordinate_hashes({"seed": 3, "muEE": np.array([28.0, 30.0]), "feedback": "on"})
    b = points_of.coordinate_hashes({"feedback": "on", "muEE": np.array([30.0, 28.0 + 1e-13]), "seed": 3.0})
    np.testing.assert_array_equal(a, b[::-1])
    others = [
        points_of.coordinate_hashes({"seed": 4, "muEE": 28.0, "feedback": "on"}),
        points_of.coordinate_hashes({"seed": 3, "muEE": 28.0, "feedback": "off"}),
        points_of.coordinate_hashes({"seed": 3, "omegaEI": 28.0, "feedback": "on"}),
    ]
    assert len({int(h[0]) for h in [a, *others]}) == 4
    zero = points_of.coordinate_hashes({"seed": 0, "muEE": 28.0, "feedback": "on"})
    np.testing.assert_array_equal(points_of.reseeded(zero, 4), others[0])


@pytest.fixture
def noisy(macaque):
    def make(**parts):
        given = dict(
            name="noisy",
            model=ThresholdLinear(update="simultaneous"),
            axes={"muEE": [36.0, 40.0, 44.0], "seed": np.arange(5)},
            noise="independent",
            connectome=macaque,
            fixed={"noise": 0.05, **LINEAR},
            measures=[Final()],
            duration=0.1,
        )
        return Study(**{**given, **parts})

    return make


@pytest.mark.parametrize("noise", ["independent", "shared"])
def test_the_same_bits_in_any_grid_block_or_batch(noisy, run_all, noise):
    whole = run_all(noisy(noise=noise))["final_rate"]
    assert len(np.unique(whole[..., 0])) == 15
    # As many points, so the same program.
    other = run_all(noisy(noise=noise, axes={"seed": [7, 4, 1], "muEE": [44.0, 38.0, 36.0, 39.0, 40.0]}))["final_rate"]
    np.testing.assert_array_equal(other[1, [0, 3, 4]], whole[:, 4])
    np.testing.assert_array_equal(other[2, [0, 3, 4]], whole[:, 1])
    in_parts = run_all(noisy(noise=noise, block_points=2))
    np.testing.assert_array_equal(in_parts["final_rate"], whole)
    alone = run_all(noisy(noise=noise, axes={"muEE": [40.0]}, fixed={"noise": 0.05, "seed": 3, **LINEAR}))
    np.testing.assert_array_equal(alone["final_rate"][0], whole[1, 3])


@dataclass(frozen=True)
class Added(Model):
    """The sum of a point's random numbers, and a little of what it has without."""

    gain: float = parameter(1.0, units="1", doc="what the numbers are multiplied with")
    observables = {"x": "Hz"}

    def start(self, p, net):
        return Sum(0 * net.weights[0])

    def rest(self, p, net):
        return {"x": 0 * net.weights[0]}

    def normals_per_step(self, values):
        return 3

    def step(self, x, p, net, stimulus, dt, normal):
        first, second, third = p.gain * normal
        return Sum(x.x + first + second * normal[0] + third)


class Sum(NamedTuple):
    x: Any


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_lanes_of_one_seed_have_the_bits_that_lanes_of_many_have(noisy, precision, run_all):
    """The numbers of one seed are made once for all lanes, of others lane by lane."""
    parts = dict(model=Added(), fixed={}, noise="shared", measures=[Final(), Mean()], precision=precision)
    gains = np.linspace(0.1, 7.3, 130)
    many = run_all(noisy(axes={"seed": np.arange(9), "gain": gains[::13]}, **parts))
    for i in (0, 3, 8):
        one = run_all(noisy(axes={"gain": gains}, **{**parts, "fixed": {"seed": i}}))
        for name in ("final_rate", "mean_rate"):
            np.testing.assert_array_equal(one[name][::13], many[name][i])


@pytest.mark.slow
def test_points_of_one_seed_share_their_noise(noisy, run_all, macaque):
    """What differs between them then hangs on their parameters alone."""
    twins = {"one": macaque, "other": macaque}
    shared = run_all(noisy(axes={"twin": twins, "seed": [0, 1]}, connectome=None, noise="shared"))["final_rate"]
    np.testing.assert_array_equal(shared[0], shared[1])
    assert (shared[0, 0] != shared[0, 1]).any()
    own = run_all(noisy(axes={"twin": twins, "seed": [0, 1]}, connectome=None))["final_rate"]
    assert (own[0] != own[1]).any()


@pytest.mark.slow
def test_a_point_alone_has_the_noise_of_its_study(noisy, run_all, macaque):
    parts = dict(duration=0.1, seed=3, muEE=40.0, noise=0.05, **LINEAR)
    model = ThresholdLinear(update="simultaneous")
    for kind, at in (("shared", None), ("independent", {"muEE": 40.0})):
        whole = run_all(noisy(noise=kind, measures=[Trace()]))["rate_change"]
        alone = simulate(model, macaque, Silence(), at=at, **parts)
        np.testing.assert_allclose(alone.E.values, 20.0 + whole[1, 3].astype(np.float64), rtol=1e-6)


def test_replay_has_the_noise_of_the_store(noisy, tmp_path):
    for kind in ("shared", "independent"):
        ds = run(noisy(name=kind, noise=kind), store=tmp_path)
        again = replay(tmp_path / f"{kind}.zarr", muEE=40.0, seed=2)
        np.testing.assert_allclose(again.E[-1], ds.final_rate.sel(muEE=40, seed=2), rtol=1e-6)


def test_a_store_made_before_noise_was_shared_has_independent_noise(noisy, tmp_path):
    ds = run(noisy(), store=tmp_path).load()
    path = tmp_path / "noisy.zarr"
    of_before(path)
    assert not outstanding(noisy(), path).points
    with pytest.raises(UserError, match=r'noise: "independent" there, "shared" here.*give it noise="independent"'):
        run(noisy(noise="shared"), store=tmp_path)
    again = replay(path, muEE=40.0, seed=2)
    np.testing.assert_allclose(again.E[-1], ds.final_rate.sel(muEE=40, seed=2), rtol=1e-6)


def of_before(path):
    """Take out of a store what it says of whose noise is one."""
    file = path / "zarr.json"
    metadata = json.loads(file.read_text())
    recipe = json.loads(metadata["attributes"]["gbaexplore_recipe"])
    assert recipe.pop("noise") == "independent"
    metadata["attributes"]["gbaexplore_recipe"] = json.dumps(recipe)
    file.write_text(json.dumps(metadata))
    checksums = json.loads((path / CHECKSUMS).read_text())
    checksums["zarr.json"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (path / CHECKSUMS).write_text(json.dumps(checksums))


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["shared", "independent"])
def test_a_store_without_noise_can_get_some(noisy, tmp_path, noise):
    parts = dict(noise=noise, fixed=LINEAR)
    run(noisy(axes={"noise": [0.0]}, **parts), store=tmp_path)
    grown = run(noisy(axes={"noise": [0.0, 0.05]}, **parts), store=tmp_path).load()
    once = run(noisy(axes={"noise": [0.0, 0.05]}, **parts), store=tmp_path / "other")
    np.testing.assert_array_equal(grown.final_rate, once.final_rate)
    assert run(noisy(axes={"noise": [0.0, 0.05]}, **parts), store=tmp_path).final_rate.equals(grown.final_rate)


@pytest.mark.parametrize("noise", ["common", None, 1])
def test_noise_is_shared_or_independent(noisy, noise):
    with pytest.raises(UserError, match=f'noise = {noise!r}; expected "shared" .* or "independent"'):
        noisy(noise=noise)


@pytest.mark.slow
def test_the_same_bytes_from_any_worker_and_after_an_extension(noisy, tmp_path):
    ends = run(noisy(axes={"muEE": [36.0, 44.0], "seed": [0, 4]}, block_points=1), store=tmp_path / "a", workers=2)
    ends = ends.load()  # the store's grid is about to change
    grown = run(noisy(), store=tmp_path / "a")
    once = run(noisy(), store=tmp_path / "b")
    np.testing.assert_array_equal(grown.final_rate, once.final_rate)
    np.testing.assert_array_equal(ends.final_rate, once.final_rate.sel(muEE=[36, 44], seed=[0, 4]))
    assert once.seed.dtype.kind == "i"
    assert once.seed.attrs == {"units": "1", "long_name": "seed of the noise"}
    again = replay(tmp_path / "b" / "noisy.zarr", muEE=40.0, seed=2)
    np.testing.assert_allclose(again.E[-1], once.final_rate.sel(muEE=40, seed=2), rtol=1e-6)


@pytest.mark.slow
def test_the_path_is_the_same_in_float64_and_follows_the_equations(macaque):
    """An independent integration with the same numbers; those of float32 and float64 differ by rounding alone."""
    parts = dict(duration=0.1, seed=3, at={"muEE": 40.0}, muEE=40.0, noise=0.05, **LINEAR)
    single, double = (
        simulate(ThresholdLinear(), macaque, Silence(), precision=precision, **parts)
        for precision in ("float32", "float64")
    )
    np.testing.assert_allclose(single.E, double.E, rtol=1e-6)
    key = jnp.asarray(noise.keys(points_of.coordinate_hashes({"seed": 3, "muEE": 40.0})).T)
    normals = jax.jit(lambda steps: jax.lax.map(lambda step: noise.normals(key, step, 2, 29), steps))(jnp.arange(500))
    E, I = _sequential(macaque, np.asarray(normals[..., 0], np.float64))
    # The normal numbers are of float32, and rounded as XLA likes.
    np.testing.assert_allclose(double.E.values[-1], E, rtol=1e-7)
    np.testing.assert_allclose(double.I.values[-1], I, rtol=1e-7)


def _sequential(macaque, normals, dt=2e-4, muEE=40.0, omegaEI=26.0, strength=0.05):
    """E and I after steps with these numbers, (step, 2, area), in raw rates: NumPy, float64."""
    gain, E, I = 1 + 0.68 * macaque.values["hierarchy"], np.full(29, 20.0), np.full(29, 45.0)

    def current_E(E, I):
        return 0.066 * (gain * (24.3 * E + muEE * macaque.weights @ E) - omegaEI * I)

    def current_I(E, I):
        return 0.351 * (gain * (12.2 * E + 25.3 * macaque.weights @ E) - 12.5 * I)

    back_E, back_I = E - current_E(E, I), I - current_I(E, I)
    for normal in normals:
        onto_E, onto_I = strength * normal / np.sqrt(dt)
        E = E + dt / 0.02 * (-E + np.maximum(current_E(E, I) + back_E + onto_E, 10))
        I = I + dt / 0.01 * (-I + np.maximum(current_I(E, I) + back_I + onto_I, 35))
    return E, I


@pytest.fixture(scope="module")
def stationary(macaque):
    """256 seeds, 10 samples of each in the stationary state; they are 0.1 s apart, 2.5 times what a change lasts."""
    study = Study(
        name="stationary",
        model=ThresholdLinear(update="simultaneous"),
        axes={"seed": np.arange(256)},
        connectome=macaque,
        fixed={"noise": 0.02, "muEE": 40.0, **LINEAR},
        measures=[Trace(window=(0.3, 1.3), every=0.1), Trace(window=(0.3, 1.3), every=0.1, of="I", suffix="_I")],
        duration=1.3,
        block_points=256,
    )
    (block,) = study.blocks()
    return study.run_block(block)


@pytest.mark.slow
def test_the_stationary_variance_is_that_of_lyapunovs_equation(stationary, macaque):
    """In every area and both populations; of the Euler scheme as it is, and of the continuous equation."""
    values = {name: getattr(ThresholdLinear(), name) for name in ThresholdLinear.parameters()}
    p = SimpleNamespace(**{**values, "noise": 0.02, "muEE": 40.0, **LINEAR})
    A = ThresholdLinear().jacobian(p, Network.of(macaque))
    Q = np.diag(np.repeat([(0.02 / 0.02) ** 2, (0.02 / 0.01) ** 2], 29))
    assert np.linalg.eigvals(A).real.max() < 0
    discrete = np.diag(scipy.linalg.solve_discrete_lyapunov(np.eye(58) + 2e-4 * A, 2e-4 * Q))
    found = np.concatenate([stationary["rate_change"], stationary["rate_change_I"]], axis=-1).astype(np.float64)
    squares = (found**2).mean(axis=1)  # (seed, E and I of each area): seeds are independent
    error = squares.std(axis=0, ddof=1) / np.sqrt(len(squares))
    assert (error < 0.06 * discrete).all()
    assert (np.abs(squares.mean(axis=0) - discrete) < 4.5 * error).all()
    ds = analysis.stationary_covariance(ThresholdLinear(), macaque, noise=0.02, muEE=40.0, **LINEAR)
    np.testing.assert_allclose(ds.variance.values.ravel(), discrete, rtol=0.03)
    np.testing.assert_allclose(A @ _square(ds) + _square(ds) @ A.T, -Q, atol=1e-9)


def _square(ds):
    return ds.covariance.stack(row=("observable", "area"), column=("other_observable", "other_area")).values


def test_stationary_covariance_says_what_it_can_not_do(macaque):
    with pytest.raises(UserError, match=r"grows: .* 4\.848 /s; expected below 0"):
        analysis.stationary_covariance(ThresholdLinear(), macaque, noise=0.1)


@pytest.mark.slow
def test_an_average_over_seeds_is_that_of_the_axis(noisy, run_all):
    single = run_all(noisy(axes={"muEE": [36.0, 40.0], "seed": np.arange(9)}, measures=[Final(), Variance()]))
    fixed = {"noise": 0.05, **LINEAR}
    measures = [AcrossSeeds(Final(), seeds=9, quantiles=(0.25, 0.5)), AcrossSeeds(Variance(), seeds=9, suffix="_late")]
    study = noisy(axes={"muEE": [36.0, 40.0]}, measures=measures, fixed=fixed)
    found = run_all(study)
    rates = single["final_rate"].astype(np.float64)
    np.testing.assert_allclose(found["final_rate_mean"], rates.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(found["final_rate_variance"], rates.var(axis=1, ddof=1), rtol=1e-5)
    quantiles = np.moveaxis(np.quantile(rates, [0.25, 0.5], axis=1), 0, 1)
    np.testing.assert_allclose(found["final_rate_quantile"], quantiles, rtol=1e-6)
    np.testing.assert_allclose(found["rate_variance_mean_late"], single["rate_variance"].mean(axis=1), rtol=1e-5)
    assert not found["diverged_share"].any()
    template = study.template()
    assert template.final_rate_variance.attrs["units"] == "Hz2"
    assert template.final_rate_quantile.dims == ("muEE", "seed_quantile", "area")
    assert study.recipe()["revisions"].keys() == {"engine", "noise", "AcrossSeeds"}


def test_many_seeds_of_one_point_are_simulated_some_at_a_time(noisy, run_all, monkeypatch):
    study = noisy(axes={"muEE": [36.0]}, measures=[AcrossSeeds(Final(), seeds=9)], fixed={"noise": 0.05, **LINEAR})
    together = run_all(study)
    monkeypatch.setattr("gbaexplore.measures.across_seeds._QUEUE", 2)
    few = run_all(study)
    np.testing.assert_allclose(few["final_rate_mean"], together["final_rate_mean"], rtol=1e-6)
    np.testing.assert_allclose(few["final_rate_variance"], together["final_rate_variance"], rtol=1e-5)


@pytest.mark.slow
def test_points_that_run_away_with_some_seeds(noisy, run_all):
    parts = dict(fixed={"noise": 0.3, "muEE": 34.0}, ceiling=10.0, duration=0.5)
    single = run_all(noisy(axes={"seed": np.arange(8)}, measures=[Peak()], **parts))
    found = run_all(noisy(axes={"omegaEI": [19.7]}, measures=[AcrossSeeds(Peak(), seeds=8)], **parts))
    assert 0 < found["diverged_share"][0] <= 1
    # An average over those that did not would be of the small ones.
    assert np.isnan(found["peak_rate_mean"]).all()
    assert single["status"].shape == (8,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AcrossSeeds(analysis), "expected a measure such as"),
        (lambda: AcrossSeeds(Peak(), seeds=1), r"AcrossSeeds\(seeds=1\): expected a whole number of at least 2"),
        (lambda: AcrossSeeds(Peak(), quantiles=(0.5, 1.5)), "expected different numbers between 0 and 1"),
    ],
)
def test_mistakes_with_averages(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_averages_need_noise_and_have_their_own_seeds(noisy, make_study):
    measures = [AcrossSeeds(Mean())]
    with pytest.raises(UserError, match="AcrossSeeds is given, but nothing in the study is random"):
        make_study(measures=measures)
    with pytest.raises(UserError, match="AcrossSeeds takes seeds of its own"):
        noisy(measures=measures)


def test_a_spectrum_needs_frequencies_of_its_segments(noisy):
    for parts, message in (
        (dict(frequencies=()), "expected frequencies in Hz"),
        (dict(frequencies=(15.0,), segment=0.05), "frequency 15 Hz; expected multiples of 1 / segment = 20 Hz"),
        (dict(frequencies=(20.0,), segment=0.2), "segments of 1000 samples in a window of 500"),
    ):
        with pytest.raises(UserError, match=message):
            noisy(measures=[Spectrum(**parts)])
