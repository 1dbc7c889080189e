"""What went in, in a store: connectomes and stimuli are read as they were, together in few files."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from gbaexplore import Connectome, Peak, Pulse, replay, run
from gbaexplore.store import inputs, making, stores


@pytest.fixture
def labelled(make_study, macaque):
    """A study of eight connectomes, one of which has more to say of its areas, with two stimuli."""
    lesions = {area: macaque.lesioned(area) for area in macaque.areas[:7]}
    known = dataclasses.replace(macaque, values={**macaque.values, "depth": np.linspace(0, 1, 29)})
    pulses = {name: Pulse(area="V1", onset=0.02, duration=seconds, amplitude=10.0) for name, seconds in
              {"short": 0.01, "long": 0.02}.items()}  # fmt: skip
    axes = {"network": {**lesions, "known": known}, "pulse": pulses, "muEE": [28.0]}
    return make_study(axes=axes, connectome=None, stimulus=None, measures=[Peak(window=(0.0, 0.06))], duration=0.06)


def check(path, study):
    """Every variant's connectome and stimulus is what the study has."""
    for name, variant in zip(stores.recipe(path)["variants"], study.variants(), strict=True):
        assert Connectome.from_dataset(stores.read_input(path, "connectomes", name)) == variant.connectome
        assert stores.read_input(path, "connectomes", name).attrs == {"name": variant.connectome.name}
        edges = stores.read_input(path, "stimuli", name)["edge"].values
        assert edges[-1] - edges[0] == round(variant.stimulus.duration / study.dt)


@pytest.mark.parametrize("chunk_bytes", [2**23, 20_000])
def test_what_differs_in_numbers_alone_is_together(labelled, tmp_path, monkeypatch, chunk_bytes):
    monkeypatch.setattr(inputs, "_CHUNK_BYTES", chunk_bytes)
    making.create(tmp_path / "small.zarr", labelled.template(), labelled.inputs())
    check(tmp_path / "small.zarr", labelled)
    groups = {kind: [file for file in (tmp_path / "small.zarr" / kind).iterdir() if file.is_dir()] for kind in
              ("connectomes", "stimuli")}  # fmt: skip
    assert {kind: len(found) for kind, found in groups.items()} == {"connectomes": 2, "stimuli": 1}
    chunks = [file for file in (tmp_path / "small.zarr" / "connectomes/stack0/weights/c").rglob("*") if file.is_file()]
    assert len(chunks) == (1 if chunk_bytes == 2**23 else 4)


def test_a_store_of_an_earlier_version_has_a_group_of_each(labelled, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "stacked", dict)
    run(labelled, store=tmp_path)
    monkeypatch.undo()
    check(tmp_path / "small.zarr", labelled)
    more = dataclasses.replace(labelled, axes={**labelled.axes, "muEE": [28.0, 29.0]})
    assert (run(more, store=tmp_path).status == 1).all()
    check(tmp_path / "small.zarr", more)
    assert (tmp_path / "small.zarr" / "connectomes" / "stack0").is_dir(), "as today"


def test_a_point_of_many_networks_is_replayed_with_its_own(labelled, tmp_path, macaque):
    run(labelled, store=tmp_path)
    lesion = replay(tmp_path / "small.zarr", network="V2", pulse="long", muEE=28.0)
    whole = replay(tmp_path / "small.zarr", network="known", pulse="long", muEE=28.0)
    assert np.ptp(lesion.E.sel(area="V2").values) == 0
    assert np.ptp(whole.E.sel(area="V2").values) > 0


def test_nothing_can_be_stacked_too(labelled, tmp_path):
    """Stimuli without a piece, which have no levels."""
    empty = {f"stimuli/{name}": xr.Dataset({"level": (("piece", "area"), np.zeros((0, 2)))}) for name in "ab"}
    making.create(tmp_path / "small.zarr", labelled.template(), empty)
    assert inputs.read(stores.zarr_store(tmp_path / "small.zarr"), "stimuli/b").identical(empty["stimuli/b"])
