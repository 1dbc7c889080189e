"""Fits that have an optimum for each label of an axis, and the machines that evaluate them."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from fits import TRUE

from gbaexplore import CMAES, SumOfSquares, UserError, open_study, replay
from gbaexplore.fitting import evaluations

PEOPLE = {"ann": {"P": 1.6, "c1": 11.0}, "bob": {"P": 2.4, "c1": 14.0}}


@pytest.fixture(scope="module")
def subjects(small):
    """The small study, with another connectome of each of two people."""
    net = small.connectome
    other = dataclasses.replace(net, name="other", weights=net.weights.T)
    return dataclasses.replace(small, axes={"subject": {"ann": net, "bob": other}}, connectome=None)


@pytest.fixture(scope="module")
def people(subjects):
    """A loss of data that the model made, with other values for each of them."""
    true = {who: dataclasses.replace(subjects, fixed=values).compute() for who, values in PEOPLE.items()}
    data = {
        name: xr.concat([ds[name].sel(subject=[who]) for who, ds in true.items()], "subject")
        for name in ("mean_E", "mean_I")
    }
    return {name: SumOfSquares(name, values.reset_coords(drop=True), scale=0.01) for name, values in data.items()}


@pytest.fixture(scope="module")
def fit_each(make_fit, subjects, people):
    return make_fit(study=subjects, loss=people, optimiser=CMAES(population=8), budget=24, each="subject")


@pytest.fixture(scope="module")
def found(fit_each, tmp_path_factory):
    return fit_each.run(tmp_path_factory.mktemp("each"))


def same(one, other):
    xr.testing.assert_identical(one.drop_attrs(deep=False).load(), other.drop_attrs(deep=False).load())


@pytest.mark.slow
def test_the_fit_of_each_beside_others_is_its_fit_alone(found, fit_each, tmp_path):
    assert list(found) == list(PEOPLE)
    for who, own in found.items():
        alone = fit_each.of(who).run(tmp_path)
        assert alone.path.name == own.path.name == f"fit_small_{who}.zarr"
        assert own.dataset.loss.dims == ("evaluation", "subject")
        assert own.dataset.subject.values.tolist() == [who]
        same(own.dataset, alone.dataset)
        assert found.best.loss.sel(subject=who) == own.loss == alone.loss
        assert found.best.P.sel(subject=who) == own.best["P"]
    assert (found["ann"].dataset.P.values[8:] != found["bob"].dataset.P.values[8:]).any()


def test_the_loss_of_each_is_of_its_own_data(found, subjects, people):
    for who, own in found.items():
        point = dataclasses.replace(subjects, fixed=own.best).compute().sel(subject=who)
        expected = sum(
            float((((point[name] - loss.data.sel(subject=who)) / 0.01) ** 2).sum()) for name, loss in people.items()
        )
        assert own.loss == pytest.approx(expected, rel=1e-5)


def test_all_of_them_are_evaluated_side_by_side_and_go_on_where_they_were(fit_each, found, tmp_path, monkeypatch):
    batches = []
    original = evaluations.simulated

    def counted(pool, asked):
        batches.append([len(rows) for _, rows in asked])
        return original(pool, asked)

    import gbaexplore.fitting.fit as module

    monkeypatch.setattr(module, "simulated", counted)
    fit_each.run(tmp_path, budget=12)
    assert batches[:2] == [[8, 8], [4, 4]]
    again = fit_each.run(tmp_path)
    assert again.added == 24
    for who in PEOPLE:
        same(again[who].dataset, found[who].dataset)
    text = str(fit_each.run(tmp_path))
    assert text.startswith("subject  P")
    assert "nothing was left to do" in text
    assert f"{again['bob'].loss:.5g}" in text


def test_a_point_of_each_is_replayed(found, fit_each):
    path = found["bob"].path
    study = fit_each.study_of(path)
    again = replay(path, evaluation=5, subject="bob", study=study, window=(0.01, 0.03))
    np.testing.assert_allclose(again.E.mean("time"), open_study(path).mean_E[5, 0], rtol=1e-4)


def test_mistakes_in_what_is_fitted_apart(fit_each, make_fit, subjects, people, tmp_path):
    with pytest.raises(UserError, match='each: no axis of labels "person"'):
        dataclasses.replace(fit_each, each="person")
    with pytest.raises(UserError, match=r"x\.zarr is one store; expected a folder, for a store of each subject"):
        fit_each.run(tmp_path / "x.zarr")
    with pytest.raises(UserError, match='no label "eve" of subject'):
        fit_each.of("eve")
    with pytest.raises(UserError, match="has one optimum, as each is not given"):
        make_fit().of("ann")
    net = subjects.axes["subject"]["ann"]
    twins = dataclasses.replace(subjects, axes={"subject": {"a b": net, "a_b": net}})
    with pytest.raises(UserError, match="a b, a_b of subject name the same file"):
        make_fit(study=twins, loss=lambda ds: ds.mean_E.mean("area"), each="subject")
    half = SumOfSquares("mean_E", people["mean_E"].data.sel(subject=["ann"]), scale=0.01)
    with pytest.raises(UserError, match="the data of mean_E lack subject bob"):
        dataclasses.replace(fit_each, loss=half).run(tmp_path)


def test_the_store_of_another_label_is_refused(fit_each, found, make_fit, tmp_path):
    other = make_fit(optimiser=CMAES(population=4), budget=4).run(tmp_path)
    with pytest.raises(UserError, match="expected a store of one of this fit's subject"):
        fit_each.study_of(other.path)


@pytest.mark.slow
def test_worker_processes_give_the_same_bits(make_fit, tmp_path):
    fit = make_fit(optimiser=CMAES(population=8), budget=16)
    here, there = fit.run(tmp_path / "here"), fit.run(tmp_path / "there", workers=2)
    same(here.dataset, there.dataset)
    assert here.best == there.best
    with pytest.raises(UserError, match="workers = 0; expected at least 1"):
        fit.run(tmp_path / "none", workers=0)
    with pytest.raises(UserError, match="no dask scheduler with a worker answers"):
        fit.run(tmp_path / "none", scheduler="tcp://127.0.0.1:1")


def test_a_fit_of_other_software_is_proved(make_fit, tmp_path, monkeypatch):
    """A store with another program of the model, and other code of the loss, by other versions."""
    from gbaexplore.store import stores

    store = tmp_path / "fit_small.zarr"

    def far(ds):
        return abs(ds.mean_E - TRUE["P"] / 10).mean("area")

    fit = make_fit(loss=far, optimiser=CMAES(population=8), budget=16)
    fit.run(tmp_path)

    def near(ds):
        return abs(TRUE["P"] / 10 - ds.mean_E).mean("area")

    other = make_fit(loss=near, optimiser=CMAES(population=8), budget=16)
    with pytest.raises(UserError, match=r"fit\.loss\.parts\.\.hash"):
        other.run(tmp_path)
    there = stores.software(store)
    for path in (store, tmp_path / "fit_small_profiles.zarr"):
        stores.adopt(path, stores.recipe(path), {**there, "jax": "0.0.1"})
    with pytest.raises(UserError, match=r"has other numbers than the study gives now: loss at evaluation 0 \(P = "):
        make_fit(loss=lambda ds: 2 * far(ds), optimiser=CMAES(population=8), budget=16).run(tmp_path)
    found = other.run(tmp_path)
    assert found.proof.points == 16
    assert "the store was made by other software: 16 finished points were computed again and agree" in str(found)
    assert stores.software(store)["jax"] == there["jax"]
    assert other.run(tmp_path).proof is None
    assert other.run(tmp_path, budget=20).added == 4
