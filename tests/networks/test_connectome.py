import dataclasses
import pickle

import numpy as np
import pytest

from gbaexplore import (
    Connectome,
    ODEModel,
    Peak,
    Pulse,
    Study,
    ThresholdLinear,
    UserError,
    WilsonCowan,
    load_connectome,
    parameter,
    simulate,
)  # fmt: skip
from gbaexplore.networks.axes import same_areas


def small(**parts):
    given = dict(
        name="two", areas=("a", "b"), weights=np.array([[0, 0.2], [0.3, 0]]), values={"hierarchy": np.array([0.0, 1.0])}
    )
    return Connectome(**{**given, **parts})


def test_macaque_has_the_published_counts(macaque):
    assert len(macaque.areas) == 29
    assert (macaque.areas[0], macaque.areas[-1]) == ("V1", "24c")
    assert {"9/46d", "2", "5", "10"} <= set(macaque.areas), "names stay text, digits and slashes included"
    assert np.count_nonzero(macaque.weights) == 536
    assert macaque.values["hierarchy"].max() == 1.0
    assert (np.diff(macaque.values["hierarchy"]) >= 0).all()
    assert not np.diag(macaque.weights).any()
    np.testing.assert_allclose(macaque.lengths_mm, macaque.lengths_mm.T, atol=0.71)


def test_rows_are_targets(macaque):
    # V2's strongest known input is V1, with FLN 0.7636; V1 gets 0.7322 of its own from V2.
    assert macaque.weights[macaque.index("V2"), macaque.index("V1")] == pytest.approx(0.76356, abs=1e-5)
    assert macaque.to_dataset().weights.sel(target="V1", source="V2").item() == pytest.approx(0.73216, abs=1e-5)


def test_content_decides_equality_not_the_name(macaque):
    again = load_connectome("macaque29")
    assert again == macaque
    assert hash(again) == hash(macaque)
    assert again.without_feedback() != macaque
    assert again.scaled(1.0) == macaque
    assert "macaque29" in repr(macaque)
    assert "536 of 812" in repr(macaque)


def test_variants(macaque):
    i, j = macaque.index("V4"), macaque.index("V1")
    assert not np.triu(macaque.without_feedback().weights, 1).any()
    mean = macaque.symmetrized("arithmetic").weights
    np.testing.assert_allclose(mean[i, j], (macaque.weights[i, j] + macaque.weights[j, i]) / 2)
    geometric = macaque.symmetrized("geometric").weights
    np.testing.assert_allclose(geometric[i, j], np.sqrt(macaque.weights[i, j] * macaque.weights[j, i]))
    kept = macaque.thresholded(1e-3).weights
    assert (kept[kept > 0] >= 1e-3).all()
    assert np.count_nonzero(kept) == np.count_nonzero(macaque.weights >= 1e-3)
    assert macaque.scaled(0.5, target="V4").weights[i, j] == macaque.weights[i, j] / 2
    assert macaque.scaled(0.5, source="V4").weights[i, j] == macaque.weights[i, j]
    cut = macaque.without_pathway("V4", "V1")
    assert cut.weights[i, j] == 0
    assert np.count_nonzero(cut.weights) == 535
    fewer = macaque.without("V4", "9/46d")
    assert len(fewer.areas) == 27
    assert fewer.weights.shape == (27, 27)
    assert (
        fewer.weights[fewer.index("24c"), fewer.index("8m")]
        == macaque.weights[macaque.index("24c"), macaque.index("8m")]
    )
    assert fewer.pathway_values["sln"].shape == fewer.lengths_mm.shape == (27, 27)


def test_targeted_inhibition(macaque):
    targeted = macaque.with_targeted_inhibition(0.2)
    i, j = macaque.index("V4"), macaque.index("V1")
    up = macaque.values["hierarchy"][i] - macaque.values["hierarchy"][j]
    assert up > 0
    assert targeted.further_weights["inhibitory"][i, j] == pytest.approx(macaque.weights[i, j] * (1 + 0.2 * up))
    assert targeted.further_weights["inhibitory"][j, i] == macaque.weights[j, i]
    np.testing.assert_array_equal(targeted.weights, macaque.weights)
    assert targeted != macaque
    assert not np.triu(targeted.without_feedback().further_weights["inhibitory"], 1).any()
    assert targeted.without("V4").further_weights["inhibitory"].shape == (28, 28)
    with pytest.raises(UserError, match="the factor = -1; expected a number of at least 0"):
        macaque.with_targeted_inhibition(-1)


def test_it_can_not_be_changed(macaque):
    with pytest.raises(ValueError, match="read-only"):
        macaque.weights[0, 1] = 0
    with pytest.raises(AttributeError):
        macaque.name = "mine"
    labelled = macaque.to_dataset()
    labelled.weights[0, 1] = 5
    assert load_connectome("macaque29") == macaque


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(weights=np.zeros((2, 3))), r"weights has shape \(2, 3\); expected \(2, 2\)"),
        (dict(lengths_mm=np.array([[0, -0.1], [0, 0]])), r"lengths_mm is -0.1 at a<-b; expected finite values >= 0"),
        (dict(weights=np.array([[0, np.nan], [0, 0]])), "weights is nan at a<-b"),
        (dict(values={"hierarchy": np.array([0.0])}), r'values\["hierarchy"\] has shape \(1,\)'),
        (dict(areas=("a", "a")), "area a is there more than once"),
        (dict(areas=()), "no areas"),
        (dict(areas=("a", 5)), "must be non-empty text, .* found 5"),
    ],
)
def test_bad_content(parts, message):
    with pytest.raises(UserError, match=message):
        small(**parts)


def test_bad_requests(macaque):
    with pytest.raises(UserError, match='no area "v1" in macaque29; did you mean "V1"'):
        macaque.index("v1")
    with pytest.raises(UserError, match='expected "arithmetic" or "geometric"'):
        macaque.symmetrized("mean")
    with pytest.raises(UserError, match="the threshold = -1; expected a number of at least 0"):
        macaque.thresholded(-1)
    with pytest.raises(UserError, match="the factor = nan; expected a finite number"):
        macaque.scaled(np.nan)
    with pytest.raises(UserError, match="leaves no area"):
        small().without("a", "b")
    with pytest.raises(UserError, match=r'no connectome "macaque"; did you mean "macaque29"\?; looked in .*; expected'):
        load_connectome("macaque")
    with pytest.raises(UserError, match=r'"on" and "cut" differ in their areas \(V4\)'):
        same_areas({"on": macaque, "cut": macaque.without("V4")})


# What a network need not have.


def plain(**parts):
    """Areas without a hierarchy, some of which inhibit each other."""
    given = dict(
        name="plain", areas=("c", "a", "b"), weights=[[0.5, 0.2, -0.1], [0.3, 0, 0.4], [0, -0.8, 0]],
        lengths_mm=[[0, 10, 20], [10, 0, 30], [20, 30, 0]], values={"myelin": {"a": 1.5, "b": 2.0, "c": 1.0}},
        further_weights={"inhibitory": [[0, 1.0, 0], [0, 0, 0], [2.0, 0, 0]]},
        pathway_values={"tracts": [[0, 7, 1], [7, 0, 3], [1, 3, 0]]}, positions_mm=np.arange(9.0).reshape(3, 3),
        about={"myelin": {"long_name": "T1w/T2w", "units": "1"}},
    )  # fmt: skip
    return Connectome(**{**given, **parts})


def test_areas_are_in_any_order_and_have_any_values():
    made = plain()
    assert made.areas == ("c", "a", "b")
    assert made.values["myelin"].tolist() == [1.0, 1.5, 2.0]
    assert made.strength.tolist() == pytest.approx([0.6, 0.7, -0.8])
    fewer = made.without("a")
    assert fewer.values["myelin"].tolist() == [1.0, 2.0]
    assert fewer.further_weights["inhibitory"].tolist() == [[0, 0], [2.0, 0]]
    assert fewer.pathway_values["tracts"].tolist() == [[0, 1], [1, 0]]
    assert fewer.positions_mm.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert fewer.about == made.about
    assert made.sorted_by("myelin") == made
    assert plain(values={"myelin": [3.0, 1.0, 2.0]}).sorted_by("myelin").areas == ("a", "b", "c")


def test_what_needs_a_hierarchy_asks_for_it():
    for ask in (lambda c: c.without_feedback(), lambda c: c.with_targeted_inhibition(0.5)):
        with pytest.raises(
            UserError, match=r"^plain has no hierarchy, which .*\(\) needs; expected Connectome\(\.\.\., values"
        ):
            ask(plain())
    with pytest.raises(UserError, match=r'no "hierarchy" among its values \(it has myelin\).*values=\{"hierarchy"'):
        plain().sorted_by("hierarchy")
    with pytest.raises(UserError, match='"hierarchy" among its values'):
        simulate(ThresholdLinear(), plain(weights=np.zeros((3, 3))), Pulse("a", 0.01, 0.01, 1.0), duration=0.02)


def test_feedback_is_told_by_the_hierarchy_and_not_by_the_order(macaque):
    order = np.random.default_rng(3).permutation(29).tolist()
    mixed = macaque._taken("", order)
    back = [mixed.areas.index(area) for area in macaque.areas]
    assert mixed.without_feedback()._taken("", back) == macaque.without_feedback()


@pytest.mark.slow
def test_negative_weights_are_for_models_that_take_them():
    with pytest.raises(UserError, match="plain has negative weights, which ThresholdLinear does not take; expected"):
        simulate(ThresholdLinear(), plain(), Pulse("a", 0.01, 0.01, 1.0), duration=0.02)
    with pytest.raises(UserError, match='has negative weights, which have no geometric mean; expected "arithmetic"'):
        plain().symmetrized("geometric")
    assert plain().thresholded(0.4).weights.tolist() == [[0.5, 0, 0], [0, 0, 0.4], [0, -0.8, 0]]
    found = simulate(WilsonCowan(), plain().without_self_connections(), Pulse("a", 0.01, 0.01, 1.0), duration=0.02)
    assert np.isfinite(found.E).all()


def test_self_connections_are_said_where_they_act():
    with pytest.warns(UserWarning, match=r"^plain: the weight of an area onto itself .*without_self_connections\(\)"):
        simulate(WilsonCowan(), plain(), Pulse("a", 0.01, 0.01, 1.0), duration=0.02)
    assert "5 of 6 pathways, 1 self-connections" in repr(plain())
    assert repr(plain().without_self_connections()).count("self-connections") == 1, "in its name alone"


@pytest.mark.parametrize(
    ("by", "weights", "further"),
    [
        ("max", [[0, 0.5], [1.0, 0]], [[0, 0], [2.0, 0]]),
        ("strength", [[0, 1.0], [1.0, 0]], [[0, 0], [2.0, 0]]),
        ("largest strength", [[0, 0.5], [1.0, 0]], [[0, 0], [2.0, 0]]),
        ("spectral radius", [[0, 2.0 / 8**0.5], [4.0 / 8**0.5, 0]], [[0, 0], [8.0 / 8**0.5, 0]]),
    ],
)
def test_normalisations(by, weights, further):
    made = Connectome("two", ("a", "b"), [[0, 2.0], [4.0, 0]], further_weights={"x": [[0, 0], [8.0, 0]]})
    found = made.normalized(by)
    np.testing.assert_allclose(found.weights, weights, rtol=1e-12)
    np.testing.assert_allclose(found.further_weights["x"], further, rtol=1e-12)


def test_an_area_without_input_stays_so():
    made = Connectome("two", ("a", "b"), [[0, 2.0], [0, 0]])
    assert made.normalized("strength").weights.tolist() == [[0, 1.0], [0, 0]]
    with pytest.raises(UserError, match="can't be normalized: its spectral radius is 0"):
        made.normalized("spectral radius")
    with pytest.raises(UserError, match=r'normalized\(by=\'sum\'\): expected one of "max", "strength"'):
        made.normalized("sum")


def test_transposed():
    made, turned = plain(), plain().transposed()
    for part in ("weights", "lengths_mm"):
        np.testing.assert_array_equal(getattr(turned, part), getattr(made, part).T)
    np.testing.assert_array_equal(turned.further_weights["inhibitory"], made.further_weights["inhibitory"].T)
    np.testing.assert_array_equal(turned.pathway_values["tracts"], made.pathway_values["tracts"].T)


def test_a_dataset_and_back():
    for made in (plain(), small(), load_connectome("macaque29").with_targeted_inhibition(0.3)):
        again = Connectome.from_dataset(made.to_dataset())
        assert again == made
        assert again.name == made.name
        assert pickle.loads(pickle.dumps(made)) == made
        assert all(again.attributes(name) == made.attributes(name) for name in ("weights", *made.values))
    labelled = load_connectome("macaque29").to_dataset()
    assert labelled.weights.attrs == {"long_name": "fraction of labelled neurons", "units": "1"}
    assert labelled.lengths_mm.attrs["units"] == "mm"


def test_content_is_all_that_has_a_name():
    made = plain()
    others = (
        plain(values={}), plain(values={"other": [1.0, 1.5, 2.0]}), plain(lengths_mm=None), plain(positions_mm=None),
        plain(pathway_values={}), plain(further_weights={}), plain(further_weights={"x": np.zeros((3, 3))}),
    )  # fmt: skip
    assert len({made, plain(about={}), *others}) == 1 + len(others)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(values=[1, 2, 3]), "values is list; expected a mapping, name -> array"),
        (dict(values={5: [1, 2, 3]}), "values has the name 5; expected text without blanks around it"),
        (dict(values={"../x": [1, 2, 3]}), r"has the name '../x'; expected text .*a slash in it"),
        (dict(values={"weights": [1, 2, 3]}), '"weights" is the name of something else already; expected another'),
        (dict(values={"tracts": [1, 2, 3]}), '"tracts" is the name of something else already'),
        (dict(values={"area": [1, 2, 3]}), '"area" is the name of something else already'),
        (dict(values={"myelin": {"a": 1.0}}), r'values\["myelin"\] has no c, b; expected a value of each area'),
        (dict(values={"myelin": [1, 2]}), r"has shape \(2,\); expected \(3,\): a value for each area"),
        (dict(positions_mm=np.zeros((3, 2))), r"positions_mm has shape \(3, 2\); expected \(3, 3\): x, y and z"),
        (dict(about={"myelin": {"unit": "1"}}), r'about\["myelin"\] has unit = \'1\'; expected long_name or units'),
        (dict(further_weights={"x": np.zeros((2, 2))}), r'further_weights\["x"\] has shape \(2, 2\); expected'),
    ],
)
def test_parts_that_are_refused(parts, message):
    with pytest.raises(UserError, match=message):
        plain(**parts)


# In a study.


def asked(connectome, model=None, **parts):
    given = dict(
        name="asked", model=model or WilsonCowan(), connectome=connectome, axes={"P": [0.0]}, duration=0.02,
        stimulus=Pulse("a", 0.01, 0.01, 1.0), measures=[Peak()],
    )  # fmt: skip
    return Study(**{**given, **parts})


def test_values_of_areas_are_coordinates_of_results():
    made = plain(values={"myelin": [1.0, 1.5, 2.0], "density": [3.0, 4.0, 5.0]}).without_self_connections()
    ds = asked(made).template()
    assert ds.myelin.dims == ("area",)
    assert ds.myelin.attrs == {"long_name": "T1w/T2w"}
    assert ds.sel(area="b").density == 5.0
    other = dataclasses.replace(made, values={"myelin": [1.0, 1.5, 2.5]})
    ds = asked(None, axes={"P": [0.0], "subject": {"one": made, "two": other}}).template()
    assert ds.myelin.dims == ("subject", "area")
    assert ds.myelin.sel(subject="two", area="b") == 2.5
    assert "density" not in ds.coords, "one of them does not have it"


def test_names_of_values_that_are_taken():
    made = plain(values={"P": [1.0, 1.5, 2.0]}, about={}).without_self_connections()
    with pytest.raises(UserError, match='the values of areas "P" have the name of a parameter of WilsonCowan'):
        asked(made)
    made = plain(values={"subject": [1.0, 1.5, 2.0]}, about={}).without_self_connections()
    with pytest.raises(UserError, match='axis "subject" uses a reserved name'):
        asked(None, axes={"P": [0.0], "subject": {"one": made}})


@dataclasses.dataclass(frozen=True)
class Weighed(ODEModel):
    """A linear system with two further kinds of weights and values of areas."""

    tau: float = parameter(0.02, units="s", doc="time constant", above=0)

    observables = {"x": "1"}

    def derivative(self, x, p, net, stimulus):
        far = net.weights @ x.x - net.further_weights["b"] @ x.x + net.values["gain"] * (net.further_weights["a"] @ x.x)
        return {"x": (far + stimulus - x.x) / p.tau}


def test_a_model_reads_values_and_weights_by_name():
    rng = np.random.default_rng(1)
    W, A, B = (rng.random((3, 3)) * (1 - np.eye(3)) for _ in range(3))
    gain = np.array([0.1, 0.2, 0.3])
    made = Connectome("three", ("a", "b", "c"), W, values={"gain": gain}, further_weights={"b": B, "a": A})
    pulse = Pulse("a", 0.0, 0.02, 1.0)
    found = simulate(Weighed(), made, pulse, duration=0.02, dt=1e-3, precision="float64").x
    x, expected = np.zeros(3), []
    for _ in range(20):
        x = x + 1e-3 / 0.02 * (W @ x - B @ x + gain * (A @ x) + np.array([1.0, 0, 0]) - x)
        expected.append(x)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    lacking = dataclasses.replace(made, further_weights={"b": B})
    with pytest.raises(UserError, match=r'no "a" among its further_weights \(it has b\), which is asked for; expected'):
        simulate(Weighed(), lacking, pulse, duration=0.02)
