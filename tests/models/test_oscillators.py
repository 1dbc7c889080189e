"""Kuramoto: an integration in NumPy that shares nothing; starts that are random."""

import numpy as np
import pytest
import scipy.stats

from gbaexplore import (
    AcrossSeeds,
    Connectome,
    Final,
    Hopf,
    Kuramoto,
    Mean,
    SpectralAbscissa,
    Study,
    UserError,
    replay,
    run,
)
from gbaexplore import simulate as simulated
from gbaexplore.basics.points import SHARED, noise_hashes
from gbaexplore.engine import noise
from gbaexplore.models.parameters import Parameters

DT, STEPS = 1e-3, 300


class Phases(Kuramoto):
    """Frequencies of areas."""

    def derivative(self, x, p, net, stimulus):
        return super().derivative(x, Parameters({**vars(p), "f": net.values["frequency"]}), net, stimulus)


@pytest.fixture(scope="module")
def brain():
    rng = np.random.default_rng(76)
    weights = rng.lognormal(0, 1, (76, 76)) * (rng.random((76, 76)) < 0.3)
    np.fill_diagonal(weights, 0)
    names = tuple(f"a{i}" for i in range(76))
    return Connectome(
        "brain", names, weights / weights.sum(1).max(), lengths_mm=rng.uniform(5, 200, (76, 76)),
        values={"frequency": rng.normal(10, 1, 76)},
    )  # fmt: skip


def deviates(count, seed):
    """The numbers of a start, (number, area)."""
    key = noise.keys(noise_hashes(SHARED, seed, {})).T
    return np.asarray(noise.normals(key, np.int32(noise.START), count, 76))[..., 0].astype(float)


def integrated(net, z, own, velocity):
    """Complex oscillators dz/dt = own(z, received) by Euler steps: (step, area)."""
    lag = np.zeros((76, 76)) if velocity is None else net.lengths_mm * 1e-3 / velocity / DT
    whole, part, j, past = np.floor(lag).astype(int), lag - np.floor(lag), np.arange(76), []
    for k in range(STEPS):
        past.append(z)
        sent = np.array(past)
        late = [sent[np.maximum(k - whole - more, 0), j] for more in (0, 1)]
        z = own(z, (net.weights * (late[0] * (1 - part) + late[1] * part)).sum(axis=1))
        yield z


@pytest.mark.parametrize("velocity", [pytest.param(None, marks=pytest.mark.slow), 8.0])
def test_kuramoto_is_the_independent_integration(brain, velocity):
    def own(z, received):  # on the unit circle
        rate = 2 * np.pi * brain.values["frequency"] + 20 * (received * z.conj()).imag
        return z * np.exp(1j * DT * rate)

    start = np.exp(2j * np.pi * scipy.stats.norm.cdf(deviates(1, 3)[0]))
    expected = np.array(list(integrated(brain, start, own, velocity)))
    given = {"K": 20.0, "seed": 3} | ({} if velocity is None else {"velocity": velocity})
    for precision, atol in (("float64", 1e-6), ("float32", 1e-5)):  # a start is as exact as its float32 numbers
        ds = simulated(Phases(), brain, dt=DT, duration=STEPS * DT, precision=precision, **given)
        np.testing.assert_allclose(ds.cos + 1j * ds.sin, expected, rtol=0, atol=atol)
        assert np.abs(ds.theta).max() < 3.1416


def study(brain, model, **parts):
    given = dict(
        axes={"seed": range(40), "G": [0.5, 2.0]}, connectome=brain, measures=[Final()], dt=DT, duration=0.05,
        fixed={"sigma": 0.0},
    )  # fmt: skip
    return Study("random", model=model, **{**given, **parts})


@pytest.mark.parametrize("whose", ["shared", "independent"])
def test_a_random_start_is_the_same_in_any_batch_and_block(brain, run_all, whose):
    whole = run_all(study(brain, Hopf(), noise=whose))["final_x"]
    assert len(np.unique(whole[:, 0], axis=0)) == 40
    alone = run_all(study(brain, Hopf(), noise=whose, axes={"seed": [31], "G": [2.0]}))["final_x"]
    np.testing.assert_array_equal(alone[0, 0], whole[31, 1])
    blocks = study(brain, Hopf(), noise=whose, block_points=16)
    for block in blocks.blocks():
        np.testing.assert_array_equal(blocks.run_block(block)["final_x"], whole[block.slices])


def test_points_of_a_seed_share_their_start_unless_they_are_independent(brain, run_all):
    parts = dict(axes={"seed": range(5), "sigma": [0.0, 1e-9]}, fixed={"G": 0.0})
    shared = run_all(study(brain, Hopf(), **parts))["final_x"]
    np.testing.assert_allclose(shared[:, 0], shared[:, 1], atol=1e-6)
    independent = run_all(study(brain, Hopf(), noise="independent", **parts))["final_x"]
    assert np.abs(independent[:, 0] - independent[:, 1]).mean() > 0.02


def test_phases_start_anywhere_on_the_circle(brain, run_all):
    asked = study(brain, Kuramoto(), axes={"seed": range(40)}, fixed={"f": 0.0, "K": 0.0}, measures=[Final(of="theta")])
    theta = run_all(asked)["final_theta"].ravel()
    assert scipy.stats.kstest(theta, "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.01


@pytest.mark.slow
def test_a_random_start_is_averaged_and_seeds_need_one(brain, run_all):
    found = run_all(study(brain, Hopf(), axes={"G": [0.5]}, measures=[AcrossSeeds(Mean(), seeds=40)]))
    single = run_all(study(brain, Hopf(), axes={"seed": range(40), "G": [0.5]}, measures=[Mean()]))["mean_x"]
    np.testing.assert_allclose(found["mean_x_mean"][0], single[:, 0].mean(axis=0), atol=1e-6)

    class Still(Hopf):
        random_start = 0

        def start(self, p, net):
            return self.state(x=0 * net.weights[0], y=0 * net.weights[0])

    with pytest.raises(UserError, match=r"nothing in the study is random; expected .* a random start"):
        study(brain, Still())


def test_hopf_is_linearised_at_rest(brain, run_all):
    found = run_all(study(brain, Hopf(), axes={"a": [-0.3]}, measures=[SpectralAbscissa()], precision="float64"))
    laplacian = brain.weights - np.diag(brain.weights.sum(axis=1))
    expected = -0.3 + np.linalg.eigvals(0.5 * laplacian).real.max()
    np.testing.assert_allclose(found["spectral_abscissa"], expected, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["shared", "independent"])
def test_a_point_of_a_store_is_replayed_from_its_own_start(brain, tmp_path, whose):
    parts = dict(axes={"seed": [0, 5], "velocity": [4.0, 9.0]}, fixed={}, measures=[Final(of="theta")], noise=whose)
    asked = study(brain, Kuramoto(), **parts)
    ds = run(asked, tmp_path / "store.zarr")
    again = replay(tmp_path / "store.zarr", seed=5, velocity=4.0)
    found = ds.final_theta.sel(seed=5, velocity=4.0)
    np.testing.assert_allclose(np.exp(1j * again.theta.isel(time=-1)), np.exp(1j * found), atol=1e-4)


def test_two_random_numbers_of_a_start_compile_with_delays(brain):
    # XLA was busy for hours with them.
    ds = simulated(Hopf(sigma=0.0), brain, dt=DT, duration=10 * DT, velocity=8.0, seed=3, precision="float64")
    start = 0.1 * deviates(2, 3)
    np.testing.assert_allclose(np.array([ds.x[0], ds.y[0]]), start, atol=1e-2)
