import shutil
import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from gbaexplore import (
    AcrossSeeds,
    CalibratedAmplitude,
    Connectome,
    Divergence,
    NonNormality,
    Peak,
    Pulse,
    SpectralAbscissa,
    Study,
    ThresholdLinear,
    Trace,
    UserError,
    load_connectome,
    open_study,
    plots,
    run,
    simulate,
)
from gbaexplore.analysis import propagation_ratio
from gbaexplore.basics.names import DIVERGED, FAILED, PENDING
from gbaexplore.plots import fields
from gbaexplore.plots.style import _colours

mpl.use("agg")

MUEE, OMEGAEI = r"long-range E to E coupling $\mu_{EE}$ (pA/Hz)", r"local I to E coupling $\omega_{EI}$ (pA/Hz)"
AWAY = "diverged (above 500 Hz)"


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def make(folder):
    """A short study, run; keywords replace parts of it."""
    macaque = load_connectome("macaque29")

    def make(name, axes, **parts):
        given = dict(
            model=ThresholdLinear(),
            connectome=None if "feedback" in axes else macaque,
            stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=41.9),
            measures=[Peak(window=(1.75, 3.0))],
            duration=3.0,
        )
        axes = {
            **axes,
            **({"feedback": {"on": macaque, "off": macaque.without_feedback()}} if "feedback" in axes else {}),
        }
        return run(Study(name=name, axes=axes, **{**given, **parts}), store=folder)

    return make


@pytest.fixture(scope="module")
def ds(make):
    axes = {"muEE": np.linspace(31, 53, 12), "omegaEI": np.linspace(19, 26, 8), "feedback": None}
    return make("map", axes, measures=[Peak(window=(1.75, 3.0)), SpectralAbscissa()])


@pytest.fixture(scope="module")
def traced(make):
    areas = ("V1", "V4", "24c")
    measures = [Peak(window=(1.75, 3.0)), Trace(window=(1.75, 3.0), every=0.002, areas=areas)]
    return make("traced", {"muEE": [33.7, 36.0, 53.0], "feedback": None}, measures=measures)


@pytest.fixture(scope="module")
def simulated():
    pulse = Pulse(area="V1", onset=0.2, duration=0.25, amplitude=41.9)
    return simulate(ThresholdLinear(), load_connectome("macaque29"), pulse, muEE=33.7, duration=1.0)


def entries(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def one_line(text):
    return text.replace("\n", " ")


def coloured(ax):
    """The values that have a colour, NaN elsewhere: of the last mesh, which has a scale."""
    return np.ma.filled(ax.collections[-1].get_array().astype(float), np.nan)


@pytest.mark.slow
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


# Maps.


def test_the_map_shows_the_ratio_and_names_the_region_that_diverged(ds):
    one = ds.sel(feedback="on")
    ax = plots.map(one)
    expected = propagation_ratio(one).transpose("omegaEI", "muEE").values
    np.testing.assert_allclose(coloured(ax), expected)
    limits = ax.collections[-1].norm
    assert (limits.vmin, limits.vmax) == (np.nanmin(expected), np.nanmax(expected))
    assert limits.vmin > 0
    assert (ax.get_xlabel(), ax.get_ylabel()) == (MUEE, OMEGAEI)
    assert ax.figure.axes[1].get_ylabel() == "peak(24c) / peak(V1)"
    assert entries(ax) == [AWAY]
    assert plots.map(one, x="omegaEI", ax=ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == (OMEGAEI, MUEE)


def test_a_map_of_any_variable(ds):
    one = ds.sel(feedback="on")
    ok = (one.status == 1).transpose("omegaEI", "muEE").values
    ax = plots.map(one, variable="peak_rate", area="24c")
    expected = one.peak_rate.sel(area="24c").transpose("omegaEI", "muEE").values
    np.testing.assert_array_equal(coloured(ax), np.where(ok, expected, np.nan))
    assert isinstance(ax.collections[-1].norm, mpl.colors.LogNorm)
    label = "peak change of E, in 24c (Hz)"
    assert one_line(ax.figure.axes[1].get_ylabel()) == label
    linear = plots.map(one, variable="peak_rate", area="24c", scale="linear").collections[-1].norm
    assert not isinstance(linear, mpl.colors.LogNorm)
    assert linear.vmax == expected[ok].max()
    selected = plots.map(one.sel(area="24c"), variable="peak_rate")
    np.testing.assert_array_equal(coloured(selected), coloured(ax))


def test_linear_theory_is_drawn_where_points_diverged_too_and_hatched(ds):
    one = ds.sel(feedback="on")
    ax = plots.map(one, variable="spectral_abscissa")
    mesh = next(drawn for drawn in ax.collections if isinstance(drawn, mpl.collections.QuadMesh))
    np.testing.assert_array_equal(mesh.get_array(), one.spectral_abscissa.transpose("omegaEI", "muEE"))
    assert mesh.norm.vmin < 0 < mesh.norm.vmax
    assert entries(ax) == ["diverged, value known"]


def test_every_shipped_value_of_diverged_points_is_drawn():
    """By the beginning of its name: stores do not say which these are."""
    shipped = [SpectralAbscissa(), NonNormality(), CalibratedAmplitude(), Divergence(), AcrossSeeds(Peak(), 2)]
    found = {name: made for m in shipped for name, made in m.variables(ThresholdLinear()).items()}
    drawn = {name for name in found if name.startswith(fields._WHATEVER_HAPPENS)}
    assert drawn == {name for name, variable in found.items() if variable.if_diverged}


def test_a_map_says_of_points_without_a_colour_why(ds, tmp_path):
    one = ds.sel(feedback="on").load().copy(deep=True)
    assert one.status[0, 0] == one.status[0, 7] == one.status[0, 6] == 1
    one.status[0, 0], one.status[0, 7] = PENDING, FAILED
    one.peak_rate[0, 0] = one.peak_rate[0, 7] = np.nan
    one.peak_rate[0, 6] = 0
    ax = plots.map(one)
    assert entries(ax) == [AWAY, "failed", "pending", "no value above 0"]
    assert np.isnan(coloured(ax)[[0, 7, 6], 0]).all()
    one.status[:], one.peak_rate[:] = PENDING, np.nan
    blank = plots.map(one)
    assert entries(blank) == ["pending"]
    assert len(blank.figure.axes) == 1
    one.status[:] = DIVERGED
    assert entries(plots.map(one)) == [AWAY]
    for drawn in (ax, blank):
        drawn.figure.savefig(tmp_path / "map.png")


def test_values_may_be_in_any_order(ds):
    one = ds.sel(feedback="on")
    ax = plots.map(one.isel(muEE=[3, 0, 7], omegaEI=[5, 4, 6, 0]))
    expected = propagation_ratio(one).isel(muEE=[0, 3, 7], omegaEI=[0, 4, 5, 6]).transpose("omegaEI", "muEE")
    np.testing.assert_array_equal(coloured(ax), expected)


def test_panels_that_share_an_axis_label_it_once(ds):
    panels = plots.figure(2, 2, sharex=True, sharey=True)[1]
    for ax in panels.flat:
        plots.map(ds.sel(feedback="on"), ax=ax)
    assert [ax.get_xlabel() for ax in panels.flat] == ["", "", MUEE, MUEE]
    assert [ax.get_ylabel() for ax in panels.flat] == [OMEGAEI, "", OMEGAEI, ""]
    assert plots.map(ds.sel(feedback="on"), ax=plots.figure(1, 2)[1][1]).get_ylabel() == OMEGAEI


def test_what_a_map_needs(ds, traced):
    one = ds.sel(feedback="on")
    for given, options, message in [
        (ds, {}, "select one value of each other axis first"),
        (
            one.sel(omegaEI=19),
            {},
            r"a map over muEE and nothing; expected two axes of two numbers or more: the Dataset has muEE",
        ),
        (one, {"x": "muee"}, "a map over muee and muEE; expected two axes"),
        (one, {"x": "muEE", "y": "muEE"}, "a map over muEE and muEE; expected two axes"),
        (one, {"target": "24C"}, 'no area "24C"; did you mean "24c"'),
        (one, {"area": "24c"}, 'area="24c" and no variable; expected variable="peak_rate" too'),
        (one, {"variable": "peak"}, 'no variable "peak"; did you mean "peak_rate"'),
        (one, {"variable": "peak_rate"}, "peak_rate has areas; expected area=..., one of V1, V2"),
        (one, {"variable": "peak_rate", "area": "v1"}, 'no area "v1"; did you mean "V1"'),
        (one, {"variable": "spectral_abscissa", "area": "V1"}, "spectral_abscissa has no areas left"),
        (one, {"variable": "peak_rate", "area": "V1", "scale": "loq"}, 'scale="loq"; expected "log" or "linear"'),
        (one.sel(area="24c"), {}, "peak_rate has no areas left; expected them all"),
        (one.drop_vars("peak_rate"), {}, r"needs Peak\(\)"),
        (one.drop_vars("status"), {}, "no status among .*; expected a Dataset as open_study returns it"),
        (one.peak_rate, {}, "found a DataArray; expected a Dataset"),
        (
            one.expand_dims(time=[0.0, 1.0]).assign(status=one.status),
            {"variable": "spectral_abscissa"},
            "is over time too",
        ),
    ]:
        with pytest.raises(UserError, match=message):
            plots.map(given, **options)


# Lines.


def test_time_courses_of_one_run(simulated):
    ax = plots.traces(simulated, areas=["V1", "24c"])
    assert entries(ax) == ["V1", "24c"]
    for line, area in zip(ax.get_lines(), ["V1", "24c"]):
        np.testing.assert_array_equal(line.get_data(), (simulated.time, simulated.E.sel(area=area)))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time from the start of the run (s)", "E (Hz)")
    assert plots.traces(simulated, "V1", variable="I", onset=0.2, ax=ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time from stimulus onset (s)", "I (Hz)")
    assert ax.get_lines()[-1].get_xdata()[0] == -0.2
    every = plots.traces(simulated).get_lines()
    assert len(every) == len({line.get_color() for line in every}) == 29
    with pytest.raises(UserError, match='no area "v1"; did you mean "V1"'):
        plots.traces(simulated, areas=["v1"])
    with pytest.raises(UserError, match="no X among E, I"):
        plots.traces(simulated, variable="X")


def test_points_differ_in_colour_and_areas_in_dashes(traced):
    ax = plots.traces(traced.sel(feedback="on", muEE=[33.7, 36.0]), ["V1", "24c"], onset=2.0)
    points = [rf"$\mu_{{EE}}$ = {mu} pA/Hz" for mu in (33.7, 36)]
    assert entries(ax) == [f"{point}, {area}" for area in ("V1", "24c") for point in points]
    styles = [(line.get_color(), line.get_linestyle()) for line in ax.get_lines()]
    assert len(set(styles)) == 4
    assert styles[0][0] == styles[2][0] != styles[1][0]
    assert ax.get_ylabel() == "change of E from rest (Hz)"
    areas = plots.traces(traced.sel(feedback="on", muEE=33.7)).get_lines()
    assert len({line.get_color() for line in areas}) == 3
    away = plots.traces(traced.sel(feedback="on", muEE=53.0), "V1")
    assert entries(away) == ["V1 (diverged)"]
    assert not len(away.get_lines()[0].get_xdata())


def test_lines_are_only_drawn_of_what_is_known(traced):
    one = traced.sel(feedback="on").load().copy(deep=True)
    one.status[0] = PENDING
    one.rate_change[0] = one.peak_rate[0] = np.nan
    ax = plots.profile(one)
    assert [text.rsplit(" (")[1:] for text in entries(ax)] == [["pending)"], [], ["diverged)"]]
    assert [bool(len(line.get_xdata())) for line in ax.get_lines()] == [False, True, False]
    assert entries(plots.traces(one.isel(muEE=0), "V1")) == ["V1 (pending)"]
    (sweep,) = (line for line in plots.sweep(one).get_lines() if line.get_label() != "_runs away")
    assert sweep.get_xdata().tolist() == [36.0, 53.0]


def test_more_lines_than_can_be_told_apart(ds, simulated):
    with pytest.raises(
        UserError, match="192 lines, for the points muEE: 12 x omegaEI: 8 x feedback: 2; expected at most 60"
    ):
        plots.profile(ds)


def test_colours_are_each_used_once():
    ax = plots.figure()[1]
    ax.plot([0], color=plots.BLACK)
    colours = _colours(["V4", "24c", "V2"], ax)
    assert len({plots.BLACK, *colours}) == 4
    own = plots.styled(lambda: _colours(["V4", "24c", "V2"], ax), colours={"24c": plots.GREEN})()
    assert len({plots.BLACK, *own}) == 4
    assert own[1] == plots.GREEN != colours[1]


def test_a_sweep_over_labels(traced):
    one = traced.sel(muEE=33.7)
    ax = plots.sweep(one)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["on", "off"]
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), one.peak_rate.sel(area="24c"))
    assert ax.get_xlabel() == "feedback"


def test_a_profile_needs_all_areas(ds):
    with pytest.raises(UserError, match="peak_rate has no areas left"):
        plots.profile(ds.isel(muEE=0).sel(area="24c"))


# What xarray and hvplot make of a Dataset by themselves.


def test_plain_xarray_labels_axes_with_units(ds, traced):
    on = ds.sel(area="24c", feedback="on")
    on.peak_rate.plot(x="muEE")
    ax, bar = plt.gcf().axes
    words = "long-range E to E coupling [pA/Hz]", "local I to E coupling [pA/Hz]"
    assert (one_line(ax.get_xlabel()), one_line(ax.get_ylabel())) == words
    assert one_line(bar.get_ylabel()) == "peak change of E [Hz]"
    assert {"area = 24c", "feedback = on"} <= set(ax.get_title().replace("\n", " ").split(", "))
    plt.figure()
    traced.rate_change.sel(trace_area="V1", feedback="on").plot(hue="muEE")
    ax = plt.gca()
    assert one_line(ax.get_xlabel()) == "time from the start of the run [s]"
    assert ax.get_ylabel() == "change of E from rest [Hz]"
    assert one_line(ax.get_legend().get_title().get_text()) == words[0]


def test_plain_hvplot_labels_axes_with_units(ds):
    import holoviews as hv
    import hvplot.xarray  # noqa: F401 - gives Datasets their .hvplot
    from bokeh.models import ColorBar

    peak = ds.peak_rate.sel(area="24c")
    words = "long-range E to E coupling (pA/Hz)", "local I to E coupling (pA/Hz)"
    for picture in (
        peak.sel(feedback="on").hvplot(x="muEE", y="omegaEI"),
        peak.sel(feedback="on").hvplot.quadmesh(x="muEE", y="omegaEI", cnorm="log", clim=(1e-6, 500)),
    ):
        drawn = hv.render(picture)
        assert (drawn.xaxis[0].axis_label, drawn.yaxis[0].axis_label) == words
        (bar,) = drawn.select(ColorBar)
        assert bar.title == "peak change of E (Hz)"
        assert {"area = 24c", "feedback = on"} <= set(drawn.title.text.replace("\n", " ").split(", "))
    lines = hv.render(peak.sel(omegaEI=19).hvplot.line(x="muEE", by="feedback", logy=True))
    assert lines.xaxis[0].axis_label == words[0]
    assert lines.yaxis[0].axis_label == "peak change of E (Hz)"
    assert lines.legend[0].title == "feedback"


# Overviews, as `gbaexplore plot` draws them.


def titles(fig):
    return [ax.get_title() for ax in fig.axes if ax.get_label() != "<colorbar>"]


def test_the_overview_of_a_map(ds):
    fig = plots.overview(ds)
    assert titles(fig) == ["feedback on", "feedback off"]
    first, second, bar = fig.axes
    assert first.collections[-1].norm is second.collections[-1].norm
    assert bar.get_ylabel() == "peak(24c) / peak(V1)"
    assert (first.get_xlabel(), first.get_ylabel(), second.get_ylabel()) == (MUEE, OMEGAEI, "")
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [AWAY]
    assert fig.get_suptitle() == "map"


@pytest.mark.slow
def test_the_overview_without_the_shipped_areas_or_peaks(make):
    two = Connectome(
        "two", ("a", "b"), weights=np.array([[0, 0.1], [0.5, 0]]), values={"hierarchy": np.array([0.0, 1.0])}
    )
    axes = {"muEE": [20.0, 30.0], "omegaEI": [19.0, 22.0, 25.0]}
    pulse = Pulse(area="a", onset=2.0, duration=0.25, amplitude=10.0)
    ds = make("two", axes, connectome=two, stimulus=pulse)
    assert plots.overview(ds).axes[1].get_ylabel() == "peak(b) / peak(a)"
    assert one_line(plots.overview(ds.isel(area=[0])).axes[1].get_ylabel()).endswith("change of E, in a (Hz)")
    linear = make("linear", axes, measures=[SpectralAbscissa()])
    assert "spectral abscissa" in plots.overview(linear).axes[1].get_ylabel()
    only = make("courses", axes, measures=[Trace(window=(1.75, 3.0), every=0.02)])
    assert "mean over" in one_line(plots.overview(only).axes[1].get_ylabel()), "of time courses, as there are no peaks"
    assert titles(plots.overview(only.isel(omegaEI=0))) == [rf"$\mu_{{EE}}$ = {mu} pA/Hz" for mu in (20, 30)]
    (ax,) = plots.overview(linear.isel(omegaEI=0)).axes
    assert (len(ax.get_lines()), ax.get_ylabel()) == (1, "spectral abscissa (s-1)")


def test_overviews_of_sweeps_and_profiles(traced):
    fig = plots.overview(traced)
    (ax,) = fig.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == (MUEE, "peak response in 24c (Hz)")
    (legend,) = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == ["on", "off"]
    assert legend.get_title().get_text() == "feedback"
    fig = plots.overview(traced.isel(muEE=[0]))
    assert fig.axes[0].get_ylabel() == "peak response (% of V1)"
    assert len(fig.axes[0].get_lines()) == 2
    (ax,) = plots.overview(traced.isel(muEE=0, feedback=0)).axes
    assert len(ax.get_lines()) == 1


def test_more_axes_are_panels_and_too_many_are_refused(ds):
    three = ds.expand_dims(eta=np.linspace(0.5, 0.7, 5)).isel(feedback=0)
    three = three.assign(status=three.status)
    fig = plots.overview(three)
    assert titles(fig) == [rf"$\eta$ = {eta}" for eta in ("0.5", "0.55", "0.6", "0.65", "0.7")]
    assert [ax.get_xlabel() for ax in fig.axes[:5]] == ["", "", MUEE, MUEE, MUEE]
    many = ds.expand_dims(eta=np.linspace(0.5, 0.7, 7))
    with pytest.raises(
        UserError, match=r"a picture of 14 panels .*eta: 7 x feedback: 2.*; expected at most 12: select"
    ):
        plots.overview(many)


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("PDF", b"%PDF")])
def test_a_store_is_drawn_to_a_file(ds, folder, tmp_path, ending, start):
    out = plots.store(folder / "map.zarr", tmp_path / "new" / f"picture.{ending}")
    assert out == tmp_path / "new" / f"picture.{ending}"
    assert out.read_bytes().startswith(start)


def test_where_a_picture_goes(ds, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plots.store(folder / "map.zarr").as_posix() == "figures/map.png"
    (tmp_path / "file").write_text("in the way")
    for store, out, message in [
        (
            "map.zarr",
            "picture.gif",
            "picture.gif names no kind of picture that can be made; expected an ending: .png, .svg",
        ),
        ("map.zarr", "figures", "figures names no kind of picture"),
        (
            "map.zarr",
            "file/picture.png",
            "file is not a folder; expected a folder for picture.png: choose another",
        ),
        ("nap.zarr", "picture.png", "is not a gbaexplore store: there is nothing there"),
    ]:
        with pytest.raises(UserError, match=message):
            plots.store(folder / store, tmp_path / out)


def test_a_damaged_store_is_told(ds, folder, tmp_path):
    store = shutil.copytree(folder / "map.zarr", tmp_path / "map.zarr")
    chunk = next(file for file in (store / "peak_rate" / "c").rglob("*") if file.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"can't be read \(.*\); see `gbaexplore check .*map.zarr`"):
        plots.store(store, tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


@pytest.mark.slow
def test_no_display_is_needed(ds, folder, tmp_path):
    code = f"from gbaexplore import plots; print(plots.store({str(folder / 'map.zarr')!r}))"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "MPLBACKEND": "tkagg"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "figures/map.png\n", done.stderr
    assert (tmp_path / "figures" / "map.png").stat().st_size > 10_000


def test_to_draw_loads_no_simulator_and_no_page():
    loaded = "print({'jax', 'bokeh', 'holoviews'} & {*sys.modules})"
    code = f"import sys; from gbaexplore.plots import interactive, map; {loaded}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_symbol_is_not_named_twice(ds, folder):
    assert plots.quantity(ds, "feedback") == "feedback"
    assert plots.quantity(ds, "muEE") == MUEE
    assert plots.quantity(ds, "peak_rate") == "peak change of E (Hz)"
    plain = open_study(folder / "map.zarr").rename(muEE="g").assign_coords(g=np.arange(12.0))
    assert plots.quantity(plain, "g") == "g"
