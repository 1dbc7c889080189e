"""Any store gives some picture: of every shape of variable, over seeds too, however many panels it takes."""

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

from gbaexplore import (
    Final,
    Mean,
    Peak,
    Pulse,
    ThresholdLinear,
    UserError,
    WilsonCowan,
    load_connectome,
    open_study,
    plots,
    run,
)
from gbaexplore.analysis import propagation_ratio
from gbaexplore.cli import main
from gbaexplore.plots.overviews import _pages
from gbaexplore.study.study import Study

mpl.use("agg")

AREAS = ["V1", "V2", "24c"]
RNG = np.random.default_rng(3)
SEEDS = {"seed": [0, 1, 2, 3]}
X = {"muEE": [5.0, 6.0, 7.0]}
Y = {"omegaEI": [19.0, 22.0]}
WORDS = {"feedback": ["on", "off"]}
OWN = {
    "peak_rate": {"area": AREAS},
    "peak_s": {"receptor": ["fast", "slow"], "area": AREAS},
    "abscissa": {},
    "mean_rate": {"area": AREAS},
    "spectrum": {"area": AREAS, "frequency": [10.0, 20.0, 30.0, 40.0]},
    "fc": {"area": AREAS, "area_b": AREAS},
    "derivative": {"area": AREAS, "parameter": ["eta", "w"]},
    "rate_change": {"area": AREAS, "time": np.linspace(0, 1, 5)},
}


def made(name, axes):
    """A Dataset of one variable over a grid."""
    coords = axes | OWN[name]
    values = RNG.random([len(labels) for labels in coords.values()])
    state = np.ones([len(labels) for labels in axes.values()], np.uint8)
    named = {"units": "Hz", "long_name": "peak change of s" if name == "peak_s" else f"the {name}"}
    return xr.Dataset({name: (list(coords), values, named), "status": (list(axes), state)}, coords)


@pytest.mark.parametrize("axes", [{}, X | WORDS, X | Y | WORDS], ids=lambda axes: "-".join(axes))
@pytest.mark.parametrize("seeds", [{}, SEEDS], ids=["", "seeds"])
@pytest.mark.parametrize("name", OWN)
def test_every_shape_is_drawn(name, axes, seeds):
    fig = plots.overview(made(name, axes | seeds))
    drawn = [ax for ax in fig.axes if ax.lines or ax.collections or ax.images]
    assert drawn
    assert not any("seed" in ax.get_xlabel() + ax.get_ylabel() + ax.get_title() for ax in drawn if ax.get_xlabel())


@pytest.mark.parametrize(("draw", "axes"), [(plots.map, X | Y), (plots.sweep, X), (plots.profile, {})])
def test_peaks_with_a_dimension_of_their_own_are_drawn_at_one_of_its_labels(draw, axes):
    ds = made("peak_s", axes)
    with pytest.raises(UserError, match=r"^peak_s is over receptor too; select one value first, with ds\.sel"):
        draw(ds)
    draw(ds.sel(receptor="slow"))


def test_curves_are_the_mean_with_a_band_of_one_standard_deviation():
    ds = made("mean_rate", X | SEEDS)
    ds.status[1, 2] = 2  # diverged with one of the seeds
    values = ds.mean_rate.sel(area="24c").values.copy()
    values[1, 2] = np.nan
    (ax,) = plots.overview(ds).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.nanmean(values, 1))
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    spread = np.nanstd(values, 1, ddof=1)
    for height in [*(np.nanmean(values, 1) - spread), *(np.nanmean(values, 1) + spread)]:
        assert np.isclose(heights, height).any()


def test_maps_over_seeds_are_of_the_mean_and_below_of_the_spread():
    ds = made("abscissa", X | Y | SEEDS)
    above, below, *_ = plots.overview(ds).axes
    colours = [ax.collections[-1].get_array().reshape(2, 3).T for ax in (above, below)]
    np.testing.assert_allclose(colours[0], ds.abscissa.mean("seed"))
    np.testing.assert_allclose(colours[1], ds.abscissa.std("seed", ddof=1))


def test_time_courses_of_any_observable_are_drawn_area_by_area():
    ds = made("rate_change", X).rename(rate_change="S_change")
    panels = plots.overview(ds).axes
    assert [len(ax.lines) for ax in panels] == [len(AREAS)] * 3
    assert all("time" in ax.get_xlabel() or not ax.get_xlabel() for ax in panels)


def test_matrices_have_the_names_of_areas_and_the_first_row_on_top():
    ds = made("fc", WORDS)
    on, off, _ = plots.overview(ds).axes
    np.testing.assert_array_equal(on.images[0].get_array(), ds.fc.sel(feedback="on"))
    assert [text.get_text() for text in on.get_yticklabels()] == AREAS
    assert on.images[0].origin == "upper"
    assert on.images[0].norm is off.images[0].norm


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of four panels, where three are the most."""
    folder = tmp_path_factory.mktemp("many")
    axes = X | Y | {"eta": [0.6, 0.7], "feedback": {}}
    net = load_connectome("macaque29")
    axes["feedback"] = {"on": net, "off": net.without_feedback()}
    pulse = Pulse(area="V1", onset=0.02, duration=0.02, amplitude=20.0)
    run(Study("many", axes, [Peak()], ThresholdLinear(), pulse, dt=1e-3, duration=0.06), folder)
    return folder / "many.zarr"


@pytest.fixture
def three(monkeypatch):
    """Pages of three panels."""
    monkeypatch.setattr("gbaexplore.plots.overviews.MOST_PANELS", 3)


@pytest.mark.slow
def test_more_panels_than_fit_are_pages_or_selected(store, three, tmp_path, capsys):
    assert main(["plot", str(store), "--out", str(tmp_path / "all.pdf")]) == 0
    assert (tmp_path / "all.pdf").read_bytes().count(b"/Type /Page ") == 2
    assert main(["plot", str(store), "--out", str(tmp_path / "first.png")]) == 0
    for select in ("eta=0.61", "feedback=on"):
        assert main(["plot", str(store), "--out", str(tmp_path / "one.png"), "--select", select]) == 0
    capsys.readouterr()
    for wrong, message in {
        "et=0.62": 'no axis "et"; did you mean "eta"',
        "feedback=onn": 'no label "onn" on feedback; did you mean "on"',
        "eta=much": 'found "much"; expected a number',
    }.items():
        assert main(["plot", str(store), "--select", wrong]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["plot", str(store), "--select", "eta"])
    assert "expected AXIS=LABEL, such as G=0.5" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"or by gbaexplore plot STORE --select eta=0.6"):
        plots.overview(open_study(store))


def test_a_page_says_which_of_the_panels_it_shows(store, three):
    first, second = _pages(open_study(store))
    assert "panels 1 to 2 of 4 (eta: 2 x feedback: 2); others: --select eta=..., or all in a .pdf" in (
        first.get_suptitle()
    )
    assert "feedback on" in first.get_suptitle()
    assert "panels 3 to 4 of 4" in second.get_suptitle()


@pytest.mark.slow
def test_noise_of_a_real_study(tmp_path):
    net = load_connectome("macaque29")
    axes = {"muEE": [20.0, 22.0], "seed": [0, 1, 2]}
    fixed = {"noise": 0.1}
    run(Study("noisy", axes, [Mean(), Final()], ThresholdLinear(), None, net, fixed, dt=1e-3, duration=0.05), tmp_path)
    (ax,) = plots.overview(open_study(tmp_path / "noisy.zarr")).axes
    assert "mean" in ax.get_ylabel()
    assert len(ax.collections) == 1


def test_peaks_of_a_model_without_rates_are_drawn_as_rates_are(macaque):
    ds = Study(
        name="unitless", model=WilsonCowan(), connectome=macaque, axes={"P": [0.5, 1.0]}, measures=[Peak()],
        stimulus=Pulse(area="V1", onset=0.02, duration=0.05, amplitude=1.0), dt=1e-3, duration=0.1,
    ).compute()  # fmt: skip
    assert set(ds.data_vars) == {"peak_E", "time_to_peak", "status"}
    np.testing.assert_allclose(propagation_ratio(ds), ds.peak_E.sel(area="24c") / ds.peak_E.sel(area="V1"))
    (line,) = plots.sweep(ds).lines
    np.testing.assert_allclose(line.get_ydata(), ds.peak_E.sel(area="24c"))
    assert [len(ax.lines) for ax in plots.overview(ds).axes] == [1]
    assert len(plots.profile(ds).lines) == 2
