"""Provenance of a result: versions, device, commits."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]
_PACKAGES = ("gbaexplore", "numpy", "jax", "jaxlib", "xarray", "dask", "distributed", "zarr", "brainpy")


@functools.cache
def software() -> dict[str, str]:
    """Return the versions that results may depend on, and a hash of this package's own files.

    The hash tells checkouts of one version apart.
    """
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    files = sorted(_PACKAGE.rglob("*.py"))
    own = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    return {**versions, "python": platform.python_version(), "code": own}


def attributes() -> dict[str, str]:
    """Return the provenance attributes of a new store."""
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "software": json.dumps({**software(), "device": device()}),
    }


def of_run(source: tuple[str, str] | None) -> dict[str, Any]:
    """Return a run's provenance for the history; it says nothing about the host.

    Args:
        source: path and hash of the study file, if there is one.
    """
    found: dict[str, Any] = {"software": software(), "code": of_code(_PACKAGE / "__init__.py")}
    if source is not None:
        path, digest = source
        found["study"] = {"file": Path(path).name, "sha256": digest, **of_code(Path(path))}
    return found


def of_code(file: Path) -> dict[str, Any]:
    """Return a file's git commit and whether its folder has changed since; None if the file is not in git."""
    commit = _git(file, "rev-parse", "HEAD") if _git(file, "ls-files", file.name) else None
    changed = _git(file, "status", "--porcelain", "--untracked-files=no", ".") if commit else None
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def _git(file: Path, *command: str) -> str | None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["git", *command], cwd=file.parent, capture_output=True, text=True, timeout=5)
        return done.stdout.strip() if done.returncode == 0 else None
    return None


def device() -> str:
    """Return the kind of the computing device."""
    import jax

    return jax.devices()[0].device_kind
