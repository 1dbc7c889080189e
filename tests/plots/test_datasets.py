"""Datasets that a user may have made: each is drawn, or refused with a line."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from gbaexplore import UserError, plots
from gbaexplore.basics.names import DIVERGED, PENDING

mpl.use("agg")

GRID = {"muEE": [5.0, 6.0, 7.0], "omegaEI": [19.0, 22.0]}
PLOTS = {
    "map": lambda ds: plots.map(ds, variable="peak_rate", area="24c"),
    "ratio": plots.map,
    "profile": plots.profile,
    "sweep": lambda ds: plots.sweep(ds.isel(omegaEI=0)),
    "traces": lambda ds: plots.traces(ds.isel(omegaEI=0)),
    "overview": plots.overview,
}


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def ds():
    values = 1.0 + np.arange(18.0).reshape(3, 2, 3)
    return xr.Dataset(
        {
            "peak_rate": (("muEE", "omegaEI", "area"), values, {"units": "Hz"}),
            "rate_change": (("muEE", "omegaEI", "area", "time"), values[..., None] * np.linspace(0, 1, 5)),
            "status": (("muEE", "omegaEI"), np.ones((3, 2), np.uint8)),
        },
        {**GRID, "area": ["V1", "V2", "24c"], "time": np.linspace(0, 1, 5)},
    )


DRAWN = {
    "as it is": lambda ds: ds,
    "unsorted": lambda ds: ds.isel(muEE=[2, 0, 1]),
    "of dask": lambda ds: ds.chunk(),
    "all diverged": lambda ds: ds.assign(status=ds.status * 0 + DIVERGED),
    "all diverged and NaN": lambda ds: ds.assign(status=ds.status * 0 + DIVERGED, peak_rate=ds.peak_rate * np.nan),
    "all pending": lambda ds: ds.assign(status=ds.status * 0 + PENDING, peak_rate=ds.peak_rate * np.nan),
    "all NaN": lambda ds: ds.assign(peak_rate=ds.peak_rate * np.nan),
    "all infinite": lambda ds: ds.assign(peak_rate=ds.peak_rate * np.inf),
    "all zero": lambda ds: ds.assign(peak_rate=ds.peak_rate * 0),
    "negative": lambda ds: ds.assign(peak_rate=-ds.peak_rate),
    "without digits": lambda ds: ds.assign(peak_rate=ds.peak_rate * 1e-312),
    "status that where has made NaN": lambda ds: ds.where(ds.muEE > 5.5),
    "attributes that are no text": lambda ds: ds.assign_attrs(title=["a"]).assign(peak_rate=_told(ds.peak_rate)),
    "labels as formulas": lambda ds: ds.assign_coords(area=["V1", "a$b$\\frac", "24c"]).assign_attrs(title="$\\frac"),
}


def _told(values):
    return values.assign_attrs(units=3, long_name=None)


REFUSED = {
    "an array": (lambda ds: ds.peak_rate, "found a DataArray; expected a Dataset"),
    "a path": (lambda ds: "store/x.zarr", "found a str; expected a Dataset"),
    "nothing left": (lambda ds: ds.isel(muEE=[]), "nothing is left along muEE"),
    "NaN labels": (lambda ds: ds.assign_coords(muEE=[5.0, np.nan, 7.0]), "muEE has labels that are not finite"),
    "labels twice": (lambda ds: ds.assign_coords(muEE=[5.0, 5.0, 7.0]), "muEE has a label twice"),
    "areas twice": (lambda ds: ds.assign_coords(area=["V1", "V1", "24c"]), "area has a label twice"),
    "no labels": (lambda ds: ds.drop_vars("muEE"), "muEE has no labels"),
    "numbers as areas": (lambda ds: ds.assign_coords(area=[1, 2, 3]), "area has labels of type int64"),
    "text": (lambda ds: ds.astype(str).assign(status=ds.status), "is of type <U32; expected numbers"),
    "complex": (lambda ds: (ds * 1j).assign(status=ds.status), "is of type complex128; expected numbers"),
    "a recipe that is none": (lambda ds: ds.assign_attrs(gbaexplore_recipe="{"), "gbaexplore_recipe can't be read"),
}


@pytest.mark.slow
def test_every_dataset_is_drawn(ds):
    for case, change in DRAWN.items():
        for name, draw in PLOTS.items():
            drawn = draw(change(ds))
            if "formulas" in case:  # text is read when it is rendered
                (drawn if name == "overview" else drawn.figure).draw_without_rendering()
        plt.close("all")


@pytest.mark.parametrize("case", REFUSED)
def test_or_refused(ds, case):
    change, message = REFUSED[case]
    for draw in (plots.map, plots.profile, plots.overview, plots.traces):
        with pytest.raises(UserError, match=message):
            draw(change(ds))


def test_text_is_drawn_as_it_is(ds):
    """No formula, nothing that moves a cursor, nothing that a legend leaves out."""
    ax = plots.profile(ds.isel(muEE=0).assign_coords(omegaEI=["_a", "$b$\x1b[2J"], area=["V1", "a$b$c", "24c"]))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [r"$\_$a", r"\$b\$\x1b[2J"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["V1", r"a\$b\$c", "24c"]
