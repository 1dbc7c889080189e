"""Connectomes in files, tables and graphs: read, put in order, written, read back."""

import hashlib
import os
import shutil
import struct
import subprocess

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse

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
    with pytest.raises(UserError, match=r"notes.txt is not a folder; expected a folder for .*: choose another place"):
        macaque.to_folder(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_in_any_order_is_put_in_hierarchical_order(tmp_path):
    (tmp_path / "areas.csv").write_text("area,hierarchy_raw\nhigh,4\nlow,0\nmid,1\n")
    (tmp_path / "fln.csv").write_text(",high,low,mid\nhigh,0,.1,.6\nlow,.05,0,.2\nmid,0,.7,0\n")
    assert load_connectome(tmp_path) == Connectome.from_pandas(FLN, HIERARCHY)


TABLES = "area,hierarchy_raw\nA,0\nB,1\nC,2\n", "t,A,B,C\nA,0,0.2,0.1\nB,0.3,0,0.05\nC,0.1,0.4,0\n"
THREE = Connectome("three", ["A", "B", "C"], [0, 0.5, 1], [[0, 0.2, 0.1], [0.3, 0, 0.05], [0.1, 0.4, 0]])


def tables(folder, areas=TABLES[0], fln=TABLES[1], encoding="utf-8", sums=None):
    (folder / "areas.csv").write_bytes(areas.encode(encoding))
    (folder / "fln.csv").write_bytes(fln.encode(encoding))
    if sums is not None:
        (folder / "SHA256SUMS").write_bytes(sums)
    return folder


def test_tables_as_spreadsheets_write_them(tmp_path):
    assert load_connectome(tables(tmp_path)) == THREE
    assert load_connectome(tables(tmp_path, encoding="utf-8-sig")) == THREE
    quoted = [text.replace("A", '"A"').replace("\n", "\r\n") for text in TABLES]
    assert load_connectome(tables(tmp_path, *quoted)) == THREE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(encoding="utf-16"), r"areas.csv is not text in UTF-8 .*: save it with the encoding UTF-8"),
        (dict(areas=TABLES[0].replace(",", ";")), "areas.csv has semicolons or tabs between its cells"),
        (dict(fln=TABLES[1].replace(",", "\t")), "fln.csv has semicolons or tabs between its cells; expected commas"),
        (dict(areas="area,hierarchy\nA\nB\nC\n"), 'the row of "A" has 1 cells; expected 2'),
        (dict(areas=""), "areas.csv has 0 rows"),
        (dict(fln=TABLES[1].replace("0.05", "1" * 200_000)), "fln.csv can't be read as a CSV table: field larger"),
    ],
)
def test_tables_that_are_refused(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        load_connectome(tables(tmp_path, **change))


@pytest.mark.parametrize("cell", ["0_5", '"0,5"', "nan", "inf", "1e400", "", "\u0661", "0x1", "True"])
def test_cells_that_are_no_numbers(tmp_path, cell):
    found = cell.strip('"')
    with pytest.raises(UserError, match=rf'fln.csv, B<-C: found "{found}"; expected a number, such as 0\.25'):
        load_connectome(tables(tmp_path, fln=TABLES[1].replace("0.05", cell)))


def _sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "sums",
    [
        f"{_sha(TABLES[0])}  areas.csv\n\n# by hand\n{_sha(TABLES[1])} *fln.csv\n",
        f"{_sha(TABLES[0]).upper()}  ./areas.csv\r\n",
        "",
    ],
)
def test_checksums_in_any_spelling(tmp_path, sums):
    assert load_connectome(tables(tmp_path, sums=sums.encode())) == THREE


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        (b"todo\n", r"SHA256SUMS, line 1: found 'todo'; expected a SHA-256 and the name of a file beside it"),
        (b"\xff\xfe\0", "SHA256SUMS, line 1: found"),
        (f"{_sha('')}  ../secret\n".encode(), "SHA256SUMS, line 1: found .*file beside it"),
        (f"{_sha('')}  /etc/passwd\n".encode(), "SHA256SUMS, line 1: found .*file beside it"),
        (f"{_sha('')}  f\xe9.csv\n".encode("latin-1"), "is not the file that .* names .*no such file"),
        (f"{_sha('')}  areas.csv\n".encode(), "areas.csv is not the file that .* names"),
    ],
)
def test_checksums_that_are_refused(tmp_path, sums, message):
    (tmp_path / "secret").write_text("")
    (tmp_path / "three").mkdir()
    with pytest.raises(UserError, match=message):
        load_connectome(tables(tmp_path / "three", sums=sums))


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tables(tmp_path) / "sln.csv")  # opening it would wait for ever
    with pytest.raises(UserError, match=r"sln.csv can't be read: it is not a file; expected a file"):
        load_connectome(tmp_path)
    (tmp_path / "sln.csv").unlink()
    (tmp_path / "sln.csv").mkdir()
    with pytest.raises(UserError, match=r"sln.csv can't be read: it is a folder; expected a file"):
        load_connectome(tmp_path)
    (tmp_path / "sln.csv").rmdir()
    (tmp_path / "sln.csv").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"sln.csv can't be read: No such file"):
        load_connectome(tmp_path)
    for name in ("x" * 5000, "a\nb", str(tmp_path / "fln.csv"), "\udc80"):
        with pytest.raises(UserError, match=r"^no connectome \".*; expected one of macaque29, a folder"):
            load_connectome(name)


def test_a_shipped_name_is_the_shipped_connectome(tmp_path, macaque, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "macaque29" / "pictures").mkdir(parents=True)
    assert load_connectome("macaque29") == macaque
    halved = macaque.scaled(0.5)
    shutil.rmtree("macaque29")
    folder = halved.to_folder("macaque29")
    assert load_connectome("macaque29") == macaque
    assert load_connectome("./macaque29") == load_connectome(folder) == load_connectome(folder.absolute()) == halved


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
        ({"flnMat": np.zeros((28, 28))}, r"flnMat has shape \(28, 28\); expected \(29, 29\), for the 29 areas"),
        ({"hierVals": np.arange(30.0)}, r"hierVals has shape \(1, 30\); expected \(29,\)"),
        ({"hierVals": "high"}, "hierVals has text; expected finite numbers"),
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
    with pytest.raises(UserError, match=r"none.mat can't be read: No such file"):
        load_connectome(tmp_path / "none.mat")


def test_a_sparse_matrix_of_matlab(tmp_path, macaque):
    scipy.io.savemat(tmp_path / "full.mat", variables(macaque))
    scipy.io.savemat(tmp_path / "sparse.mat", variables(macaque, flnMat=scipy.sparse.csc_matrix(macaque.fln)))
    assert load_connectome(tmp_path / "sparse.mat") == load_connectome(tmp_path / "full.mat")


@pytest.mark.parametrize(("cell", "said"), [(np.zeros((0, 0)), "empty"), (2.0, "float64 of shape"), ("", "empty")])
def test_an_area_without_a_name(tmp_path, macaque, cell, said):
    cells = np.array(macaque.areas, dtype=object)[:, None]
    cells[1, 0] = cell
    scipy.io.savemat(tmp_path / "odd.mat", variables(macaque, areaList=cells))
    with pytest.raises(UserError, match=rf"entry 2 of areaList is {said}.*; expected the name of an area in each"):
        load_connectome(tmp_path / "odd.mat")


def test_a_string_array_of_matlab(tmp_path):
    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    def opaque(name):
        """A variable of MATLAB's class string, as save writes its head; the text itself is elsewhere in the file."""
        flags, ids = element(6, struct.pack("<II", 13, 0)), element(6, struct.pack("<6I", 0xDD000000, 2, 1, 1, 1, 1))
        inside = element(14, flags + element(5, struct.pack("<ii", 6, 1)) + element(1, b"") + ids)
        words = b"".join(element(1, word) for word in (name, b"MCOS", b"string"))
        return element(14, element(6, struct.pack("<II", 17, 0)) + words + inside)

    file = tmp_path / "odd.mat"
    scipy.io.savemat(file, {"flnMat": np.zeros((3, 3)), "hierVals": np.arange(3.0)}, do_compression=False)
    file.write_bytes(file.read_bytes() + opaque(b"areaList"))
    with pytest.raises(UserError, match=r"areaList is an object of MATLAB's class string.*cellstr\(areaList\)"):
        load_connectome(file)


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 132\n",
        b'{"message": "Not Found"}',
        b"<html>404</html>\n" * 40,
        b"",
        None,
    ],
)
def test_what_was_not_downloaded(tmp_path, macaque, content):
    file = tmp_path / "odd.mat"
    scipy.io.savemat(file, variables(macaque))
    file.write_bytes(file.read_bytes()[:200] if content is None else content)
    with pytest.raises(UserError, match=r"odd.mat can't be read as a MATLAB file: .+; expected one made by save"):
        load_connectome(file)


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
        ({"fln": FLN.astype(str).replace("0.7", "much")}, r"fln\[0\]\[0\] = '0.0'; expected finite numbers"),
        ({"fln": FLN.replace(0.7, np.nan)}, "fln is nan at mid<-low"),
        ({"hierarchy": {"low": 0.0}}, "hierarchy has no mid, high; expected the position of each area"),
        ({"hierarchy": {**HIERARCHY, "mid": "middle"}}, r"hierarchy\[1\] = 'middle'; expected finite numbers"),
        ({"hierarchy": [0, 1, 2]}, "hierarchy is list; expected a Series or a mapping"),
        ({"hierarchy": pd.Series([0, 1, 2, 3], ["low", "low", "mid", "high"])}, "hierarchy has some area twice"),
        ({"hierarchy": {**HIERARCHY, "mid": np.nan}}, "hierarchy is nan at mid"),
        ({"fln": FLN.to_numpy()}, "fln is ndarray; expected a pandas DataFrame with area labels"),
        ({"fln": None}, "fln is NoneType; expected a pandas DataFrame"),
        ({"sln": FLN.reset_index(drop=True)}, r"sln: rows \(targets\) are not the 3 areas"),
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
        (lambda g: FLN, "found a DataFrame; expected a networkx.DiGraph"),
        (lambda g: g.edges["low", "mid"].update(fln=None) or g, r"three: fln\[.\] = None; expected finite numbers"),
        (lambda g: g.edges["low", "mid"].update(fln=np.nan) or g, "fln is nan at edge low -> mid"),
        (lambda g: nx.set_edge_attributes(g, [1.0, 2.0], "fln") or g, r'"fln" has shape \(2,\); expected one number'),
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
