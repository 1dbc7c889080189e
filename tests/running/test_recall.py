from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

from gbaexplore import (
    Connectome,
    DelayedThresholdLinear,
    Peak,
    Pulse,
    Stimulus,
    Study,
    ThresholdLinear,
    UserError,
    WilsonCowan,
    replay,
    run,
    simulate,
)
from gbaexplore.store.recipe import RECIPE

WINDOW = (1.75, 2.6)
SHORT = dict(measures=[Peak(window=WINDOW)])


@dataclass(frozen=True)
class Stronger(ThresholdLinear):
    """A model of a user's own."""

    def step(self, x, p, net, stimulus, dt):
        return super().step(x, p, net, 1.1 * stimulus, dt)


def peaks(ds):
    return (ds.E.isel(time=slice(1, None)) - 10.0).max("time").values


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "axes"),
    [(WilsonCowan(method="heun"), {"P": [0.0, 1.25]}), (DelayedThresholdLinear(muEE=33.7), {"velocity": [1.0, 3.5]})],
)
def test_the_other_shipped_models_are_known_too(model, axes, tmp_path):
    two = Connectome("two", ("a", "b"), [[0, 0.2], [0.8, 0]], [[0, 20.0], [20.0, 0]], {"hierarchy": [0.0, 1.0]})
    pulse = Pulse("a", onset=0.05, duration=0.1, amplitude=3.0)
    given = dict(connectome=two, stimulus=pulse, dt=1e-3, duration=0.3)
    stored = run(Study("other", axes=axes, model=model, measures=[Peak()], **given), store=tmp_path)
    ((name, values),) = axes.items()
    for value in values:
        E = replay(tmp_path / "other.zarr", **{name: value}).E
        found, what = (E - E.isel(time=0)).max("time"), "E" if name == "P" else "rate"
        np.testing.assert_allclose(found, stored[f"peak_{what}"].sel({name: value}), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("precision", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_a_point_gives_what_the_store_has(make_study, tmp_path, macaque, precision):
    """Regimes, a derived parameter and an option of the model, all from the store alone."""
    regimes = {
        "weak": (ThresholdLinear(update="simultaneous"), Pulse("V1", onset=2.0, duration=0.25, amplitude=41.9)),
        "strong": (ThresholdLinear(omegaEI=25.2), Stimulus({"V1": lambda t: 50 * t}, onset=2.0, duration=0.25)),
    }
    study = make_study(
        model=None, stimulus=None, connectome=None, precision=precision,
        axes={"muEE": [28.0, 33.7], "regime": regimes, "pathways": {"all": macaque, "up": macaque.without_feedback()}},
        derived={"muIE": lambda muEE: 25.3 + 0.1 * (muEE - 30)}, **SHORT,
    )  # fmt: skip
    stored = run(study, store=tmp_path)
    for point in (dict(muEE=28.0, regime="weak", pathways="up"), dict(muEE=33.7, regime="strong", pathways="all")):
        ds = replay(tmp_path / "small.zarr", window=WINDOW, **point)
        np.testing.assert_allclose(peaks(ds), stored.peak_rate.sel(**point), rtol=1e-5, atol=1e-12)
        assert ds.attrs["muIE"] == stored.muIE.sel(muEE=point["muEE"])
        assert ds.attrs["regime"] == point["regime"]


def test_an_axis_of_one_label_need_not_be_given(make_study, tmp_path, macaque, pulse):
    run(make_study(axes={"muEE": [33.7]}, **SHORT), store=tmp_path)
    ds = replay(tmp_path / "small.zarr", window=WINDOW)
    np.testing.assert_allclose(ds.E, simulate(ThresholdLinear(), macaque, pulse, window=WINDOW, muEE=33.7).E)


def test_an_own_model_needs_its_study(make_study, tmp_path):
    study = make_study(model=Stronger(), axes={"muEE": [28.0, 33.7]}, **SHORT)
    stored = run(study, store=tmp_path)
    path = tmp_path / "small.zarr"
    with pytest.raises(UserError, match=r"a model of its study's own \(Stronger\).*--study"):
        replay(path, muEE=28.0)
    ds = replay(path, muEE=28.0, study=study, window=WINDOW)
    np.testing.assert_allclose(peaks(ds), stored.peak_rate.sel(muEE=28.0), rtol=1e-5)
    other = make_study(model=Stronger(), axes={"muEE": [28.0]}, fixed={"eta": 0.5}, **SHORT)
    with pytest.raises(UserError, match=r"another study's results \(variants\.all\.parameters\.eta"):
        replay(path, muEE=28.0, study=other)


def test_another_version_of_a_shipped_model_is_refused(make_study, tmp_path, monkeypatch):
    run(make_study(axes={"muEE": [28.0]}, **SHORT), store=tmp_path)
    monkeypatch.setattr(ThresholdLinear, "step", lambda self, x, *_: x)
    with pytest.raises(UserError, match="was made with another program of ThresholdLinear"):
        replay(tmp_path / "small.zarr")


@pytest.fixture(scope="module")
def plane(make_study, tmp_path_factory):
    """A store over two parameters."""
    folder = tmp_path_factory.mktemp("plane")
    run(make_study(axes={"muEE": [28.0, 30.0], "omegaEI": [19.7, 22.0]}, **SHORT), store=folder)
    return folder / "small.zarr"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (dict(muEE=28.0), "no label for the axis omegaEI; expected omegaEI= one of 19.7, 22.0"),
        (dict(muEE=28.0, omegaEI=20.0), "no value 20.0 on the axis omegaEI; the nearest is 19.7"),
        (dict(muEE="x", omegaEI=19.7), "muEE = 'x'; expected a finite number"),
        (dict(mEE=28.0), 'no axis "mEE"; did you mean "muEE"'),
    ],
)
def test_labels_that_are_none(plane, labels, said):
    with pytest.raises(UserError, match=said):
        replay(plane, **labels)


def test_what_went_in_is_there_after_the_grid_has_changed(make_study, tmp_path):
    run(make_study(axes={"muEE": [28.0]}, **SHORT), store=tmp_path)
    stored = run(make_study(axes={"muEE": [28.0, 30.0]}, **SHORT), store=tmp_path)
    assert RECIPE in stored.attrs
    ds = replay(tmp_path / "small.zarr", muEE=30.0, window=WINDOW)
    np.testing.assert_allclose(peaks(ds), stored.peak_rate.sel(muEE=30.0), rtol=1e-5)


def as_written_before(connectome):
    """A connectome as stores had it when it was a hierarchy and fractions of labelled neurons."""
    areas = np.array(connectome.areas, dtype=object)
    ds = xr.Dataset(coords={"area": areas, "target": areas, "source": areas}, attrs={"name": connectome.name})
    ds["hierarchy"] = ("area", connectome.values["hierarchy"], {"long_name": "hierarchy", "units": "1"})
    matrices = {
        "fln": connectome.weights, "sln": connectome.pathway_values.get("sln"), "wiring_mm": connectome.lengths_mm,
        "fln_inhibitory": connectome.further_weights.get("inhibitory"),
    }  # fmt: skip
    for name, matrix in matrices.items():
        if matrix is not None:
            ds[name] = (("target", "source"), matrix, {"long_name": name, "units": "1"})
    return ds


@pytest.mark.slow
def test_a_store_of_earlier_connectomes_goes_on(make_study, tmp_path, macaque, monkeypatch):
    axes = {"muEE": [33.7], "pathways": {"all": macaque, "targeted": macaque.with_targeted_inhibition(0.5)}}
    with monkeypatch.context() as before:
        before.setattr(Connectome, "to_dataset", as_written_before)
        stored = run(make_study(axes=axes, connectome=None, **SHORT), store=tmp_path).load()
    found = replay(tmp_path / "small.zarr", window=WINDOW, muEE=33.7, pathways="targeted")
    expected = stored.peak_rate.sel(muEE=33.7, pathways="targeted")
    np.testing.assert_allclose(peaks(found), expected, rtol=1e-5, atol=1e-12)
    wider = run(make_study(axes={**axes, "muEE": [30.0, 33.7]}, connectome=None, **SHORT), store=tmp_path)
    xr.testing.assert_equal(wider.peak_rate.sel(muEE=[33.7]), stored.peak_rate)
    assert wider.hierarchy.attrs == stored.hierarchy.attrs == {"long_name": "position in the cortical hierarchy"}
    found = replay(tmp_path / "small.zarr", window=WINDOW, muEE=30.0, pathways="all")
    np.testing.assert_allclose(peaks(found), wider.peak_rate.sel(muEE=30.0, pathways="all"), rtol=1e-5, atol=1e-12)


def test_every_shipped_model_is_replayed_without_its_study():
    import inspect

    import gbaexplore
    from gbaexplore.running.replay import SHIPPED

    public = {name: getattr(gbaexplore, name) for name in gbaexplore.__all__}
    models = {n for n, cls in public.items() if inspect.isclass(cls) and issubclass(cls, gbaexplore.Model)}
    assert models - SHIPPED.keys() == {"Model", "ODEModel", "BrainPyModel"}, "bases, and a user's own class"
    assert all(public[name] is cls for name, cls in SHIPPED.items())
