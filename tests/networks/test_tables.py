"""Arrays and tables with labels, of any library: put in order by their labels, or refused."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from gbaexplore import Connectome, UserError, erdos_renyi, lesions, pathway_scalings, shuffled

AREAS = ["A", "B", "C"]
FLN = np.array([[0.0, 0.2, 0.1], [0.3, 0.0, 0.05], [0.1, 0.4, 0.0]])
LEVELS = [0.0, 0.5, 1.0]
TABLE = pd.DataFrame(FLN, AREAS, AREAS)
LABELLED = xr.DataArray(FLN, {"target": AREAS, "source": AREAS}, ("target", "source"))
OTHER = ["C", "A", "B"]


def net(fln=FLN, areas=AREAS, hierarchy=LEVELS, **others):
    return Connectome("three", areas, fln, values={"hierarchy": hierarchy}, **others)


@pytest.mark.parametrize(
    "fln",
    [
        np.matrix(FLN), sp.csr_matrix(FLN), sp.csr_matrix(FLN).todense(), sp.coo_array(FLN), np.asfortranarray(FLN),
        FLN.astype(">f8"), np.ma.array(FLN), FLN.tolist(), TABLE, TABLE.loc[OTHER, ["B", "C", "A"]],
        TABLE.astype("Float64"), pd.DataFrame(FLN), LABELLED, LABELLED.T, LABELLED.sel(target=OTHER),
        LABELLED.chunk(), xr.DataArray(FLN),
    ],
    ids=lambda fln: type(fln).__name__,
)  # fmt: skip
def test_weights_of_any_kind_make_the_same_connectome(fln):
    made, expected = net(fln), net()
    assert made == expected
    assert type(made.weights) is np.ndarray
    for variant in (
        lambda c: c.scaled(0.5), lambda c: c.lesioned("B"), lambda c: c.without_pathway("C", "B"),
        lambda c: c.symmetrized("geometric"), lambda c: c.without("A"), lambda c: c.thresholded(0.2),
        lambda c: c.with_targeted_inhibition(0.5),
    ):  # fmt: skip
        assert variant(made) == variant(expected)


def test_single_precision_is_taken_to_the_bit():
    assert net(FLN.astype(np.float32)) == net(jnp.asarray(FLN)) == net(FLN.astype(np.float32).astype(float))


def test_a_hierarchy_with_labels_is_put_in_order():
    levels = pd.Series({"C": 1.0, "A": 0.0, "B": 0.5})
    assert net(hierarchy=levels) == net(hierarchy=levels.to_xarray()) == net()
    assert net(hierarchy=pd.Series(LEVELS)) == net()
    generated = erdos_renyi(3, hierarchy=pd.Series({"a2": 1.0, "a1": 0.3, "a0": 0.0}))
    assert generated.values["hierarchy"].tolist() == [0.0, 0.3, 1.0]


def test_a_connectome_is_not_changed_through_the_array_that_it_was_made_of():
    fln = FLN.copy()
    made = net(fln)
    fln[0, 1] = 9
    assert made == net()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(fln=TABLE.rename(index={"A": "a"})), r"weights: rows \(targets\) are not the 3 areas \(A, a\)"),
        (dict(fln=TABLE[["A", "B", "B"]]), r"weights: columns \(sources\) are not the 3 areas"),
        (dict(fln=LABELLED.isel(source=[0, 1, 1])), r"weights: columns \(sources\) are not"),
        (
            dict(hierarchy=pd.Series({"A": 0.0, "B": 1.0})),
            r'values\["hierarchy"\] has no C; expected a value of each area',
        ),
        (dict(hierarchy={"A": 0, "B": 0.5}), "has no C; expected a value of each area"),
        (dict(hierarchy=[0.0, 1.0, 2.0]), r'"hierarchy"\] is 2 at C; expected values from 0 to 1: divide them'),
        (dict(hierarchy=[0.0, None, 1.0]), r'"hierarchy"\]\[1\] = None; expected finite numbers'),
        (dict(fln=FLN > 0), "weights has True and False"),
        (dict(fln=np.ma.masked_equal(FLN, 0.4)), "weights has masked values"),
        (dict(fln=TABLE.astype("Float64").where(TABLE != 0.4)), r"weights\[2\]\[1\] = <NA>; expected finite numbers"),
        (dict(fln=FLN.astype(str)), "weights has text"),
        (dict(fln=FLN.astype(complex)), "weights has complex numbers"),
        (dict(fln=[*FLN.tolist()[:2], [0.1]]), "weights has rows of different lengths"),
        (dict(fln=None), "weights = None; expected finite numbers"),
        (dict(lengths_mm=FLN[:, :2]), r"lengths_mm has shape \(3, 2\); expected \(3, 3\)"),
        (dict(areas="ABC"), "areas are str; expected a list of names, in order"),
        (dict(areas={"A", "B", "C"}), "areas are set; expected a list of names, in order"),
        (dict(areas=None), "areas are NoneType"),
        (dict(areas=["A", "B", "C\x1b[2K"]), r"the area name 'C\\x1b\[2K' has characters that do not print"),
        (dict(areas=["A", "B", "C\nD"]), "characters that do not print"),
        (dict(areas=["A", "B", "\u202eC"]), "characters that do not print"),
        (dict(areas=["A", "B", "C" * 201]), "more than 200"),
        (dict(areas=["A", "B", " C"]), "without blanks around it; found ' C'"),
        (dict(areas=["A", "B", np.nan]), "must be non-empty text, .*found nan"),
    ],
)
def test_what_is_refused(parts, message):
    with pytest.raises(UserError, match=message):
        net(**parts)


def test_names_of_arrays_are_text_of_python():
    made = net(areas=np.array(AREAS))
    assert {type(area) for area in made.areas} == {str}
    assert made == net(areas=pd.Index(AREAS))
    assert Connectome("a\x1b", AREAS, FLN).name == r"a\x1b"


@pytest.mark.parametrize("factor", [True, None, "2", np.nan, -1, 1j, [2.0]])
def test_factors_are_numbers(factor):
    for variant in (net().scaled, net().thresholded, net().with_targeted_inhibition):
        with pytest.raises(UserError, match=r"^the (factor|threshold) "):
            variant(factor)
    with pytest.raises(UserError, match=r"^the factor "):
        pathway_scalings(net(), factor)


@pytest.mark.parametrize("wrong", [None, 5, np.ones(3), pd.Series(AREAS), ["A"], pd.NA, "D", FLN, {}], ids=repr)
def test_areas_and_choices_are_text(wrong):
    made = net()
    for ask in (made.index, made.lesioned, made.without):
        with pytest.raises(UserError, match=r"is not the name of an area of three; expected text|no area \"D\""):
            ask(wrong)
    with pytest.raises(UserError, match='expected "arithmetic" or "geometric"'):
        made.symmetrized(wrong)
    with pytest.raises(UserError, match='expected "degree" or "weights"'):
        shuffled(made, wrong)
    for ask in (lambda v: shuffled(v, "weights"), lesions, lambda v: pathway_scalings(v, 0.5)):
        with pytest.raises(UserError, match=r"is not a connectome; expected a Connectome, such as"):
            ask(wrong)


def test_axes_of_lesions():
    assert list(lesions(net(), ["C", "A"])) == ["none", "C", "A"]
    for areas, message in (
        ("AB", "areas are str; expected a list"),
        ({"A", "B"}, "areas are set"),
        (["A", "A"], "area A is there more than once"),
        (["D"], 'no area "D" in three'),
    ):
        with pytest.raises(UserError, match=message):
            lesions(net(), areas)
    with pytest.raises(UserError, match='an area called "none" can\'t be a label'):
        lesions(net(areas=["A", "B", "none"]))
