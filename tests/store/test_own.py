"""A store from somebody else: what its own files say leads to no other file, never hangs, and is no traceback."""

import contextlib
import copy
import hashlib
import json
import os
import random
import shutil

import numpy as np
import pytest

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, UserError, open_study, plots, replay
from gbaexplore import run as compute
from gbaexplore.basics.errors import redacted
from gbaexplore.cli import main
from gbaexplore.store import info, integrity
from gbaexplore.store.diff import diff
from gbaexplore.store.export import export

FILES = ("status/recipe.json", "status/checksums.json", "zarr.json", "status/zarr.json")
_CONTENTS = ("[1]", "{}", "\0", "[" * 100_000, '{"recipe": 3, "software": {}}', '"text"')
# A list of checksums without any says of no file what it was.
DAMAGES = [(n, c) for n in FILES for c in _CONTENTS if (n, c) != ("status/checksums.json", "{}")]


@pytest.fixture(scope="module")
def study(macaque):
    return Study(
        "foreign", model=ThresholdLinear(), axes={"muEE": np.array([28.0, 30.0]), "net": {"all": macaque}},
        stimulus=Pulse(area="V1", onset=0.02, duration=0.02, amplitude=20.0), measures=[Peak()], duration=0.06,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
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


def rewrite(store, name, text):
    """Change a file as somebody can who knows of the checksums."""
    (store / name).write_text(text)
    sums = store / "status" / "checksums.json"
    digest = hashlib.sha256((store / name).read_bytes()).hexdigest()
    sums.write_text(json.dumps({**json.loads(sums.read_text()), name: digest}))


def places(data, at=()):
    """The positions in JSON data, all the way down."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*at, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*at, key))


def changed(data, at, value):
    """A copy of JSON data with another value at a position; without one if it is `changed`."""
    data = copy.deepcopy(data)
    part = data
    for key in at[:-1]:
        part = part[key]
    if value is changed:
        del part[at[-1]]
    else:
        part[at[-1]] = value
    return data


@pytest.mark.slow
def test_whatever_the_recipe_says(store, made, study, tmp_path):
    """Each reader gives a result or one line."""
    metadata, rng, lines = json.loads((store / "zarr.json").read_text()), random.Random(1), []
    recipe = json.loads(metadata["attributes"]["gbaexplore_recipe"])
    values = [changed, None, 3, -1.5, True, "x", [], {}, [1.0], {"a": 1}, float("nan"), "a\x1b[2K\n"]
    readers = {
        "info": info.describe,
        "info --json": info.as_json,
        "diff": lambda path: diff(path, made),
        "export": lambda path: export(path, tmp_path / f"{at_random}.csv"),
        "replay": lambda path: replay(path, muEE=28.0),
        "run": lambda path: compute(study, store=path),
    }
    for at in rng.sample(list(places(recipe)), 30):
        value, at_random = rng.choice(values), rng.random()
        metadata["attributes"]["gbaexplore_recipe"] = json.dumps(changed(recipe, at, value))
        rewrite(store, "zarr.json", json.dumps(metadata))
        for name, read in readers.items():
            try:
                read(store)
            except UserError as error:
                lines.append(str(error))
            except Exception as error:
                raise AssertionError(f"{name}, where {at} is {value!r}") from error
    assert len(lines) > 30
    assert all(map(str.isprintable, lines))


HOSTILE = "\x1b]0;x\x07\x1b[2K\r\n  failed: fake \u202e\x9b2J"


def hostile(data):
    """JSON data with texts that do something to a terminal, or look like another line of ours."""
    if isinstance(data, dict):
        return {key: value if key == "event" else hostile(value) for key, value in data.items()}
    if isinstance(data, list):
        return [hostile(value) for value in data]
    return data + HOSTILE if isinstance(data, str) else data


def test_nothing_that_a_store_says_acts_on_the_terminal(store, made, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for file in [store / "zarr.json", *store.glob("*/zarr.json")]:
        metadata = json.loads(file.read_text())
        for name, value in metadata["attributes"].items():
            if name in ("gbaexplore_recipe", "software"):
                value = json.dumps(hostile(json.loads(value)))
            elif isinstance(value, str) and name != "missing":
                value += HOSTILE
            metadata["attributes"][name] = value
        rewrite(store, str(file.relative_to(store)), json.dumps(metadata))
    history = store / "status" / "history.jsonl"
    failed = {"event": "failed", "when": "now", "block": [[0, 1]], "error": "it"}
    lines = [*map(json.loads, history.read_text().splitlines()), failed]
    history.write_text("".join(f"{json.dumps(hostile(line))}\n" for line in lines))
    odd = store.rename(tmp_path / f"a{HOSTILE.replace('/', '')}.zarr")
    for args in (
        ("info", odd), ("info", odd, "--json"), ("check", odd), ("diff", odd, made), ("diff", made, odd),
        ("export", odd, f"{HOSTILE}.csv"), ("export", odd, f"{HOSTILE}.csv"), ("plot", odd), ("info", f"{odd}x"),
        ("info", odd, HOSTILE), ("figure", f"{HOSTILE}.py"), ("explore", odd, "--html", f"{HOSTILE}.html"),
    ):  # fmt: skip
        with contextlib.suppress(SystemExit):  # of argparse
            assert main([*map(str, args)]) in (0, 1, 2)
        said = capfd.readouterr()
        for line in (said.out + said.err).split("\n"):
            assert line.isprintable(), (args, line)
            assert not line.startswith("  failed: fake"), args


def in_its_place(file, kind):
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to({"device": "/dev/zero", "loop": file.name}[kind])


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop"])
@pytest.mark.parametrize("name", ["status/c/0/0", "peak_rate/c/0/0/0"])
def test_a_chunk_that_is_no_file_is_told_and_mended(store, made, study, tmp_path, capsys, name, kind):
    in_its_place(store / name, kind)
    readers = [
        lambda: open_study(store).load(),
        lambda: diff(store, made),
        lambda: export(store, tmp_path / "o.csv"),
        lambda: plots.store(store, tmp_path / "o.png"),
    ]
    if name.startswith("status"):
        readers += [lambda: info.describe(store), lambda: compute(study, store=store)]
    for read in readers:
        with pytest.raises(UserError, match=name):
            read()
    assert main(["check", str(store)]) == 1
    assert name in capsys.readouterr().out
    assert main(["check", str(store), "--repair"]) == 0
    compute(study, store=store)
    assert open_study(store).load().equals(open_study(made).load())
