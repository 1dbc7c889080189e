"""The areas that a response is followed between by default: the stimulated one and the last."""

import numpy as np
import pytest

from gbaexplore import Peak, Pulse, Stimulus, Study, ThresholdLinear, UserError, plots
from gbaexplore.analysis import propagation_ratio
from gbaexplore.analysis.areas import source_and_target


@pytest.fixture(scope="module")
def stimulated(macaque):
    """A function: the results of a short study with a stimulus, or with an axis `into` of several."""

    def make(stimulus):
        several = isinstance(stimulus, dict)
        axes = {"muEE": [28.0, 30.0], "omegaEI": [19.0, 20.0]} | ({"into": stimulus} if several else {})
        study = Study(
            name="short", model=ThresholdLinear(), connectome=macaque, stimulus=None if several else stimulus,
            measures=[Peak()], axes=axes, duration=0.1,
        )  # fmt: skip
        return study.compute()

    return make


@pytest.fixture(scope="module")
def from_v4(stimulated):
    return stimulated(Pulse("V4", 0.0, 0.05, 40.0))


def test_the_stimulated_area_and_the_last(from_v4, stimulated):
    assert source_and_target(from_v4) == ("V4", "24c")
    several = stimulated(Stimulus({"8m": lambda t: t, "V2": lambda t: t}, onset=0.0, duration=0.05))
    assert source_and_target(several) == ("V2", "24c"), "the first in the order of the data"
    into = stimulated({area: Pulse(area, 0.0, 0.05, 40.0) for area in ("V2", "V4")})
    assert [source_and_target(into.sel(into=label))[0] for label in ("V2", "V4")] == ["V2", "V4"]
    assert source_and_target(from_v4.isel(area=[0, 1])) == ("V1", "V2"), "where the stimulated one is left out"
    assert source_and_target(from_v4.drop_attrs()) == ("V1", "24c"), "without a recipe"


def test_everything_drawn_starts_there(from_v4):
    ratio = propagation_ratio(from_v4)
    np.testing.assert_allclose(ratio, from_v4.peak_rate.sel(area="24c") / from_v4.peak_rate.sel(area="V4"))
    assert propagation_ratio(from_v4, target="V2").attrs["long_name"] == "peak(V2) / peak(V4)"
    assert plots.map(from_v4).figure.axes[1].get_ylabel() == "peak(24c) / peak(V4)"
    assert plots.overview(from_v4).axes[1].get_ylabel() == "peak(24c) / peak(V4)"
    assert plots.profile(from_v4.isel(muEE=0, omegaEI=0)).get_ylabel() == "peak response (% of V4)"
    assert plots.sweep(from_v4.isel(omegaEI=0)).get_ylabel() == "peak response in 24c (Hz)"


def test_one_area_has_no_ratio(from_v4):
    with pytest.raises(UserError, match='the ratio of "V4" to itself; expected two areas'):
        propagation_ratio(from_v4.sel(area=["V4"]))
    with pytest.raises(UserError, match="no areas along area"):
        propagation_ratio(from_v4.sel(area="V4"))
    with pytest.raises(UserError, match="gbaexplore_recipe can't be read"):
        propagation_ratio(from_v4.assign_attrs(gbaexplore_recipe="{"))
