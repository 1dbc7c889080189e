"""Figures of fits."""

import io

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from gbaexplore import plots
from gbaexplore.basics.errors import UserError


@pytest.fixture
def evaluations():
    """What a fit of three parameters leaves, two evaluations diverged."""
    rng = np.random.default_rng(0)
    count = 60
    G, J, sigma = rng.uniform(0, 1, (3, count))
    loss = (G - 0.4) ** 2 + (J - 0.6) ** 2 + 0.01
    loss[[3, 8]] = np.nan
    status = np.where(np.isnan(loss), 2, 1).astype(np.uint8)
    one = {"units": "1", "long_name": "x"}
    recipe = (
        '{"order": {"axes": ["evaluation"]}, "axes": {"evaluation": {"columns": {"G": "", "J": "", "sigma": ""}}}, '
    )
    recipe += '"fit": {"free": {"G": [0, 1, "linear"], "J": [0, 1, "linear"], "sigma": [0.001, 1, "log"]}}}'
    areas = ["a", "b", "c"]
    return xr.Dataset(
        {
            "loss": ("evaluation", loss, {"long_name": "loss", "units": "1"}),
            "rate": (("evaluation", "area"), np.outer(G, [1.0, 2.0, 3.0]), {"long_name": "rate", "units": "Hz"}),
            "fc": (("evaluation", "area", "other"), rng.uniform(size=(count, 3, 3)), one),
            "status": ("evaluation", status),
        },
        {
            "evaluation": np.arange(count),
            "G": ("evaluation", G, one),
            "J": ("evaluation", J, one),
            "sigma": ("evaluation", 0.001 + sigma, one),
            "generation": ("evaluation", np.arange(count) // 10),
            "restart": ("evaluation", np.arange(count) % 2),
            "area": areas,
            "other": areas,
            "rate_data": ("area", [0.4, 0.8, 1.2], {"units": "Hz", "long_name": "data of rate"}),
            "fc_data": (("area", "other"), np.eye(3), one),
        },
        {"gbaexplore_recipe": recipe, "title": "a fit"},
    )


def test_a_fit_is_drawn_over_evaluations_beside_its_data_and_pairwise(evaluations):
    fig = plots.overview(evaluations)
    assert isinstance(fig, Figure)
    losses, rates, matrix, *pairs, _bar = fig.axes
    lowest = next(line for line in losses.get_lines() if line.get_label() == "lowest so far")
    np.testing.assert_allclose(lowest.get_ydata(), np.fmin.accumulate(evaluations.loss.values))
    assert [line.get_label() for line in losses.get_lines()] == ["search 0", "search 1", "lowest so far"]
    best = int(np.nanargmin(evaluations.loss.values))
    data, model = (line.get_ydata() for line in rates.get_lines())
    np.testing.assert_allclose(data, [0.4, 0.8, 1.2])
    np.testing.assert_allclose(model, evaluations.rate[best])
    np.testing.assert_allclose(matrix.get_lines()[0].get_ydata(), evaluations.fc[best].values.ravel())
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in pairs] == [
        ("x G", "x J"),
        ("x G", "x $\\sigma$"),
        ("x J", "x $\\sigma$"),
    ]
    assert [ax.get_yscale() for ax in pairs] == ["linear", "log", "log"]
    for ax in pairs:
        lost, found = ax.collections
        assert len(lost.get_offsets()) == 2
        assert len(found.get_offsets()) == 58
        assert found.get_array().data[-1] == pytest.approx(evaluations.loss.values[best])  # on top
    fig.savefig(io.BytesIO(), format="png", dpi=60)


def test_one_free_parameter_is_drawn_over_its_loss(evaluations):
    one = evaluations.drop_vars(["J", "sigma", "rate_data", "fc_data"])
    recipe = (
        '{"order": {"axes": ["evaluation"]}, "axes": {"evaluation": {"columns": {"G": ""}}}, "fit": {"free": {"G": '
    )
    one.attrs["gbaexplore_recipe"] = recipe + '[0, 1, "linear"]}}}'
    _, ax, *_ = plots.fit(one).axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x G", "loss")


def test_what_is_no_fit_is_refused(evaluations):
    with pytest.raises(UserError, match="found no evaluations of a fit"):
        plots.fit(evaluations.drop_vars("generation"))
    with pytest.raises(UserError, match="no evaluation has a loss"):
        plots.fit(evaluations.assign(loss=evaluations.loss * np.nan))
