"""A description of a store, as text or JSON: contents, settings, provenance, history."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbaexplore.basics.errors import printable
from gbaexplore.basics.names import STATUS, STATUS_MEANINGS, stored_name, unit
from gbaexplore.store import stores
from gbaexplore.store.history import history
from gbaexplore.store.recipe import tables

if TYPE_CHECKING:
    import xarray as xr


def describe(path: Path) -> str:
    """Return a page about a store: points, axes, variables, parameters, provenance.

    Raises:
        UserError: it is not a store.
    """
    ds = stores.open_study(path)
    recipe, attrs = stores.recipe(path), stores.attributes(path)
    state = ds[STATUS].values
    counted = [(int((state == code).sum()), word) for code, word in enumerate(STATUS_MEANINGS)]
    counts = ", ".join(f"{n:,} {word}" for n, word in counted if n or word != "undefined")
    lines = [f"{path}: {recipe['name']}", f"points      {state.size:,}: {counts}", "axes"]
    lines += [f"  {name:<18} {_axis(name, ds, recipe)}" for name in recipe["axes"]]
    lines += ["variables"]
    for name, variable in sorted(ds.data_vars.items()):
        long_name = variable.attrs.get("long_name", "")
        dims, units = ", ".join(map(str, variable.dims)), unit(variable.attrs, " {}")
        lines.append(f"  {name:<18} ({dims}) {variable.dtype}{units}: {long_name}")
    for label, variant in recipe["variants"].items():
        lines += [f"variant {label}"]
        lines += [f"  {kind:<18} {_object(variant[kind])}" for kind in ("model", "connectome", "stimulus")]
    lines += ["parameters"]
    lines += [f"  {name:<18} {value}" for name, value in _parameters(recipe["variants"], ds).items()]
    lines += [f"measures    {', '.join(_object(measure) for measure in recipe['measures'])}"]
    settings = ("dt_s", "duration_s", "ceiling", "precision")
    lines += [f"settings    {', '.join(f'{key} {recipe[key]}' for key in settings)}"]
    software = json.loads(attrs.get("software", "{}"))
    lines += [f"made        {attrs.get('created', 'at an unknown time')} with {_pairs(software)}"]
    revisions = recipe["revisions"] if "revisions" in recipe else recipe["code"]
    lines += [f"revisions   {_pairs(revisions)}", "history", *_history(history(path))]
    return "\n".join(map(printable, lines))  # each, so that a name of two lines is one


def as_json(path: Path) -> str:
    """Return a store's recipe, points, variables, software and history as JSON.

    Raises:
        UserError: it is not a store.
    """
    ds = stores.open_study(path)
    attrs, state = stores.attributes(path), ds[STATUS].values
    found = {
        "store": str(path),
        "status": {word: int((state == code).sum()) for code, word in enumerate(STATUS_MEANINGS)},
        "variables": {
            str(name): {"dims": v.dims, "shape": v.shape, "dtype": str(v.dtype), "units": v.attrs.get("units")}
            for name, v in ds.data_vars.items()
        },
        "created": attrs.get("created"),
        "software": json.loads(attrs.get("software", "{}")),
        "recipe": stores.recipe(path),
        "history": history(path),
    }
    return json.dumps(found, indent=1)


def _history(events: list[dict[str, Any]]) -> list[str]:
    """Return a line for each run and change of the grid, and the errors of blocks that failed last time."""
    lines, failed = list[str](), dict[str, str]()
    for event in events:
        # Anybody can write to the file: lines that are not ours are skipped.
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
            lines += _event(event, events, failed)
    return lines + [f"  failed: {error}" for error in dict.fromkeys(failed.values())]


def _event(event: dict[str, Any], events: list[dict[str, Any]], failed: dict[str, str]) -> list[str]:
    """Return an event's lines; keep in `failed` the blocks that have failed and not been computed since."""
    kind, when = event["event"], event["when"]
    if kind == "run":
        return [f"  {when}  {_of_run(event['run'], events)}{_commit(event['code'])}"]
    if kind == "extended":
        counts = f"{event['carried']:,} carried over, {event['new']:,} new, {event['dropped']:,} dropped"
        failed.clear()  # the blocks have changed
        return [f"  {when}  grid changed: {counts}"]
    if kind == "upgraded":
        return [f"  {when}  values at points that diverged became NaN"]
    if kind == "proved":
        agree = f"{event['points']:,} points computed again agree to {event['largest']:.1g} relative"
        return [f"  {when}  other software: {agree}"]
    if kind == "failed":
        failed[str(event["block"])] = event["error"]
    elif kind == "block":
        failed.pop(str(event["block"]), None)
    return []


def _commit(code: dict[str, Any]) -> str:
    if not code["commit"]:
        return ""
    return f", commit {code['commit'][:10]}{', changed since' if code['dirty'] else ''}"


def _of_run(run: str, events: list[dict[str, Any]]) -> str:
    blocks = [event for event in events if event.get("event") == "block" and event.get("run") == run]
    ends = [event for event in events if event.get("event") == "end" and event.get("run") == run]
    took = f"in {ends[-1]['seconds']:.1f} s" if ends else "cut off"
    points = sum(block["points"] for block in blocks)
    longest = max((block["seconds"] for block in blocks), default=0.0)
    devices = " and ".join(sorted({block["device"] for block in blocks})) or "nothing"
    return f"run on {devices}, {points:,} points in {len(blocks)} blocks {took} (longest {longest:.2f} s)"


def _axis(name: str, ds: xr.Dataset, recipe: dict[str, Any]) -> str:
    if name in tables(recipe):
        columns = (f"{column} {_range(ds[column])}" for column in tables(recipe)[name])
        return f"{ds.sizes[name]:,} points: {', '.join(columns)}"
    if name in recipe["order"]:
        return ", ".join(recipe["axes"][name])
    return (f"{ds.sizes[name]} values, " if ds.sizes[name] > 1 else "") + _range(ds[name])


def _range(values: xr.DataArray) -> str:
    low, high = float(values.min()), float(values.max())
    return (f"{low:g}" if low == high else f"{low:g} to {high:g}") + unit(values.attrs, " {}")


def _object(recipe: dict[str, Any]) -> str:
    rest = {key: value for key, value in recipe.items() if key not in ("kind", "name") and value not in (None, "")}
    return f"{recipe.get('kind') or recipe['name']} {_pairs(rest)}".rstrip()


def _pairs(values: dict[str, Any]) -> str:
    return " ".join(f"{key}={_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    """Return what an object is given, a part of an object in brackets, such as of=BOLD(of=S every=1.0)."""
    if isinstance(value, dict) and "kind" in value:
        return _object(value).replace(" ", "(", 1) + ")" * (len(value) > 1)
    return str(value)[:16]


def _parameters(variants: dict[str, Any], ds: xr.Dataset) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    labelled = [str(axis) for axis in ds.dims if ds[axis].dtype.kind not in "iuf"]
    for variant in variants.values():
        shown = {name: f"{value:g}" for name, value in variant["parameters"].items()}
        for name, derived in variant["derived"].items():
            shown[name] = f"derived along {', '.join(derived['along']) or 'nothing'}"
        for name in variant.get("by_area", {}):
            shown[name] = f"by area, {_range(ds[stored_name(name, labelled)])}"
        for name, value in shown.items():
            found.setdefault(name, []).append(value)
    return {name: ", ".join(dict.fromkeys(values)) for name, values in found.items()}
