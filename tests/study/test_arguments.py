"""Axes that are no parameters: arguments of the functions that give some, such as the slope along a map of areas."""

import numpy as np
import pandas as pd
import pytest

from gbaexplore import Mean, Study, UserError, WilsonCowan, find_boundary, replay, run


def along_the_hierarchy(P, slope, net):
    return P * (1 + slope * net.values["hierarchy"])


def of(macaque, **parts):
    given = dict(
        name="slopes",
        model=WilsonCowan(),
        connectome=macaque,
        measures=[Mean(window=(0.02, 0.05))],
        dt=5e-4,
        duration=0.05,
    )
    return Study(**{**given, **parts})


@pytest.fixture(scope="module")
def swept(macaque):
    return of(
        macaque,
        axes={"base": [0.5, 1.0], "slope": [0.0, 0.8]},
        derived={"P": lambda base, slope, net: along_the_hierarchy(base, slope, net)},
    )


def test_they_give_the_numbers_of_the_values_that_their_function_returns(macaque, swept):
    ds = swept.compute()
    values = along_the_hierarchy(1.0, 0.8, macaque)
    direct = of(macaque, axes={}, fixed={"P": values}).compute()
    np.testing.assert_allclose(ds.P.sel(base=1.0, slope=0.8), values, rtol=1e-11)
    np.testing.assert_allclose(ds.mean_E.sel(base=1.0, slope=0.8), direct.mean_E, rtol=1e-6)
    assert ds.slope.attrs["units"] == "1"


def test_a_table_has_them_as_columns_and_a_point_of_its_store_is_replayed(macaque, swept, tmp_path):
    rows = pd.DataFrame({"base": [0.5, 1.0], "slope": [0.8, 0.8]})
    table = of(macaque, axes={"point": rows}, derived=dict(swept.derived))
    ds = run(table, store=tmp_path / "x.zarr")
    np.testing.assert_array_equal(ds.mean_E, swept.compute().mean_E.sel(slope=0.8))
    again = replay(tmp_path / "x.zarr", point=1, window=(0.02, 0.05))
    np.testing.assert_allclose(again.E.mean("time"), ds.mean_E.sel(point=1), rtol=1e-4)
    direct = of(macaque, axes={}, fixed={"P": along_the_hierarchy(1.0, 0.8, macaque)}).compute()
    np.testing.assert_allclose(ds.mean_E.sel(point=1), direct.mean_E, rtol=1e-6)


def test_a_search_for_a_boundary_goes_over_them(macaque, swept):
    found = find_boundary(swept, of=lambda ds: ds.mean_E.sel(area="24c") - 0.005, start=3, tolerance={"slope": 0.3})
    assert {"base", "slope", "P"} <= set(found.points.coords)
    np.testing.assert_allclose(
        found.points.P.sel(area="24c"), found.points.base * (1 + found.points.slope * 1.0), rtol=1e-12
    )


@pytest.mark.parametrize("name", ["status", "area", "hierarchy"])
def test_their_names_are_not_those_of_other_coordinates(macaque, name):
    rows = pd.DataFrame({name: [0.5, 1.0]})
    scope = {}
    exec(f"def P({name}): return {name}", scope)
    with pytest.raises(UserError, match=f'"{name}" uses a reserved name'):
        of(macaque, axes={"point": rows}, derived={"P": scope["P"]})
