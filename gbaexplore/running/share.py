"""One folder with all that a result is: the store, its study, its connectomes, and what to cite."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError, printable
from gbaexplore.basics.names import OK, STATUS, unit
from gbaexplore.basics.places import check_writable, exists, local, place, real, shipped_folder, writing
from gbaexplore.networks.connectome import Connectome
from gbaexplore.running.replay import SHIPPED, Replay
from gbaexplore.store import integrity, stores
from gbaexplore.store.history import history
from gbaexplore.study.file import StudyFile, load_study_file

if TYPE_CHECKING:
    import xarray as xr


def share(store: str | Path, folder: str | Path | None = None, study: str | Path | None = None) -> Path:
    """Write a folder with a store, its study, its connectomes and a README, for others; return it.

    The folder needs nothing outside of it: xarray opens the store, and this package simulates its points again.

    Args:
        folder: a new folder; NAME_shared beside the working folder's files if None.
        study: the study file, or the name of a shipped study. If None, the file of the last run is looked up in the
            working folder and among the shipped studies, and taken if it is the same to the byte.

    Raises:
        UserError: no store, or a damaged one; another study; a study is needed, because the model is its own, and was
            not found; the folder is there already, or can't be written to.
    """
    path = place(store)
    recipe = stores.recipe(path)
    out = local(folder if folder is not None else f"{recipe['name']}_shared")
    if exists(out):
        raise UserError(f"{out} exists already; choose another folder, or remove it")
    check_writable(out)
    for finding in (f for f in integrity.check(path) if not f.harmless):
        raise UserError(f"{path} is {finding}; expected it as it was written: see `gbaexplore check {path}`")
    file = _study_file(path, recipe, study)
    new = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        with writing(out, "choose another folder"):
            new.mkdir(parents=True)
            _copy_store(path, new / f"{recipe['name']}.zarr")
            outside = _copy_study(file, new) if file else []
            networks = dict(_write_connectomes(path, recipe, new / "connectomes"))
            page = _readme(new / f"{recipe['name']}.zarr", recipe, file, networks, outside)
            (new / "README.md").write_text(page, encoding="utf-8")
            os.rename(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return out


def _study_file(path: Path, recipe: dict[str, Any], given: str | Path | None) -> StudyFile | None:
    """Return the file of the store's study; None if it is not known and a replay needs none."""
    found = str(given) if given is not None else _of_last_run(path)
    if found is None:
        if own := _own_models(recipe):
            raise UserError(
                f"{path} was made with a model of its study's own ({min(own)}), and the study file is not here as it "
                "was at the last run; expected it: give it with --study STUDY.py"
            )
        return None
    file = load_study_file(found, afresh=True)  # so that it reads again all that it reads
    Replay(path, file.study)  # or it is another study's file
    return file


def _own_models(recipe: dict[str, Any]) -> set[str]:
    """Return the models that a store's study has defined by itself."""
    return {variant["model"]["kind"] for variant in recipe["variants"].values()} - SHIPPED.keys()


def _of_last_run(path: Path) -> str | None:
    runs = [event["study"] for event in history(path) if isinstance(event.get("study"), dict)]
    if not runs:
        return None
    name, digest = Path(str(runs[-1].get("file"))).name, runs[-1].get("sha256")
    for candidate in (Path(name).absolute(), shipped_folder("studies") / name):
        if candidate.is_file() and hashlib.sha256(candidate.read_bytes()).hexdigest() == digest:
            return str(candidate)
    return None


def _copy_store(path: Path, new: Path) -> None:
    """Copy a store; what writers leave for each other stays.

    Raises:
        UserError: it has been replaced meanwhile.
    """
    generation = stores.generation(path)
    there = real(path)
    # The arrays' status comes last while a run writes; here it has to come first, so that it promises nothing.
    files = [file.relative_to(there) for file in there.rglob("*") if file.is_file()]
    for name in sorted(files, key=lambda file: (STATUS not in file.parts, file)):
        if name.suffix not in (".lock", ".partial"):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes((there / name).read_bytes())
    if stores.generation(new) != generation or stores.generation(path) != generation:
        raise UserError(f"{path} has been replaced while it was read; expected one grid: share it again")


def _copy_study(file: StudyFile, new: Path) -> list[Path]:
    """Copy a study file with the user's own modules and connectomes that it reads; return those that lie elsewhere."""
    folder, outside = file.path.parent, list[Path]()
    for path in (file.path, *file.beside):
        if not path.is_relative_to(folder):
            outside.append(path)
            continue
        target = new / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, target)
    return outside


def _write_connectomes(path: Path, recipe: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """Write each connectome as tables; yield its folder's name and its own."""
    written: dict[str, str] = {}
    for label, variant in recipe["variants"].items():
        made = variant["connectome"]
        if made["sha256"] in written:
            continue
        connectome = Connectome.from_dataset(stores.read_input(path, "connectomes", label))
        name = re.sub(r"[^\w.+-]+", "_", connectome.name).strip("._")[:60] or "connectome"
        names = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2)))
        name = next(one for one in names if one not in written.values())
        written[made["sha256"]] = name
        connectome.to_folder(folder / name)
        yield name, connectome.name


# The page.


def _readme(
    store: Path, recipe: dict[str, Any], file: StudyFile | None, networks: dict[str, str], outside: list[Path]
) -> str:
    ds, attrs = stores.open_study(store), stores.attributes(store)
    software = json.loads(attrs.get("software", "{}"))
    name, state = recipe["name"], ds[STATUS].values
    variable = next(name for name in stores.variables(store) if name != STATUS)
    first = (file.about if file else "") or f"Results of the study {name}."
    parts = [f"# {name}", first, "## What is here", *_contents(store, file, networks, outside)]
    parts += ["## Open it", "With xarray and zarr alone, in this folder:", _code(_opening(store, str(variable)))]
    parts += [f"{state.size:,} points, of which {int((state == OK).sum()):,} are ok; `status` says it of each."]
    parts += [_table(("axis", "values", "unit", ""), _axes(ds, recipe))]
    parts += [_table(("variable", "dimensions", "unit", ""), _variables(ds))]
    parts += ["## Simulate a point again, with its time courses"]
    version = software.get("gbaexplore", "")
    parts += [f"With gbaexplore {version}, which made it, in this folder:", _code(_replaying(store, ds, recipe, file))]
    if file:
        parts += ["All of it, and whether it is the same:"]
        parts += [
            f"```sh\ngbaexplore check {store.name} --against {file.path.name}\n"
            f"gbaexplore run {file.path.name} --store again\ngbaexplore diff {store.name} again/{store.name}\n```"
        ]
    parts += ["## Cite", "\n".join(_citations(recipe, software))]
    return "\n\n".join(parts) + "\n"


def _contents(store: Path, file: StudyFile | None, networks: dict[str, str], outside: list[Path]) -> list[str]:
    rows = [(f"`{store.name}`", "the results, in zarr format 3, with checksums, units and what made them")]
    rows += [(f"`connectomes/{folder}`", f"the connectome {name}, as tables") for folder, name in networks.items()]
    if file:
        rows += [(f"`{file.path.name}`", "the study: what was computed")]
        rows += [
            (f"`{path.relative_to(file.path.parent)}`", "which the study reads")
            for path in file.beside
            if path not in outside
        ]
    lacking = [f"The study also reads `{path.name}`, which is not here; the connectomes are." for path in outside]
    return [_table(("what", ""), rows), *map(printable, lacking)]


def _opening(store: Path, variable: str) -> str:
    return (
        "import xarray as xr\n\n"
        f'ds = xr.open_zarr("{store.name}", consolidated=False)\n'
        f"print(ds)\nprint(ds.{variable}.where(ds.status == {OK}).max().values, ds.{variable}.attrs)"
    )


def _replaying(store: Path, ds: xr.Dataset, recipe: dict[str, Any], file: StudyFile | None) -> str:
    at = np.unravel_index(int(np.argmax(ds[STATUS].values == OK)), ds[STATUS].shape)
    point = {axis: ds[axis].values.tolist()[i] for axis, i in zip(ds[STATUS].dims, at)}
    labels = "".join(f", {axis}={json.dumps(label)}" for axis, label in point.items())
    study = f', study=gba.load_study("{file.path.name}")' if file and _own_models(recipe) else ""
    return f'import gbaexplore as gba\n\nprint(gba.replay("{store.name}"{study}{labels}))'


def _axes(ds: xr.Dataset, recipe: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for axis in recipe["order"]["axes"]:
        values = ds[axis].values.tolist()
        shown = values if len(values) <= 6 else [*values[:3], "...", values[-1]]
        told = ds[axis].attrs.get("long_name", axis)
        yield f"`{axis}`", ", ".join(map(str, shown)), unit(ds[axis].attrs, "{}"), "" if told == axis else told


def _variables(ds: xr.Dataset) -> Iterator[tuple[str, ...]]:
    for name, variable in ds.data_vars.items():
        dims = ", ".join(map(str, variable.dims))
        yield f"`{name}`", dims, unit(variable.attrs, "{}"), variable.attrs.get("long_name", "")


def _citations(recipe: dict[str, Any], software: dict[str, str]) -> Iterator[str]:
    """Yield what to cite: models, data, this package."""
    variants = recipe["variants"].values()
    for kind in sorted({variant["model"]["kind"] for variant in variants}):
        # The first line of a model's file says whose it is; a model may be made of another.
        classes = SHIPPED[kind].__mro__ if kind in SHIPPED else ()
        lines = [(sys.modules[cls.__module__].__doc__ or "").split("\n")[0] for cls in classes]
        named = [line for line in lines if re.search(r"\(\d{4}\)", line)]
        yield f"- Model `{kind}`: {' '.join(dict.fromkeys(named)) or 'the study says whose it is'}"
    data = (shipped_folder("data") / "README.md").read_text(encoding="utf-8")
    for name in sorted({variant["connectome"]["name"].split()[0] for variant in variants}):
        _, found, rest = data.partition(f"\n## {name}\n")
        if found:
            yield f"- Connectome `{name}`:\n" + re.sub(r"(?m)^", "  ", rest.split("\n## ")[0].strip())
    yield f"- Software: the gbaexplore authors (2026), gbaexplore {software.get('gbaexplore', '')}, MIT licence."


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(printable(f"| {' | '.join(line)} |") for line in lines)


def _code(text: str) -> str:
    return f"```python\n{text}\n```"
