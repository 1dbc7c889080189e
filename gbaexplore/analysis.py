"""Derived fields: Datasets in, labelled arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gbaexplore.errors import UserError, did_you_mean
from gbaexplore.labels import AREA, OK, STATUS

if TYPE_CHECKING:
    import xarray as xr


def propagation_ratio(ds: xr.Dataset, target: str = "24c", source: str = "V1") -> xr.DataArray:
    """Return peak(target) / peak(source) at every point that was computed and stayed bounded, else NaN.

    Raises:
        UserError: no peaks in the Dataset, or no such area.
    """
    if "peak_rate" not in ds:
        raise UserError(f"no peak_rate among {', '.join(map(str, ds.data_vars))}; the study needs Peak() as a measure")
    known = [str(area) for area in ds[AREA].values]
    for area in (target, source):
        if area not in known:
            raise UserError(f'no area "{area}"{did_you_mean(area, known) or ";"} Areas: {", ".join(known)}')
    peak = ds.peak_rate.where(ds[STATUS] == OK)
    low = peak.sel(area=source, drop=True)
    ratio = (peak.sel(area=target, drop=True) / low).where(low > 0)
    return ratio.rename("propagation_ratio").assign_attrs(long_name=f"peak({target}) / peak({source})", units="1")
