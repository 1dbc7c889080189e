"""Recipes: everything that determines a store's numbers, as JSON; their identity, differences and upgrades."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.points import INDEPENDENT, SEED
from gbaexplore.identity.revisions import EARLIER, FORMAT

if TYPE_CHECKING:
    import xarray as xr

Recipe = dict[str, Any]
RECIPE = "gbaexplore_recipe"
"""The attribute of a Dataset that holds its recipe."""


def variant_name(labels: Mapping[str, str]) -> str:
    """Return a recipe's name for the combination of these labels."""
    return " ".join(f"{axis}={label}" for axis, label in labels.items()) or "all"


_FORM: Recipe = {
    **{"name": str, "dt_s": float, "duration_s": float, "ceiling": float, "precision": str},
    "axes": {},
    "order": {"axes": [str], ...: [str]},
    "variants": {
        ...: {
            "model": {"kind": str},
            "connectome": {"name": str, "sha256": str},
            "stimulus": {"kind": str},
            "parameters": {...: float},
            "derived": {...: {"along": [str]}},
        }
    },
    "measures": [{"kind": str}],
}
"""What a recipe has of every version: keys (`...` is any), and the types of their values."""
_FORM_NOW: Recipe = {
    "revisions": {...: int},
    "variants": {
        ...: {"stimulus": {"sha256": str}, "made": {"code": {}, "asked": [{"makes": {...: [str]}}], "neutral": [str]}}
    },
}
_FORM_EARLIER: Recipe = {"code": {}}


def is_recipe(found: Any) -> bool:
    """Return whether JSON data, in a store of any origin, has the form of a recipe."""
    return (
        _fits(found, _FORM)
        and found.get("format", FORMAT) == FORMAT
        and _fits(found, _FORM_NOW if "format" in found else _FORM_EARLIER)
        and sorted(found["order"]["axes"]) == sorted(found["axes"])
        and all(_is_axis(values, found["order"].get(name)) for name, values in found["axes"].items())
        and all(variant_name(labels) in found["variants"] for labels in combinations(found["order"]))
        and all(_fits(variant.get("by_area", {}), {...: str}) for variant in found["variants"].values())
    )


def combinations(order: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """Yield the labels of each variant of a recipe, given its "order"."""
    labelled = [name for name in order["axes"] if name in order]
    for labels in itertools.product(*(order[name] for name in labelled)):
        yield dict(zip(labelled, labels))


def _is_axis(values: Any, order: list[str] | None) -> bool:
    if order is not None:
        return isinstance(values, dict) and sorted(values) == sorted(order)
    return _fits(values, [float] if isinstance(values, list) else {"columns": {}})


def _fits(found: Any, form: Any) -> bool:
    if isinstance(form, list):
        return isinstance(found, list) and all(_fits(value, form[0]) for value in found)
    if isinstance(form, dict):
        others = {key: form[...] for key in found if key not in form} if isinstance(found, dict) and ... in form else {}
        wanted = {key: part for key, part in form.items() if key is not ...} | others
        return isinstance(found, dict) and all(key in found and _fits(found[key], wanted[key]) for key in wanted)
    if form in (float, int):
        return isinstance(found, (int, float) if form is float else int) and not isinstance(found, bool)
    return isinstance(found, form)


def identity(recipe: Recipe) -> Recipe:
    """Return a recipe's identity: the recipe without names of classes and settings that the programs contain.

    Recipes of one identity give one result.
    """
    return {
        **{key: recipe[key] for key in ("name", "order", "dt_s", "duration_s", "ceiling", "precision", "revisions")},
        "noise": recipe.get("noise"),
        # Each variant says what its labels stand for.
        "axes": {
            name: "" if isinstance(values, dict) and name not in tables(recipe) else values
            for name, values in recipe["axes"].items()
        },
        "variants": {label: _variant(variant) for label, variant in recipe["variants"].items()},
    }


def _variant(variant: Mapping[str, Any]) -> Recipe:
    made = variant["made"]
    # Seed 0 is the same as no seed.
    neutral = [*made["neutral"], *([SEED] if variant["parameters"].get(SEED) == 0 else [])]
    parameters = {name: value for name, value in variant["parameters"].items() if name not in neutral}
    return {
        "connectome": variant["connectome"]["sha256"],
        "stimulus": variant["stimulus"]["sha256"],
        "parameters": parameters,
        "derived": variant["derived"],
        **({"by_area": variant["by_area"]} if "by_area" in variant else {}),
        "code": made["code"],
        "asked": made["asked"],
    }


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Yield a line for each difference between two recipes."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from differences(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and any(map(_nested, old)):
        for i, (one, other) in enumerate(zip(old, new)):
            yield from differences(one, other, f"{where}.{i}")
    elif old != new:
        yield f"{where}: {short(old)} there, {short(new)} here"


def _nested(value: Any) -> bool:
    return isinstance(value, (dict, list))


def short(value: Any) -> str:
    """Return a recipe's value, shortened for a message."""
    if isinstance(value, list) and len(value) > 4:
        return f"{len(value)} values from {value[0]} to {value[-1]}"
    return json.dumps(value)[:80] if value is not None else "nothing"


def explained(there: Recipe, wanted: Recipe) -> list[str]:
    """Return a line for each difference between two recipes, none if their identities are equal.

    Hashes are named only if nothing that a user has written differs.
    """
    if identity(there) == identity(wanted):
        return []
    plain = list(differences(_without_hashes(there), _without_hashes(wanted)))
    return plain or [_in_words(line) for line in differences(identity(there), identity(wanted))]


def _in_words(line: str) -> str:
    where, _, _ = line.partition(": ")
    return f"{where}: another program there" if ".code." in where else line


def differing(one: Recipe, other: Recipe) -> Iterator[str]:
    """Yield a line for each difference between the recipes of two stores, as far as their formats are comparable."""
    if one.get("format") != other.get("format"):
        one, other = _without_hashes(one), _without_hashes(other)
    yield from differences(one, other)


def _without_hashes(recipe: Recipe) -> Recipe:
    variants = {
        label: {name: value for name, value in variant.items() if name != "made"}
        for label, variant in recipe["variants"].items()
    }
    return {**{k: v for k, v in recipe.items() if k not in ("format", "revisions", "code")}, "variants": variants}


def same_but_code(there: Recipe, wanted: Recipe) -> bool:
    """Return whether two recipes are the same but for code and software."""
    one, other = (identity(with_code(recipe, wanted)) for recipe in (there, wanted))
    return one == other


def with_code(recipe: Recipe, other: Recipe) -> Recipe:
    """Return a recipe with the code of another in the variants that both have."""
    variants = {}
    for label, variant in recipe["variants"].items():
        theirs = other["variants"].get(label, variant)
        variants[label] = {**variant, "made": {**variant["made"], "code": theirs["made"]["code"]}}
    # Where nothing is random nothing is said of noise.
    noise = other.get("noise") if None in (recipe.get("noise"), other.get("noise")) else recipe["noise"]
    return {**recipe, "noise": noise, "revisions": other["revisions"], "variants": variants}


def with_noise(recipe: Recipe) -> Recipe:
    """Return a recipe that says whose noise is one: each point had its own before this could be chosen."""
    drawn = any(variant.get("made", {}).get("code", {}).get("draws") for variant in recipe["variants"].values())
    return {**recipe, "noise": INDEPENDENT} if drawn and "noise" not in recipe else recipe


def upgraded(there: Recipe, wanted: Recipe, course: Callable[[str], str]) -> Recipe:
    """Return a store's recipe in today's format.

    An older recipe holds hashes of the classes' source text. A hash known to give today's numbers becomes the study's
    code; any other, such as that of a user's class, is kept, so its numbers have to be proved.

    Args:
        wanted: the recipe of the study to compare with.
        course: a function from a variant's label to the `course_hash` of its stimulus.
    """
    steps = [measure.get("every") for measure in there["measures"]]
    there = {**there, "measures": [_every_in_seconds(measure, there["dt_s"]) for measure in there["measures"]]}
    if there.get("format") == FORMAT:
        return {**there, "variants": _renamed(_asked_every(there["variants"], steps), wanted["variants"])}
    known = all(str(code) in EARLIER.get(name, ()) for name, code in there["code"].items())
    variants = {}
    for label, variant in there["variants"].items():
        stimulus = {**variant["stimulus"], "sha256": course(label)}
        if "courses_sha256" in stimulus:
            stimulus["areas"] = list(stimulus.pop("courses_sha256"))
        made: Recipe = {"code": there["code"], "asked": there["measures"], "neutral": []}
        ours = wanted["variants"].get(label)
        if ours is not None and _described(there, variant) == _described(wanted, ours):
            was = variant["parameters"]
            neutral = [n for n in ours["made"]["neutral"] if was.get(n, ours["parameters"][n]) == ours["parameters"][n]]
            code = ours["made"]["code"] if known else there["code"]
            made = {"code": code, "asked": ours["made"]["asked"], "neutral": neutral}
        variants[label] = {**variant, "stimulus": stimulus, "made": made}
    revisions = wanted["revisions"] if known else {}
    return with_noise({**there, "format": FORMAT, "revisions": revisions, "variants": variants})


def _asked_every(variants: Recipe, steps: list[Any]) -> Recipe:
    """Return a store's variants, in which what is asked of a measure says every how many steps it looks."""
    found = {}
    for label, variant in variants.items():
        asked = [
            {**ask, "every": every} if isinstance(every, int) and every > 1 else ask
            for ask, every in zip(variant["made"]["asked"], steps)
        ]
        found[label] = {**variant, "made": {**variant["made"], "asked": asked}}
    return found


def _renamed(there: Recipe, wanted: Recipe) -> Recipe:
    """Return a store's variants with today's names of variables: all that was measured was called a rate."""
    found = {}
    for label, variant in there.items():
        asked, ours = variant["made"]["asked"], (wanted.get(label) or variant)["made"]["asked"]
        pairs = zip(asked, ours) if len(asked) == len(ours) else ()
        names = [
            dict(zip(ask["makes"], our["makes"])) if list(ask["makes"].values()) == list(our["makes"].values()) else {}
            for ask, our in pairs
        ]
        made = [
            {**ask, "makes": {own.get(n, n) if "rate" in n.split("_") else n: dims for n, dims in ask["makes"].items()}}
            for ask, own in zip(asked, names)
        ]
        found[label] = {**variant, "made": {**variant["made"], "asked": made or asked}}
    return found


def _every_in_seconds(measure: Recipe, dt: float) -> Recipe:
    """Return a measure's description with `every` in seconds; it was a whole number of steps."""
    found = {k: _every_in_seconds(v, dt) if isinstance(v, dict) else v for k, v in measure.items()}
    if isinstance(every := found.get("every"), int):
        del found["every"]
        found |= {"every": round(every * dt, 12)} if every > 1 else {}
    return found


def tables(recipe: dict[str, Any]) -> dict[str, list[str]]:
    """Return the axes of a recipe that are tables, each with its parameters."""
    axes, order = recipe["axes"], recipe["order"]
    return {name: list(axes[name]["columns"]) for name in axes if isinstance(axes[name], dict) and name not in order}


def tables_of(ds: xr.Dataset) -> dict[str, list[str]]:
    """Return the tables that a Dataset still has, each with its parameters; none without a recipe."""
    found = tables(json.loads(ds.attrs[RECIPE])) if RECIPE in ds.attrs else {}
    return {axis: [name for name in columns if name in ds.coords] for axis, columns in found.items() if axis in ds.dims}


def course_hash(edges: Any, levels: Any) -> str:
    """Return a hash of a stimulus as the engine gets it: its edges (steps) and levels (piece, area)."""
    edges, levels = np.asarray(edges, "<i8"), np.asarray(levels, "<f8")
    return hashlib.sha256(repr(levels.shape).encode() + edges.tobytes() + levels.tobytes()).hexdigest()


def _described(recipe: Recipe, variant: Recipe) -> Any:
    """Return a recipe's description of a variant's model and measures, without hashes of code."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items() if key != "code"}
        return value

    return plain(variant["model"]), recipe["measures"]
