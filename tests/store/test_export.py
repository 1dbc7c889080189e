import json
import os
import resource
import shutil
import subprocess
import sys
import tracemalloc
from importlib.metadata import version
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import xarray as xr

from gbaexplore import Peak, Pulse, SpectralAbscissa, Study, ThresholdLinear, Trace, UserError, open_study
from gbaexplore.basics.names import STATUS_MEANINGS
from gbaexplore.basics.places import place
from gbaexplore.running import runner
from gbaexplore.store import export as exports
from gbaexplore.store import making, stores
from gbaexplore.store.export import export

ENDINGS = (".nc", ".zarr", ".csv", ".parquet")
VALUES = ("peak_rate", "time_to_peak", "rate_change", "spectral_abscissa")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, macaque, pulse):
    """A store of every kind of axis, coordinate and variable, with points of every status."""
    study = Study(
        name="small",
        model=ThresholdLinear(),
        axes={
            "muEE": [33.7, 28.0, 60.0, 36.0, 34.1],  # in no order
            "feedback": {"on": macaque, "off, all": macaque.without_feedback()},
            "pulse": {"V1": pulse, 'V2 "é"': Pulse(area="V2", onset=2.0, duration=0.25, amplitude=41.9)},
            "noise": [0.0],
        },
        connectome=None,
        derived={"omegaEI": lambda muEE, feedback: 20 + 0.1 * (muEE - 30) + 0.1 * len(feedback)},
        measures=[Peak(window=(1.75, 5.0)), Trace(window=(2.0, 2.1), every=0.02), SpectralAbscissa()],
        block_points=2,
    )
    path = runner.execute(study, tmp_path_factory.mktemp("finished")).path
    for name in stores.variables(path):
        pending = sorted(file for file in (path / name / "c").rglob("*") if file.is_file())[-1]
        pending.unlink()
    stores.mark_failed(path, study.blocks()[0].slices, np.ones(study.blocks()[0].shape, dtype=bool))
    assert set(np.unique(open_study(path).status)) == {0, 1, 2, 3}
    return path


@pytest.fixture
def store(finished, tmp_path):
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "small.zarr"))


def identical(found, expected):
    """All values to the bit, all labels, all attributes that say what a variable is."""
    assert set(found.variables) == set(expected.variables)
    for name in expected.variables:
        assert found[name].dims == expected[name].dims
        np.testing.assert_array_equal(found[name].values.astype(expected[name].dtype), expected[name].values)
        for key in ("units", "long_name", "flag_meanings"):
            assert found[name].attrs.get(key) == expected[name].attrs.get(key)
        assert list(found[name].attrs.get("flag_values", [])) == list(expected[name].attrs.get("flag_values", []))
    for name in (*VALUES, "status"):
        assert found[name].dtype == expected[name].dtype
    for key in ("title", "Conventions", "gbaexplore_recipe", "created", "software"):
        assert found.attrs[key] == expected.attrs[key]
    made_by = f"gbaexplore {version('gbaexplore')}"
    assert found.attrs["source"] == f"{made_by}: ThresholdLinear with macaque29, macaque29, without feedback"
    assert "Neuron 98:222-234" in found.attrs["references"]
    first, last = found.attrs["history"].splitlines()
    assert first.endswith("gbaexplore run")
    assert "gbaexplore export small.zarr out" in last


@pytest.mark.slow
def test_netcdf(finished, tmp_path):
    out = tmp_path / "out.nc"
    export(finished, out)
    with xr.open_dataset(out, engine="netcdf4") as found:
        np.testing.assert_array_equal(found.muEE, [28.0, 33.7, 34.1, 36.0, 60.0])
        assert found.peak_rate.sel(area="24c", feedback="off, all", pulse='V2 "é"', muEE=34.1).shape == (1,)
        expected = open_study(finished)
        back = found.load().rename(elapsed_time="time").sel(muEE=expected.muEE)
        # UDUNITS would read it as 5 Hz, without a word.
        assert "units" not in back.noise.attrs
        assert back.noise.attrs["long_name"].endswith("(Hz s^0.5)")
        back.noise.attrs = expected.noise.attrs
        identical(back, expected)
    with netCDF4.Dataset(out) as file:
        status = file["status"]
        assert status.flag_values.dtype == status.dtype == np.uint8
        assert set(file["peak_rate"].coordinates.split()) == {"area", "feedback", "pulse", "hierarchy", "omegaEI"}
        assert file["area"].dtype == "S1"
        assert tuple(file["rate_change"].chunking()) == stores.block_shape(finished) + file["rate_change"].shape[4:]


def test_netcdf_follows_cf(finished, tmp_path):
    """The IOOS compliance checker finds no error; it needs no network, its table of names is in the package."""
    export(finished, tmp_path / "out.nc")
    checker = Path(sys.executable).with_name("compliance-checker")
    command = [checker, "-t", "cf:1.11", "-f", "json", "-o", "found.json", "out.nc"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert "exceptions occurred" not in done.stderr, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())["cf:1.11"]
    assert found["possible_points"] > 100
    said = [
        message for part in ("high", "medium", "low") for of in found[f"{part}_priorities"] for message in of["msgs"]
    ]
    assert found["high_count"] == 0, said
    # A recommendation: with other names for the labels, xarray's `sel(area="24c")` would not work.
    assert sorted(said) == [
        f"{name} shares the same name as one of its dimensions" for name in ("area", "feedback", "pulse")
    ]


def test_zarr(finished, tmp_path):
    export(finished, tmp_path / "out.zarr")
    with xr.open_zarr(tmp_path / "out.zarr") as found:
        assert found.rate_change.chunks is not None
        identical(found.load(), open_study(finished))
    assert (tmp_path / "out.zarr" / ".zmetadata").exists()


def as_dataset(frame, like):
    """A table's rows back on the grid."""
    dims = like.rate_change.dims
    assert len(frame) == like.rate_change.size
    assert not frame.duplicated(list(dims)).any()
    frame = frame.astype({name: object for name in ("feedback", "pulse", "area")})
    labels = {dim: like[dim].values if like[dim].dtype.kind == "f" else like[dim].values.astype(object) for dim in dims}
    return frame.set_index(list(dims)).to_xarray().sel(labels)


def same_values(table, expected):
    for name in ("hierarchy", "omegaEI", *VALUES):
        whole = expected[name].broadcast_like(expected.rate_change).transpose(*expected.rate_change.dims)
        np.testing.assert_array_equal(table[name].values.astype(expected[name].dtype), whole.values)
    words = np.array(STATUS_MEANINGS, dtype=object)[expected.status.values]
    assert (table.status.values.astype(object) == words[..., None, None]).all()
    assert table.peak_rate.isnull().values[words == "pending"].all(), "empty"


def test_csv(finished, tmp_path):
    export(finished, tmp_path / "out.csv")
    frame = pd.read_csv(tmp_path / "out.csv")
    assert list(frame.columns) == [
        "muEE (pA/Hz)", "feedback", "pulse", "noise (Hz s^0.5)", "time (s)", "area", "hierarchy", "omegaEI (pA/Hz)",
        "status", "peak_rate (Hz)", "rate_change (Hz)", "spectral_abscissa (s-1)", "time_to_peak (s)",
    ]  # fmt: skip
    expected = open_study(finished).load()
    same_values(as_dataset(frame.rename(columns=lambda name: name.split(" (")[0]), expected), expected)


def test_parquet(finished, tmp_path):
    export(finished, tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    expected = open_study(finished).load()
    for name in VALUES:
        field = table.schema.field(name)
        assert str(field.type) == "float"
        assert field.metadata[b"units"].decode() == expected[name].attrs["units"]
        assert field.metadata[b"long_name"].decode() == expected[name].attrs["long_name"]
    assert table.schema.field("muEE").metadata[b"units"] == b"pA/Hz"
    for name in ("feedback", "area", "status"):
        assert str(table.schema.field(name).type).startswith("dictionary<values=string")
    assert table.schema.metadata[b"gbaexplore_recipe"].decode() == expected.attrs["gbaexplore_recipe"]
    assert b"history" in table.schema.metadata
    same_values(as_dataset(table.to_pandas(), expected), expected)


def test_every_float32_survives_csv(make_study, tmp_path):
    study = make_study(axes={"muEE": np.linspace(28, 34, 700)}, measures=[Peak()])
    bits = np.random.default_rng(0).integers(0, 2**32, (2, *study.shape, 29), dtype=np.uint32)
    values = np.nan_to_num(bits.view(np.float32), nan=1.5, posinf=3.4028235e38, neginf=1e-45)
    making.create(tmp_path / "small.zarr", study.template())
    arrays = dict(zip(("peak_rate", "time_to_peak"), values)) | {"status": np.ones(study.shape, np.uint8)}
    for block in study.blocks():
        stores.write_block(tmp_path / "small.zarr", block.slices, {n: v[block.slices] for n, v in arrays.items()})
    export(tmp_path / "small.zarr", tmp_path / "out.csv")
    frame = pd.read_csv(tmp_path / "out.csv")
    np.testing.assert_array_equal(frame["peak_rate (Hz)"].to_numpy(np.float32), values[0].ravel())
    np.testing.assert_array_equal(frame["muEE (pA/Hz)"].to_numpy()[::29], study.numeric["muEE"])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_long_recipe_and_nothing_computed(make_study, tmp_path, ending):
    """HDF5 keeps attributes of up to 64 KB in the usual way."""
    path = tmp_path / "small.zarr"
    making.create(path, make_study(axes={"muEE": np.linspace(28, 34, 6000)}, measures=[SpectralAbscissa()]).template())
    assert len(stores.attributes(path)["gbaexplore_recipe"]) > 2**16
    out = tmp_path / f"out{ending}"
    export(path, out)
    if ending == ".csv":
        assert out.read_text().splitlines()[1:3] == ['28,"pending",', '28.0010001667,"pending",']
    elif ending == ".parquet":
        frame = pd.read_parquet(out)
        assert set(frame.status) == {"pending"}
        assert frame.spectral_abscissa.isna().all()
    else:
        with xr.open_dataset(out, engine=dict(zip(ENDINGS, ("netcdf4", "zarr")))[ending]) as found:
            assert found.attrs["gbaexplore_recipe"] == stores.attributes(path)["gbaexplore_recipe"]
            assert (found.status == 0).all()
            assert found.spectral_abscissa.isnull().all()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_one_point_and_no_areas(make_study, tmp_path, ending):
    """What has no dimension is one row or a number; labels of areas that nothing has values for are left out."""
    path = runner.execute(make_study(axes={}, measures=[SpectralAbscissa()]), tmp_path).path
    out = tmp_path / f"out{ending}"
    export(path, out)
    expected = open_study(path).spectral_abscissa.item()
    if ending in (".csv", ".parquet"):
        frame = pd.read_csv(out) if ending == ".csv" else pd.read_parquet(out)
        assert [name.split(" ")[0] for name in frame.columns] == ["status", "spectral_abscissa"]
        assert (frame.iloc[0, 0], np.float32(frame.iloc[0, 1])) == ("ok", np.float32(expected))
    else:
        with xr.open_dataset(out, engine=dict(zip(ENDINGS, ("netcdf4", "zarr")))[ending]) as found:
            assert (found.status.item(), found.spectral_abscissa.item()) == (1, expected)
            assert not found.sizes


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_memory_does_not_grow_with_the_store(make_study, tmp_path, ending, monkeypatch):
    monkeypatch.setattr(exports, "_ROWS", 4096)
    study = make_study(axes={"muEE": np.linspace(28, 34, 150), "omegaEI": np.linspace(19, 26, 100)}, block_points=300)
    path = tmp_path / "small.zarr"
    making.create(path, study.template())
    for block in study.blocks():
        part = {name: np.full((*block.shape, 29), 1.5, np.float32) for name in ("peak_rate", "time_to_peak")}
        stores.write_block(path, block.slices, part | {"status": np.ones(block.shape, np.uint8)})
    export(path, tmp_path / f"first{ending}")  # imports, and what zarr keeps of its metadata
    size = open_study(path).nbytes
    tracemalloc.start()
    export(path, tmp_path / f"out{ending}")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < size / 3, f"{most / 1e6:.1f} MB of {size / 1e6:.1f}"


def left(folder):
    return sorted(os.listdir(folder))


def test_an_ending_that_is_none(store, tmp_path):
    for name in ("out.xlsx", "out", "out.zarr.zip"):
        with pytest.raises(UserError, match=rf"{name}: .* expected \.nc, \.zarr, \.csv, \.parquet"):
            export(store, tmp_path / name)


def test_an_object_store_is_no_place_for_files(store):
    with pytest.raises(UserError, match=r"memory://out\.nc is in an object store; expected a place on this machine"):
        export(store, place("memory://out.nc"))


@pytest.mark.parametrize(("ending", "package"), [(".nc", "netCDF4"), (".csv", "pyarrow"), (".parquet", "pyarrow")])
def test_a_missing_package(store, tmp_path, monkeypatch, ending, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf'needs {package}, .* pip install "gbaexplore\[export\]"'):
        export(store, tmp_path / f"out{ending}")


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_there_is_never_overwritten(store, tmp_path, ending):
    (tmp_path / f"out{ending}").write_text("mine")
    (tmp_path / f"folder{ending}").mkdir()
    (tmp_path / f"link{ending}").symlink_to("nowhere")
    for name in ("out", "folder", "link"):
        with pytest.raises(UserError, match=f"{name}{ending} exists already; choose another name, or remove it"):
            export(store, tmp_path / f"{name}{ending}")
    assert (tmp_path / f"out{ending}").read_text() == "mine"


def test_what_appears_meanwhile_is_not_overwritten(store, tmp_path, monkeypatch):
    blocks = exports._blocks

    def slow(*args):
        yield from blocks(*args)
        (tmp_path / "out.csv").write_text("mine")

    monkeypatch.setattr(exports, "_blocks", slow)
    with pytest.raises(UserError, match="exists already"):
        export(store, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert left(tmp_path) == ["out.csv", "small.zarr"]


def test_what_is_no_store(tmp_path):
    with pytest.raises(UserError, match="not a gbaexplore store: there is nothing there"):
        export(tmp_path / "none.zarr", tmp_path / "out.nc")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_place_that_can_not_be_written_to(store, tmp_path, ending):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file is not a folder; expected a folder for out.*: choose another place"):
        export(store, tmp_path / "file" / f"out{ending}")


@pytest.mark.parametrize("ending", ENDINGS)
def test_damage_is_refused(store, tmp_path, monkeypatch, ending):
    chunk = next(file for file in (store / "rate_change" / "c").rglob("*") if file.is_file())
    sound = chunk.read_bytes()
    chunk.unlink()
    with pytest.raises(UserError, match=r"is damaged: rate_change/c/.*: missing .*see `gbaexplore check .*small.zarr`"):
        export(store, tmp_path / f"out{ending}")
    chunk.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(UserError, match=r"is damaged: rate_change/c/.*see `gbaexplore check .*small.zarr`"):
        export(store, tmp_path / f"out{ending}")
    monkeypatch.setattr("gbaexplore.store.integrity.check", lambda path: [])  # it was sound then
    with pytest.raises(UserError, match=r"can't be read \(.*hecksum.*\); see `gbaexplore check"):
        export(store, tmp_path / f"out{ending}")
    assert left(tmp_path) == ["small.zarr"], "nothing is left beside it"


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_space_is_left(store, tmp_path, ending):
    """As a full disk does, a limit on the size of files makes a write fail on the way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(
            UserError, match=r"can't be written to: (.*File too large.*|NetCDF: .*); choose another place"
        ):
            export(store, tmp_path / f"out{ending}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert left(tmp_path) == ["small.zarr"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_interrupted_it_leaves_nothing(store, tmp_path, monkeypatch, ending):
    blocks = exports._blocks

    def cut_off(*args):
        yield next(blocks(*args))
        raise KeyboardInterrupt

    monkeypatch.setattr(exports, "_blocks", cut_off)
    with pytest.raises(KeyboardInterrupt):
        export(store, tmp_path / f"out{ending}")
    assert left(tmp_path) == ["small.zarr"]


def test_a_store_that_is_replaced_meanwhile(store, tmp_path, monkeypatch):
    hashes = iter(["one", "another"])
    monkeypatch.setattr(stores, "generation", lambda path: next(hashes))
    with pytest.raises(UserError, match="has been replaced while it was read; expected one grid: export it again"):
        export(store, tmp_path / "out.csv")
    assert left(tmp_path) == ["small.zarr"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_variables_that_do_not_fit_into_one_table(make_study, tmp_path, ending):
    trace = Trace(window=(2.0, 2.1), every=0.02, areas=("V1", "24c"))
    path = tmp_path / "small.zarr"
    making.create(path, make_study(axes={"muEE": [28.0]}, measures=[Peak(), trace]).template())
    with pytest.raises(UserError, match=r"peak_rate has values along area, rate_change along time/trace_area; .*\.nc"):
        export(path, tmp_path / f"out{ending}")
    assert left(tmp_path) == ["small.zarr"]
    export(path, tmp_path / "out.nc")
