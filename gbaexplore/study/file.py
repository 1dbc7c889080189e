"""Study files: Python files that define a `study` and, often, its figure `draw(ds)`."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.machinery
import importlib.util
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from gbaexplore.basics.errors import UserError, did_you_mean, text_of
from gbaexplore.basics.places import beside, check_writable, local, shipped_folder, writing
from gbaexplore.identity.code import is_own

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from gbaexplore.study.study import Study

STUDIES = shipped_folder("studies")

_HEAD = """\
# Your own study, started from {origin}. What you can change:
#   axes      name -> numbers (a parameter of the model, or "amplitude", the stimulus'), or
#             name -> {{label: connectome, stimulus or model, or a tuple of them}}
#   fixed     parameter -> one value at all points;  derived: parameter -> function of others
#   measures  Peak, Mean, Final, Trace, SpectralAbscissa, or a class of your own
#   draw(ds)  the figure, from the Dataset that the run gives
# Try it:  gbaexplore run {name}.py --dry-run;  gbaexplore run {name}.py;  gbaexplore figure {name}.py
"""

_RENAME = """\
import dataclasses  # noqa: E402

study = dataclasses.replace(study, name="{name}")  # it names the store
"""


@dataclass(frozen=True)
class StudyFile:
    """The contents of a study file."""

    path: Path
    study: Study
    draw: Callable[[xr.Dataset], Figure] | None
    beside: tuple[Path, ...]
    """The user's own modules that it imports, and the files and folders of connectomes that it reads."""
    about: str
    """The first line of its docstring."""
    fit: Any = None
    """The file's `fit`, if it defines one."""


def shipped() -> dict[str, str]:
    """Return the shipped studies: name -> first line of the docstring."""
    return {path.stem: _first_line(path) for path in sorted(STUDIES.glob("*.py"))}


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def find(name: str) -> Path:
    """Return the path of a study file, given its path or the name of a shipped study.

    Raises:
        UserError: neither.
    """
    path = local(name).absolute()
    there = False
    with contextlib.suppress(OSError):  # no file can have this name
        there = path.is_file()
    if there and path.suffix == ".py":
        return path
    known = [file.stem for file in sorted(STUDIES.glob("*.py"))]
    if there:
        raise UserError(
            f"no study file {path}; expected a Python file that defines `study = Study(...)`: this is no Python file, "
            "since its name does not end in .py"
        )
    if name in known:
        return STUDIES / f"{name}.py"
    raise UserError(
        f"no study file {path}{did_you_mean(name, known)}; expected a Python file that defines "
        f"`study = Study(...)`, or a shipped study: {', '.join(known)}"
    )


def write_copy(origin: str, path: str | Path) -> Path:
    """Write a copy of a study file, renamed, for a user to change; return its path.

    Raises:
        UserError: `path` exists or can't be written to; the file is not valid Python.
    """
    source, path = find(origin), local(path)
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise UserError(f"{path}: expected the name of a Python file, such as my_study.py")
    check_writable(path)
    head = _HEAD.format(origin=source.stem, name=path.stem)
    text = _renamed(source, path.stem)
    with writing(path, "choose another place"):
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(head + text)
        except FileExistsError:
            raise UserError(f"{path} exists already; choose another name, or remove it") from None
    return path


def _renamed(source: Path, name: str) -> str:
    """Return a study file's text with another name for the study, so that it does not share the original's store."""
    try:
        text = importlib.util.decode_source(source.read_bytes())
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{source} can't be read ({text_of(error)}); expected a Python file") from None
    calls = [node.value for node in tree.body if isinstance(node, ast.Assign) and _names_study(node.targets)]
    given = [word for call in calls if isinstance(call, ast.Call) for word in call.keywords if word.arg == "name"]
    if len(given) != 1 or not isinstance(given[0].value, ast.Constant):
        return f"{text.rstrip()}\n\n{_RENAME.format(name=name)}"
    value = given[0].value
    lines = text.encode().splitlines(keepends=True)
    row, end = value.lineno - 1, (value.end_lineno or value.lineno) - 1
    lines[row : end + 1] = [lines[row][: value.col_offset] + f'"{name}"'.encode() + lines[end][value.end_col_offset :]]
    return b"".join(lines).decode()


def _names_study(targets: list[ast.expr]) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "study" for target in targets)


def load_study(path: str | Path) -> Study:
    """Return the `study` of a study file; see `load_study_file`."""
    return load_study_file(path).study


def load_study_file(path: str | Path, afresh: bool = False) -> StudyFile:
    """Load a study file (given as in `find`) and return its contents.

    Args:
        afresh: whether the user's own modules that it imports are loaded again too, although they have not changed.

    The file runs under a module name of its own, with its folder importable, as with `python FILE`, but
    never as `__main__`: code under a script guard does not run.

    Raises:
        UserError: no such file, the file raises, or it defines no study.
    """
    from gbaexplore.study.study import Study

    path = find(str(path))
    if afresh:
        _forget()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    module, read = _load_module(path, digest)
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        others = [key for key, value in vars(module).items() if isinstance(value, Study)]
        hint = f"; rename `{others[0]}` to `study`" if others else ""
        raise UserError(f"{path} defines no study; expected `study = Study(...)` at its top level{hint}")
    object.__setattr__(study, "source", (str(path), digest))
    own = [file for file, _ in _BESIDE.values()]
    about = (module.__doc__ or "").split("\n")[0]
    beside = tuple(dict.fromkeys([*own, *read]))
    return StudyFile(path, study, getattr(module, "draw", None), beside, about, getattr(module, "fit", None))


_BESIDE: dict[str, tuple[Path, bytes]] = {}
"""Users' own modules that study files have imported: their files and contents."""


_LOADING: set[str] = set()
_ALONE = threading.RLock()  # each thread of a worker may load a study, and loading changes sys.path and sys.modules


class _Loader(importlib.machinery.SourceFileLoader):
    """A loader that always compiles; Python's own reuses compiled code of a file with the same size and second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _load_module(path: Path, digest: str) -> tuple[ModuleType, list[Path]]:
    """Return a study file's module, and the paths of connectomes that it reads."""
    name = f"gbaexplore_study_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{digest[:8]}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, str(path)))
    assert spec is not None  # for a file that ends with .py
    assert spec.loader is not None
    with _ALONE:
        if name in _LOADING:
            raise UserError(f"{path} loads itself; expected `study = Study(...)` in it")
        module = importlib.util.module_from_spec(spec)
        _forget_others(path.parent)
        before = set(sys.modules)
        # Before it is executed, because dataclasses with postponed annotations look their module up there.
        sys.modules[name] = module
        _LOADING.add(name)
        sys.path.insert(0, str(path.parent))
        try:
            with beside(path.parent) as read:
                spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            sys.modules.pop(name, None)
            raise UserError(_where(error, path)) from error
        finally:
            _LOADING.discard(name)
            sys.path.remove(str(path.parent))
            _remember(set(sys.modules) - before - {name})
    return module, read


def _remember(names: set[str]) -> None:
    """Remember which of the user's own modules a study file has imported."""
    for name in names:
        module = sys.modules[name]
        if is_own(module) and module.__file__:
            with contextlib.suppress(OSError):
                _BESIDE[name] = Path(module.__file__).resolve(), Path(module.__file__).read_bytes()


def _forget_others(folder: Path) -> None:
    """Drop the user's modules from memory, to be imported again, unless all are unchanged and of this folder.

    A session or a worker may outlive many versions of a file, and two studies may each have their own `helpers.py`.
    """

    def current(file: Path, content: bytes) -> bool:
        try:
            return file.is_relative_to(folder.resolve()) and file.read_bytes() == content
        except OSError:
            return False

    if not all(current(*known) for known in _BESIDE.values()):
        _forget()


def _forget() -> None:
    for name, (file, _) in _BESIDE.items():
        sys.modules.pop(name, None)
        # Python would reuse compiled code of a file with the same size and second.
        with contextlib.suppress(OSError, NotImplementedError):
            Path(importlib.util.cache_from_source(str(file))).unlink()
    _BESIDE.clear()
    importlib.invalidate_caches()


def _where(error: BaseException, path: Path) -> str:
    """Return one line that says what went wrong in a study file, and where."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    text = text_of(error) if str(error).strip() else "no message"
    if isinstance(error, SyntaxError):
        text = error.msg
        if error.filename in (str(path), "<unknown>"):
            lines = [error.lineno]
    at = f"{path}, line {lines[-1]}" if lines and lines[-1] else str(path)
    if isinstance(error, UserError):
        return f"{at}: {error}"
    return f"{at}: {type(error).__name__}: {text}; fix the file"
