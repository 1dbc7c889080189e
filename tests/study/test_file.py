"""Study files that are none: one line that says where, exit code 2, and nothing written."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from gbaexplore import UserError, cli, load_connectome, load_study

STUDY = """\
import gbaexplore as gba
net = gba.Connectome("small", ("A1", "B2"), [[0.0, 0.2], [0.3, 0.0]], values={"hierarchy": [0.0, 0.5]})
study = gba.Study(name="small", model=gba.ThresholdLinear(), connectome=net, axes={"muEE": [28.0, 30.0]},
    measures=[gba.Peak()], stimulus=gba.Pulse(area="A1", onset=0.1, duration=0.1, amplitude=20.0), duration=0.5)
"""
LATIN = b"# -*- coding: latin-1 -*-\n# pr\xe9frontal\n" + STUDY.encode()


@pytest.mark.parametrize(
    "content",
    [
        STUDY + "other = study\n",
        "print('hello')\n" + STUDY,
        STUDY.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + STUDY.encode(),
        LATIN,
    ],
    ids=["two studies", "prints", "CRLF", "byte order mark", "latin-1"],
)
@pytest.mark.parametrize("name", ["mine.py", "json.py", "of mine, \u00fc.py"])
def test_study_files_of_any_editor_load(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert load_study(path).name == "small"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "mine.py defines no study; expected `study = Study(...)` at its top level"),
        ("x = 1\n", "mine.py defines no study"),
        (STUDY.replace("study =", "other ="), "at its top level; rename `other` to `study`"),
        ("a = 1\ndef f(:\n", "mine.py, line 2: SyntaxError: invalid syntax; fix the file"),
        (bytes(range(256)), "mine.py: SyntaxError: source code string cannot contain null bytes"),
        (b"# -*- coding: nothing -*-\n", "mine.py: SyntaxError: unknown encoding: nothing; fix"),
        ("import sys\nsys.exit(3)\n", "mine.py, line 2: SystemExit: 3; fix the file"),
        ("\n1 / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        ("raise ValueError('a\\nb\\x1b[2K')\n", "mine.py, line 1: ValueError: a b\\x1b[2K; fix the file"),
        ("import not_there_at_all\n", "mine.py, line 1: ModuleNotFoundError: No module named"),
        ("from . import helpers\n", "mine.py, line 1: ImportError: attempted relative import"),
        ("def f(): f()\nf()\n", "mine.py, line 1: RecursionError: maximum recursion depth exceeded"),
        ("import gbaexplore\nstudy = gbaexplore.load_study(__file__)\n", "mine.py, line 2: PATH loads itself"),
    ],
)
def test_what_is_no_study_file_is_told_in_one_line(tmp_path, monkeypatch, capsys, content, message):
    path = tmp_path / "mine.py"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message.replace("PATH", str(path)) in line
    assert {name for name in os.listdir(tmp_path) if name != "__pycache__"} == {"mine.py"}


@pytest.mark.parametrize("kind", ["folder", "FIFO", "README.md", "nothing"])
def test_what_is_no_file_is_told(tmp_path, kind):
    path = tmp_path / ("README.md" if kind == "README.md" else "mine.py")
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "README.md":
        path.write_text("# Mine")
    with pytest.raises(UserError, match=f"no study file {path}; expected a Python file that defines") as told:
        load_study(path)
    assert ("this is no Python file" in str(told.value)) == (kind == "README.md")


def test_a_copy_has_a_name_of_its_own_whatever_the_file_is_called_and_written_in(tmp_path):
    (tmp_path / "theirs.py").write_bytes(LATIN)
    assert cli.main(["new", str(tmp_path / "mine.py"), "--from", str(tmp_path / "theirs.py")]) == 0
    text = (tmp_path / "mine.py").read_text(encoding="utf-8")
    assert "pr\u00e9frontal" in text
    assert load_study(tmp_path / "mine.py").name == "mine"
    assert 'Connectome("small"' in text


@pytest.mark.parametrize("content", [bytes(range(128, 256)), b"# \xe9\n", b"def f(:\n"])
def test_what_can_not_be_copied_is_told(tmp_path, capsys, content):
    (tmp_path / "theirs.py").write_bytes(content)
    assert cli.main(["new", str(tmp_path / "mine.py"), "--from", str(tmp_path / "theirs.py")]) == 2
    assert "theirs.py" in capsys.readouterr().err
    assert not (tmp_path / "mine.py").exists()


def test_threads_of_a_worker_load_a_study_at_the_same_time(tmp_path):
    file = tmp_path / "slow.py"
    file.write_text(
        "import time\nimport gbaexplore as gba\ntime.sleep(0.1)\n"
        "study = gba.Study(name='slow', model=gba.ThresholdLinear(), axes={'muEE': [28.0, 30.0]}, duration=0.1,\n"
        "    connectome=gba.load_connectome('macaque29'), measures=[gba.Peak()])\n"
    )
    with ThreadPoolExecutor(4) as pool:
        studies = list(pool.map(load_study, [file] * 4))
    assert [study.size for study in studies] == [2] * 4


def test_a_connectome_is_looked_up_beside_its_study_file_then_in_the_working_folder(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    monkeypatch.chdir(here)
    (there / "mine.py").write_text(
        STUDY.replace(
            'gba.Connectome("small", ("A1", "B2"), ', 'gba.load_connectome("net.csv", labels=["A1", "B2"])\n#'
        )
    )
    with pytest.raises(UserError, match=f"net.csv can't be read: No such file.*; looked in {there} and {here}; expect"):
        load_study(there / "mine.py")
    (here / "net.csv").write_text("0,1\n2,0\n")
    assert load_study(there / "mine.py").connectome.weights[1, 0] == 2
    (there / "net.csv").write_text("0,1\n3,0\n")
    assert load_study(there / "mine.py").connectome.weights[1, 0] == 3
    with pytest.raises(UserError, match=f"other.csv can't be read: No such file.*; looked in {here}; expected a file"):
        load_connectome("other.csv")  # no study file: here only
