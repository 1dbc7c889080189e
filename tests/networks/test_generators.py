import math

import numpy as np
import pytest
import scipy.stats

from gbaexplore import Connectome, UserError, distance_rule, erdos_renyi, lesions, pathway_scalings, shuffled

MAKERS = {
    "distance": lambda macaque, seed: distance_rule(20, density=0.4, seed=seed),
    "distances of a connectome": lambda macaque, seed: distance_rule(macaque, seed=seed),
    "random": lambda macaque, seed: erdos_renyi(20, density=0.3, seed=seed),
    "degree": lambda macaque, seed: shuffled(macaque, keep="degree", seed=seed),
    "weights": lambda macaque, seed: shuffled(macaque, keep="weights", seed=seed),
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_a_seed_makes_the_same_connectome_and_another_seed_another(maker, macaque):
    first, again, other = maker(macaque, 1), maker(macaque, 1), maker(macaque, 2)
    assert first == again
    assert first != other
    assert "seed 1" in first.name
    assert not np.diag(first.weights).any()


def test_what_a_rule_makes(macaque):
    found = distance_rule(50, density=0.4, seed=3)
    assert found.name == "distance rule, 50 areas, 5.3 mm, density 0.4, seed 3"
    assert found.areas[0] == "a00"
    assert np.count_nonzero(found.weights) == round(0.4 * 50 * 49)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)
    np.testing.assert_array_equal(found.values["hierarchy"], np.linspace(0, 1, 50))
    np.testing.assert_array_equal(found.lengths_mm, found.lengths_mm.T)
    apart = found.lengths_mm[~np.eye(50, dtype=bool)]
    assert apart.max() < 53
    assert apart.mean() == pytest.approx(27.2, rel=0.1)  # the macaque's areas are 27.2 mm apart
    own = distance_rule(macaque)
    assert own.areas == macaque.areas
    np.testing.assert_array_equal(own.values["hierarchy"], macaque.values["hierarchy"])
    np.testing.assert_array_equal(own.lengths_mm, macaque.lengths_mm)
    assert own.pathway_values.keys() == set()


def test_axons_become_rarer_with_distance_as_the_rule_says():
    # Two kinds of distance in a row of areas; with all pathways there the rarest has many axons, and FLN is exact.
    line = np.arange(6.0)[:, None]
    found = distance_rule(line, length_mm=0.4, density=1.0, seed=0)
    near, far = found.weights[2, 1], found.weights[2, 4]  # 1 and 2 mm
    assert math.log(near / far) == pytest.approx(1 / 0.4, abs=0.05)
    sides = found.weights[2, 1] / found.weights[2, 3]
    assert sides == pytest.approx(1, abs=0.05)


def test_axons_are_as_if_drawn_one_by_one():
    """The first pathways of many seeds, against the probabilities of a draw, and of a second one without the first."""
    positions = np.array([[0.0], [1.0], [2.5]])
    apart = np.abs(positions - positions.T)
    rate = np.where(apart > 0, np.exp(-apart), 0).ravel()
    p = rate / rate.sum()
    pairs = {(i, j): p[i] * p[j] / (1 - p[i]) + p[j] * p[i] / (1 - p[j]) for i in range(9) for j in range(i)}
    pairs = {pair: probability for pair, probability in pairs.items() if probability > 0}
    seen = dict.fromkeys(pairs, 0)
    for seed in range(1500):
        there = np.flatnonzero(distance_rule(positions, length_mm=1.0, density=2 / 6, seed=seed).weights)
        seen[tuple(there[::-1].tolist())] += 1
    expected = np.array(list(pairs.values()))
    assert expected.sum() == pytest.approx(1)
    assert scipy.stats.chisquare(list(seen.values()), 1500 * expected).pvalue > 0.001


def test_random_pathways_are_any_with_the_same_chance():
    found = erdos_renyi(30, density=0.2, seed=0)
    assert np.count_nonzero(found.weights) == round(0.2 * 30 * 29)
    assert found.lengths_mm is None
    for row in found.weights:
        count = np.count_nonzero(row)
        assert set(row) <= {0.0, 1 / max(count, 1)}
    seen = sum(erdos_renyi(4, density=0.5, seed=seed).weights > 0 for seed in range(600))
    assert scipy.stats.chisquare(seen[~np.eye(4, dtype=bool)]).pvalue > 0.001


def test_a_hierarchy_may_be_given():
    levels = [0.0, 0.1, 0.1, 0.9]
    assert erdos_renyi(4, hierarchy=levels).values["hierarchy"].tolist() == levels
    assert distance_rule(4, hierarchy=levels).values["hierarchy"].tolist() == levels
    with pytest.raises(UserError, match=r'"hierarchy"\] has shape \(2,\); expected \(4,\)'):
        erdos_renyi(4, hierarchy=[0.0, 1.0])


# Shuffles.


def sorted_rows(matrix):
    return np.sort(matrix, axis=1)


def test_a_shuffle_that_keeps_degrees(macaque):
    found = shuffled(macaque, keep="degree", seed=5)
    there, was = found.weights > 0, macaque.weights > 0
    np.testing.assert_array_equal(there.sum(axis=0), was.sum(axis=0))
    np.testing.assert_array_equal(there.sum(axis=1), was.sum(axis=1))
    np.testing.assert_array_equal(sorted_rows(found.weights), sorted_rows(macaque.weights))
    assert (there != was).sum() > 150
    np.testing.assert_array_equal(found.values["hierarchy"], macaque.values["hierarchy"])
    np.testing.assert_array_equal(found.lengths_mm, macaque.lengths_mm)
    assert found.pathway_values.keys() == set()


def test_rewiring_reaches_every_graph_equally_often():
    """A ring of four one way has nine graphs of its degrees: all fixed-point-free permutations."""
    ring = Connectome("ring", tuple("abcd"), np.roll(np.eye(4), 1, axis=1))
    seen = {}
    for seed in range(900):
        sources = tuple(shuffled(ring, keep="degree", seed=seed).weights.argmax(axis=1).tolist())
        seen[sources] = seen.get(sources, 0) + 1
    assert len(seen) == 9
    assert scipy.stats.chisquare(list(seen.values())).pvalue > 0.001


def test_a_shuffle_that_keeps_weights(macaque):
    found = shuffled(macaque, keep="weights", seed=5)
    np.testing.assert_array_equal(found.weights > 0, macaque.weights > 0)
    np.testing.assert_array_equal(sorted_rows(found.weights), sorted_rows(macaque.weights))
    assert (found.weights != macaque.weights)[macaque.weights > 0].mean() > 0.8


@pytest.mark.parametrize("keep", ["degree", "weights"])
def test_pathways_onto_inhibition_are_moved_alike(keep, macaque):
    doubled = Connectome(
        "doubled",
        macaque.areas,
        macaque.weights,
        values=macaque.values,
        pathway_values=macaque.pathway_values,
        further_weights={"inhibitory": 2 * macaque.weights},
    )
    found = shuffled(doubled, keep=keep, seed=1)
    np.testing.assert_array_equal(found.further_weights["inhibitory"], 2 * found.weights)
    assert found.weights.tolist() == shuffled(macaque, keep=keep, seed=1).weights.tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: distance_rule(1), "number of areas = 1; expected a whole number of at least 2"),
        (lambda m: distance_rule(5, length_mm=0), "length_mm = 0; expected a length above 0"),
        (lambda m: distance_rule(5, density=1.2), "density = 1.2; expected a share"),
        (lambda m: distance_rule(5, seed=-1), "seed = -1; expected a whole number"),
        (lambda m: distance_rule(np.zeros(5)), r"positions of shape \(5,\); expected"),
        (lambda m: distance_rule(erdos_renyi(5)), "has no lengths_mm"),
        (lambda m: distance_rule([[0.0], [1.0], [1000.0]], density=1.0), "distances of up to 189 times length_mm"),
        (lambda m: distance_rule([[0.0], [1.0], [9e9]], density=1.0), "times length_mm; expected a larger"),
        (lambda m: erdos_renyi(2.5), "number of areas = 2.5; expected a whole number"),
        (lambda m: erdos_renyi(10**9), "number of areas = 1,000,000,000; expected at most 20,000"),
        (lambda m: erdos_renyi(True), "number of areas = True; expected a whole number"),
        (lambda m: erdos_renyi(9, density="0.5"), "density = '0.5'; expected a finite number"),
        (lambda m: erdos_renyi(9, seed=1.5), "seed = 1.5; expected a whole number"),
        (lambda m: erdos_renyi(9, hierarchy=[0.0] * 8), r'"hierarchy"\] has shape \(8,\); expected \(9,\)'),
        (lambda m: distance_rule("20"), "positions = '20'; expected finite numbers"),
        (lambda m: distance_rule(9, length_mm=5e-324), "expected a larger length_mm"),
        (lambda m: distance_rule([[0.0], [None]]), r"positions\[1\]\[0\] = None; expected finite numbers"),
        (lambda m: erdos_renyi(5, density=0.01), "density = 0.01; expected a share .* at least one pathway"),
        (lambda m: shuffled(m, keep="sum"), r"shuffled\(keep='sum'\); expected .degree. or .weights."),
        (lambda m: shuffled(erdos_renyi(4, density=1.0), keep="degree"), "no two of its 12 pathways can be swapped"),
    ],
)
def test_bad_requests(make, message, macaque):
    with pytest.raises(UserError, match=message):
        make(macaque)


# Axes of lesions and of pathways.


def test_a_lesioned_area_is_a_silent_island(macaque):
    cut = macaque.with_targeted_inhibition(0.1).lesioned("V4", "MT")
    gone = [cut.index("V4"), cut.index("MT")]
    for matrix in (cut.weights, cut.further_weights["inhibitory"]):
        assert not matrix[gone].any()
        assert not matrix[:, gone].any()
    rest = np.setdiff1d(np.arange(29), gone)
    np.testing.assert_array_equal(cut.weights[np.ix_(rest, rest)], macaque.without("V4", "MT").weights)
    assert cut.areas == macaque.areas
    assert cut.name.endswith("V4, MT lesioned")
    with pytest.raises(UserError, match='no area "v4"'):
        macaque.lesioned("v4")


def test_lesions_are_an_axis(macaque):
    axis = lesions(macaque)
    assert list(axis) == ["none", *macaque.areas]
    assert axis["none"] == macaque
    assert axis["V4"] == macaque.lesioned("V4")
    assert list(lesions(macaque, ["V2", "24c"])) == ["none", "V2", "24c"]


def test_pathways_are_an_axis(macaque):
    assert len(pathway_scalings(macaque, 0.5)) == 1 + 536
    into = pathway_scalings(macaque, 0, target="24c")
    assert len(into) == 1 + np.count_nonzero(macaque.weights[macaque.index("24c")])
    assert into["24c<-8m"] == macaque.without_pathway("24c", "8m")
    assert list(pathway_scalings(macaque, 2, target="V2", source="V1")) == ["none", "V2<-V1"]
    assert pathway_scalings(macaque, 2, source="V1")["V2<-V1"] == macaque.scaled(2, target="V2", source="V1")
    with pytest.raises(UserError, match='no area "v4"'):
        pathway_scalings(macaque, 2, source="v4")
