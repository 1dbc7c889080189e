"""Checks of the Dataset that an analysis gets."""

from __future__ import annotations

from typing import Any

from gbaexplore.basics.errors import UserError, listing
from gbaexplore.basics.names import STATUS


def check_dataset(ds: Any, needs: str = "a study's results", *variables: str) -> None:
    """Check that this is a Dataset of points with these variables.

    Args:
        needs: the measure that makes the variables, for the message.

    Raises:
        UserError: it is not a Dataset of points, or a variable is missing.
    """
    import xarray as xr

    if not isinstance(ds, xr.Dataset):
        raise UserError(f"found a {type(ds).__name__}; expected a study's Dataset, such as gbaexplore.open_study gives")
    for name in (*variables, STATUS):
        if name not in ds:
            raise UserError(f"no {name} among {listing(ds.data_vars)}; the Dataset needs {needs}")
