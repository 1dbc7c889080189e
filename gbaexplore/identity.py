"""What tells two versions of somebody's code apart: a hash of what it does, not of how it is laid out."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PACKAGES = ("site-packages", "dist-packages")
_INSTALLED = (*_PACKAGES, sys.base_prefix)


def code_hash(thing: Callable[..., Any]) -> str:
    """Return a hash of a class' or function's source, its bases' and what these use of their own files and folders.

    Comments, documentation and layout do not count. Installed packages are left out: their versions are kept apart.
    """
    found: dict[str, str] = {}
    _collect(thing, found)
    return hashlib.sha256("\n".join(f"{name}: {found[name]}" for name in sorted(found)).encode()).hexdigest()[:16]


def _collect(thing: Any, found: dict[str, str]) -> None:
    name = f"{thing.__module__}.{thing.__qualname__}"
    module = sys.modules.get(thing.__module__)
    # A study file's module is named by its content, which is not what counts here.
    key = thing.__qualname__ if name.startswith("gbaexplore_study_") else name
    if key in found:
        return
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):  # typed in, or made by a program
        found[key] = _compiled(thing)
        return
    found[key] = ast.unparse(_without_words(tree)).replace("'", '"')  # Pythons differ in how they quote
    for base in getattr(thing, "__mro__", ())[1:]:
        if base is not object and not inspect.isabstract(base) and not _of_another_package(base):
            _collect(base, found)
    for used in [*(_resolved(node, module) for node in ast.walk(tree)), *_enclosed(thing)]:
        if isinstance(used, (type, FunctionType)):
            if is_own(sys.modules.get(used.__module__)):
                _collect(used, found)
        elif isinstance(used, (bool, int, float, str, tuple)):
            found[f"{key} uses {used!r}"] = ""


def _resolved(node: ast.AST, module: ModuleType | None) -> Any:
    """Return what a name, or a name in a module of one's own, means in a module; None for all else."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return getattr(module, node.id, None)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = getattr(module, node.value.id, None)
        return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) and is_own(owner) else None
    return None


def _enclosed(thing: Any) -> list[Any]:
    """Return what a function, or a class' methods, found in the function that they are written in."""
    functions = [f for f in [thing, *getattr(thing, "__dict__", {}).values()] if isinstance(f, FunctionType)]
    # What a program has made, such as a dataclass' __init__, encloses what the source says already.
    written = [f for f in functions if not f.__code__.co_filename.startswith("<")]
    return [value for f in written for _, value in sorted(inspect.getclosurevars(f).nonlocals.items())]


def _of_another_package(cls: type) -> bool:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    ours = cls.__module__.split(".")[0] == __name__.split(".")[0]
    return not ours and any(place in file for place in _PACKAGES)


def is_own(module: ModuleType | None) -> bool:
    """Return whether a module is its user's own: neither installed, nor of this package."""
    file = getattr(module, "__file__", None)
    if module is None or module.__name__.split(".")[0] == __name__.split(".")[0]:
        return False
    return module.__name__ == "__main__" or (file is not None and not any(place in file for place in _INSTALLED))


def _without_words(tree: ast.AST) -> ast.AST:
    """Leave out docstrings, and what parameters say of themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "doc"]
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _compiled(thing: Any) -> str:
    functions = [f for f in [thing, *vars(thing).values()] if isinstance(f, FunctionType)]
    return "\n".join(_bytecode(f.__code__) for f in functions)


def _bytecode(code: CodeType) -> str:
    constants = [_bytecode(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_name} {code.co_names} {code.co_code.hex()} {constants}"
