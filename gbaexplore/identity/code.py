"""The identity of code that is not traced: a hash of a function or class, and of all that it uses, as loaded.

It is computed from the compiled code in memory, not from a file, which may have changed since: a session runs exactly
the code that its identity describes. Names of variables, comments, documentation and texts of errors do not count.
"""

from __future__ import annotations

import contextlib
import dataclasses
import dis
import functools
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.installed import is_installed
from gbaexplore.identity.revisions import REVISIONS

_OURS = __name__.split(".")[0]
# Attributes that Python and dataclasses add to a class.
_ADDED = {
    "__module__", "__dict__", "__weakref__", "__doc__", "__annotations__", "__annotate__", "__annotate_func__",
    "__annotations_cache__", "__orig_bases__", "__parameters__", "__dataclass_fields__", "__dataclass_params__",
    "__match_args__", "__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl", "__slots__",
    "__qualname__", "__classdictcell__",
}  # fmt: skip
# The text of an error starts after one of these, which end the statement before.
_ENDS = ("STORE_", "POP_", "RETURN_", "RAISE_", "JUMP_", "FOR_ITER", "DELETE_", "RESUME")
_LOCAL = ("FAST", "DEREF", "CLOSURE")
_WITHOUT_MEANING = {"RESUME", "CACHE", "NOP", "PRECALL", "EXTENDED_ARG", "NOT_TAKEN", "COPY_FREE_VARS", "MAKE_CELL"}


def code_hash(thing: Any) -> str:
    """Return the identity of a function, class or object: a hash of its code and of all that it uses.

    Names that it looks up count as their present values: constants by value, arrays by their bytes, the user's own
    functions and classes by their code, those of installed packages by name (recipes keep the versions apart), those
    of this package by name and revision.

    Raises:
        UserError: it uses something without an identity, such as an open file.
    """
    return _Walk().of(thing)[:16]


def is_own(module: ModuleType | None) -> bool:
    """Return whether a module is the user's own: not installed, not built in, not of this package."""
    if module is None or module.__name__.split(".")[0] == _OURS:
        return False
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__":
        return True
    return file is not None and file.endswith(".py") and not is_installed(file)


def _in_memory(module: ModuleType) -> bool:
    """Return whether a program created a module: it has no file and is not built in."""
    return getattr(module, "__file__", None) is None and getattr(module, "__spec__", None) is None


def _own(thing: Any) -> bool:
    """Return whether a function or class is the user's own, even if it was created outside any module."""
    name = getattr(thing, "__module__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    if is_shipped(thing):
        return False
    if isinstance(thing, FunctionType) and is_installed(thing.__code__.co_filename):
        return False  # a wrapper, such as vmap's, which has the module name of the wrapped function
    if module is None or (module.__name__ != "__main__" and getattr(module, "__file__", None) is None):
        inside = vars(thing).values() if isinstance(thing, type) else [thing]
        return any(isinstance(part, FunctionType) for part in inside)
    return is_own(module)


class _Walk:
    """One traversal of a thing and all that it uses."""

    def __init__(self) -> None:
        self.found: dict[int, str] = {}
        self.inside: list[int] = []  # ids of the things being hashed, the outermost first
        self.kept: list[Any] = []  # keeps objects alive, so that no id is used twice

    def of(self, thing: Any) -> str:
        """Return the hash of anything."""
        if thing is None or isinstance(thing, (bool, int, float, complex, str, bytes)) or thing is Ellipsis:
            return _digest(type(thing).__name__, repr(thing))
        if id(thing) in self.found:
            return self.found[id(thing)]
        if id(thing) in self.inside:  # a function that calls itself, a method that names its class
            return _digest("around", self.inside.index(id(thing)))
        self.kept.append(thing)
        self.inside.append(id(thing))
        self.found[id(thing)] = self._of(thing)
        self.inside.pop()
        return self.found[id(thing)]

    def _of(self, thing: Any) -> str:
        if isinstance(thing, CodeType):
            return self._code(thing, {}, ())
        if isinstance(thing, ModuleType):  # as a value: anything in it may be used
            inside = sorted(vars(thing).items()) if _in_memory(thing) or is_own(thing) else []
            told = [_digest(name, self._if_told(value)) for name, value in inside if not name.startswith("__")]
            return _digest("module", *(told or [thing.__name__]))
        if isinstance(thing, type):
            return self._class(thing)
        if isinstance(thing, FunctionType):
            return self._function(thing)
        arrays = isinstance(thing, (np.ndarray, np.generic)) or type(thing).__module__.startswith("jaxlib")
        if arrays and (found := self._array(thing)):
            return found
        if isinstance(thing, (tuple, list)):
            return _digest("list", *map(self.of, thing))
        if isinstance(thing, (set, frozenset)):
            return _digest("set", *sorted(map(_Walk().of, thing)))
        if isinstance(thing, Mapping) and type(thing).__module__ in ("builtins", "collections", "types"):
            return _digest("mapping", *sorted(_digest(self.of(key), self.of(value)) for key, value in thing.items()))
        if isinstance(thing, (staticmethod, classmethod)):
            return _digest(type(thing).__name__, self.of(thing.__func__))
        if isinstance(thing, property):
            return _digest("property", self.of(thing.fget))
        if isinstance(thing, functools.cached_property):
            return _digest("property", self.of(thing.func))
        if isinstance(thing, MethodType):
            return _digest("method", self.of(thing.__self__), self.of(thing.__func__))
        if isinstance(thing, CellType):
            return self.of(thing.cell_contents)
        if isinstance(thing, BuiltinFunctionType) and isinstance(thing.__self__, (ModuleType, type(None))):
            return _digest("named", _name(thing))
        return self._wrapped(thing) or self._object(thing)

    def _if_told(self, thing: Any) -> str:
        """Return the hash of something that may be unused; '' if it has no identity."""
        with contextlib.suppress(UserError):
            return self.of(thing)
        del self.inside[self.inside.index(id(thing)) :]
        return ""

    def _array(self, array: Any) -> str | None:
        import jax

        if isinstance(array, jax.Array) and jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key):
            array = jax.random.key_data(array)
        if not isinstance(array, (np.ndarray, np.generic, jax.Array)):
            return None
        plain = np.asarray(array)
        if plain.dtype.hasobject:
            return _digest("objects", plain.shape, *map(self.of, plain.ravel().tolist()))
        return _digest("array", str(plain.dtype), plain.shape, plain.tobytes())

    def _wrapped(self, thing: Any) -> str | None:
        """Return the hash of the functions inside a wrapper, such as jit, cache, vmap or a custom derivative."""
        inside = [getattr(thing, name, None) for name in ("__wrapped__", "fun", "jvp", "fwd", "bwd")]
        if not callable(thing) or inside[0] is None or _own(type(thing)):
            return None
        return _digest("wrapped", *(self.of(part) for part in inside if callable(part)))

    def _object(self, thing: Any) -> str:
        """Return the hash of any other object: of its class and its pickled state."""
        cls = type(thing)
        if is_shipped(cls) and hasattr(thing, "content_hash"):  # a connectome has a hash of its own
            return _digest("content", thing.content_hash)
        home = sys.modules.get(cls.__module__)
        if home is not None and not _own(cls):  # os.environ, or the generator that random.random draws from
            for name, value in vars(home).items():
                if value is thing:
                    return _digest("named", cls.__module__, name)
        try:
            state = thing.__reduce_ex__(4)
        except Exception:
            raise UserError(
                f"{_name(cls)} among what a model or measure uses can't be identified; expected numbers, "
                "text, arrays, functions or objects that can be pickled"
            ) from None
        if isinstance(state, str):
            return _digest("named", _name(cls), state)
        state = [list(part) if isinstance(part, Iterator) else part for part in state]
        return _digest("object", self.of(cls), self.of(state))

    def _class(self, cls: type) -> str:
        if not _own(cls):
            return _digest("named", _name(cls), REVISIONS.get(cls.__name__) if is_shipped(cls) else None)
        parts = [
            _digest(name, self.of(value))
            for name, value in sorted(vars(cls).items())
            if name not in _ADDED and not _made_by_dataclass(cls, value) and not inspect.ismemberdescriptor(value)
        ]
        if dataclasses.is_dataclass(cls):
            given = ((f.name, f.default, f.default_factory) for f in dataclasses.fields(cls))
            parts += [
                _digest(name, *("" if part is dataclasses.MISSING else self.of(part) for part in default))
                for name, *default in given
            ]
        above = [base for base in cls.__bases__ if base is not object] + [type(cls)] * _own(type(cls))
        return _digest("class", *parts, *map(self.of, above))

    def _function(self, function: FunctionType) -> str:
        if not _own(function):
            revision = REVISIONS.get(function.__qualname__) if is_shipped(function) else None
            name = f"{'' if is_shipped(function) else function.__globals__['__name__']}.{function.__code__.co_qualname}"
            inside = (cell.cell_contents for cell in function.__closure__ or () if _filled(cell))
            return _digest("named", name, revision, *map(self._if_told, inside))
        free = {
            name: cell.cell_contents
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ())
            if _filled(cell)
        }
        defaults = [function.__defaults__, function.__kwdefaults__]
        given = sorted((name, self._if_told(value)) for name, value in vars(function).items() if name != "__wrapped__")
        return _digest("function", self._code(function.__code__, free, function), self.of(defaults), *given)

    def _code(self, code: CodeType, free: Mapping[str, Any], function: Any) -> str:
        """Return the hash of compiled code; `free` has the values of the enclosing functions' variables."""
        outer = getattr(function, "__globals__", {})
        named = {name: i for i, name in enumerate((*code.co_varnames, *code.co_cellvars, *code.co_freevars))}
        lines: list[Any] = []
        module: Any = None  # in which an attribute is looked up
        instructions = [one for one in dis.get_instructions(code) if one.opname not in _WITHOUT_MEANING]
        silent = _words_of_errors(instructions)
        offsets = {one.offset: i for i, one in enumerate(instructions)}
        for i, one in enumerate(instructions):
            name, value, before, module = one.opname, one.argval, module, None
            if isinstance(value, CodeType):
                lines.append((name, self._code(value, free, function)))
            elif name in ("LOAD_GLOBAL", "LOAD_NAME") and value in outer:
                module = outer[value] if isinstance(outer[value], ModuleType) else None
                looked_up = module is not None and instructions[i + 1].opname.startswith(("LOAD_ATTR", "LOAD_METHOD"))
                lines.append((name, "module" if looked_up else self.of(outer[value])))
            elif name.startswith(("LOAD_ATTR", "LOAD_METHOD")) and before is not None and hasattr(before, value):
                found = getattr(before, value)
                module = found if isinstance(found, ModuleType) else None
                lines.append((name, "module" if module is not None else self._attribute(before, value, found)))
            elif name in ("IMPORT_NAME", "IMPORT_FROM"):
                lines.append((name, value, self._imported(code, value, outer) if name == "IMPORT_NAME" else ""))
            elif isinstance(value, str) and value in free and ("DEREF" in name or "CLOSURE" in name):
                lines.append((name, self.of(free[value])))
            elif i in silent:
                lines.append((name,))
            elif name == "LOAD_CONST":
                lines.append((name, self.of(value)))
            elif isinstance(value, str) and value in named and any(kind in name for kind in _LOCAL):
                lines.append((name, named[value]))
            elif isinstance(value, tuple) and "FAST" in name:  # two in one instruction
                lines.append((name, [named.get(part) for part in value]))
            elif one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
                lines.append((name, offsets.get(value, -1)))
            else:
                lines.append((name, str(value)))
        return _digest("code", code.co_argcount, code.co_kwonlyargcount, lines)

    def _attribute(self, module: ModuleType, name: str, value: Any) -> str:
        """Return the hash of a module's attribute; data of installed modules count by name, since they may change."""
        ours = module.__name__.split(".")[0] == _OURS
        if ours or _in_memory(module) or is_own(module) or isinstance(value, (type, FunctionType)):
            return self.of(value)
        return _digest("named", module.__name__, name)

    def _imported(self, code: CodeType, name: str, outer: Mapping[str, Any]) -> list[str]:
        """Return the hashes of the names that code uses from one of the user's modules, imported inside a function."""
        full = importlib.util.resolve_name(name, outer.get("__package__") or None) if name.startswith(".") else name
        module = sys.modules.get(full)
        if not is_own(module):
            return []
        return [self.of(getattr(module, used)) for used in code.co_names if hasattr(module, used)]


def _words_of_errors(instructions: list[dis.Instruction]) -> set[int]:
    """Return the instructions that load the text of an error."""
    found: set[int] = set()
    for i, one in enumerate(instructions):
        if one.opname != "RAISE_VARARGS":
            continue
        for j in range(i - 1, -1, -1):
            if instructions[j].opname.startswith(_ENDS):
                break
            if instructions[j].opname == "LOAD_CONST" and isinstance(instructions[j].argval, str):
                found.add(j)
    return found


def _made_by_dataclass(cls: type, value: Any) -> bool:
    return dataclasses.is_dataclass(cls) and isinstance(value, FunctionType) and (
        value.__code__.co_filename == "<string>" or value.__module__ in ("dataclasses", "reprlib")
    )  # fmt: skip


def _filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - a variable that has no value yet
    except ValueError:
        return False
    return True


def is_shipped(thing: Any) -> bool:
    """Return whether a class or function belongs to this package."""
    return str(getattr(thing, "__module__", "")).split(".")[0] == _OURS


def _name(thing: Any) -> str:
    """The qualified name of something installed; for this package without the module, which may change."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", type(thing).__name__)
    return name if is_shipped(thing) else f"{module}.{name}"


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
