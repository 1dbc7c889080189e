"""Connectomes in files, tables and graphs: read, put in order, written, read back."""

import hashlib
import subprocess

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.io

from gbaexplore import Connectome, UserError, load_connectome

AREAS = ["low", "mid", "high"]
HIERARCHY = {"high": 4.0, "low": 0.0, "mid": 1.0, "elsewhere": 3.0}
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


# A folder.


def full(macaque):
    """A connectome with every matrix that there is, and a hierarchy that does not end at 1."""
    return macaque.with_targeted_inhibition(0.2).without("24c", "V4")


def test_a_folder_is_read_back_equal(tmp_path, macaque):
    for made in (macaque, full(macaque), Connectome("bare", ("a, b", "2"), [0.1, 0.3], [[0, 1 / 3], [0.1, 0]])):
        folder = made.to_folder(tmp_path / "new" / made.name)
        again = load_connectome(folder)
        assert again == made
        assert again.name == made.name
        assert (again.sln is None) == (made.sln is None)
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder).returncode == 0
    (folder / "fln.csv").write_text((folder / "fln.csv").read_text().replace("0.1", "0.2"))
    with pytest.raises(UserError, match=r"fln.csv is not the file that .*SHA256SUMS names"):
        load_connectome(folder)


def test_nothing_is_written_over(tmp_path, macaque):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="has files already; expected a new or an empty folder"):
        macaque.to_folder(tmp_path)
    with pytest.raises(UserError, match=r"notes.txt is no folder; expected a folder for .*: choose another place"):
        macaque.to_folder(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_in_any_order_is_put_in_hierarchical_order(tmp_path):
    (tmp_path / "areas.csv").write_text("area,hierarchy_raw\nhigh,4\nlow,0\nmid,1\n")
    (tmp_path / "fln.csv").write_text(",high,low,mid\nhigh,0,.1,.6\nlow,.05,0,.2\nmid,0,.7,0\n")
    assert load_connectome(tmp_path) == Connectome.from_pandas(FLN, HIERARCHY)


# A MATLAB file.


def variables(connectome, **others):
    names = np.array(connectome.areas, dtype=object)[:, None]
    return {"flnMat": connectome.fln, "hierVals": 3.1 * connectome.hierarchy[:, None], "areaList": names, **others}


def test_the_published_layout_is_read_from_a_matlab_file(tmp_path, macaque):
    raw = np.loadtxt(_shipped("areas.csv"), delimiter=",", skiprows=1, usecols=1)
    optional = {"slnMat": macaque.sln, "wiring": macaque.wiring_mm}
    scipy.io.savemat(tmp_path / "monkey.mat", variables(macaque, hierVals=raw[:, None], **optional))
    found = load_connectome(tmp_path / "monkey.mat")
    assert found.content_hash == macaque.content_hash
    assert found.name == "monkey"


def _shipped(file):
    from gbaexplore.networks.connectome import DATA

    return DATA / "macaque29" / file


def test_a_matlab_file_in_another_order_and_with_text_of_another_kind(tmp_path, macaque):
    bare = Connectome("bare", macaque.areas, macaque.hierarchy, macaque.fln)
    order = np.random.default_rng(0).permutation(29)
    given = variables(
        bare,
        flnMat=bare.fln[np.ix_(order, order)],
        hierVals=bare.hierarchy[order],  # normalised, and in one row
        areaList=np.array(bare.areas)[order],  # padded text in place of cells
    )
    scipy.io.savemat(tmp_path / "mixed.mat", given)
    assert load_connectome(str(tmp_path / "mixed.mat")) == bare


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flnMat": np.zeros((28, 28))}, r"flnMat is float64 of shape \(28, 28\); expected numbers .*\(29, 29\)"),
        ({"hierVals": np.arange(30.0)}, r"hierVals is float64 of shape \(30,\); expected numbers of shape \(29,\)"),
        ({"hierVals": "high"}, r"hierVals is <U4 .*expected numbers"),
        ({"flnMat": np.full((29, 29), -1.0)}, "fln is -1 at V1<-V1"),
        ({"areaList": np.array(["V1"] * 29, dtype=object)}, "area V1 is there more than once"),
    ],
)
def test_a_matlab_file_that_does_not_fit(tmp_path, macaque, change, message):
    scipy.io.savemat(tmp_path / "odd.mat", variables(macaque, **change))
    with pytest.raises(UserError, match=message):
        load_connectome(tmp_path / "odd.mat")


def test_a_file_that_is_no_such_matlab_file(tmp_path):
    file = tmp_path / "odd.mat"
    scipy.io.savemat(file, {"flnMat": np.eye(2), "names": "V1"})
    with pytest.raises(UserError, match=r"has no hierVals, areaList; expected .*\(it has flnMat, names\)"):
        load_connectome(file)
    file.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))  # the header of one
    with pytest.raises(UserError, match=r"version 7.3; .*save\(file, '-v7'\)"):
        load_connectome(file)
    file.write_text("flnMat = 3")
    with pytest.raises(UserError, match="can't be read as a MATLAB file"):
        load_connectome(file)
    with pytest.raises(UserError, match=r"none.mat can't be read as a MATLAB file: .*No such file"):
        load_connectome(tmp_path / "none.mat")


# pandas.


def test_tables_are_put_in_hierarchical_order():
    found = Connectome.from_pandas(FLN.loc[["high", "mid", "low"]], pd.Series(HIERARCHY), name="three")
    assert found.areas == ("low", "mid", "high")
    assert found.hierarchy.tolist() == [0.0, 0.25, 1.0]  # divided by the largest of its areas
    assert found.fln[found.index("mid"), found.index("low")] == 0.7
    assert found.fln[found.index("low"), found.index("mid")] == 0.2
    assert not found.without_feedback().fln[0].any()


def test_all_matrices_may_be_tables(macaque):
    ds = full(macaque).to_dataset()
    tables = {str(name): ds[name].to_pandas().iloc[::-1] for name in ds.data_vars if name != "hierarchy"}
    hierarchy = ds.hierarchy.to_series() * 7
    found = Connectome.from_pandas(hierarchy=hierarchy, **tables)
    top = macaque.without("24c").hierarchy[-1]
    assert found.areas == full(macaque).areas
    np.testing.assert_allclose(found.hierarchy * top, full(macaque).hierarchy)
    for field in ("fln", "sln", "wiring_mm", "fln_inhibitory"):
        np.testing.assert_array_equal(getattr(found, field), getattr(full(macaque), field))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"fln": FLN[["low", "mid"]]},
            r"fln: columns \(sources\) are not the 3 areas .*\(high\); .*loc\[areas, areas\]",
        ),
        ({"fln": FLN[["low", "mid", "high", "low"]]}, r"columns \(sources\) .*\(some area twice\)"),
        ({"sln": FLN.rename(index={"low": "Low"})}, r"sln: rows \(targets\) are not .*\(Low, low\)"),
        ({"fln": FLN.rename(index={"low": "mid"})}, "area mid is there more than once"),
        ({"fln": FLN.astype(str).replace("0.7", "much")}, "fln has values that are not numbers"),
        ({"fln": FLN.replace(0.7, np.nan)}, "fln is nan at mid<-low"),
        ({"hierarchy": {"low": 0.0}}, "hierarchy has no mid, high; expected the position of each area"),
        ({"hierarchy": {**HIERARCHY, "mid": "middle"}}, "hierarchy has values that are not numbers"),
        ({"hierarchy": [0, 1, 2]}, "hierarchy is list; expected a Series or a mapping"),
    ],
)
def test_tables_that_do_not_fit(parts, message):
    with pytest.raises(UserError, match=message):
        Connectome.from_pandas(**{"fln": FLN, "hierarchy": HIERARCHY, **parts})


# NetworkX.


def test_an_edge_goes_from_source_to_target():
    found = Connectome.from_networkx(graph())
    assert found == Connectome.from_pandas(FLN, HIERARCHY)
    assert found.name == "three"
    assert found.fln[found.index("mid"), found.index("low")] == 0.7
    transposed = nx.to_numpy_array(graph(), nodelist=found.areas, weight="fln").T
    np.testing.assert_array_equal(found.fln, transposed)


def test_attributes_of_other_names(macaque):
    relabelled = nx.DiGraph()
    for area, level in zip(macaque.areas, macaque.hierarchy):
        relabelled.add_node(area, level=level)
    for i, j in np.argwhere(macaque.fln > 0):
        relabelled.add_edge(macaque.areas[j], macaque.areas[i], w=macaque.fln[i, j], mm=macaque.wiring_mm[i, j])
    found = Connectome.from_networkx(relabelled, weight="w", hierarchy="level", wiring_mm="mm")
    np.testing.assert_array_equal(found.fln, macaque.fln)
    np.testing.assert_array_equal(found.wiring_mm, np.where(macaque.fln > 0, macaque.wiring_mm, 0))
    assert found.sln is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.to_undirected(), "found a Graph; expected a networkx.DiGraph"),
        (nx.MultiDiGraph, "found a MultiDiGraph; expected a networkx.DiGraph"),
        (lambda g: g.add_edge("high", "mid") or g, 'edge high -> mid has no "fln"; .*it has none'),
        (lambda g: g.add_node("odd", level=1) or g, 'node odd has no "hierarchy"; .*it has level'),
        (nx.convert_node_labels_to_integers, "must be non-empty text, .* found 0"),
        (lambda g: nx.DiGraph(), "no areas"),
    ],
)
def test_graphs_that_do_not_fit(change, message):
    with pytest.raises(UserError, match=message):
        Connectome.from_networkx(change(graph()))


def test_the_order_of_arrays_is_checked():
    with pytest.raises(UserError, match=r"not in hierarchical order \(a at 0.5 comes before b at 0.2\)"):
        Connectome("wrong", ("a", "b"), [0.5, 0.2], np.zeros((2, 2)))


def test_the_checksums_are_those_of_the_shipped_files(tmp_path, macaque):
    folder = macaque.to_folder(tmp_path / "macaque")
    written, shipped = (path.read_text() for path in (folder / "fln.csv", _shipped("fln.csv")))
    assert hashlib.sha256(written.encode()).hexdigest() in (folder / "SHA256SUMS").read_text()
    assert written == shipped
