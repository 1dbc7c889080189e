import numpy as np
import pytest
from conftest import WEAK
from reference import peaks

from gbaexplore import Pulse, ThresholdLinear, UserError, simulate


@pytest.mark.parametrize("update", ["sequential", "simultaneous"])
def test_time_courses_agree_with_numpy(macaque, pulse, update):
    ds = simulate(ThresholdLinear(update=update), macaque, pulse, window=(1.75, 3.0), every=0.002, duration=3.0, **WEAK)
    rates = []
    parts = dict(update=update, window=(1.75, 3.0), **WEAK)
    peaks(
        macaque.values["hierarchy"], macaque.weights, record=lambda k, E, I: rates.append((E[:, 0], I[:, 0])), **parts
    )
    E, I = np.swapaxes(rates, 0, 1)
    np.testing.assert_allclose(ds.E.values - 10, E[::10] - 10, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(ds.I.values - 35, I[::10] - 35, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(ds.time.values, 1.75 + np.arange(625) * 2e-3)
    assert ds.E.sel(area="24c").dims == ("time",)
    assert ds.E.attrs["units"] == "Hz"
    assert ds.attrs["muEE"] == WEAK["muEE"]
    assert ds.attrs["status"] == "ok"


def test_a_whole_run_starts_at_rest(macaque, pulse):
    ds = simulate(ThresholdLinear(), macaque, pulse, amplitude=10.0, every=1e-3)
    assert ds.sizes == {"time": 10_000, "area": 29}
    assert (ds.E.sel(time=slice(0, 1.999)) == 10).all()
    assert ds.E.sel(area="V1").max() > 15


def test_a_run_that_runs_away_is_missing_from_where_it_overflows(macaque, pulse):
    ds = simulate(ThresholdLinear(), macaque, pulse, muEE=44.0, omegaEI=19.7, every=1e-3)
    assert ds.attrs["status"] == "diverged"
    assert not np.isinf(ds.E).any()
    known = ds.E.notnull().sel(area="V1").values
    assert 10_000 > known.sum() > 2_000
    assert known[: known.sum()].all()
    assert ds.E.max() > 1e30
    bounded = simulate(ThresholdLinear(), macaque, pulse, muEE=36.0, omegaEI=19.7, window=(1.75, 5.0))
    assert bounded.attrs["status"] == "ok"
    assert 1e6 < bounded.E.max() < 1e8, "a finite run-away is shown as it is"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(muee=3.0), 'no parameter "muee" .* did you mean "muEE"'),
        (dict(precision="half"), 'expected "float32" or "float64"'),
        (dict(window=(9.0, 11.0)), "window of Trace is 9 to 11 s"),
        (dict(tauE=-1.0), "tauE = -1 s; expected above 0"),
        (dict(duration=1.0), "the pulse acts from 2 to 2.25 s, the run from 0 to 1 s"),
    ],
)
def test_mistakes(macaque, pulse, parts, message):
    with pytest.raises(UserError, match=message):
        simulate(ThresholdLinear(), macaque, pulse, **parts)


def test_unknown_area(macaque):
    with pytest.raises(UserError, match='did you mean "V1"'):
        simulate(ThresholdLinear(), macaque, Pulse("v1", 2.0, 0.25, 1.0))
