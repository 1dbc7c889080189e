"""Readers of what people have: text tables, NumPy's files, archives, MATLAB 7.3, GraphML; and what is refused."""

import bz2
import io
import zipfile

import numpy as np
import pytest
import scipy.io

from gbaexplore import Connectome, UserError, load_connectome
from gbaexplore.networks.formats import archives, found, matlab

WEIGHTS = [[0, 0.2, 0.1], [0.3, 0, 0.05], [0.1, 0.4, 0]]
LENGTHS = [[0, 10.5, 20], [10.5, 0, 30], [20, 30, 0]]
NAMES = ("A", "B", "C")
NAMED = Connectome("n", NAMES, WEIGHTS)


def written(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


# Text.


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("plain.csv", "0,0.2,0.1\n0.3,0,0.05\n0.1,0.4,0\n", "utf-8"),
        ("blanks.txt", "  0.0 2e-1   1.0E-01 \n0.3 0 .05 \n\n0.1 0.4 0.\n", "utf-8"),
        ("tabs.tsv", "0\t0.2\t0.1\n0.3\t0\t0.05\n0.1\t0.4\t0\n", "utf-16"),
        ("saved.txt", "# by numpy.savetxt\n0 0.2 0.1\n0.3 0 0.05\n0.1 0.4 0\n", "utf-8-sig"),
        ("european.csv", "0;0,2;0,1\n0,3;0;0,05\n0,1;0,4;0\n", "utf-8"),
        ("tabs.txt", "0\t0,2\t0,1\t\r\n0,3\t0\t5e-2\t\r\n0,1\t0,4\t0\t\r\n", "utf-8"),
    ],
)
def test_numbers_alone(tmp_path, name, text, encoding):
    made = load_connectome(written(tmp_path, name, text, encoding))
    assert made.weights.tolist() == WEIGHTS
    assert made.areas == ("a0", "a1", "a2")


@pytest.mark.parametrize(
    "text",
    [
        ",A,B,C\nA,0,0.2,0.1\nB,0.3,0,0.05\nC,0.1,0.4,0\n",
        'target\\source,"A","B","C"\r\n"A",0,0.2,0.1\r\n"B",0.3,0,0.05\r\n"C",0.1,0.4,0\r\n',
        ",B,A,C\nB,0,0.3,0.05\nA,0.2,0,0.1\nC,0.4,0.1,0\n",  # aligned by names, and the order of the rows is kept
        "area;A;B;C\nA;0;0,2;0,1\nB;0,3;0;0,05\nC;0,1;0,4;0\n",
        "A 0 0.2 0.1\nB 0.3 0 0.05\nC 0.1 0.4 0\n",
    ],
)
def test_names_in_the_first_row_and_column(tmp_path, text):
    made = load_connectome(written(tmp_path, "n.csv", text))
    assert sorted(made.areas) == list(NAMES)
    for area in NAMES:
        for other in NAMES:
            assert made.weights[made.index(area), made.index(other)] == WEIGHTS[NAMES.index(area)][NAMES.index(other)]


def test_names_that_look_like_numbers(tmp_path):
    numbered = load_connectome(written(tmp_path, "n.csv", "132,126,104\n0,0.2,0.1\n0.3,0,0.05\n0.1,0.4,0\n"))
    assert numbered == Connectome("n", ("132", "126", "104"), WEIGHTS)
    text = "target,2,10,9/46d\n2,0,0.2,0.1\n10,0.3,0,0.05\n9/46d,0.1,0.4,0\n"
    assert load_connectome(written(tmp_path, "n.csv", text)) == Connectome("n", ("2", "10", "9/46d"), WEIGHTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff\x00", r"n.csv is not text in UTF-8 \(invalid start byte at byte 0\); expected a table: save it with"),
        ("0 0,2\n0,3 0\n", r"commas and blanks between digits.*points, or semicolons or tabs between the cells"),
        ("0;0,2\n0.3;0\n", 'n.csv has "0,2" and "0.3"; expected one decimal sign'),
        ("0,0.2\n0.3\n0.1,0\n", 'the row of "0.3" has 1 cells; expected 2, as in most rows'),
        ("", "n.csv has 0 rows; expected a table"),
        (",A,B\n", "n.csv has 1 rows; expected a header and a row for each area"),
        ("0," + "1" * 200_000 + "\n1,0\n", "n.csv can't be read as a table: field larger"),
        ("0.5,1\n1,0\n0,1\n", r"n.csv: nothing seems to be the weights, .*what is there: n \(3 x 2\)"),
        (",A,B\nA,0,1\nC,1,0\n", r"n: columns \(sources\) are not the 2 areas \(B, C\)"),
    ],
)
def test_text_that_is_refused(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        load_connectome(written(tmp_path, "n.csv", text))


@pytest.mark.parametrize("cell", ["0_5", '"0,5"', "nan", "inf", "1e400", "", "\u0661", "0x1", "True"])
def test_cells_that_are_no_numbers(tmp_path, cell):
    text = ",A,B,C\nA,0,0.2,0.1\nB,0.3,0,0.05\nC,0.1,0.4,0\n".replace("0.05", cell)
    said = cell.strip('"')
    with pytest.raises(UserError, match=rf'n.csv, B<-C: found "{said}"; expected a number, such as 0\.25'):
        load_connectome(written(tmp_path, "n.csv", text))


# NumPy.


def test_arrays_of_numpy(tmp_path):
    np.save(tmp_path / "n.npy", np.float32(WEIGHTS))
    assert load_connectome(tmp_path / "n.npy").weights.tolist() == np.float32(WEIGHTS).tolist()
    np.savez_compressed(tmp_path / "n.npz", sc=WEIGHTS, dist=LENGTHS, names=np.array(NAMES), hierarchy=[0, 0.5, 1.0])
    expected = Connectome("n", NAMES, WEIGHTS, LENGTHS, {"hierarchy": [0, 0.5, 1.0]})
    assert load_connectome(tmp_path / "n.npz") == expected
    np.savez(tmp_path / "n.npz", WEIGHTS)
    assert load_connectome(tmp_path / "n.npz").weights.tolist() == WEIGHTS


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "n.npy", np.array([[Bomb()]], object), allow_pickle=True)
    with pytest.raises(UserError, match="holds objects of Python, which are not unpickled; expected numbers or text"):
        load_connectome(tmp_path / "n.npy")
    np.savez(tmp_path / "n.npz", other=np.array([[Bomb()]], object), sc=WEIGHTS)
    assert load_connectome(tmp_path / "n.npz").weights.tolist() == WEIGHTS
    with pytest.raises(UserError, match=r"n.npz, other.npy holds objects of Python"):
        load_connectome(tmp_path / "n.npz", weights="other")


def test_an_array_that_only_says_that_it_is_huge(tmp_path):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    with pytest.raises(UserError, match=r"n.npy holds 7450\.6 GiB; expected at most 2 GiB"):
        load_connectome(written(tmp_path, "n.npy", buffer.getvalue() + bytes(64)))
    with pytest.raises(UserError, match=r"n.npy can't be read as NumPy's file: .*expected one of numpy.save"):
        load_connectome(written(tmp_path, "n.npy", b"\x93NUMPY\x01\x00"))


# Archives.

TVB = {
    "weights.txt": "\n".join(" ".join(f"{w:.7e}" for w in row) + " " for row in WEIGHTS),
    "tract_lengths.txt": "\n".join("   ".join(map(str, row)) for row in LENGTHS),
    "centres.txt": "A 1.0 -2.0 3.5\n B 4 5 6 \nC 7 8 9\n",
    "areas.txt": "100.5\n200.5\n300.5\n",
    "cortical.txt": "1\n1\n0\n",
    "average_orientations.txt": "1 0 0\n0 1 0\n0 0 1\n",
    "info.txt": 'weights_unit = "au"\nlength_unit = "mm"area_unit = "mm^2"\n',
}
EXPECTED = Connectome("tvb", NAMES, WEIGHTS, LENGTHS, positions_mm=[[1, -2, 3.5], [4, 5, 6], [7, 8, 9]])


def archive(path, members, **how):
    with zipfile.ZipFile(path, "w", **how) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_archive_of_the_virtual_brain(tmp_path):
    plain = archive(tmp_path / "tvb.zip", TVB)
    found = load_connectome(plain)
    assert found == EXPECTED
    assert found.name == "tvb"
    inner = archive(tmp_path / "inner.zip", {f"some/folder/{name}": text for name, text in TVB.items()})
    packed = {f"{name}.bz2": bz2.compress(text.encode()) for name, text in TVB.items()}
    packed |= {"__MACOSX/._weights.txt": b"\0\5\x16\7", ".DS_Store": b"\0\0\0\1Bud1", "x/._centres.txt": b"\0\5\x16\7"}
    assert load_connectome(inner) == load_connectome(archive(tmp_path / "packed.ZIP", packed)) == EXPECTED
    valued = load_connectome(plain, values={"surface_mm2": "areas", "cortical": "cortical"})
    assert valued.values["surface_mm2"].tolist() == [100.5, 200.5, 300.5]
    assert valued.values["cortical"].tolist() == [1, 1, 0]
    for name, text in TVB.items():
        written(tmp_path, name, text)
    plain.unlink(), inner.unlink()
    assert load_connectome(tmp_path) == EXPECTED, "as a folder"


def test_two_matrices_of_one_name(tmp_path):
    members = {"left/weights.txt": TVB["weights.txt"], "right/weights.txt": TVB["tract_lengths.txt"]}
    path = archive(tmp_path / "n.zip", members)
    with pytest.raises(UserError, match=r"left/weights, right/weights may be the weights"):
        load_connectome(path)
    assert load_connectome(path, weights="right/weights").weights.tolist() == LENGTHS


def test_members_go_nowhere(tmp_path):
    (tmp_path / "inside").mkdir()
    path = archive(tmp_path / "inside" / "n.zip", {"../weights.txt": TVB["weights.txt"], "/abs/other.txt": "1 2\n"})
    with pytest.raises(UserError, match=r"what is there: other \(1 x 2\)"):
        load_connectome(path)
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["inside", "n.zip"]


def test_archives_that_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"n.zip can't be read as a ZIP archive: .*; expected a whole one"):
        load_connectome(written(tmp_path, "n.zip", b"PK"))
    rare = archive(tmp_path / "rare.zip", TVB, compression=zipfile.ZIP_BZIP2)
    with pytest.raises(UserError, match=r"rare.zip, weights.txt is packed in a rare way"):
        load_connectome(rare)
    whole = bytearray(archive(tmp_path / "n.zip", TVB).read_bytes())
    whole[whole.index(b"2.0000000e-01")] ^= 1
    with pytest.raises(UserError, match=r"n.zip, weights.txt can't be read: Bad CRC-32"):
        load_connectome(written(tmp_path, "n.zip", bytes(whole)))
    cut = {"weights.txt.bz2": bz2.compress(TVB["weights.txt"].encode())[:-9]}
    with pytest.raises(UserError, match=r"weights.txt.bz2 can't be read: .*; expected a whole .bz2 file"):
        load_connectome(archive(tmp_path / "cut.zip", cut))
    with pytest.raises(UserError, match=r"nothing seems to be the weights.*what is there: none"):
        load_connectome(archive(tmp_path / "none.zip", {"readme.md": "nothing"}))


def test_what_unpacks_to_too_much_is_refused_before_it_takes_memory(tmp_path, monkeypatch):
    for module in (found, archives, matlab):
        monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    zeros = "0 " * 50_000
    with pytest.raises(UserError, match=r"bomb.zip holds 0\.0 GiB; expected at most"):
        load_connectome(archive(tmp_path / "bomb.zip", {"weights.txt": zeros}, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(UserError, match=r"weights.txt.bz2 holds .* GiB; expected at most"):
        load_connectome(archive(tmp_path / "bz2.zip", {"weights.txt.bz2": bz2.compress(zeros.encode())}))
    scipy.io.savemat(tmp_path / "bomb.mat", {"sc": np.zeros((300, 300))}, do_compression=True)
    assert (tmp_path / "bomb.mat").stat().st_size < 2_000
    with pytest.raises(UserError, match=r"bomb.mat holds .* GiB; expected at most"):
        load_connectome(tmp_path / "bomb.mat")
    with pytest.raises(UserError, match=r"large.csv holds .* GiB; expected at most"):
        load_connectome(written(tmp_path, "large.csv", zeros))


# MATLAB.


def test_structures_of_matlab(tmp_path):
    names = np.array(NAMES, dtype=object)[:, None]
    inside = {"SC": WEIGHTS, "info": {"dist": LENGTHS, "labels": names}, "note": "by hand", "empty": []}
    scipy.io.savemat(tmp_path / "n.mat", {"subject": inside, "fs": 2.0})
    assert load_connectome(tmp_path / "n.mat") == Connectome("n", NAMES, WEIGHTS, LENGTHS)
    assert load_connectome(tmp_path / "n.mat", weights="dist").weights.tolist() == LENGTHS


def test_older_matlab_files(tmp_path):
    scipy.io.savemat(tmp_path / "n.mat", {"sc": np.array(WEIGHTS), "len": np.array(LENGTHS)}, format="4")
    assert load_connectome(tmp_path / "n.mat").lengths_mm.tolist() == LENGTHS


def matlab_73(path, **others):
    """Write a file as MATLAB's save(..., '-v7.3') does: dimensions reversed, text as codes, cells as references."""
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")

    def classed(thing, kind):
        thing.attrs["MATLAB_class"] = np.bytes_(kind)
        return thing

    with h5py.File(path, "w", userblock_size=512) as file:
        classed(file.create_dataset("sc", data=np.array(WEIGHTS).T), "double")
        group = classed(file.create_group("dist"), "double")
        group.attrs["MATLAB_sparse"] = np.uint64(3)
        sparse = scipy.sparse.csc_matrix(LENGTHS)
        for part, data in {"data": sparse.data, "ir": sparse.indices, "jc": sparse.indptr}.items():
            group.create_dataset(part, data=data)
        refs = file.create_group("#refs#")
        cells = []
        for i, name in enumerate(others.get("names", NAMES)):
            codes = np.array([[ord(letter)] for letter in name], np.uint16)
            cells.append(classed(refs.create_dataset(f"c{i}", data=codes), "char").ref)
        classed(file.create_dataset("labels", data=np.array([cells], dtype=h5py.ref_dtype)), "cell")
        inner = classed(file.create_group("more"), "struct")
        classed(inner.create_dataset("myelin", data=[[1.0], [2.0], [3.0]]), "double")
        for name, target in others.get("links", {}).items():
            file[name] = h5py.ExternalLink(target, "sc")
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    content = bytearray(path.read_bytes())
    content[: len(header)] = header
    path.write_bytes(bytes(content))
    return path


def test_version_7_3_of_matlab(tmp_path):
    path = matlab_73(tmp_path / "n.mat")
    made = load_connectome(path, values=["myelin"])
    assert made == Connectome("n", NAMES, WEIGHTS, LENGTHS, {"myelin": [1.0, 2.0, 3.0]})


def test_a_file_of_7_3_reads_no_other_file(tmp_path):
    matlab_73(tmp_path / "secret.mat")
    path = matlab_73(tmp_path / "n.mat", links={"weights": "secret.mat"})
    with pytest.raises(UserError, match='weights="weights" is not there'):
        load_connectome(path, weights="weights")


def test_without_h5py_what_to_install_is_said(tmp_path, monkeypatch):
    path = written(tmp_path, "n.mat", b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UserError, match=r"version 7\.3, which h5py reads; .*gbaexplore\[files\].*save\(file, '-v7'\)"):
        load_connectome(path)


def test_a_broken_file_of_7_3(tmp_path):
    pytest.importorskip("h5py", reason="h5py is not installed")
    path = written(tmp_path, "n.mat", b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(UserError, match=r"n.mat can't be read as a MATLAB file"):
        load_connectome(path)


# GraphML.

GRAPH = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="w" for="edge" attr.name="number_of_fibers" attr.type="int"/>
<key id="l" for="edge" attr.name="fiber_length_mean" attr.type="double"/>
<key id="n" for="node" attr.name="dn_name" attr.type="string"/>
<key id="m" for="node" attr.name="myelin" attr.type="double"/>
<graph edgedefault="KIND">
<node id="0"><data key="n">A</data><data key="m">1.5</data></node>
<node id="1"><data key="n">B</data><data key="m">2.5</data></node>
<edge source="0" target="1"><data key="w">7</data><data key="l">30.5</data></edge>
</graph></graphml>
"""


def test_graphml(tmp_path):
    pytest.importorskip("networkx", reason="NetworkX is not installed")
    directed = load_connectome(
        written(tmp_path, "n.graphml", GRAPH.replace("KIND", "directed")), weights="number_of_fibers", values=["myelin"]
    )
    assert directed == Connectome("n", ("A", "B"), [[0, 0], [7, 0]], [[0, 0], [30.5, 0]], {"myelin": [1.5, 2.5]})
    both = load_connectome(written(tmp_path, "n.graphml", GRAPH.replace("KIND", "undirected")))
    assert both == Connectome("n", ("A", "B"), [[0, 7], [7, 0]], [[0, 30.5], [30.5, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + GRAPH, "declares a document type or entities; expected GraphML without"),
        ("<graphml>", "can't be read as GraphML: .*; expected a graph of areas"),
        (GRAPH.replace("</graph>", '<edge source="0" target="1"/></graph>'), "found a MultiDiGraph; expected"),
    ],
)
def test_graphml_that_is_refused(tmp_path, text, message):
    pytest.importorskip("networkx", reason="NetworkX is not installed")
    with pytest.raises(UserError, match=message):
        load_connectome(written(tmp_path, "n.graphml", text.replace("KIND", "undirected")))
