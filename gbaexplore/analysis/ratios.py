"""Ratios from a Dataset: propagation of activity, elasticity of a variable."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from gbaexplore.analysis.areas import ends
from gbaexplore.analysis.given import check_dataset
from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.names import AREA, BOUNDED, STATUS, stored_name

if TYPE_CHECKING:
    import xarray as xr


def peaks_of(ds: xr.Dataset) -> str:
    """Return the name of what a Peak has measured: "peak_rate", or another such as "peak_E" where there is no rate."""
    said = {str(name): str(values.attrs.get("long_name", "")) for name, values in ds.data_vars.items()}
    found = [name for name, text in said.items() if text.startswith("peak change of ") and "seeds" not in text]
    return "peak_rate" if "peak_rate" in found or not found else min(found)


def propagation_ratio(ds: xr.Dataset, target: str | None = None, source: str | None = None) -> xr.DataArray:
    """Return peak(target) / peak(source) at every point that was computed and stayed bounded, else NaN.

    Args:
        target: an area; the last one if None.
        source: an area; the stimulated one if None.

    Raises:
        UserError: no peaks in the Dataset, or no such area.
    """
    check_dataset(ds)
    name = peaks_of(ds)
    check_dataset(ds, "Peak() among the study's measures", name)
    source, target = ends(ds, source, target)
    known = [str(area) for area in ds[AREA].values]
    for area in (target, source):
        if area not in known:
            raise UserError(unknown(f'no area "{area}"', area, known, "Areas"))
    peak = ds[name].where(ds[STATUS].isin(BOUNDED))
    low = peak.sel(area=source, drop=True)
    ratio = (peak.sel(area=target, drop=True) / low).where(low > 0)
    return ratio.rename("propagation_ratio").assign_attrs(long_name=f"peak({target}) / peak({source})", units="1")


def elasticity(ds: xr.Dataset, of: str | None = None, parameters: str = "parameter") -> xr.DataArray:
    """Return relative sensitivities, (p / y) dy/dp: the change of y in per cent for 1 per cent of a parameter p.

    Args:
        ds: of a study that measures y and its `Sensitivity`.
        of: the variable y; the peaks if None.
        parameters: the dimension of the parameters in `d_` y.

    Returns:
        Values without unit along the dimensions of the derivative; NaN where y is 0 and at points that are not
        computed or have diverged.

    Raises:
        UserError: y or its derivative is not in the Dataset, or the label of an axis of labels is missing in it.
    """
    import xarray as xr

    check_dataset(ds)
    of = of if of is not None else peaks_of(ds)
    check_dataset(ds, "both the measure and its Sensitivity(...)", of, f"d_{of}")
    slopes = ds[f"d_{of}"]
    values = [_parameter_values(ds, str(name)) for name in slopes[parameters].values]
    value = xr.concat(xr.broadcast(*values), slopes[parameters], coords="minimal", compat="override")
    y = ds[of].where(ds[STATUS].isin(BOUNDED) & (ds[of] != 0))
    found = (value * slopes / y).transpose(*slopes.dims)
    return found.rename("elasticity").assign_attrs(long_name=f"elasticity of {of}", units="1")


def _parameter_values(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return a parameter's value at each point: a coordinate, or each variant's value in the recipe."""
    import xarray as xr

    from gbaexplore.store.recipe import variant_name

    labelled = name in ds.coords and ds[name].dtype.kind not in "iuf"
    stored = stored_name(name, [name] * labelled)
    if stored in ds.coords:
        if AREA in ds[stored].dims:
            raise UserError(
                f"{name} has a number for each area, and no single one that could grow by 1 %; expected other "
                "parameters: the derivative with respect to the same number added in all areas is in the Dataset"
            )
        return ds[stored].reset_coords(drop=True)
    recipe = json.loads(ds.attrs["gbaexplore_recipe"])
    labels = {axis: known for axis, known in recipe["order"].items() if axis != "axes"}
    for axis in labels:
        if axis not in ds.coords:
            raise UserError(f'no coordinate "{axis}" in the Dataset, which the value of {name} depends on; keep it')
    found = xr.DataArray(0.0, dims=list(labels), coords=labels)
    for at in itertools.product(*labels.values()):
        point = dict(zip(labels, at))
        found.loc[point] = recipe["variants"][variant_name(point)]["parameters"][name]
    return found.sel({axis: ds[axis] for axis in labels}).reset_coords(drop=True)
