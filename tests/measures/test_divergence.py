"""What is not a value is missing: points that diverge, and measures that make something that is not finite."""

from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

import gbaexplore as gba
from gbaexplore.engine import queue, trials
from gbaexplore.measures import Variable
from gbaexplore.running import runner
from gbaexplore.store import integrity


@dataclass(frozen=True)
class Two(gba.ODEModel):
    """`r` follows the stimulus; `w` follows `r`; either may grow by itself."""

    k: float = gba.parameter(0.0, units="s-1", doc="growth of r")
    l: float = gba.parameter(0.0, units="s-1", doc="growth of w")
    observables = {"r": "Hz", "w": "Hz"}

    def derivative(self, x, p, net, stimulus):
        return {"r": p.k * x.r + stimulus, "w": p.l * x.w + x.r}


@dataclass(frozen=True)
class Noisy(Two):
    def diffusion(self, x, p, net):
        return {"r": 50.0 + 0 * x.r}


@dataclass(frozen=True)
class Ratio(gba.StreamingMeasure):
    """The last sample over the first, and how many were above 0: a whole number."""

    def variables(self, model):
        return {"q": Variable(("area",), "1", "last over first"), "count": Variable(("area",), "1", "samples above 0")}

    def init(self, change, run):
        return change, change, (change > 0).astype("int32")

    def update(self, acc, change, now, run):
        return acc[0], change, acc[2] + (change > 0)

    def finish(self, acc, rest, run):
        return {"q": acc[1] / acc[0], "count": acc[2]}


def study(macaque, measures, amplitude=10.0, **parts):
    given = dict(name="two", model=Two(), axes={"k": [0.0, 100.0]}, stimulus=gba.Pulse("V1", 0.1, 0.1, amplitude))
    return gba.Study(**{**given, "connectome": macaque, "measures": measures, "duration": 2.0, **parts})


@pytest.mark.parametrize(
    ("amplitude", "axes", "of"),
    [(10.0, {"k": [0.0, 100.0]}, "r"), (-10.0, {"k": [0.0, 100.0]}, "r"), (10.0, {"l": [0.0, 100.0]}, "w")],
    ids=["up", "down", "in the second observable"],
)
def test_a_point_that_stops_being_finite_has_diverged(macaque, run_all, amplitude, axes, of):
    found = run_all(study(macaque, [gba.Peak(of=of), gba.Trace(of=of, every=0.1)], amplitude, axes=axes))
    assert found["status"].tolist() == [1, 2]
    assert all(
        np.isfinite(found[name][0]).all() and np.isnan(found[name][1]).all() for name in found if name != "status"
    )


@pytest.mark.slow
def test_when_and_where_it_diverged(macaque, run_all):
    measures = [gba.Divergence(), gba.Trace(areas=("V1", "V2"))]
    parts = dict(axes={"k": [0.0, 20.0]}, duration=0.6)
    found = run_all(study(macaque, measures, ceiling=1e3, **parts))
    assert found["status"].tolist() == [1, 2]
    assert np.isnan(found["diverged_at"][0])
    assert macaque.areas[int(found["diverged_area"][1])] == "V1"
    course = run_all(study(macaque, measures, ceiling=1e9, **parts))["rate_change"][1, :, 0]
    assert found["diverged_at"][1] == pytest.approx(np.argmax(course > 1e3) * 2e-4)


def test_a_value_that_is_not_finite_is_missing_and_its_point_undefined(macaque, tmp_path, capsys):
    made = study(macaque, [Ratio(window=(0.15, 0.5)), gba.Peak()], axes={"k": [0.0, 100.0]})
    report = runner.execute(made, tmp_path)
    ds = xr.open_zarr(report.path, consolidated=False)
    assert ds.status.values.tolist() == [4, 2]
    assert np.isfinite(ds.q[0].sel(area="V1"))
    assert ds.q[0].isnull().sum() == 28  # the other areas have 0 / 0
    assert np.isfinite(ds.peak_rate[0]).all()
    assert ds["count"][1].isnull().all()
    assert integrity.check(report.path) == []
    assert "0 ok, 1 diverged, 0 failed\n1 are undefined" in str(report)
    assert runner.execute(made, tmp_path).computed == 0
    assert report.complete


@pytest.mark.slow
def test_seeds_take_no_more_memory_than_they_need(macaque, run_all, monkeypatch):
    sizes = []

    def seen(plan, network, points, count, size, key):
        sizes.append(size)
        return queue.simulate_batch(plan, network, points, count, size, key)

    monkeypatch.setattr(trials, "simulate_batch", seen)
    seeds = gba.AcrossSeeds(gba.Peak(), seeds=3)
    made = study(macaque, [seeds], model=Noisy(), stimulus=None, duration=0.2, block_points=2)
    run_all(made)
    assert sizes == [3 * made.queue_points]


@pytest.mark.slow
def test_averages_over_seeds_are_missing_where_one_of_them_diverged(macaque, run_all):
    parts = dict(model=Noisy(), axes={"k": [-1.0, 2.0]}, stimulus=None, ceiling=300.0)
    found = run_all(study(macaque, [gba.AcrossSeeds(gba.Peak(), seeds=4, quantiles=(0.5,))], **parts))
    assert found["diverged_share"][0] == 0 < found["diverged_share"][1]
    for name in ("peak_rate_mean", "peak_rate_variance", "peak_rate_quantile"):
        assert np.isfinite(found[name][0]).all()
        assert np.isnan(found[name][1]).all()
