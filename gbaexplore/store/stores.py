"""The store: the only module that writes zarr. It knows Datasets and blocks, never models.

A store is a plain zarr v3 group, in a folder or an object store. It is made whole beside its place and renamed
into it (or copied, the group's own file last); from then on only blocks are written, each owning whole chunks, and
within a block `status` comes last: a block whose status is not pending is complete.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError, text_of
from gbaexplore.basics.names import FAILED, PENDING, STATUS
from gbaexplore.basics.places import place, remote
from gbaexplore.basics.points import INDEPENDENT, SHARED
from gbaexplore.store import earlier, inputs, lock
from gbaexplore.store.making import CHECKSUMS, made
from gbaexplore.store.own import own_file, own_text
from gbaexplore.store.recipe import RECIPE, course_hash, explained, is_recipe, upgraded, with_noise

if TYPE_CHECKING:
    import xarray as xr

# In an array's folder, because zarr warns about unknown files in a group's folder.
_ADOPTED = f"{STATUS}/recipe.json"
_INPUTS = {"connectomes": "connectome", "stimuli": "stimulus"}  # zarr group -> its key in a recipe


def zarr_store(path: Path) -> Any:
    """Return a store in the form that zarr and xarray expect."""
    if remote(path):
        return str(path)
    from gbaexplore.store.files import Files

    return Files(path)


def read_input(path: Path, kind: str, label: str) -> xr.Dataset:
    """Return the connectome (kind "connectomes") or stimulus ("stimuli") that a variant of a store was made with.

    Raises:
        UserError: it is not there, or damaged.
    """
    made = json.loads(attributes(path)[RECIPE])["variants"][label]
    try:
        found = inputs.read(zarr_store(path), inputs.input_name(kind, made[_INPUTS[kind]]))
    except Exception as error:  # of zarr, in many ways
        raise UserError(
            f'{path} is damaged: the {_INPUTS[kind]} of "{label}" can\'t be read ({text_of(error, 100)}); expected it '
            "as it was written: restore it from a copy, or move the store away and run the study again"
        ) from None
    return earlier.connectome_of_today(found) if kind == "connectomes" else found


def changed_files(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file that has changed since the store was made, and how.

    Raises:
        UserError: it is not a store.
    """
    if not made(path) or not (path / STATUS).is_dir():
        attributes(path)
    try:
        expected = dict(json.loads(own_text(path, CHECKSUMS)))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        yield Path(CHECKSUMS), f"can't be read ({type(error).__name__})"
        return
    try:
        _adopted(path)
    except UserError:
        yield Path(_ADOPTED), "is not what was written"
    for name, checksum in expected.items():
        try:
            same = hashlib.sha256(own_file(path, name).read_bytes()).hexdigest() == checksum
        except OSError as error:
            yield Path(name), error.strerror or "can't be read"
            continue
        if not same:
            yield Path(name), "has changed since the store was made"


def check_unchanged(path: Path) -> None:
    """Raise UserError if metadata or coordinates have changed since the store was made: chunks would be misread."""
    for file, what in changed_files(path):
        raise UserError(
            f"{path} is damaged: {file} {what}; expected it as it was written: restore it from a copy, or move the "
            "store away and run the study again"
        )


def attributes(path: Path) -> dict[str, Any]:
    """Return a store's attributes.

    Raises:
        UserError: it is not a store of gbaexplore's.
    """
    try:
        attrs = dict(_attributes(own_text(path, "zarr.json")))
        own_file(path, f"{STATUS}/zarr.json")
    except Exception:  # of what anybody has written there, or of an object store's client: any
        found = "there is nothing there" if not made(path) else "it is something else, or of a later version"
        raise UserError(f"{path} is not a gbaexplore store: {found}; expected what `gbaexplore run` writes") from None
    return attrs


@functools.lru_cache(maxsize=4)
def _attributes(text: str) -> dict[str, Any]:
    # Read with every block that is written; with many labels, parsing takes as long as writing the block.
    attrs = json.loads(text)["attributes"]
    if not is_recipe(json.loads(attrs[RECIPE])) or not isinstance(json.loads(attrs.get("software", "{}")), dict):
        raise ValueError("of another form")
    return attrs


def recipe(path: Path) -> dict[str, Any]:
    """Return a store's recipe; see `Study.recipe`."""
    attrs = attributes(path)
    return with_noise(_adopted(path).get("recipe") or json.loads(attrs[RECIPE]))


def software(path: Path) -> dict[str, str]:
    """Return the versions of the software that made a store's numbers, or was proved to reproduce them."""
    attrs = attributes(path)
    return _adopted(path).get("software") or json.loads(attrs.get("software", "{}"))


def _adopted(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(own_text(path, _ADOPTED))
        if is_recipe(found["recipe"]) and isinstance(found["software"], dict):
            return found
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UserError(
        f"{path} is damaged: {_ADOPTED} is not what was written; expected a recipe: remove that file, and the next run "
        "proves the store's numbers again"
    )


def adopt(path: Path, recipe: dict[str, Any], software: dict[str, str]) -> None:
    """Record in a store the recipe and software that were proved to reproduce its numbers."""
    text = json.dumps({"recipe": recipe, "software": software})
    if remote(path):
        (path / _ADOPTED).write_text(text)
        return
    new = path / f"{_ADOPTED}.{os.getpid()}.partial"
    new.write_text(text)
    os.replace(new, path / _ADOPTED)


def recipe_for(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return a store's recipe in today's format, for comparison with a study's."""

    def course(label: str) -> str:
        kept = read_input(path, "stimuli", label)
        return course_hash(kept["edge"].values, kept["level"].values)

    return upgraded(recipe(path), wanted, course)


def check_same_recipe(path: Path, there: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise UserError, naming the differences, unless the recipe of the store at `path` and a study's agree."""
    found = explained(there, wanted)
    if found:
        own_noise = (there.get("noise"), wanted.get("noise")) == (INDEPENDENT, SHARED)
        hint = f'give it noise="{INDEPENDENT}", ' if own_noise else ""
        shown = "; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
        raise UserError(
            f"{path} holds another study's results ({shown}); expected the same study: "
            f"{hint}change the study's name, choose another --store, or remove the old one"
        )


def variables(path: Path) -> list[str]:
    """Return the names of a store's variables, `status` last."""
    return [str(name) for name in open_study(path).data_vars]


def generation(path: Path) -> str:
    """Return a hash of a store's recipe and block shape; it changes when another store takes its place."""
    made = attributes(path)[RECIPE], (path / STATUS / "zarr.json").read_text(), _adopted(path).get("recipe")
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()


@contextlib.contextmanager
def bound(path: Path, planned: str) -> Iterator[Path]:
    """Yield the store at `path` to write blocks of one generation; the store is not replaced before the end.

    In a folder no block lands in another store, whatever happens at the path meanwhile; see `lock.own_folder`. In an
    object store the generation is only checked beforehand.

    Raises:
        UserError: there is no store at the path, or one of another generation.
    """
    folder = path
    try:
        with lock.among_writers(path) as folder:
            if not _is(folder, planned):
                raise gone(path)
            yield folder
    except Exception as error:  # zarr has many exceptions for a store that was removed
        if isinstance(error, FileNotFoundError) or not _is(path, planned):
            raise gone(path) from None
        if isinstance(error, UserError):
            raise UserError(str(error).replace(str(folder), str(path))) from None
        raise


def _is(path: Path, planned: str) -> bool:
    try:
        return generation(path) == planned
    except (UserError, OSError):
        return False


def gone(path: Path) -> UserError:
    """Return the error for a store that has changed since its run started."""
    return UserError(
        f"{path} has been replaced since the run was started, or removed; expected the store as it was: run again"
    )


def status(path: Path) -> np.ndarray:
    """Return the status of every point, uint8, over the grid.

    Raises:
        UserError: a chunk of it is damaged.
    """
    return _status(path, ...)


def _status(path: Path, block: Any) -> np.ndarray:
    import zarr

    try:
        return np.asarray(zarr.open_array(zarr_store(path), path=STATUS, mode="r")[block])
    except (ValueError, RuntimeError) as error:  # a checksum that is wrong, bytes that can't be unpacked
        raise UserError(
            f"{path} is damaged (its status: {text_of(error, 100)}); `gbaexplore check {path} --repair` "
            "marks what is damaged to be computed again"
        ) from None


def block_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of a store's blocks."""
    import zarr

    return zarr.open_array(zarr_store(path), path=STATUS, mode="r").chunks


def unfinished(path: Path, block: tuple[slice, ...] | Any = ...) -> np.ndarray:
    """Return a mask of the points, of a block or of all, to compute: pending, or failed in an earlier run."""
    state = _status(path, block)
    return (state == PENDING) | (state == FAILED)


def write_block(
    path: Path, block: tuple[slice, ...], arrays: Mapping[str, np.ndarray], which: np.ndarray | None = None
) -> None:
    """Write the variables of a block's points; their status comes last.

    Args:
        path: a store that no other process knows yet, or what `bound` yields.
        arrays: variable -> values (point, ...); for a whole block also in the block's shape.
        which: mask of these points in the block's shape; all of them if None.
    """
    import zarr

    if which is None:
        which = np.ones([s.stop - s.start for s in block], dtype=bool)
    # A chunk of nothing but its fill value must be written too, or it reads as never computed.
    with zarr.config.set({"array.write_empty_chunks": True}):
        group = zarr.open_group(zarr_store(path), mode="r+")
        for name in [*(n for n in arrays if n != STATUS), STATUS]:
            array: Any = group[name]
            _check_whole_chunks(name, array, block)
            if which.all():
                array[block] = arrays[name].reshape(which.shape + array.shape[which.ndim :])
            else:
                whole = array[block]
                whole[which] = arrays[name]
                array[block] = whole


def mark_failed(path: Path, block: tuple[slice, ...], which: np.ndarray) -> None:
    """Mark points of a block as failed."""
    write_block(path, block, {STATUS: np.full(which.sum(), FAILED, dtype=np.uint8)}, which)


def _check_whole_chunks(name: str, array: Any, block: tuple[slice, ...]) -> None:
    # Two writers of one chunk overwrite each other's data silently; nothing else would notice.
    for part, chunk, length in zip(block, array.chunks, array.shape):
        if part.start % chunk or (part.stop % chunk and part.stop != length):
            raise AssertionError(f"block {block} splits a chunk of {name}, chunks {array.chunks}")


def open_study(path: str | Path) -> xr.Dataset:
    """Return a store's Dataset, loaded lazily; `status` says which points are computed.

    Reading a damaged chunk raises; one that has vanished reads as NaN, which `gbaexplore check` finds. While a run
    is writing, load `status` before what it speaks of. Open it again after its grid has been changed. What an earlier
    version has stored of points that diverged is NaN here too.

    Raises:
        UserError: it is not a store, or its labels or metadata are damaged.
    """
    import xarray as xr

    path = place(path)
    check_unchanged(path)
    attributes(path)
    with warnings.catch_warnings():
        # Other people's tools leave files of their own in any folder: .DS_Store, ._zarr.json, Thumbs.db.
        warnings.filterwarnings("ignore", "Object at .* is not recognized as a component of a Zarr hierarchy")
        if earlier.made(path):
            return as_opened(earlier.as_of_today(xr.open_zarr(zarr_store(path), consolidated=False, chunks={})))
        return as_opened(xr.open_zarr(zarr_store(path), consolidated=False, chunks=None))


def as_opened(ds: xr.Dataset) -> xr.Dataset:
    """Return a Dataset whose text type and order do not depend on the kind of store."""
    import xarray as xr

    # xarray's plots accept fixed-width text only.
    words = {name: c for name, c in ds.coords.items() if c.dtype.kind not in "iuf"}
    ds = ds.assign_coords({name: (c.dims, np.array(c.values.tolist()), c.attrs) for name, c in words.items()})
    # The order of files in a folder is arbitrary.
    names = [*sorted({str(name) for name in ds.data_vars} - {STATUS}), STATUS]
    coordinates = {name: ds.coords[name] for name in _in_order(ds)}
    # Without data first; otherwise the coordinates would follow the first variable's dimensions.
    found = xr.Dataset(coords=coordinates, attrs=ds.attrs)
    if "hierarchy" in found:  # of stores made earlier; see the template
        found.hierarchy.attrs.pop("units", None)
    return found.assign({name: ds[name].drop_vars(list(ds[name].coords)) for name in names})


def _in_order(ds: xr.Dataset) -> list[str]:
    """Return the names of coordinates, the two that hvPlot's explorer should draw over first.

    These are two numeric dimensions, the grid's before others. A single numeric dimension follows one of text, since
    the explorer takes text only for its first.
    """
    grid = [str(dim) for dim in ds[STATUS].dims]
    dims = [dim for dim in [*grid, *sorted(map(str, ds.dims))] if dim in ds.coords]
    numbers = [dim for dim in dims if ds[dim].dtype.kind in "iuf"]
    words = [dim for dim in dims if dim not in numbers]
    first = [*words[-1:], *numbers] if len(dict.fromkeys(numbers)) < 2 else numbers
    return list(dict.fromkeys([*first, *words, *sorted(map(str, ds.coords))]))
