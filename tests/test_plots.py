import matplotlib as mpl
import numpy as np
import pytest

from gbaexplore import UserError, plots
from gbaexplore.analysis import propagation_ratio

mpl.use("agg")


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome, run

    macaque = load_connectome("macaque29")
    study = Study(
        name="map",
        model=ThresholdLinear(),
        axes={
            "muEE": np.linspace(31, 53, 12),
            "omegaEI": np.linspace(19, 26, 8),
            "feedback": {"on": macaque, "off": macaque.without_feedback()},
        },
        stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=41.9),
        measures=[Peak(window=(1.75, 5.0))],
    )
    return run(study, store=tmp_path_factory.mktemp("store")).load()


def test_propagation_ratio(ds):
    ratio = propagation_ratio(ds)
    ok = ds.status == 1
    expected = ds.peak_rate.sel(area="24c").values / ds.peak_rate.sel(area="V1").values
    np.testing.assert_allclose(ratio.values[ok], expected[ok.values])
    assert np.isnan(ratio.values[~ok]).all()
    assert ratio.attrs["long_name"] == "peak(24c) / peak(V1)"
    with pytest.raises(UserError, match='no area "24C"; did you mean "24c"'):
        propagation_ratio(ds, target="24C")
    with pytest.raises(UserError, match="needs Peak"):
        propagation_ratio(ds.drop_vars("peak_rate"))


def test_the_map_shows_the_ratio_and_names_the_unstable_region(ds):
    one = ds.sel(feedback="on")
    axes = plots.map(one)
    mesh = axes.collections[-1].get_array()
    expected = np.log10(propagation_ratio(one).transpose("omegaEI", "muEE").values)
    np.testing.assert_allclose(np.ma.filled(mesh.reshape(expected.shape), np.nan), expected)
    assert axes.get_xlabel() == "muEE (pA/Hz)"
    assert axes.get_ylabel() == "omegaEI (pA/Hz)"
    assert axes.get_legend().get_texts()[0].get_text() == "unstable"
    assert plots.map(one, x="omegaEI", y="muEE", ax=axes) is axes


def test_a_map_needs_two_axes(ds):
    with pytest.raises(UserError, match="select one value of each other axis first"):
        plots.map(ds)
