"""Non-normality: of matrices that are worked out by hand, and along a study's axes."""

import math

import numpy as np
import pytest
from conftest import STRONG, WEAK

from gbaexplore import Network, NonNormality, SpectralAbscissa, ThresholdLinear, UserError
from gbaexplore.analysis import henrici_departure, numerical_abscissa, transient_gain

K = 10.0
SHEAR = np.array([[-1.0, K], [0.0, -1.0]])


def test_henrici_departure_by_hand():
    # ||A||_F^2 = 1 + 1 + K^2, and both eigenvalues are -1.
    assert henrici_departure(SHEAR) == pytest.approx(K, rel=1e-14)
    # A = [[1, 2], [3, 4]]: ||A||_F^2 = 30; eigenvalues (5 +- sqrt 33)/2, their squares add up to 29.
    assert henrici_departure([[1, 2], [3, 4]]) == pytest.approx(1.0, rel=1e-12)
    assert henrici_departure([[0, 1], [-1, 0]]) == pytest.approx(0.0, abs=1e-14)  # a rotation is normal


def test_numerical_abscissa_by_hand():
    # (A + A^T)/2 = [[-1, K/2], [K/2, -1]].
    assert numerical_abscissa(SHEAR) == pytest.approx(K / 2 - 1, rel=1e-14)
    assert numerical_abscissa(np.diag([-3.0, -2.0])) == pytest.approx(-2.0)


def test_transient_gain_by_hand():
    # exp(At) = e^-t [[1, Kt], [0, 1]], whose norm is exp(-t + asinh(Kt/2)): largest at t = sqrt(1 - 4/K^2).
    gain, time = transient_gain(SHEAR)
    when = math.sqrt(1 - 4 / K**2)
    assert gain == pytest.approx(math.exp(-when + math.acosh(K / 2)), rel=1e-12)
    assert time == pytest.approx(when, rel=1e-6)


def test_transient_gain_where_nothing_grows_or_all_does():
    assert transient_gain(np.diag([-3.0, -2.0])) == (1.0, 0.0)
    assert transient_gain(np.diag([1.0, -2.0])) == (math.inf, math.inf)
    assert transient_gain([[0.0, 1.0], [-1.0, 0.0]]) == (math.inf, math.inf)


def test_transient_gain_of_two_time_scales():
    # A fast shear makes a hump at 1e-3 of the slow decay time that linear sampling alone would miss.
    fast = np.zeros((3, 3))
    fast[:2, :2], fast[2, 2] = 1e4 * SHEAR, -1.0
    assert transient_gain(fast)[0] == pytest.approx(transient_gain(SHEAR)[0], rel=1e-10)


@pytest.mark.parametrize("function", [henrici_departure, numerical_abscissa, transient_gain])
def test_bad_matrices(function):
    with pytest.raises(UserError, match=r"shape \(2, 3\); expected a square one"):
        function(np.zeros((2, 3)))


@pytest.mark.slow
def test_along_the_axes_of_a_study(make_study):
    """The map's weak and strong gain: stronger balanced amplification is less normal, with larger transients."""
    axes = {"muEE": [WEAK["muEE"], STRONG["muEE"]], "omegaEI": [WEAK["omegaEI"], STRONG["omegaEI"]]}
    ds = make_study(axes=axes, measures=[SpectralAbscissa(), NonNormality()], duration=0.01, stimulus=None).compute()
    weak, strong, unstable = ds.sel(WEAK), ds.sel(STRONG), ds.sel(muEE=51.5, omegaEI=19.7)
    assert strong.spectral_abscissa < 0 < unstable.spectral_abscissa
    assert strong.henrici_departure > weak.henrici_departure > 0
    assert strong.numerical_abscissa > weak.numerical_abscissa > 0
    assert strong.transient_gain > weak.transient_gain > 1
    assert 0 < strong.transient_gain_time < 1
    # What grows without end has no largest gain; the point is none the worse for it.
    assert np.isnan(unstable.transient_gain)
    assert np.isnan(unstable.transient_gain_time)
    assert np.isfinite(unstable.henrici_departure)
    assert (ds.status == 1).all()
    assert (ds.transient_gain.attrs["units"], ds.transient_gain_time.attrs["units"]) == ("1", "s")


@pytest.mark.slow
def test_it_is_of_the_models_own_matrix(make_study):
    measures, model = [NonNormality(suffix="_linear")], ThresholdLinear(muEE=33.7)
    study = make_study(measures=measures, model=model, axes={"omegaEI": [19.7]}, precision="float64")
    matrix = study.model.jacobian(study.model, Network.of(study.connectome))
    found = study.compute()
    assert found.henrici_departure_linear.item() == henrici_departure(matrix)
    assert (found.transient_gain_linear.item(), found.transient_gain_time_linear.item()) == transient_gain(matrix)
