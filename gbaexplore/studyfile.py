"""Study files: loading the `study` that a Python file defines."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path

from gbaexplore.errors import UserError
from gbaexplore.study import Study


def load_study(path: str | Path) -> Study:
    """Return the `study` of a Python file.

    The file runs under a module name of its own, with its folder importable, as with `python FILE`, but
    never as `__main__`: what is under a script guard does not run.

    Raises:
        UserError: no such file, the file raises, or it defines no study.
    """
    path = Path(path).absolute()
    if not path.is_file() or path.suffix != ".py":
        raise UserError(f"no study file {path}; expected a Python file that defines `study = Study(...)`")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    name = f"gbaexplore_study_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{digest[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # it ends with .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Before it is executed: dataclasses with postponed annotations look their module up there.
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(_where(error, path)) from error
    finally:
        sys.path.remove(str(path.parent))
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        others = [key for key, value in vars(module).items() if isinstance(value, Study)]
        hint = f"; rename `{others[0]}` to `study`" if others else ""
        raise UserError(f"{path} defines no study; expected `study = Study(...)` at its top level{hint}")
    object.__setattr__(study, "source", (str(path), digest))
    return study


def _where(error: BaseException, path: Path) -> str:
    """Say in one line what went wrong in a study file, and in which of its lines."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines = [error.lineno]
    at = f"{path}, line {lines[-1]}" if lines else str(path)
    text = " ".join(str(error).split()) or "no message"
    return f"{at}: {text}" if isinstance(error, UserError) else f"{at}: {type(error).__name__}: {text}; mend the file"
