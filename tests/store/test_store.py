import json
import os

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from gbaexplore import Peak, Trace, UserError, open_study, run
from gbaexplore.basics.places import exists
from gbaexplore.store import making, stores


@pytest.fixture
def made(make_study, tmp_path):
    """A study of 3 blocks and its new store."""
    study = make_study(axes={"muEE": np.linspace(28, 34, 1500), "omegaEI": [19.7, 22.0, 25.2]})
    assert len(study.blocks()) > 2
    path = tmp_path / "sub folder é" / "small.zarr"
    making.create(path, study.template())
    return study, path


def fake(study, block, status=1):
    shape = block.shape
    values = {name: np.full((*shape, 29), 1.5, np.float32) for name in ("peak_rate", "time_to_peak")}
    return values | {"status": np.full(shape, status, np.uint8)}


def test_a_new_store_has_everything_but_values(made, macaque):
    study, path = made
    ds = xr.open_zarr(path, consolidated=False)
    assert dict(ds.sizes) == {"muEE": 1500, "omegaEI": 3, "area": 29}
    assert list(ds.area.values) == list(macaque.areas)
    np.testing.assert_array_equal(ds.muEE.values, study.numeric["muEE"])
    assert (ds.status == 0).all()
    assert ds.peak_rate.isnull().all()
    assert stores.unfinished(path).all()
    assert stores.recipe(path) == json.loads(json.dumps(study.recipe()))
    assert ds.peak_rate.attrs["units"] == "Hz"
    assert os.listdir(path.parent) == ["small.zarr"], "nothing is left beside it"


def test_blocks_are_done_when_their_status_says_so(made):
    study, path = made
    first, second, *_ = study.blocks()
    stores.write_block(path, first.slices, fake(study, first))
    assert not stores.unfinished(path, first.slices).any()
    stores.write_block(path, second.slices, fake(study, second, status=2))
    assert stores.unfinished(path).sum() == study.size - first.size - second.size
    stores.write_block(path, first.slices, {"status": np.full(first.shape, 3, np.uint8)})
    assert stores.unfinished(path, first.slices).all(), "failed points are tried again"
    assert (open_study(path).peak_rate[second.slices] == 1.5).all()


def test_values_that_equal_the_fill_value_are_written_all_the_same(made):
    study, path = made
    block = study.blocks()[0]
    arrays = fake(study, block)
    arrays["peak_rate"][:] = np.nan
    stores.write_block(path, block.slices, arrays)
    assert len(list((path / "peak_rate" / "c").rglob("*"))) >= 1
    assert [p for p in (path / "peak_rate" / "c").rglob("*") if p.is_file()]


def test_status_is_written_last(made, monkeypatch):
    """A write that is cut off leaves a block that counts as missing."""
    import zarr

    study, path = made
    block = study.blocks()[0]
    seen = []
    original = zarr.Array.__setitem__

    def cut_off(self, key, value):
        seen.append(self.basename)
        if self.basename == "time_to_peak":
            raise KeyboardInterrupt
        original(self, key, value)

    monkeypatch.setattr(zarr.Array, "__setitem__", cut_off)
    with pytest.raises(KeyboardInterrupt):
        stores.write_block(path, block.slices, fake(study, block))
    assert seen == ["peak_rate", "time_to_peak"]
    assert stores.unfinished(path, block.slices).all()


def test_a_block_that_splits_a_chunk_is_refused(made):
    study, path = made
    block = study.blocks()[0]
    part = (slice(0, 3), *block.slices[1:])
    with pytest.raises(AssertionError, match="splits a chunk of peak_rate"):
        stores.write_block(path, part, {n: v[:3] for n, v in fake(study, block).items()})


def test_damaged_chunks_are_noticed(made):
    study, path = made
    block = study.blocks()[0]
    stores.write_block(path, block.slices, fake(study, block))
    chunk = next(p for p in (path / "peak_rate" / "c").rglob("*") if p.is_file())
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(ValueError, match="checksum"):
        open_study(path).peak_rate.values  # noqa: B018


def test_another_study_is_refused_with_the_differences(made, make_study):
    _, path = made
    other = make_study(fixed={"muIE": 24.0}, axes={"muEE": [28.0], "omegaEI": [19.7, 22.0, 25.2]})
    with pytest.raises(UserError, match=r"another study's results \(axes.muEE: 1500 values from 28.0 to 34.0 there, "):
        stores.check_same_recipe(path, stores.recipe(path), other.recipe())
    with pytest.raises(UserError, match=r"variants.all.parameters.muIE: 25.3 there, 24.0 here"):
        stores.check_same_recipe(path, stores.recipe(path), other.recipe())


def test_a_store_that_has_lost_its_status(made):
    import shutil

    _, path = made
    shutil.rmtree(path / "status")
    with pytest.raises(UserError, match="not a gbaexplore store"):
        open_study(path)


def test_a_name_that_no_file_can_have(made, tmp_path):
    with pytest.raises(UserError, match="can't be looked at: File name too long"):
        exists(tmp_path / ("x" * 300))


def test_what_is_no_store(tmp_path):
    with pytest.raises(UserError, match="not a gbaexplore store: there is nothing there"):
        open_study(tmp_path / "none.zarr")
    (tmp_path / "text.zarr").write_text("hello")
    with pytest.raises(UserError, match="not a gbaexplore store: it is something else"):
        open_study(tmp_path / "text.zarr")
    xr.Dataset({"a": ("x", [1, 2])}).to_zarr(tmp_path / "other.zarr", zarr_format=3, consolidated=False)
    with pytest.raises(UserError, match="not a gbaexplore store: it is something else"):
        open_study(tmp_path / "other.zarr")


def test_a_place_that_can_not_be_written_to(make_study, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"can't be written to: .*choose another --store"):
        making.create(tmp_path / "file" / "small.zarr", make_study().template())


def test_orphans_of_a_killed_process_are_swept(make_study, tmp_path):
    old = tmp_path / ".small.zarr.123.partial"
    young = tmp_path / ".small.zarr.124.partial"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    making.create(tmp_path / "small.zarr", make_study().template())
    assert sorted(p.name for p in tmp_path.iterdir()) == [young.name, "small.zarr"]


def test_labels_can_be_drawn_along(make_study, tmp_path, macaque):
    """xarray plots over axes of fixed-width text only; and the order of variables is no accident of the folder's."""
    axes = {"muEE": [30.0, 31.0], "feedback": {"on": macaque, "without any": macaque.without_feedback()}}
    ds = run(make_study(axes=axes, connectome=None, measures=[Peak(window=(1.75, 2.3))]), store=tmp_path)
    assert ds.feedback.dtype.kind == ds.area.dtype.kind == "U"
    assert ds.feedback.values.tolist() == ["on", "without any"]
    assert list(ds.data_vars) == ["peak_rate", "time_to_peak", "status"]
    assert ds.feedback.attrs["long_name"] == "feedback"
    ds.peak_rate.isel(muEE=0).plot(ax=Figure().subplots())


def test_all_coordinates_are_there_whatever_the_variables_have(make_study, tmp_path):
    traces = Trace(window=(1.75, 2.3), every=0.02, areas=["V1"])
    ds = run(make_study(axes={"muEE": [30.0]}, measures=[traces]), store=tmp_path)
    assert ds.sizes["area"] == 29
    assert "hierarchy" in ds.coords
