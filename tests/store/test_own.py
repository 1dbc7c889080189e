"""A store from somebody else: what its own files say leads to no other file, never hangs, and is no traceback."""

import json
import os
import shutil

import numpy as np
import pytest

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, UserError, open_study
from gbaexplore import run as compute
from gbaexplore.basics.errors import redacted
from gbaexplore.store import info, integrity

FILES = ("status/recipe.json", "status/checksums.json", "zarr.json", "status/zarr.json")
_CONTENTS = ("[1]", "{}", "\0", "[" * 100_000, '{"recipe": 3, "software": {}}', '"text"')
# A list of checksums without any says of no file what it was.
DAMAGES = [(n, c) for n in FILES for c in _CONTENTS if (n, c) != ("status/checksums.json", "{}")]


@pytest.fixture(scope="module")
def made(macaque, tmp_path_factory):
    study = Study(
        "foreign", model=ThresholdLinear(), axes={"muEE": np.array([28.0, 30.0])}, connectome=macaque,
        stimulus=Pulse(area="V1", onset=0.02, duration=0.02, amplitude=20.0), measures=[Peak()], duration=0.06,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("made")
    compute(study, store=folder)
    return folder / "foreign.zarr"


@pytest.fixture
def store(made, tmp_path):
    return shutil.copytree(made, tmp_path / "foreign.zarr", symlinks=True)


def told(store):
    """What each reader says of a damaged store."""
    found = []
    for read in (info.describe, info.as_json, lambda path: list(integrity.check(path)) and open_study(path)):
        with pytest.raises(UserError, match=r"is damaged|is not a gbaexplore store") as error:
            read(store)
        found.append(str(error.value))
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_place_of_a_file_does_not_hang(store, name):
    (store / name).unlink(missing_ok=True)
    os.mkfifo(store / name)
    told(store)


@pytest.mark.parametrize(("name", "content"), DAMAGES)
def test_what_is_not_what_was_written_is_told_in_one_line(store, name, content):
    (store / name).write_text(content)
    for message in told(store):
        assert "\n" not in message


def test_checksums_name_files_of_the_store_alone(store, tmp_path):
    file = store / "status" / "checksums.json"
    expected = json.loads(file.read_text())
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "other").write_text("x")
    (store / "link").symlink_to(tmp_path / "other")
    for name in ("/etc/hostname", "../other", "../pipe", "link", "muEE", "a\0b"):
        file.write_text(json.dumps({**expected, name: "x"}))
        with pytest.raises(UserError, match=r"not a file of the store's own|leads out of the store|not a regular file"):
            open_study(store)


def test_files_of_other_peoples_tools_are_no_matter(store):
    for folder in (store, store / "peak_rate", store / "status"):
        for name in (".DS_Store", "._zarr.json", "Thumbs.db", "zarr (conflicted copy).json"):
            (folder / name).write_bytes(b"\0\1")
    assert open_study(store).peak_rate.load().notnull().all()
    assert list(integrity.check(store)) == []


def test_lines_that_are_not_ours_are_left_out_of_the_history(store):
    file = store / "status" / "history.jsonl"
    lines = ['{"event": "run"}', "5", "[]", '{"event": "block", "run": {}}', "\0", "[" * 100_000, '{"event": []}']
    before = info.describe(store)
    with file.open("a") as history:
        history.write("\n".join(lines) + "\n")
    assert info.describe(store) == before
    file.unlink()
    os.mkfifo(file)
    assert "history" in info.describe(store)


def test_errors_are_kept_without_what_is_nobody_elses_business(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    text = f"no {tmp_path}/key.pem, s3://me:hidden@host/x?token=abc&API_KEY=7 \x1b[2K\n" + "long " * 100
    found = redacted(text)
    for secret in (str(tmp_path), "hidden", "abc", "=7", "\x1b", "\n"):
        assert secret not in found
    assert found.startswith(r"no ~/key.pem, s3://...@host/x?token=...&API_KEY=... \x1b[2K\n")
    assert len(found) < 210
