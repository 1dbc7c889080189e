"""A million points: the plan and the store, with a simulation of a few steps; and a thousand areas."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from reference import peaks

from gbaexplore import LocalCircuit, Peak, Pulse, Study, ThresholdLinear, UserError, distance_rule, open_study, plots
from gbaexplore.running import runner
from gbaexplore.store import stores

mpl.use("agg")


def test_a_million_points(tmp_path, macaque):
    study = Study(
        name="million",
        model=LocalCircuit(),
        connectome=macaque.without(*macaque.areas[1:]),
        axes={"wEE": np.linspace(1.0, 2.0, 1000), "wEI": np.linspace(1.0, 2.0, 1000)},
        stimulus=Pulse(area="V1", onset=0.0, duration=2e-4, amplitude=1.0),
        measures=[Peak(window=(0.0, 1e-3))],
        duration=1e-3,
    )
    todo = runner.outstanding(study, tmp_path / "million.zarr")
    assert todo.points == 1_000_000
    sizes = [block.size for block in study.blocks()]
    assert len(sizes) >= 100, "work to share out"
    assert max(sizes) <= 10_000, "of which little is in memory"
    report = runner.execute(study, tmp_path, only=todo.blocks[:3])
    assert report.computed == sum(sizes[:3])
    ds = open_study(report.path)
    assert not ds.peak_rate._in_memory
    assert not ds.status._in_memory
    again = runner.outstanding(study, report.path)
    assert again.points == 1_000_000 - report.computed
    assert stores.block_shape(report.path) == study.block_shape


def test_a_thousand_areas(tmp_path):
    thousand = distance_rule(1000, density=0.1, seed=1)
    driven = 500
    study = Study(
        name="thousand",
        model=ThresholdLinear(),
        connectome=thousand,
        axes={"muEE": [20.0, 30.0]},
        stimulus=Pulse(area=thousand.areas[driven], onset=0.0, duration=0.01, amplitude=40.0),
        measures=[Peak()],
        duration=0.01,
    )
    ds = open_study(runner.execute(study, tmp_path).path).load()
    assert ds.sizes["area"] == 1000
    pulse = dict(onset=0.0, pulse=0.01, amplitude=40.0, driven=driven, window=(0.0, 0.01))
    expected, _ = peaks(thousand.values["hierarchy"], thousand.weights, muEE=[20.0, 30.0], **pulse)
    np.testing.assert_allclose(ds.peak_rate, expected.T, rtol=1e-4, atol=1e-6 * expected.max())
    ax = plots.profile(ds, source=thousand.areas[driven])
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert len(names) <= 32
    assert names[:2] == ["a000", "a032"]
    with pytest.raises(UserError, match=r"Areas: a000, .*a039 and 960 more$"):
        plots.profile(ds, source="V1")
    plots.overview(ds).savefig(io.BytesIO())
