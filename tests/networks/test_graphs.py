"""Connectomes from pandas tables and NetworkX graphs."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from gbaexplore import Connectome, UserError

AREAS = ["low", "mid", "high"]
HIERARCHY = {"high": 1.0, "low": 0.0, "mid": 0.25, "elsewhere": 0.75}
FLN = pd.DataFrame(
    {"low": [0, 0.7, 0.1], "mid": [0.2, 0, 0.6], "high": [0.05, 0.0, 0]}, index=AREAS
)  # columns: sources


def graph():
    made = nx.DiGraph(name="three")
    for area in ("mid", "high", "low"):
        made.add_node(area, hierarchy=HIERARCHY[area])
    made.add_edge("low", "mid", fln=0.7, mm=10.0)  # from low to mid: mid receives
    made.add_edge("low", "high", fln=0.1, mm=20.0)
    made.add_edge("mid", "low", fln=0.2, mm=10.0)
    made.add_edge("mid", "high", fln=0.6, mm=12.0)
    made.add_edge("high", "low", fln=0.05, mm=20.0)
    return made


def full(macaque):
    """A connectome with every matrix that there is, and a hierarchy that does not end at 1."""
    return macaque.with_targeted_inhibition(0.2).without("24c", "V4")


# pandas.


def test_tables_are_put_in_hierarchical_order():
    found = Connectome.from_pandas(FLN.loc[["high", "mid", "low"]], "three", values={"hierarchy": pd.Series(HIERARCHY)})
    assert found.areas == ("low", "mid", "high")
    assert found.values["hierarchy"].tolist() == [0.0, 0.25, 1.0]
    assert Connectome.from_pandas(FLN.loc[["high", "mid", "low"]]).areas == ("high", "mid", "low"), "as they are"
    assert found.weights[found.index("mid"), found.index("low")] == 0.7
    assert found.weights[found.index("low"), found.index("mid")] == 0.2
    assert not found.without_feedback().weights[0].any()


def test_all_parts_may_be_tables(macaque):
    ds = full(macaque).to_dataset()
    tables = {str(name): ds[name].to_pandas().iloc[::-1] for name in ds.data_vars}
    found = Connectome.from_pandas(
        tables["weights"], lengths_mm=tables["lengths_mm"], values={"hierarchy": tables["hierarchy"]},
        pathway_values={"sln": tables["sln"]}, further_weights={"inhibitory": tables["inhibitory"]},
    )  # fmt: skip
    assert found == full(macaque)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"weights": FLN[["low", "mid"]]},
            r"weights: columns \(sources\) are not the 3 areas .*\(high\); .*loc\[areas, areas\]",
        ),
        ({"weights": FLN[["low", "mid", "high", "low"]]}, r"columns \(sources\) .*\(some area twice\)"),
        ({"lengths_mm": FLN.rename(index={"low": "Low"})}, r"lengths_mm: rows \(targets\) are not .*\(Low, low\)"),
        ({"weights": FLN.rename(index={"low": "mid"})}, "area mid is there more than once"),
        ({"weights": FLN.astype(str).replace("0.7", "much")}, r"weights\[0\]\[0\] = '0.0'; expected finite numbers"),
        ({"weights": FLN.replace(0.7, np.nan)}, "weights is nan at mid<-low"),
        (
            {"values": {"hierarchy": {"low": 0.0}}},
            r'values\["hierarchy"\] has no mid, high; expected a value of each area',
        ),
        ({"values": {"hierarchy": {**HIERARCHY, "mid": "middle"}}}, r"\[1\] = 'middle'; expected finite numbers"),
        ({"values": {"hierarchy": [0, 1, 2]}}, r'values\["hierarchy"\] is 2 at high; expected values from 0 to 1'),
        (
            {"values": {"hierarchy": pd.Series([0, 1, 2, 3], ["low", "low", "mid", "high"])}},
            r'values\["hierarchy"\] has some area twice',
        ),
        ({"values": {"hierarchy": {**HIERARCHY, "mid": np.nan}}}, r'values\["hierarchy"\] is nan at mid'),
        ({"weights": FLN.to_numpy()}, "weights is ndarray; expected a pandas DataFrame with area labels"),
        ({"weights": None}, "weights is NoneType; expected a pandas DataFrame"),
        ({"lengths_mm": FLN.reset_index(drop=True).iloc[:2]}, r"lengths_mm has shape \(2, 3\)"),
    ],
)
def test_tables_that_do_not_fit(parts, message):
    with pytest.raises(UserError, match=message):
        Connectome.from_pandas(**{"weights": FLN, "values": {"hierarchy": HIERARCHY}, **parts})


# NetworkX.


def test_an_edge_goes_from_source_to_target():
    found = Connectome.from_networkx(graph(), "fln", values=["hierarchy"])
    assert found == Connectome.from_pandas(FLN, values={"hierarchy": HIERARCHY})
    assert found.name == "three"
    assert found.weights[found.index("mid"), found.index("low")] == 0.7
    transposed = nx.to_numpy_array(graph(), nodelist=found.areas, weight="fln").T
    np.testing.assert_array_equal(found.weights, transposed)


def test_attributes_of_other_names(macaque):
    relabelled = nx.DiGraph()
    for area, level in zip(macaque.areas, macaque.values["hierarchy"]):
        relabelled.add_node(area, level=level)
    for i, j in np.argwhere(macaque.weights > 0):
        weight, mm = macaque.weights[i, j], macaque.lengths_mm[i, j]
        relabelled.add_edge(macaque.areas[j], macaque.areas[i], w=weight, mm=mm, mm2=2)
    found = Connectome.from_networkx(relabelled, "w", lengths_mm="mm", values=["level"], pathway_values=["mm2"])
    np.testing.assert_array_equal(found.weights, macaque.weights)
    np.testing.assert_array_equal(found.lengths_mm, np.where(macaque.weights > 0, macaque.lengths_mm, 0))
    np.testing.assert_array_equal(found.values["level"], macaque.values["hierarchy"])
    np.testing.assert_array_equal(found.pathway_values["mm2"], np.where(macaque.weights > 0, 2.0, 0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.to_undirected(), "found a Graph; expected a networkx.DiGraph"),
        (nx.MultiDiGraph, "found a MultiDiGraph; expected a networkx.DiGraph"),
        (lambda g: g.add_edge("high", "mid") or g, 'edge high -> mid has no "fln"; .*it has none'),
        (lambda g: g.add_node("odd", level=1) or g, 'node odd has no "hierarchy"; .*it has level'),
        (nx.convert_node_labels_to_integers, "must be non-empty text, .* found 0"),
        (lambda g: nx.DiGraph(), "no areas"),
        (lambda g: FLN, "found a DataFrame; expected a networkx.DiGraph"),
        (lambda g: g.edges["low", "mid"].update(fln=None) or g, r"three: fln\[.\] = None; expected finite numbers"),
        (lambda g: g.edges["low", "mid"].update(fln=np.nan) or g, "fln is nan at edge low -> mid"),
        (lambda g: nx.set_edge_attributes(g, [1.0, 2.0], "fln") or g, r'"fln" has shape \(2,\); expected one number'),
    ],
)
def test_graphs_that_do_not_fit(change, message):
    with pytest.raises(UserError, match=message):
        Connectome.from_networkx(change(graph()), "fln", values=["hierarchy"])
