"""Connectomes in folders and MATLAB files: read, checked, written, read back; what is what, told by names."""

import hashlib
import json
import os
import shutil
import struct
import subprocess

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from gbaexplore import Connectome, UserError, load_connectome
from gbaexplore.networks.files import DATA

# A folder of a connectome's own.


def full(macaque):
    """A connectome with all that there is, and a hierarchy that does not end at 1."""
    made = macaque.with_targeted_inhibition(0.2).without("24c", "V4")
    parts = {name: getattr(made, name) for name in ("areas", "weights", "lengths_mm", "further_weights")}
    values = {**made.values, "spines": np.arange(27.0)}
    told = {**made.about, "spines": {"long_name": "number of spines"}}
    return Connectome(
        "full", **parts, values=values, pathway_values=made.pathway_values, about=told,
        positions_mm=np.random.default_rng(0).normal(size=(27, 3)),
    )  # fmt: skip


def test_a_folder_is_read_back_equal(tmp_path, macaque):
    for made in (macaque, full(macaque), Connectome("bare", ("a, b", "2"), [[0, 1 / 3], [-0.1, 0]])):
        folder = made.to_folder(tmp_path / "new" / made.name)
        again = load_connectome(folder)
        assert again == made
        assert again.name == made.name
        assert again.about == made.about
        assert (again.lengths_mm is None) == (made.lengths_mm is None)
        archive = shutil.make_archive(str(tmp_path / made.name), "zip", folder)
        assert load_connectome(archive) == made
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder).returncode == 0
    (folder / "weights.csv").write_text((folder / "weights.csv").read_text().replace("0.1", "0.2"))
    with pytest.raises(UserError, match=r"weights.csv is not the file that .*SHA256SUMS names"):
        load_connectome(folder)


def test_the_files_are_those_of_the_shipped_ones(tmp_path, macaque):
    folder = macaque.to_folder(tmp_path / "macaque")
    for name in ("weights.csv", "lengths_mm.csv", "sln.csv"):
        assert (folder / name).read_text() == (DATA / "macaque29" / name).read_text()
    told = [json.loads((where / "about.json").read_text()) for where in (folder, DATA / "macaque29")]
    assert told[0] == told[1]


def test_nothing_is_written_over(tmp_path, macaque):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="has files already; expected a new or an empty folder"):
        macaque.to_folder(tmp_path)
    with pytest.raises(UserError, match=r"notes.txt is not a folder; expected a folder for .*: choose another place"):
        macaque.to_folder(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


TABLES = "area,hierarchy_raw\nA,0\nB,1\nC,2\n", "t,A,B,C\nA,0,0.2,0.1\nB,0.3,0,0.05\nC,0.1,0.4,0\n"
WEIGHTS = [[0, 0.2, 0.1], [0.3, 0, 0.05], [0.1, 0.4, 0]]
THREE = Connectome("three", ["A", "B", "C"], WEIGHTS, values={"hierarchy": [0, 0.5, 1]})


def tables(folder, areas=TABLES[0], weights=TABLES[1], encoding="utf-8", sums=None):
    (folder / "areas.csv").write_bytes(areas.encode(encoding))
    (folder / "weights.csv").write_bytes(weights.encode(encoding))
    if sums is not None:
        (folder / "SHA256SUMS").write_bytes(sums)
    return folder


def test_areas_are_sorted_by_a_hierarchy_and_matrices_by_names(tmp_path):
    areas = "area,hierarchy_raw,spines\nC,2,30\nA,0,10\nB,1,20\n"
    found = load_connectome(tables(tmp_path, areas))
    assert found.areas == ("A", "B", "C")
    assert found.values["spines"].tolist() == [10, 20, 30]
    assert found.weights.tolist() == THREE.weights.tolist()
    without = load_connectome(tables(tmp_path, "area,spines\nC,30\nA,10\nB,20\n"))
    assert without.areas == ("C", "A", "B"), "in the order of the file"
    assert without.weights[without.index("B"), without.index("A")] == 0.3


def test_values_in_a_file_of_their_own_are_put_in_order_by_names(tmp_path):
    (tables(tmp_path) / "myelin.csv").write_text("area,T1w/T2w,odd\nC,30,1\nA,10,2\nB,20,3\n")
    (tmp_path / "thickness.txt").write_text("B 2.2\nC 2.3\nA 2.1\n")
    (tmp_path / "others.txt").write_text("b 2.2\nc 2.3\na 2.1\n")
    found = load_connectome(tmp_path, values={"myelin": "myelin/T1w/T2w", "thickness": "thickness"})
    assert found.values["myelin"].tolist() == [10, 20, 30]
    assert found.values["thickness"].tolist() == [2.1, 2.2, 2.3]
    with pytest.raises(UserError, match=r"others: labels are not the 3 areas \(A, B, C, a, b and 1 more\)"):
        load_connectome(tmp_path, values=["others"])


def test_names_of_earlier_versions_of_the_folder_are_known(tmp_path, macaque):
    targeted = macaque.with_targeted_inhibition(0.3)
    folder = targeted.to_folder(tmp_path / "new")
    (folder / "SHA256SUMS").unlink()
    (folder / "about.json").unlink()
    for new, old in {"weights": "fln", "lengths_mm": "wiring_mm", "inhibitory": "fln_inhibitory"}.items():
        (folder / f"{new}.csv").rename(folder / f"{old}.csv")
    shutil.copy(DATA / "macaque29" / "areas.csv", folder)
    assert load_connectome(folder) == targeted


def _sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "sums",
    [
        f"{_sha(TABLES[0])}  areas.csv\n\n# by hand\n{_sha(TABLES[1])} *weights.csv\n",
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"about.json is not JSON .*; expected name -> what is said of it"),
        ("[" * 100_000, "about.json is not JSON"),
        ('["weights"]', r"about.json is another JSON; expected \{\"weights\""),
        ('{"weights": {"units": 1}}', "about.json is another JSON"),
        ('{"weights": {"unit": "1"}}', r"weights.*has unit = '1'; expected long_name or units"),
    ],
)
def test_metadata_that_is_refused(tmp_path, text, message):
    (tables(tmp_path) / "about.json").write_text(text)
    with pytest.raises(UserError, match=message):
        load_connectome(tmp_path)


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tables(tmp_path) / "lengths.csv")  # opening it would wait for ever
    with pytest.raises(UserError, match=r"lengths.csv can't be read: it is not a file; expected a file"):
        load_connectome(tmp_path)
    (tmp_path / "lengths.csv").unlink()
    (tmp_path / "lengths.csv").mkdir()
    with pytest.raises(UserError, match=r"lengths.csv can't be read: it is a folder; expected a file"):
        load_connectome(tmp_path)
    (tmp_path / "lengths.csv").rmdir()
    (tmp_path / "lengths.csv").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"lengths.csv can't be read: No such file"):
        load_connectome(tmp_path)
    for name in ("x" * 5000, "a\nb", "\udc80"):
        with pytest.raises(
            UserError, match=r"^no connectome \".*; expected one of macaque29, a folder, or a file .zip"
        ):
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


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("areas.csv", "1\n", "high\n", r'areas.csv, B<-hierarchy_raw: found "high"; expected a number'),
        ("areas.csv", "C,2\n", "", r"areas has 2 names, weights is 3 x 3; expected a name for each area"),
        ("weights.csv", ",B", ",b", r"weights: columns \(sources\) are not the 3 areas \(B, b\)"),
        ("weights.csv", "\nB,", "\nb,", r"weights: rows \(targets\) are not the 3 areas"),
        ("weights.csv", "0.3,", "", r'the row of "B" has 3 cells; expected 4'),
        ("weights.csv", "C,0.1,0.4,0\n", "", r"nothing seems to be the weights, .*areas \(3 x 1\), weights \(2 x 3\)"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, file, old, new, message):
    path = tables(tmp_path) / file
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        load_connectome(tmp_path)


# A MATLAB file.


def variables(connectome, **others):
    names = np.array(connectome.areas, dtype=object)[:, None]
    levels = 3.1 * connectome.values["hierarchy"][:, None]
    return {"flnMat": connectome.weights, "hierVals": levels, "areaList": names, **others}


def bare(macaque):
    return Connectome("bare", macaque.areas, macaque.weights, values=macaque.values)


def test_the_published_layout_is_read_from_a_matlab_file(tmp_path, macaque):
    raw = np.loadtxt(DATA / "macaque29" / "areas.csv", delimiter=",", skiprows=1, usecols=1)
    optional = {"slnMat": macaque.pathway_values["sln"], "wiring": macaque.lengths_mm}
    scipy.io.savemat(tmp_path / "monkey.mat", variables(macaque, hierVals=raw[:, None], **optional))
    found = load_connectome(tmp_path / "monkey.mat")
    assert found == macaque
    assert found.name == "monkey"


def test_a_matlab_file_in_another_order_and_with_text_of_another_kind(tmp_path, macaque):
    order = np.random.default_rng(0).permutation(29)
    given = variables(
        macaque,
        flnMat=macaque.weights[np.ix_(order, order)],
        hierVals=macaque.values["hierarchy"][order],  # normalised, and in one row
        areaList=np.array(macaque.areas)[order],  # padded text in place of cells
    )
    scipy.io.savemat(tmp_path / "mixed.mat", given)
    assert load_connectome(str(tmp_path / "mixed.mat")) == bare(macaque)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flnMat": np.zeros((28, 28))}, r"areaList has 29 names, flnMat is 28 x 28; expected a name for each area"),
        ({"hierVals": np.arange(30.0)}, r"hierVals has shape \(1, 30\); expected \(29,\), for the 29 areas"),
        ({"hierVals": np.full(29, np.nan)}, "hierVals is nan at"),
        ({"flnMat": np.full((29, 29), 1j)}, "flnMat has complex numbers"),
        ({"wiring": np.full((29, 29), -1.0)}, "lengths_mm is -1 at V1<-V1"),
        ({"areaList": np.array(["V1"] * 29, dtype=object)}, "area V1 is there more than once"),
    ],
)
def test_a_matlab_file_that_does_not_fit(tmp_path, macaque, change, message):
    scipy.io.savemat(tmp_path / "odd.mat", variables(macaque, **change))
    with pytest.raises(UserError, match=message):
        load_connectome(tmp_path / "odd.mat")


def test_a_file_that_is_no_matlab_file(tmp_path):
    file = tmp_path / "odd.mat"
    file.write_text("flnMat = 3")
    with pytest.raises(UserError, match="can't be read as a MATLAB file"):
        load_connectome(file)
    with pytest.raises(UserError, match=r"none.mat can't be read: No such file"):
        load_connectome(tmp_path / "none.mat")


def test_a_sparse_matrix_of_matlab(tmp_path, macaque):
    scipy.io.savemat(tmp_path / "full.mat", variables(macaque))
    scipy.io.savemat(tmp_path / "sparse.mat", variables(macaque, flnMat=scipy.sparse.csc_matrix(macaque.weights)))
    assert load_connectome(tmp_path / "sparse.mat") == load_connectome(tmp_path / "full.mat")
    scipy.io.savemat(tmp_path / "huge.mat", {"W": scipy.sparse.csc_matrix((100_000, 100_000))})
    with pytest.raises(UserError, match=r"huge.mat: W holds 74.5 GiB; expected at most 2 GiB"):
        load_connectome(tmp_path / "huge.mat", weights="W")


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


# Which name is what.


def test_names_that_are_clear(tmp_path):
    W, D = np.array(WEIGHTS), np.array([[0, 10.0, 20], [10, 0, 30], [20, 30, 0]])
    for weights, lengths, labels in (
        ("SC", "dist", "labels"), ("Cmat", "Dmat", "region_labels"), ("sc", "len", "names"),
        ("X", "tractLengths", "roi_names"),
        ("connectome_weights", "fiber_length_mean", "ROIs"), ("C", "D", "centers"),
    ):  # fmt: skip
        names = np.array(["A", "B", "C"], dtype=object)
        scipy.io.savemat(tmp_path / "clear.mat", {weights: W, lengths: D, labels: names, "n": 3.0, "note": "hello"})
        found = load_connectome(tmp_path / "clear.mat")
        assert found == Connectome("clear", ("A", "B", "C"), W, D), (weights, lengths, labels)


def test_names_that_are_not_clear_are_said(tmp_path):
    file = tmp_path / "odd.npz"
    one, other = np.array(WEIGHTS), np.array(WEIGHTS).T
    np.savez(file, fa=one, count=other, thickness=[1.0, 2.0, 3.0], who=np.array(["A", "B", "C"]), odd=np.ones((3, 2)))
    with pytest.raises(UserError, match=r"odd.npz: fa, count may be the weights, .*: fa \(3 x 3\), .*who \(3 names\)"):
        load_connectome(file)
    found = load_connectome(file, weights="count", lengths="fa", labels="who", values={"cortex": "thickness"})
    assert found == Connectome("odd", ("A", "B", "C"), other, one, {"cortex": [1.0, 2.0, 3.0]})
    assert load_connectome(file, weights="fa").areas == ("a0", "a1", "a2"), "areas without names"
    assert load_connectome(file, weights="fa", labels=np.array(["x", "y", "z"]), values=["thickness"]).areas == (
        "x",
        "y",
        "z",
    )
    for given, message in (
        (dict(weights="FA"), r'weights="FA" is not there; did you mean "fa"\? There are: '),
        (dict(weights="thickness"), r'weights="thickness" is 3; expected a square matrix, one of what is there: '),
        (dict(weights="fa", labels="thickness"), 'labels="thickness" has no names; expected one of what is there'),
        (dict(weights="fa", labels=["x", "y"]), "labels has 2 names, fa is 3 x 3; expected a name for each area"),
        (dict(weights="fa", values=["odd"]), r'there are no values "odd" of 3 areas; There are: thickness'),
        (dict(weights="fa", labels=5), "labels: areas are int; expected a list of names"),
        (dict(weights=5), "weights is 5; expected the name that it has in the file"),
        (dict(weights="fa", values="thickness"), "values is 'thickness'; expected a list of names, or a mapping"),
        (dict(weights="fa", values=[5]), "values has 5; expected names that values of areas have"),
    ):
        with pytest.raises(UserError, match=message):
            load_connectome(file, **given)
