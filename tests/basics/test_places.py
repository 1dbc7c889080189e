"""Where a store, or anything else that a user names, goes: the same for every command and from Python."""

import os
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest
from grids import HELD, same

import gbaexplore as gba
from gbaexplore import UserError, open_study
from gbaexplore.basics import places
from gbaexplore.basics.places import local, names_store, place, real
from gbaexplore.cli import main
from gbaexplore.plots.explorer.one_file import write
from gbaexplore.running import figures, runner
from gbaexplore.store import making

STUDY = """
import gbaexplore as gba

links = [[0.0, 0.2, 0.1], [0.3, 0.0, 0.05], [0.1, 0.4, 0.0]]
study = gba.Study(
    name="three",
    model=gba.ThresholdLinear(),
    connectome=gba.Connectome("three", ("A", "B", "C"), links, values={"hierarchy": [0.0, 0.5, 1.0]}),
    axes={"muEE": [28.0, 30.0], "omegaEI": [19.7, 22.0]},
    stimulus=gba.Pulse(area="A", onset=0.1, duration=0.1, amplitude=20.0),
    measures=[gba.Peak(window=(0.05, 0.3))],
    duration=0.3,
)


def draw(ds):
    from matplotlib.figure import Figure

    return Figure()
"""
WIDER = STUDY.replace("[28.0, 30.0]", "[28.0, 30.0, 32.0]")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with two studies of one store, and a home folder, which is another."""
    (tmp_path / "here").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Path("three.py").write_text(STUDY)
    Path("wider.py").write_text(WIDER)
    return tmp_path / "here"


@pytest.fixture
def store(folder):
    """A finished store in the current folder."""
    runner.execute(gba.load_study("three.py"), Path("made.zarr"))
    return Path("made.zarr")


def everything(path):
    """All that is in a folder, and when it was changed."""
    return {p: p.lstat().st_mtime_ns for p in path.parent.rglob("*") if "__pycache__" not in str(p)}


def refused(capsys, folder, *args):
    """What a command says in its one line, having written nothing."""
    before = everything(folder)
    assert main([str(arg) for arg in args]) == 2, args
    assert everything(folder) == before, args
    said = capsys.readouterr().err
    assert said.startswith("gbaexplore: ")
    assert said.count("\n") == 1
    return said


# What a user may give.


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("a/b", "a/b"),
        ("a/b.zarr//", "a/b.zarr"),
        (Path("a/b"), "a/b"),
        ("~", "{home}"),
        ("~/a/", "{home}/a"),
        (Path("~/a"), "{home}/a"),
        ("./~/a", "{here}/~/a"),
        ("./s3:/a", "{here}/s3:/a"),
        ("a/~", "a/~"),
        ("a/b://c", "a/b:/c"),
        ("file:///a/b%20c/", "/a/b c"),
        ("file://localhost/a", "/a"),
    ],
)
def test_a_path_as_it_is_given(folder, given, meant):
    expected = Path(meant.format(home=os.environ["HOME"], here=folder))
    assert place(given) == local(given) == expected
    assert place(expected) == expected


def test_the_home_folder_of_another_user(monkeypatch):
    pwd = pytest.importorskip("pwd")
    someone = pwd.getpwuid(os.getuid())
    monkeypatch.setenv("HOME", "/elsewhere")
    assert place(f"~{someone.pw_name}/a") == Path(someone.pw_dir, "a")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "'' is not a path; expected the name of a file or folder"),
        (None, "None is not a path; expected the name of a file or folder, as text or a Path"),
        (5, "5 is not a path"),
        ("a\0b", r"'a\\x00b' is not a path"),
        ("~nobody123/x", r"there is no user nobody123 on this machine; for a file of that name, write \./~nobody123/x"),
        ("file://host/x", "is on the machine host; expected file:///FOLDER"),
        ("a://b", r"a://b can't be used \(no such kind of URL is known\); expected a folder, or a URL"),
        ("nonsense://b", r"nonsense://b can't be used \(.*nonsense.*\); expected a folder, or a URL"),
        (Path("a://b"), r"a:/b can't be used .* or a URL of an object store, as text"),
    ],
)
def test_what_is_no_place(folder, given, said):
    with pytest.raises(UserError, match=said):
        gba.run(gba.load_study("three.py"), store=given)
    with pytest.raises(UserError, match=said):
        open_study(given)
    assert sorted(os.listdir()) == ["three.py", "wider.py"]


def test_an_object_store_is_not_on_this_machine():
    for given in ("s3://bucket/x", Path("s3://bucket/x"), "a://b"):
        with pytest.raises(UserError, match=r"a?/+b.* is in an object store; expected a place on this machine"):
            local(given)


def test_a_url_keeps_what_it_was_made_with():
    given = place("memory://options/x")
    given = type(given)(given, token="secret")
    assert place(given).storage_options == {"token": "secret"}


# A store itself, or a folder of stores.


FURTHER = [pytest.param(given, marks=pytest.mark.slow) for given in ("a.zarr/", "~/a.zarr", "x/y/a.zarr")]


@pytest.mark.slow
@pytest.mark.parametrize("given", ["a.zarr", "memory://x/a.zarr/", *FURTHER])
def test_what_ends_in_zarr_is_the_store_itself(folder, capsys, given):
    assert main(["run", "three.py", "--store", given, "--dry-run"]) == 0
    path = place(given)
    assert f"store        {path} (nothing is written now)" in capsys.readouterr().out
    assert not path.exists()
    assert main(["run", "three.py", "--store", given]) == 0
    assert f"result: {path}\n" in capsys.readouterr().out
    assert (open_study(given).status == 1).all()
    assert main(["figure", "three.py", f"--store={given}"]) == 0
    assert f"{path}: 0 of 4 points computed" in capsys.readouterr().out
    same(gba.run(gba.load_study("three.py"), store=given), open_study(given))
    for command in ("info", "check"):
        assert main([command, given]) == 0
        assert f"{path}: " in capsys.readouterr().out


@pytest.mark.parametrize("given", ["a", "a/", "a.zarr.old", ".zarr", "file://{here}/a", "memory://folder"])
def test_any_other_place_is_a_folder_of_stores(folder, given):
    given = given.format(here=folder)
    assert not names_store(place(given))
    gba.run(gba.load_study("three.py"), store=given)
    assert (open_study(place(given) / "three.zarr").status == 1).all()


def test_all_figures_do_not_go_into_one_store(folder, capsys):
    said = refused(capsys, folder, "figure", "--all", "--store", "a.zarr")
    assert "a.zarr is one store; expected a folder, for a store of each study: choose another --store" in said


@pytest.mark.slow
def test_home_in_every_argument(folder, capsys):
    home = folder.parent / "home"
    (home / "three.py").write_text(STUDY)
    made = "~/results/three.zarr"
    for args in (
        ("run", "~/three.py", "--store=~/results"),
        ("info", made),
        ("check", made),
        ("diff", made, made),
        ("export", made, "~/out/three.zarr"),
        ("plot", made, "--out=~/out/map.png"),
        ("explore", made, "--html=~/out/map.html"),
        ("figure", "~/three.py", "--store", "~/results", "--out", "~/pictures"),
        ("new", "~/own.py", "--from", "~/three.py"),
    ):
        assert main([*args]) == 0, capsys.readouterr().err
    found = sorted(str(p.relative_to(home)) for p in home.glob("*/*") if "__pycache__" not in str(p))
    out = ["out/map.html", "out/map.png", "out/three.zarr"]
    assert found == [*out, "pictures/three.png", "pictures/three.svg", "results/three.zarr"]
    assert (home / "own.py").exists()

    study = gba.load_study("~/three.py")
    same(gba.run(study, store="~/results"), open_study(made))
    assert gba.replay(made, muEE=28.0, omegaEI=22.0).sizes["area"] == 3
    assert gba.Explorer(made).path == home / "results" / "three.zarr"
    assert gba.plots.store(made, "~/out/other.png") == home / "out" / "other.png"
    assert study.connectome.to_folder("~/areas") == home / "areas"
    assert gba.load_connectome("~/areas") == study.connectome
    assert sorted(os.listdir()) == ["three.py", "wider.py"]


# Symbolic links.


def test_a_link_to_a_store_is_that_store(store, capsys):
    """With the ending of one or without; and after a change of grid it is still a link."""
    for link in ("link.zarr", "latest"):
        Path(link).symlink_to(store)
        assert main(["run", "three.py", "--store", link]) == 0
        said = capsys.readouterr().out
        assert "nothing was left to do" in said
        assert f"result: {link}\n" in said
    Path("chain.zarr").symlink_to("link.zarr")
    assert main(["run", "wider.py", "--store", "chain.zarr"]) == 0
    assert "4 carried over, 2 new" in capsys.readouterr().out
    assert [os.readlink(link) for link in ("chain.zarr", "link.zarr", "latest")] == ["link.zarr", *2 * [str(store)]]
    assert open_study(store).sizes["muEE"] == 3
    assert main(["check", "chain.zarr"]) == 0
    assert not [name for name in os.listdir() if name.startswith(".")]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_link_elsewhere_stays_one(folder, monkeypatch, at_once):
    """What is moved is beside the store, and not beside the link."""
    if not at_once:
        monkeypatch.setattr(making, "_exchanged", lambda *_: False)
    Path("big").mkdir()
    Path("three.zarr").symlink_to("big/data.zarr")
    for name in ("three.py", "wider.py"):
        gba.run(gba.load_study(name), store=".")
    assert Path("three.zarr").is_symlink()
    assert os.listdir("big") == ["data.zarr"]
    assert open_study("big/data.zarr").sizes["muEE"] == 3
    # As if killed between two renames.
    Path("big/data.zarr").rename("big/.data.zarr.1.aside")
    assert runner.execute(gba.load_study("wider.py"), Path()).computed == 0
    assert os.listdir("big") == ["data.zarr"]


def test_a_link_to_nothing_is_where_the_store_is_made(folder, capsys):
    Path("three.zarr").symlink_to("new/folder/a.zarr")
    with pytest.raises(UserError, match=r"three\.zarr is not a gbaexplore store: there is nothing there"):
        open_study("three.zarr")
    assert main(["run", "three.py", "--store", "."]) == 0
    assert "result: three.zarr\n" in capsys.readouterr().out
    assert Path("three.zarr").is_symlink()
    assert (open_study("new/folder/a.zarr").status == 1).all()


def test_a_link_to_a_folder_of_stores(folder):
    Path("big").mkdir()
    Path("results").symlink_to("big")
    gba.run(gba.load_study("three.py"), store="results")
    assert os.listdir("big") == ["three.zarr"]
    assert Path("results").is_symlink()


def test_links_that_lead_nowhere(folder, capsys):
    Path("loop.zarr").symlink_to("loop.zarr")
    Path("round").symlink_to("about")
    Path("about").symlink_to("round")
    for name in ("loop.zarr", "round"):
        said = f"{name} is a link that points to itself; expected a link to a store or a file"
        assert said in refused(capsys, folder, "run", "three.py", "--store", name)
        assert said in refused(capsys, folder, "info", name)
    assert "Too many levels" in refused(capsys, folder, "run", "three.py", "--store", "round/x.zarr")
    Path("lost").symlink_to("no/folder")
    for args in (("run", "three.py", "--store"), ("figure", "three.py", "--out")):
        said = "lost is a link to no/folder, which is not a folder; expected a folder for three."
        assert said in refused(capsys, folder, *args, "lost")
    assert real(Path("lost/x")) == Path("lost/x"), "only the end of a path"


@pytest.mark.slow
def test_runs_through_a_link_and_through_the_path_exclude_each_other(folder):
    Path("held.py").write_text(HELD)
    Path("hold").touch()
    Path("big").mkdir()
    Path("link.zarr").symlink_to("big/real.zarr")
    command = [str(Path(sys.executable).with_name("gbaexplore")), "run", "held.py", "--store"]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = subprocess.Popen([*command, "link.zarr"], **pipes)
    try:
        while not list(Path("big").glob("real.zarr/status/c/*/*/*")):
            assert first.poll() is None, first.communicate()
            time.sleep(0.05)
        second = subprocess.run([*command, "big/real.zarr"], **pipes)
    finally:
        Path("hold").unlink()
        first.communicate()
    assert second.returncode == 2
    assert f"big/real.zarr is being written by process {first.pid} on " in second.stderr
    assert first.returncode == 0
    assert (open_study("link.zarr").status != 0).all()


# Never inside a store.


@pytest.mark.parametrize(
    "args",
    [
        ("run", "three.py", "--store", "made.zarr/b.zarr"),
        ("run", "three.py", "--store", "made.zarr/sub/deeper"),
        ("run", "three.py", "--store", "made.zarr/status"),
        ("run", "three.py", "--store", "made.zarr/b.zarr", "--dry-run"),
        ("run", "three.py", "--store", "link/b.zarr"),
        ("run", "three.py", "--store", "into.zarr"),
        ("run", "three.py", "--store", "renamed"),
        ("run", "three.py", "--store", "old.zarr/b"),
        ("figure", "three.py", "--store", "made.zarr/sub"),
        ("figure", "three.py", "--out", "made.zarr/pictures"),
        ("export", "made.zarr", "made.zarr/b.zarr"),
        ("plot", "made.zarr", "--out", "made.zarr/map.png"),
        ("explore", "made.zarr", "--html", "made.zarr/map.html"),
        ("new", "made.zarr/own.py"),
    ],
)
def test_nothing_is_written_inside_a_store(store, folder, capsys, args):
    Path("link").symlink_to(store)
    Path("into.zarr").symlink_to(store / "b.zarr")
    Path("renamed").mkdir()
    Path("renamed/zarr.json").write_text("{}")
    Path("old.zarr").mkdir()
    Path("old.zarr/.zgroup").write_text("{}")
    said = refused(capsys, folder, *args)
    assert "which is a zarr store; choose a place outside of it" in said


def test_nor_from_python(store):
    study = gba.load_study("three.py")
    with pytest.raises(UserError, match=rf"made\.zarr/a/three\.zarr would be inside {store.absolute()}, which is a"):
        gba.run(study, store=store / "a")
    with pytest.raises(UserError, match="would be inside"):
        study.connectome.to_folder(store / "areas")
    with pytest.raises(UserError, match="would be inside"):
        gba.plots.store(store, store / "map.png")


def test_nor_in_an_object_store(folder, monkeypatch):
    study = gba.load_study("three.py")
    gba.run(study, store="memory://nested/a.zarr")
    with pytest.raises(UserError, match=r"b\.zarr would be inside memory://nested/a\.zarr, which is a zarr store"):
        gba.run(study, store="memory://nested/a.zarr/sub/b.zarr")
    # Of folders above ours we may not be allowed to see anything.
    original = fsspec.get_filesystem_class("memory").exists
    mine = "/allowed/mine/"

    def exists(fs, path, **kwargs):
        if not path.startswith(mine):
            raise PermissionError(path)
        return original(fs, path, **kwargs)

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "exists", exists)
    assert (gba.run(study, store=f"memory:/{mine}a.zarr").status == 1).all()


# What is in the way.


def test_what_can_not_be_a_store(folder, capsys):
    Path("file").write_text("in the way")
    Path("file.zarr").write_text("in the way")
    Path("folder.zarr").mkdir()
    for dry in ([], ["--dry-run"]):
        for name, message in {
            "": "'' is not a path",
            "file": "file is not a folder; expected a folder for three.zarr: choose another place",
            "file/a/b": "file is not a folder",
            "file.zarr": "file.zarr is not a gbaexplore store: it is something else",
            "folder.zarr": "folder.zarr is not a gbaexplore store: it is something else",
            "a://b": "a://b can't be used",
        }.items():
            assert message in refused(capsys, folder, "run", "three.py", "--store", name, *dry)
            if not dry:
                assert message in refused(capsys, folder, "figure", "three.py", "--store", name)


def test_a_folder_that_may_not_be_changed(folder, capsys, monkeypatch):
    """Root may change any, so that it has to be told that it may not."""
    Path("closed").mkdir()
    monkeypatch.setattr(places.os, "access", lambda path, mode: Path(path) != Path("closed"))
    said = "closed can't be written to: no permission; choose another place for "
    for given in ("closed", "closed/a.zarr", "closed/a/b"):
        assert said in refused(capsys, folder, "run", "three.py", "--store", given)
    assert said in refused(capsys, folder, "figure", "three.py", "--out", "closed/pictures")


def test_what_only_writing_tells(store):
    """A folder where a file is to go; and, before, a name that no folder can have."""
    for name in ("three.png", "map.html"):
        Path(name).mkdir()
    with pytest.raises(UserError, match=r"three\.png can't be written to: Is a directory; choose another --out"):
        gba.plots.store(store, "three.png")
    with pytest.raises(UserError, match=r"map\.html can't be written to: Is a directory; choose another place"):
        write(store, "map.html")
    with pytest.raises(UserError, match=r"can't be written to: Is a directory; choose another --out"):
        figures.make("three.py", store, Path())
    with pytest.raises(UserError, match="can't be written to: a name in it is too long"):
        gba.load_study("three.py").connectome.to_folder("x" * 300)


def test_a_url_that_can_only_be_read(folder, monkeypatch):
    def refuse(*_, **__):
        raise NotImplementedError("this can only be read")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "pipe_file", refuse)
    with pytest.raises(UserError, match="can't be written to: this can only be read; choose another --store"):
        gba.run(gba.load_study("three.py"), store="memory://read")


# Odd ones, at every door.

NOWHERE = [
    "file:///tmp/a?b", "file:///tmp/a#b", "file://host/x", "n" * 300, "x/" + "n" * 300, "x/" + "n" * 240 + ".zarr",
    "zip::x", "made.zarr/status", "made.zarr/inner", "made.zarr/inner.zarr", "made.zarr/zarr.json/x", "three.py/x",
    "dangling/x", "loop.zarr", "loop.zarr/x", "pipe", "/dev/null", "/dev/zero", "/proc/self/mem", "", "a\0b", "s3://",
]  # fmt: skip


@pytest.fixture
def odd(store):
    for name, target in {"dangling": "nowhere", "loop.zarr": "loop.zarr"}.items():
        Path(name).symlink_to(target)
    os.mkfifo("pipe")
    return store


@pytest.mark.parametrize("where", NOWHERE)
def test_what_can_not_be_a_store_is_one_line_at_every_door(odd, folder, monkeypatch, capsys, where):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for words in (
        ("run", "three.py", "--store"), ("run", "three.py", "--dry-run", "--store"), ("figure", "three.py", "--store"),
        ("info",), ("check",), ("check", "--repair"), ("diff", odd), ("plot",), ("explore", "--html", "o.html"),
    ):  # fmt: skip
        refused(capsys, folder, *words, where)
    refused(capsys, folder, "diff", where, odd)
    refused(capsys, folder, "export", where, "o.csv")
    before = everything(folder)
    for door in (
        lambda: gba.run(gba.load_study("three.py"), store=where),
        lambda: gba.open_study(where),
        lambda: gba.replay(where, muEE=28.0, omegaEI=22.0),
    ):
        with pytest.raises(UserError) as error:
            door()
        assert str(error.value).isprintable()
    assert everything(folder) == before


SOME = ["%20", "a#b", "\udce4"]
OTHERS = ["a%20b", "a?b", "#", "a\nb", " ", "s3:", "file:", "a:b", "*"]


@pytest.mark.parametrize("name", [*SOME, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_a_name_of_any_characters_is_that_name(folder, name):
    ds = gba.run(gba.load_study("three.py"), store=name)
    path = Path(".", name, "three.zarr").absolute()
    assert sorted(os.listdir()) == sorted([name, "three.py", "wider.py"])
    for given in (f"./{name}/three.zarr", path):
        assert open_study(given).equals(ds)
        assert gba.replay(given, muEE=28.0, omegaEI=22.0).status == "ok"
        assert [main([word, str(given)]) for word in ("info", "check", "plot")] == [0, 0, 0]
        assert main(["export", str(given), "o.csv"]) == 0
        Path("o.csv").unlink()


def test_a_url_of_a_file_with_any_bytes():
    assert os.fsencode(place("file:///a%ff%23")) == b"/a\xff#"
