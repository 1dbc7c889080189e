"""What the explorer's map holds, without a browser."""

import numpy as np
import xarray as xr

from gbaexplore.basics.names import DIVERGED, OK, UNDEFINED
from gbaexplore.plots.explorer import charts, views


def test_a_state_covers_only_points_without_a_value():
    values, status = np.array([[1.0, 2.0], [np.nan, 9.0]]), [[OK, UNDEFINED], [UNDEFINED, DIVERGED]]
    ds = xr.Dataset(
        {"found": (("b", "a"), values), "status": (("b", "a"), np.array(status, np.uint8))},
        {"a": [1.0, 2.0], "b": [1.0, 2.0]},
    )
    plane = views.plane(ds, "found", "a", "b", {}, log=False)
    np.testing.assert_array_equal(plane.values, [[1, 2], [np.nan, np.nan]])
    chart = charts.Map()
    chart.show(plane, log=False)
    np.testing.assert_array_equal(chart.cells.data["cover"][0], [[OK, OK], [UNDEFINED, DIVERGED]])
    np.testing.assert_array_equal(chart.cells.data["state"][0], status, "what a mouse is told stays")
    chart.show(views.plane(ds.isel(b=[0, 0]).assign_coords(b=[1.0, 2.0]), "found", "a", "b", {}, log=False), log=False)
    assert [item.label.value for item in chart.figure.legend[0].items if item.visible] == []
