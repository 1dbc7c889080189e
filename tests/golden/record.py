"""Records the golden bits: what each case of cases.py gives on this machine, in bits.json.

    python tests/golden/record.py            all cases
    python tests/golden/record.py NAME ...   some, and all others as they are

Record only what was meant to change, and say in the commit why it did. Numbers that have changed while nothing that a
store keeps of what made them has are refused, in the environment of the record: older stores would be taken for what
they are not. To record in another environment, first compare every case of the commit before with this one, both there.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cases
import jax
import numpy as np

BITS = Path(__file__).with_name("bits.json")

_PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "brainpy")
_MOST_VALUES = 64
_ULPS = {"float32": 4 * 2.0**-23, "float64": 1e-12}


def environment() -> dict[str, Any]:
    """Return what the last bit depends on: where it is another, values agree to rounding only."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    flags = os.environ.get("XLA_FLAGS", "")
    return {**versions, "backend": jax.default_backend(), "xla_flags": flags, "processor": _processor()}


def _processor() -> dict[str, str]:
    """Return what XLA's and the libraries' code is chosen by: the processor's kind, and which instructions it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return {"machine": platform.machine(), "name": platform.processor()}
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    kinds = ("vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU part")
    found = {name: said[name] for name in kinds if name in said}
    # All flags, and not only those of arithmetic that exist today; but kernels differ in what they say of security.
    flags = sorted(said.get("flags", said.get("Features", "")).split())
    vectors = [f for f in flags if f.startswith(("sse", "ssse", "avx", "fma", "f16c", "bmi", "amx", "asimd", "sve"))]
    return {"machine": platform.machine(), **found, "vectors": " ".join(vectors)}


def bits_of(array: np.ndarray) -> dict[str, Any]:
    """Return what is kept of an array."""
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    picked = array.ravel()[_places(array.size)]
    # The shortest decimals that give the same bits again; float32's are shorter than those of its float64.
    shown = [float(str(v)) for v in picked] if array.dtype.kind == "f" else picked.tolist()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "sha256": digest, "values": shown}


def _places(size: int) -> np.ndarray:
    return np.unique(np.linspace(0, max(size - 1, 0), min(size, _MOST_VALUES)).round().astype(int))


def moved(name: str, old: Mapping[str, Any], new: Mapping[str, Any], exact: bool) -> Iterator[str]:
    """Yield a line for each variable of a case that is not what was recorded.

    Args:
        old, new: variable -> `bits_of` it.
        exact: by bits; else to rounding.
    """
    for variable in sorted({*old, *new}):
        if variable not in old or variable not in new:
            yield f"{variable}: {'gone' if variable in old else 'new'}"
            continue
        a, b = old[variable], new[variable]
        if (a["dtype"], a["shape"]) != (b["dtype"], b["shape"]):
            yield f"{variable}: {a['dtype']}{a['shape']} became {b['dtype']}{b['shape']}"
        elif a["sha256"] != b["sha256"]:
            off, line = _off(a, b)
            if exact or not off <= cases.tolerance(name, variable, _ULPS.get(a["dtype"], 0.0)):
                yield f"{variable}: {line}"


def _off(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[float, str]:
    """Return how far apart the values are, and a line that says so.

    The distance is the largest difference, relative to the value; to a thousandth of the largest where it is smaller.
    """
    x, y = (np.array(part["values"], float) for part in (a, b))
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    if same.all():
        return 0.0, "bits of values that are not kept as numbers"
    with np.errstate(invalid="ignore"):
        finite = np.abs(x[np.isfinite(x)])
        scale = np.maximum(np.abs(x), 1e-3 * finite.max(initial=0.0))
        off = np.where(same, 0.0, np.abs(y - x) / np.where(scale > 0, scale, 1.0))
    off[np.isnan(off)] = np.inf
    worst = int(off.argmax())
    at = np.unravel_index(_places(int(np.prod(a["shape"])))[worst], a["shape"])
    place = ", ".join(map(str, at))
    return off[worst], f"off by {off[worst]:.2g}: [{place}] was {x[worst]:.9g}, is {y[worst]:.9g}"


def main(names: list[str]) -> None:
    kept = json.loads(BITS.read_text()) if BITS.exists() else {"environment": environment(), "cases": {}}
    unknown = [name for name in names if name not in cases.CASES]
    if unknown:
        sys.exit(f"no case {unknown[0]}; expected some of {', '.join(cases.CASES)}")
    if names and kept["environment"] != environment():
        sys.exit(
            f"the other cases are of {kept['environment']}, this is {environment()}; expected the same: record all of "
            "them, without names"
        )
    found = {name: old for name, old in kept["cases"].items() if name in cases.CASES}
    for name in names or cases.CASES:
        variables = {variable: bits_of(array) for variable, array in cases.values(name).items()}
        old = kept["cases"].get(name)
        lines = list(moved(name, old["variables"], variables, exact=True)) if old else []
        print(f"{name}: {'new' if not old else 'changed' if lines else 'as it was'}", *lines, sep="\n  ", flush=True)
        identity = cases.identity(name)
        same_place = kept["environment"] == environment()  # elsewhere the last bits differ anyway
        if lines and same_place and identity and identity == old.get("identity"):
            sys.exit(
                f"{name}: numbers have changed, but neither a traced program nor a revision: stores would not notice; "
                "expected a higher revision in gbaexplore/identity/revisions.py of what has changed"
            )
        found[name] = {"variables": variables, "identity": identity}
    ordered = {name: found[name] for name in cases.CASES if name in found}
    BITS.write_text(_text({"environment": environment(), "cases": ordered}))


def _text(kept: Mapping[str, Any]) -> str:
    """Return it as JSON with a line for each variable, so that a difference shows what has changed."""
    lines = ["{", f' "environment": {json.dumps(kept["environment"])},', ' "cases": {']
    for i, (name, parts) in enumerate(kept["cases"].items()):
        lines += [f'  {json.dumps(name)}: {{"identity": {json.dumps(parts["identity"])}, "variables": {{']
        shown = [f"   {json.dumps(v)}: {json.dumps(bits)}" for v, bits in parts["variables"].items()]
        lines += [",\n".join(shown), "  }}" + ("," if i < len(kept["cases"]) - 1 else "")]
    return "\n".join([*lines, " }", "}", ""])


if __name__ == "__main__":
    main(sys.argv[1:])
