"""Fits in study files: Python files that define a `study` and a `fit` of it."""

from __future__ import annotations

from pathlib import Path

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.places import place
from gbaexplore.fitting.fit import Fit
from gbaexplore.store import stores
from gbaexplore.study.file import load_study_file
from gbaexplore.study.study import Study


def load_fit(path: str | Path) -> Fit:
    """Return the `fit` of a study file, given as `load_study` takes it.

    Raises:
        UserError: as `load_study`; the file defines no fit.
    """
    file = load_study_file(path)
    if not isinstance(file.fit, Fit):
        raise UserError(f"{file.path} defines no fit; expected `fit = Fit(study, free=..., loss=...)` at its top level")
    object.__setattr__(file.fit.study, "source", file.study.source)
    return file.fit


def study_of(path: str | Path, store: str | Path) -> Study:
    """Return the study, of a file given as `load_study` takes it, that a store is of: its `study`, or its fit's.

    Raises:
        UserError: as `load_study`; a fit's store and a file without a fit.
    """
    if "fit" in stores.recipe(place(store)):
        return load_fit(path).study_of(store)
    return load_study_file(path).study
