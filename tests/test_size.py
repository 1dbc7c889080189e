"""A million points: the plan and the store, with a simulation of a few steps."""

import numpy as np

from gbaexplore import LocalCircuit, Peak, Pulse, Study, open_study, runner
from gbaexplore import store as stores


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
