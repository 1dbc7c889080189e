"""The figures of Joglekar et al. (2018): their studies' definitions, numbers and pictures."""

import functools
import io
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from gbaexplore import UserError, plots, run
from gbaexplore.study.file import STUDIES, find, load_study_file

pytestmark = pytest.mark.slow

NAMES = ["fig2b", "fig2c", "fig3b", "fig3d", "fig3e", "fig3f"]
AREAS = ["V1", "V4", "8m", "8l", "TEO", "7A", "9/46d", "TEpd", "24c"]
# Peaks in 24c and V1 (Hz), sequential update, computed in float64.
FIG2C = {
    "on": [2.50922e-06, 7.24225e-06, 3.11993e-05, 1.82448e-02],
    "off": [2.44100e-06, 6.94397e-06, 2.92822e-05, 8.54465e-03, 0.347905, 3.65172, 21.9588, 96.7413],
}
PEAKS = {"weak": {"V1": 100.0370, "24c": 0.00595078}, "strong": {"V1": 97.0062, "24c": 0.951788}}


class Made:
    """A study file, what its study gives and the figure of that."""

    def __init__(self, name, store):
        self.file = load_study_file(name)
        self.study = self.file.study
        self.ds = run(self.study, store=store).load()
        self.figure = self.file.draw(self.ds)
        self.axes = self.figure.get_axes()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def made(store):
    """name -> Made; each study runs once."""
    return functools.cache(lambda name: Made(name, store))


def drawn(ax):
    """The lines of an axes that show data: label -> (x, y)."""
    lines = [line for line in ax.get_lines() if not line.get_label().startswith("_")]
    return {line.get_label(): line.get_data() for line in lines}


def only(ax):
    """The data of the first line, the one with the bounded points."""
    return next(line.get_data() for line in ax.get_lines() if line.get_label() != "_cap")


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_from_finite_values_within_its_axes(made, name):
    one = made(name)
    assert isinstance(one.figure, Figure)
    assert one.file.draw is not None
    for ax in one.axes:
        low, high = ax.get_ylim()
        first, last = ax.get_xlim()
        for line in ax.get_lines():
            x, y = (np.asarray(values, dtype=float) for values in line.get_data())
            assert y.size
            assert np.isfinite(y).all()
            assert y.min() >= low
            assert y.max() <= high
            if line.get_label() != "_cap":  # from edge to edge, in axes' units
                assert x.min() >= first - 1e-9
                assert x.max() <= last + 1e-9
        assert not ax.spines.top.get_visible()
        assert not ax.spines.right.get_visible()


@pytest.mark.parametrize("name", NAMES)
def test_no_two_labels_overlap(made, name):
    figure = made(name).figure
    figure.savefig(io.BytesIO(), format="png", dpi=110)  # lays it out
    texts = [ax.get_xaxis().label for ax in figure.axes] + [ax.get_yaxis().label for ax in figure.axes]
    texts += [ax.title for ax in figure.axes] + [text for ax in figure.axes for text in ax.texts]
    for ax in figure.axes:
        for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            texts += [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high and t.label1.get_visible()]
    boxes = [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]
    assert len(boxes) > 5
    for i, box in enumerate(boxes):
        for other in boxes[i + 1 :]:
            assert not box.overlaps(other)
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_the_files_are_found_and_described_and_load_without_matplotlib():
    code = "import sys; from gbaexplore.study.file import load_study; [load_study(n) for n in sys.argv[1:]]"
    code += "; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, *NAMES], check=True)
    for name in NAMES:
        first = find(name).read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(f'"""Figure {name[3:].upper()} of Joglekar et al. (2018): ')
        assert load_study_file(STUDIES / f"{name}.py").study.name == name


@pytest.mark.parametrize("name", NAMES)
def test_pulses_windows_and_parameters(made, name):
    study = made(name).study
    assert (study.dt, study.duration, study.precision) == (2e-4, 10.0, "float32")
    amplitude = {"weak": 22.05 * 1.9, "strong": 11.54 * 1.9}
    coupling = {"weak": (33.7, 19.7), "strong": (51.5, 25.2)}
    for variant in study.variants():
        pulse = variant.stimulus
        assert (pulse.area, pulse.onset, pulse.duration) == ("V1", 2.0, 0.25)
        assert variant.model.update == "sequential"
        assert variant.connectome.name.startswith("macaque29")
        regime = variant.labels.get("regime")
        if regime:
            assert pulse.amplitude == pytest.approx(amplitude[regime])
            assert (variant.model.muEE, variant.model.omegaEI) == coupling[regime]
        else:
            assert pulse.amplitude == pytest.approx((22.05 if name == "fig3f" else 21.8) * 1.9)
            assert variant.model.omegaEI == 19.7
    assert {measure.window for measure in study.measures} == {(1.75, 3.5 if name == "fig3f" else 5.0)}


def test_2b_shows_a_bounded_response_and_a_run_away(made):
    one = made("fig2b")
    assert one.ds.muEE.values.tolist() == [34, 36]
    change = one.ds.rate_change
    assert change.time.values[[0, -1]] == pytest.approx([1.75, 4.999])
    assert change.sel(muEE=34, trace_area="24c").max().item() == pytest.approx(1.82448e-2, rel=1e-4)
    assert 1e7 < change.sel(muEE=36, trace_area="24c")[-1].item() < 2e7  # finite, and not cut off

    bounded, away = one.axes
    for ax, mu in zip(one.axes, (34, 36)):
        assert ax.get_yscale() == "log"
        assert ax.get_xlim() == (-0.25, 3.0)
        assert ax.get_ylim() == (1e-2, 200)
        assert ax.get_xlabel() == "time from stimulus onset (s)"
        assert f"= {mu} pA/Hz" in ax.get_title()
        lines = drawn(ax)
        assert list(lines) == ["V1", "24c"]
        for area, (x, y) in lines.items():
            expected = change.sel(muEE=mu, trace_area=area)
            expected = expected[(expected <= 200).values]
            np.testing.assert_allclose(x, expected.time - 2.0, atol=1e-9)
            np.testing.assert_allclose(y, np.maximum(expected, 1e-2))
    assert one.axes[0].get_ylabel() == "change in firing rate (Hz)"
    assert all(x[-1] == pytest.approx(2.999) for x, _ in drawn(bounded).values())
    for x, y in drawn(away).values():  # up to the edge, and no further
        assert y[-1] > 198
        assert x[-1] < 2.1


def test_2c_meets_the_reference_with_and_without_feedback(made):
    one = made("fig2c")
    assert one.ds.muEE.values.tolist() == [28, 30, 32, 34, 36, 38, 40, 42]
    for feedback, expected in FIG2C.items():
        peak = one.ds.peak_rate.sel(feedback=feedback, area="24c")
        np.testing.assert_allclose(peak[: len(expected)], expected, rtol=1e-4)
    assert one.ds.status.sel(feedback="on").values.tolist() == [1] * 4 + [2] * 4
    assert (one.ds.status.sel(feedback="off") == 1).all()

    assert [ax.get_title() for ax in one.axes] == ["with feedback", "without feedback"]
    for ax, feedback, capped in zip(one.axes, ("on", "off"), (4, 0)):
        assert ax.get_yscale() == "log"
        assert ax.get_ylim() == (1e-6, 1e3)
        x, y = only(ax)
        assert x.tolist() == one.ds.muEE.values.tolist()
        np.testing.assert_allclose(y, FIG2C[feedback] + [500] * capped, rtol=1e-4)
        hollow = [line for line in ax.get_lines() if line.get_label() == "_runs away"]
        assert sum(len(line.get_xdata()) for line in hollow) == capped
        assert ax.get_xlabel() == r"long-range E to E coupling $\mu_{EE}$ (pA/Hz)"
    assert one.axes[0].get_ylabel() == "peak response in 24c (Hz)"


@pytest.mark.parametrize(("name", "regimes"), [("fig3b", ["weak"]), ("fig3d", ["weak", "strong"])])
def test_3b_and_3d_show_nine_areas_each_on_its_scale(made, name, regimes):
    one = made(name)
    assert one.ds.regime.values.tolist() == regimes
    assert one.ds.trace_area.values.tolist() == AREAS
    for regime in regimes:
        for area, expected in PEAKS[regime].items():
            assert one.ds.peak_rate.sel(regime=regime, area=area).item() == pytest.approx(expected, rel=1e-4)
    assert len(one.axes) == 9
    for ax, area in zip(one.axes, AREAS):
        peak = one.ds.peak_rate.sel(regime=regimes[-1], area=area).item()
        assert [text.get_text() for text in ax.texts] == [area]
        assert ax.get_yscale() == "linear"
        assert ax.get_xlim() == (-0.25, 2.0)
        assert ax.get_ylim() == pytest.approx((0, 140) if area == "V1" else (0, 1.2 * peak))
        assert ax.get_yticks() == pytest.approx([peak])
        lines = ax.get_lines()
        assert [line.get_color() for line in lines] == [plots.COLOURS[regime] for regime in regimes]
        for line, regime in zip(lines, regimes):
            expected = one.ds.rate_change.sel(regime=regime, trace_area=area, time=slice(1.75, 4.0))
            np.testing.assert_allclose(line.get_xdata(), expected.time - 2.0, atol=1e-9)
            np.testing.assert_array_equal(line.get_ydata(), expected)
    assert one.axes[-1].get_xlabel() == "time from stimulus onset (s)"
    assert one.figure.get_supylabel() == "change in firing rate (Hz)"
    shown = [text.get_text() for legend in one.figure.legends for text in legend.get_texts()]
    assert shown == (["weak GBA", "strong GBA"] if len(regimes) == 2 else [])


def test_3e_names_29_areas_and_gives_percent_of_v1(made):
    one = made("fig3e")
    for regime, peaks in PEAKS.items():
        for area, expected in peaks.items():
            assert one.ds.peak_rate.sel(regime=regime, area=area).item() == pytest.approx(expected, rel=1e-4)
    (ax,) = one.axes
    assert ax.get_yscale() == "log"
    assert ax.get_ylim() == (1e-4, 1e2)
    assert [label.get_text() for label in ax.get_xticklabels()] == one.ds.area.values.tolist()
    assert len(ax.get_xticks()) == 29
    assert ax.get_ylabel() == "peak response (% of V1)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["weak GBA", "strong GBA"]
    for line, (regime, peaks) in zip(ax.get_lines(), PEAKS.items()):
        assert line.get_color() == plots.COLOURS[regime]
        peak = one.ds.peak_rate.sel(regime=regime)
        np.testing.assert_allclose(line.get_ydata(), 100 * peak / peak.sel(area="V1"), rtol=1e-6)
        assert line.get_ydata()[0] == 100
        assert line.get_ydata()[-1] == pytest.approx(100 * peaks["24c"] / peaks["V1"], rel=1e-4)


def test_3f_links_inhibition_to_excitation(made):
    one = made("fig3f")
    mu = one.ds.muEE.values
    assert mu.tolist() == list(range(20, 51, 2))
    np.testing.assert_allclose(one.ds.omegaEI.sel(inhibition="linked"), 19.7 + (mu - 33.7) * 55 / 178)
    assert (one.ds.omegaEI.sel(inhibition="fixed") == 19.7).all()
    (ax,) = one.axes
    assert ax.get_yscale() == "log"
    assert ax.get_xlim() == (20, 50)
    assert ax.get_ylim() == (1e-8, 1e4)
    fixed, linked = drawn(ax).values()
    for (x, y), inhibition in ((fixed, "fixed"), (linked, "linked")):
        peak = one.ds.peak_rate.sel(inhibition=inhibition, area="24c")
        diverged = one.ds.status.sel(inhibition=inhibition) == 2
        assert x.tolist() == mu.tolist()
        np.testing.assert_array_equal(y, peak.where(~diverged, 500))
    assert fixed[1][mu >= 36].tolist() == [500] * 8
    assert (np.diff(linked[1]) > 0).all()
    assert linked[1][-1] < 2
    # Responses scale with the pulse, and these peak before 3.5 s: they are fig. 2C's, 22.05 / 21.8 times.
    np.testing.assert_allclose(fixed[1][mu == 28] / FIG2C["on"][0], 22.05 / 21.8, rtol=1e-4)
    np.testing.assert_allclose(fixed[1][mu == 34] / FIG2C["on"][3], 22.05 / 21.8, rtol=1e-4)


def test_what_a_logarithm_cannot_show_is_left_out(made):
    ds = made("fig2c").ds.sel(feedback="off").copy(deep=True)
    ds.peak_rate.loc[{"area": "24c"}] = [0.0, np.nan, np.inf, 1.0, 2.0, 3.0, 4.0, 501.0]
    x, y = only(plots.sweep(ds, ax=plots.figure()[1]))
    assert x.tolist() == [32, 34, 36, 38, 40, 42]
    assert y.tolist() == [500, 1, 2, 3, 4, 500]
    (line,) = plots.profile(ds.isel(muEE=0), ax=plots.figure()[1]).get_lines()
    assert line.get_xdata().tolist() == np.flatnonzero(ds.peak_rate.isel(muEE=0) > 0).tolist()
    assert 0 < len(line.get_xdata()) < 29

    ds = made("fig2b").ds.sel(muEE=34).copy(deep=True)
    ds.rate_change[5:9, 0] = [np.nan, np.inf, -1.0, 0.0]
    ax = plots.traces(ds, ["V1", "24c"], floor=1e-2, ax=plots.figure()[1])
    assert [len(line.get_xdata()) for line in ax.get_lines()] == [3248, 3250]
    assert min(line.get_ydata().min() for line in ax.get_lines()) == 1e-2


def test_plots_say_what_they_need(made):
    ds = made("fig2c").ds
    with pytest.raises(UserError, match="a sweep has the axis muEE, the Dataset muEE, feedback; select one value"):
        plots.sweep(ds)
    with pytest.raises(UserError, match='no area "24C"; did you mean "24c"'):
        plots.sweep(ds.sel(feedback="on"), area="24C")
    with pytest.raises(UserError, match=r"no rate_change among .*; the study needs Trace\(\)"):
        plots.traces(ds, "V1")
    with pytest.raises(UserError, match=r'no area "V2".*Areas: V1, 24c'):
        plots.traces(made("fig2b").ds, "V2")
    with pytest.raises(UserError, match=r"needs Peak\(\)"):
        plots.profile(ds.drop_vars("peak_rate"))


def test_lines_are_labelled_with_what_tells_them_apart(made):
    ax = plots.traces(made("fig3d").ds, ["V1", "24c"], ax=plots.figure()[1])
    assert list(drawn(ax)) == ["weak, V1", "strong, V1", "weak, 24c", "strong, 24c"]
