import os
import shutil

import numpy as np
import pytest

from gbaexplore import Peak, SpectralAbscissa, UserError, open_study, run
from gbaexplore.cli import main
from gbaexplore.running import runner
from gbaexplore.store import integrity

LONG_AGO = 1e9
NOT_READ = ("history.jsonl", "writing.lock", "checksums.json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, macaque, pulse):
    """A study of several blocks and labels, and its finished store."""
    from gbaexplore import Study, ThresholdLinear

    study = Study(
        name="small",
        model=ThresholdLinear(),
        axes={
            "muEE": np.linspace(28, 34, 12),
            "omegaEI": [19.7, 22.0],
            "feedback": {"on": macaque, "off": macaque.without_feedback()},
        },
        stimulus=pulse,
        measures=[Peak(window=(1.75, 2.1)), SpectralAbscissa()],
        block_points=8,
    )
    folder = tmp_path_factory.mktemp("finished")
    run(study, store=folder)
    return study, folder / "small.zarr"


@pytest.fixture
def store(finished, tmp_path):
    """A copy of it, to be damaged."""
    study, path = finished
    shutil.copytree(path, tmp_path / "small.zarr")
    return study, tmp_path / "small.zarr"


def chunks(path):
    """Files of the variables' chunks; coordinates can't be computed again."""
    names = ("peak_rate", "time_to_peak", "spectral_abscissa", "status")
    return sorted(file for name in names for file in (path / name / "c").rglob("*") if file.is_file())


def around(path):
    """Every other file but the history and the lock, which nothing depends on, and the checksums' own."""
    others = set(path.rglob("*")) - set(chunks(path))
    return sorted(f for f in others if f.is_file() and f.name not in NOT_READ)


def contents(path):
    return {file.relative_to(path): file.read_bytes() for file in chunks(path)}


def flip(file, rng):
    data = bytearray(file.read_bytes())
    at = rng.integers(len(data))
    data[at] ^= 1 << rng.integers(8)
    file.write_bytes(data)


def cut(file, rng):
    data = file.read_bytes()
    file.write_bytes(data[: rng.integers(len(data))])


def lose(file, rng):
    file.unlink()


def test_a_sound_store_has_nothing_to_be_said_of(store, capsys):
    assert integrity.check(store[1]) == []
    assert main(["check", str(store[1])]) == 0
    assert "0 damaged, 0 left over" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [flip, cut, lose])
def test_any_damage_to_any_chunk_is_found_and_mended(store, damage):
    """Ten times a few files at random; the same numbers come back, to the bit."""
    study, path = store
    whole = contents(path)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        files = rng.choice(np.array(chunks(path)), size=rng.integers(1, 5), replace=False)
        for file in files:
            damage(file, rng)
        found = integrity.check(path)
        lost_status = {f for f in files if damage is lose and "status" in f.parts}
        for file in set(files) - lost_status:
            # A block whose status is lost or unreadable is pending as a whole.
            beside = path / "status" / file.relative_to(path / file.relative_to(path).parts[0])
            assert file.relative_to(path) in {f.file for f in found} or beside in files or beside in lost_status
        integrity.repair(path, found)
        assert all(finding.harmless for finding in integrity.check(path))
        assert not runner.execute(study, path.parent).errors
        assert contents(path) == whole


def test_every_bit_of_a_chunk_counts(store):
    _, path = store
    rng = np.random.default_rng(1)
    (file, *_) = chunks(path)
    sound = file.read_bytes()
    for at in rng.choice(len(sound), 60, replace=False):
        data = bytearray(sound)
        data[at] ^= 1 << rng.integers(8)
        file.write_bytes(data)
        (finding,) = integrity.check(path)
        assert finding.file == file.relative_to(path)
        assert "muEE 28 to " in finding.where


@pytest.mark.parametrize("damage", [flip, cut, lose])
def test_labels_and_metadata_are_never_read_wrong(store, damage):
    _, path = store
    for seed, file in enumerate(around(path)):
        sound = file.read_bytes()
        damage(file, np.random.default_rng(seed))
        with pytest.raises(UserError, match=r"small\.zarr (is damaged: |is not a gbaexplore store)"):
            open_study(path)
        assert [finding.file for finding in integrity.check(path)] == [file.relative_to(path)]
        file.write_bytes(sound)
    assert integrity.check(path) == []


def test_a_reader_that_is_gone_changes_no_work_and_no_exit_code(store, monkeypatch):
    _, path = store
    (path / "peak_rate/c/0/0/0/0").write_bytes(b"not a chunk")
    for option, code in (([], 1), (["--repair"], 0), ([], 0)):
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as out:
            monkeypatch.setattr("sys.stdout", out)
            assert main(["check", str(path), *option]) == code


def test_damaged_metadata_is_not_run_upon(store, capsys):
    study, path = store
    (path / "muEE" / "zarr.json").write_text("{}")
    with pytest.raises(UserError, match=r"is damaged: muEE/zarr\.json has changed since"):
        runner.execute(study, path.parent)
    assert main(["check", str(path), "--repair"]) == 1
    assert "only chunks can be repaired" in capsys.readouterr().out
    assert main(["info", str(path)]) == 2


def test_reading_a_damaged_chunk_raises(store):
    _, path = store
    flip(chunks(path)[0], np.random.default_rng(0))
    ds = open_study(path)
    with pytest.raises(Exception, match=r"[Cc]hecksum"):
        ds.load()


def test_a_damaged_status_is_one_line(store):
    study, path = store
    status = next(file for file in chunks(path) if "status" in file.parts)
    cut(status, np.random.default_rng(0))
    with pytest.raises(UserError, match=r"its status: .*check .* --repair"):
        runner.execute(study, path.parent)
    assert main(["check", str(path), "--repair"]) == 0
    assert runner.execute(study, path.parent).computed == 8


def test_what_a_killed_run_leaves_is_told_and_removed(store, capsys):
    study, path = store
    block = study.blocks()[0]
    status = path / "status" / "c" / "0" / "0" / "0"
    status.unlink()
    leftover = status.with_name("0.abc.partial")
    leftover.write_bytes(b"half")
    for file in path.rglob("*"):
        os.utime(file)  # the store that was copied may be minutes old
    assert integrity.check(path) == [], "a run may be writing them just now"
    for file in path.rglob("*"):
        os.utime(file, (LONG_AGO, LONG_AGO))
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert "a block that was not finished" in said
    assert "a write that was cut off" in said
    assert "0 damaged, 2 left over" in said
    assert main(["check", str(path), "--repair"]) == 0
    assert integrity.check(path) == []
    assert runner.execute(study, path.parent).computed == block.size


def test_a_block_that_is_finished_while_it_is_looked_at_is_not_halved(store):
    from gbaexplore.store import stores

    study, path = store
    whole, block = contents(path), study.blocks()[0]
    (path / "status" / "c" / "0" / "0" / "0").unlink()
    for file in path.rglob("*"):
        os.utime(file, (LONG_AGO, LONG_AGO))
    found = integrity.check(path)
    assert [finding.what for finding in found] == ["a block that was not finished"]
    stores.write_block(path, block.slices, study.run_block(block))  # by a worker that is late
    integrity.repair(path, found)
    assert integrity.check(path) == []
    assert runner.execute(study, path.parent).computed == block.size
    assert contents(path) == whole


def test_a_value_that_is_no_number(store):
    from gbaexplore.store import stores

    study, path = store
    block = study.blocks()[0]
    arrays = study.run_block(block)
    arrays["peak_rate"].flat[3] = np.nan
    stores.write_block(path, block.slices, arrays)
    (finding,) = integrity.check(path)
    assert "a non-finite value at a point marked ok" in finding.what


def test_what_is_no_store_is_one_line(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 2
    assert "is not a gbaexplore store" in capsys.readouterr().err
