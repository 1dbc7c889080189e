"""Derived fields against small cases that are worked out by hand."""

import numpy as np
import pytest
import xarray as xr

from gbaexplore import Peak, SpectralAbscissa, UserError
from gbaexplore.analysis import (
    divergence_boundary,
    linear_boundary,
    propagation_ratio,
)


@pytest.fixture
def circle():
    """A field that is 0 on a circle of radius 1 for "on", and nowhere for "off"."""
    axis = np.linspace(-2, 2, 81)
    field = np.hypot(*np.meshgrid(axis, axis, indexing="ij")) - 1
    ds = xr.Dataset(
        {"spectral_abscissa": (("muEE", "omegaEI", "feedback"), np.stack([field, field + 5], axis=-1))},
        coords={"muEE": axis, "omegaEI": axis, "feedback": ["on", "off"]},
    )
    for name in ("muEE", "omegaEI"):
        ds[name].attrs["units"] = "pA/Hz"
    ds["status"] = 1 + (ds.spectral_abscissa > 0.25).astype("uint8")
    return ds


def test_linear_boundary_of_a_circle(circle):
    curve = linear_boundary(circle)
    assert curve.name == "omegaEI"
    assert curve.dims == ("vertex",)
    np.testing.assert_allclose(np.hypot(curve.muEE, curve), 1, atol=1e-3)
    assert set(curve.feedback.values) == {"on"}
    assert set(curve.curve.values) == {0}
    assert curve.attrs["units"] == curve.muEE.attrs["units"] == "pA/Hz"
    np.testing.assert_allclose([curve[0], curve.muEE[0]], [curve[-1], curve.muEE[-1]])  # closed


def test_divergence_boundary_of_a_circle(circle):
    curve = divergence_boundary(circle)
    np.testing.assert_allclose(np.hypot(curve.muEE, curve), 1.25, atol=0.05)
    assert divergence_boundary(circle.sel(feedback="off")).size == 0
    for names in ({}, {"x": "muEE"}, {"y": "omegaEI"}):  # the first two axes of numbers, whatever they are called
        other = divergence_boundary(
            circle.rename(muEE="a", omegaEI="b"), **{k: {"muEE": "a", "omegaEI": "b"}[v] for k, v in names.items()}
        )
        np.testing.assert_array_equal(other, curve)
        assert other.name == "b"


def test_pending_points_are_gaps(circle):
    circle["status"] = circle.status.where(circle.muEE < 0.5, 0)
    for curve in (linear_boundary(circle), divergence_boundary(circle)):
        assert curve.muEE.max() <= 0.5
        assert curve.muEE.min() < -0.9


def test_bad_boundaries(circle):
    with pytest.raises(UserError, match=r"needs SpectralAbscissa\(\)"):
        linear_boundary(circle.drop_vars("spectral_abscissa"))
    for axis in ("feedback", "muIE"):
        with pytest.raises(UserError, match="expected two numeric axes of at least two values each: muEE, omegaEI"):
            divergence_boundary(circle, y=axis)


def test_the_two_boundaries_of_the_map_differ(make_study, run_all):
    study = make_study(
        axes={"muEE": np.linspace(24, 40, 17), "omegaEI": [18.7, 19.7, 20.7]},
        measures=[Peak(window=(1.75, 5.0)), SpectralAbscissa()],
    )
    ds = study.template()
    for name, values in run_all(study).items():
        ds[name] = ds[name].copy(data=values)
    linear, diverged = linear_boundary(ds), divergence_boundary(ds)

    def crossings(curve, omegaEI=19.7):
        return np.sort(curve.muEE.values[np.isclose(curve, omegaEI)])

    # The linearised network is unstable at muEE = 28 and at 36, the rectified one at 36 only.
    below, above = crossings(linear)
    assert 28 < below < 33.7
    assert 33.7 < above < 36
    assert crossings(diverged) == pytest.approx([34.5], abs=1.01)
    assert float(propagation_ratio(ds, target="V1", source="24c").sel(muEE=34, omegaEI=19.7)) > 1000
