"""Exporting a store's results, block by block: NetCDF, consolidated zarr, CSV, Parquet."""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import itertools
import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import STATUS, STATUS_MEANINGS, unit
from gbaexplore.basics.places import check_writable, exists, local, reason, writing
from gbaexplore.store import integrity, stores
from gbaexplore.store.history import history

if TYPE_CHECKING:
    import pyarrow as pa
    import xarray as xr

_ROWS = 2**17  # of a table, held in memory at once
_JOGLEKAR = "Joglekar, Mejias, Yang & Wang (2018), Neuron 98:222-234"
_REFERENCES = {"ThresholdLinear": _JOGLEKAR, "LocalCircuit": _JOGLEKAR}


def export(path: Path, out: str | Path) -> None:
    """Write a store's results, with labels, units and provenance, to a new file or folder; its ending names the format.

    - .nc: NetCDF-4 that follows CF-1.11. Labels are characters, numeric axes are in order, `time` is called
      `elapsed_time` (CF's time is a date), and units that UDUNITS can't express go into `long_name`.
    - .zarr: zarr format 2, consolidated, which every reader of zarr opens; names and values as in the store.
    - .csv, .parquet: a table with a row for each point and, where variables have them, each area and time; what
      has fewer dimensions is repeated. Its columns are these labels, the other coordinates, `status` as a word,
      and the variables, empty where nothing is computed. Rows come block by block. In .csv the head tells units,
      "peak_rate (Hz)", and digits restore every bit; in .parquet units are the fields' metadata.

    Raises:
        UserError: another ending; a package is missing; something is at `out`, or it can't be written; no store, a
            damaged one, one that is replaced meanwhile; variables that do not fit into one table.
    """
    out = local(out)
    if out.suffix not in _FORMATS:
        raise UserError(f"{out}: its ending names no format; expected {', '.join(_FORMATS)}")
    write, package = _FORMATS[out.suffix]
    if importlib.util.find_spec(package) is None:
        raise UserError(f'{out} needs {package}, which is not installed; pip install "gbaexplore[export]"')
    _refuse(out)
    check_writable(out)
    generation = stores.generation(path)
    for finding in (f for f in integrity.check(path) if not f.harmless):
        raise UserError(f"{path} is {finding}; expected it as it was written: see `gbaexplore check {path}`")
    ds = _opened(path).assign_attrs(_attributes(path, out))
    staged = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        with writing(out, "choose another place"), _of_netcdf():
            out.parent.mkdir(parents=True, exist_ok=True)
            write(path, ds, staged)
            if stores.generation(path) != generation:
                raise UserError(f"{path} has been replaced while it was read; expected one grid: export it again")
            _refuse(out)
            os.rename(staged, out)
    finally:
        _remove(staged)


def _remove(staged: Path) -> None:
    """Remove a file or folder, if it is there."""
    for _ in range(20):
        with contextlib.suppress(OSError):
            shutil.rmtree(staged) if staged.is_dir() else staged.unlink()
        if not exists(staged):
            return
        time.sleep(0.1)  # zarr writes files concurrently and goes on with the others after one fails


@contextlib.contextmanager
def _of_netcdf() -> Iterator[None]:
    """Raise OSError where netCDF4 can't write, as on a full disk."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("NetCDF: "):
            raise
        raise OSError(str(error)) from None


def _refuse(out: Path) -> None:
    if exists(out):
        raise UserError(f"{out} exists already; choose another name, or remove it")


def _opened(path: Path) -> xr.Dataset:
    """Return a store's Dataset, loaded lazily: `status` first, labels as objects."""
    ds = stores.open_study(path)
    # A run may be writing, so a point's status is loaded before its values.
    ds = ds[[STATUS, *(name for name in stores.variables(path) if name != STATUS)]]
    return ds.assign_coords({name: c.astype(object) for name, c in ds.coords.items() if c.dtype.kind not in "fiu"})


def _attributes(path: Path, out: Path) -> dict[str, str]:
    """Return the attributes that CF asks of a file, in addition to the store's."""
    attrs, variants = stores.attributes(path), stores.recipe(path)["variants"].values()
    models = {v["model"]["kind"] for v in variants}
    version = json.loads(attrs.get("software", "{}")).get("gbaexplore", "")
    done = {"run": "gbaexplore run", "extended": "gbaexplore run: the grid was changed"}
    done["upgraded"] = "gbaexplore run: values at points that diverged became NaN"
    lines = [f"{event.get('when')} {done[event['event']]}" for event in history(path) if event.get("event") in done]
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    found = {
        "source": f"gbaexplore {version}: {', '.join(sorted(models))} with "
        + ", ".join(sorted({v["connectome"]["name"] for v in variants})),
        "references": "; ".join({_REFERENCES[model] for model in models if model in _REFERENCES}),
        "history": "\n".join([*lines, f"{now} gbaexplore export {path.name} {out.name}"]),
    }
    return {name: text for name, text in found.items() if text}


def _blocks(path: Path, ds: xr.Dataset) -> Iterator[tuple[tuple[slice, ...], xr.Dataset]]:
    """Yield each block of the grid with its values, loaded."""
    dims, shape, sizes = ds[STATUS].dims, ds[STATUS].shape, stores.block_shape(path)
    for at in itertools.product(*(range(0, n, size) for n, size in zip(shape, sizes))):
        block = tuple(slice(a, min(a + size, n)) for a, size, n in zip(at, sizes, shape))
        try:
            part = ds.isel(dict(zip(dims, block))).load()
        except Exception as error:  # a wrong checksum, bytes that can't be decompressed
            raise UserError(f"{path} can't be read ({reason(error)}); see `gbaexplore check {path}`") from None
        yield block, part


def _copy(path: Path, ds: xr.Dataset, target: Any) -> None:
    """Write the variables into arrays `target[name]` of their shapes."""
    for block, part in _blocks(path, ds):
        for name, variable in part.data_vars.items():
            target[str(name)][(*block, ...)] = variable.values


def _zarr(path: Path, ds: xr.Dataset, new: Path) -> None:
    import dask.array as da
    import zarr

    empty = {name: v.copy(data=da.empty(v.shape, dtype=v.dtype, chunks=-1)) for name, v in ds.data_vars.items()}
    encoding = {name: {"chunks": v.encoding["chunks"]} for name, v in ds.data_vars.items()}
    # Format 2, because format 3 does not specify consolidated metadata, and zarr warns about it.
    ds.assign(empty).drop_encoding().to_zarr(new, compute=False, zarr_format=2, consolidated=True, encoding=encoding)
    with zarr.config.set({"array.write_empty_chunks": True}):
        _copy(path, ds, zarr.open_group(new, mode="r+"))


def _netcdf(path: Path, ds: xr.Dataset, new: Path) -> None:
    import netCDF4

    ds = _as_cf(ds)
    labels = [name for name, c in ds.coords.items() if c.dtype == object]
    # CF's coordinate variables are numbers; an array of characters is a label, whatever its name.
    encoding = {name: {"dtype": "S1"} if name in labels else {"_FillValue": None} for name in ds.coords}
    ds.drop_vars(ds.data_vars).reset_coords().drop_encoding().to_netcdf(new, engine="netcdf4", encoding=encoding)
    file: Any
    with netCDF4.Dataset(new, "r+") as file:
        for name, v in ds.data_vars.items():
            form = dict(compression="zlib", chunksizes=v.encoding["chunks"], chunk_cache=2**20) if v.ndim else {}
            fill = np.nan if v.dtype.kind == "f" else False
            made = file.createVariable(name, v.dtype.str[1:], v.dims, fill_value=fill, **form)
            along = " ".join(str(c) for c in v.coords if c in labels or c not in ds.dims)
            made.setncatts(v.attrs | ({"coordinates": along} if along else {}))
        file.set_auto_maskandscale(False)
        _copy(path, ds, file)


def _as_cf(ds: xr.Dataset) -> xr.Dataset:
    """Return the Dataset with names, order, units and flags as CF has them."""
    numeric = {dim: index for dim, index in ds.indexes.items() if ds[dim].dtype != object}
    ds = ds.sortby([d for d, i in numeric.items() if not (i.is_monotonic_increasing or i.is_monotonic_decreasing)])
    ds = ds.rename({dim: "elapsed_time" for dim in ds.dims if dim == "time"})
    ds[STATUS].attrs["flag_values"] = np.array(ds[STATUS].attrs["flag_values"], ds[STATUS].dtype)
    for attrs in (v.attrs for v in ds.variables.values()):
        if re.search(r"\d\.\d| per ", attrs.get("units", "")):  # UDUNITS reads s^0.5 as s^0 times 5
            attrs["long_name"] = f"{attrs.get('long_name', '')} ({attrs.pop('units')})".strip()
    return ds


def _csv(path: Path, ds: xr.Dataset, new: Path) -> None:
    import pyarrow.csv as csv

    schema = _schema(ds, [name + unit(ds[name].attrs) for name in _columns(ds)[1]])
    with csv.CSVWriter(new, schema) as writer:
        for table in _tables(path, ds, schema):
            writer.write_table(table)


def _parquet(path: Path, ds: xr.Dataset, new: Path) -> None:
    import pyarrow.parquet as parquet

    schema = _schema(ds, _columns(ds)[1])
    with parquet.ParquetWriter(new, schema) as writer:
        for table in _tables(path, ds, schema):
            writer.write_table(table)


def _columns(ds: xr.Dataset) -> tuple[list[str], list[str]]:
    """Return the dimensions that a table has a row for each combination of, and the names of its columns."""
    most = max(ds.data_vars.values(), key=lambda v: v.ndim)
    for name, v in ds.data_vars.items():
        if not set(v.dims) <= set(most.dims):
            own, other = ("/".join(map(str, a.dims[ds[STATUS].ndim :])) for a in (v, most))
            raise UserError(
                f"{name} has values along {own}, {most.name} along {other}; expected the same rows for all of "
                "a table: export to .nc or .zarr"
            )
    dims = [str(dim) for dim in most.dims]
    return dims, [*dims, *(str(c) for c in ds.coords if c not in dims), *map(str, ds.data_vars)]


def _schema(ds: xr.Dataset, names: list[str]) -> pa.Schema:
    """Return a table's columns under these names, with units and description; the Dataset's attributes are its."""
    import pyarrow as pa

    fields = []
    for name, array in zip(names, (ds[column] for column in _columns(ds)[1])):
        words = array.name == STATUS or array.dtype == object
        kind = pa.dictionary(pa.int32(), pa.string()) if words else pa.from_numpy_dtype(array.dtype)
        meta = {key: value for key, value in array.attrs.items() if key in ("units", "long_name")}
        fields.append(pa.field(name, kind, metadata=meta))
    return pa.schema(fields, metadata=ds.attrs)


def _tables(path: Path, ds: xr.Dataset, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of each block, in parts."""
    import pyarrow as pa

    (dims, columns), words = _columns(ds), np.array(STATUS_MEANINGS, dtype=object)
    for _, part in _blocks(path, ds):
        part[STATUS] = part[STATUS].copy(data=np.asarray(words[part[STATUS].values], dtype=object))
        shape = tuple(part.sizes[dim] for dim in dims)
        for start in range(0, math.prod(shape), _ROWS):
            rows = np.arange(start, min(start + _ROWS, math.prod(shape)))
            at: dict[Any, np.ndarray] = dict(zip(dims, np.unravel_index(rows, shape))) if dims else {}
            found = ((part[c].values[tuple(at[dim] for dim in part[c].dims)], part[c].dtype) for c in columns)
            values = (np.array(v, dtype, ndmin=1) for v, dtype in found)
            # from_pandas: what is NaN becomes an empty cell.
            yield pa.table([pa.array(v, f.type, from_pandas=True) for v, f in zip(values, schema)], schema=schema)


_FORMATS: dict[str, tuple[Callable[[Path, xr.Dataset, Path], None], str]] = {
    ".nc": (_netcdf, "netCDF4"),
    ".zarr": (_zarr, "zarr"),
    ".csv": (_csv, "pyarrow"),
    ".parquet": (_parquet, "pyarrow"),
}
"""Ending of a name -> the function that writes the format, and the package it needs."""
