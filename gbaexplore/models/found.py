"""The shipped models, as the files beside this one define them."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import gbaexplore.models as folder
from gbaexplore.models.base import Model


def shipped_models() -> Iterator[type[Model]]:
    """Yield the models that can be used as they are: not abstract, and made without arguments."""
    for info in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        if info.ispkg or info.name == __name__:
            continue
        for cls in vars(importlib.import_module(info.name)).values():
            own = inspect.isclass(cls) and issubclass(cls, Model) and cls.__module__ == info.name
            if own and not inspect.isabstract(cls) and all(map(_has_default, dataclasses.fields(cls))):
                yield cls


def _has_default(field: dataclasses.Field[object]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
