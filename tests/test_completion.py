"""The TAB key in real shells."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

BESIDE = Path(sys.executable).parent  # the program that is tested comes first
LONG_S = 120.0


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "grid.zarr").mkdir()
    (tmp_path / "grid.txt").touch()
    (tmp_path / "my_study.py").touch()
    return tmp_path


def in_shell(name, folder, typed, expected):
    """Type into an interactive shell until what is expected shows; return all that it has shown."""
    arguments = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"]}[name]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PATH": f"{BESIDE}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "> "}
    process = subprocess.Popen(
        [name, *arguments, "-i"], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown, until = "", time.monotonic() + LONG_S
    try:
        for keys, sign in (*typed, expected):
            os.write(ours, keys.encode())
            seen = ""
            while sign not in seen:
                assert time.monotonic() < until, shown
                if select.select([ours], [], [], 1.0)[0]:
                    seen += os.read(ours, 10_000).decode(errors="replace")
                    shown = f"{shown}{seen[-10_000:]}"
        return shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)


SETUP = {
    "bash": 'eval "$(gbaexplore completion bash)"; echo re""ady\n',
    "zsh": 'autoload -Uz compinit; compinit -D; eval "$(gbaexplore completion zsh)"; echo re""ady\n',
}
TYPED = [("gbaexplore inf\t", "gbaexplore info"), ("gr\t", "grid.zarr"), ("\ngbaexplore run my\t", "my_study.py")]


@pytest.mark.parametrize("shell", SETUP)
def test_tab_completes_commands_stores_and_study_files(folder, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    in_shell(shell, folder, [(SETUP[shell], "ready"), *TYPED], ("\ngbaexplore figure fig2\t\t", "fig2c"))


def test_tab_completes_in_fish(folder):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")

    def completed(line):
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"gbaexplore completion fish | source; complete -C '{line}'"],
            cwd=folder, env={**os.environ, "PATH": f"{BESIDE}:{os.environ['PATH']}"}, capture_output=True, text=True,
        )  # fmt: skip
        return {found.split("\t")[0] for found in done.stdout.splitlines()}

    assert completed("gbaexplore inf") == {"info"}
    assert completed("gbaexplore info gr") == {"grid.zarr"}
    assert {"my_study.py"} == completed("gbaexplore run my")
    assert {"fig2b", "fig2c"} == completed("gbaexplore figure fig2")
    assert "--dry-run" in completed("gbaexplore run --")


def test_another_shell_is_refused(capsys):
    from gbaexplore.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["completion", "csh"])
    assert ended.value.code == 2
    assert "invalid choice: 'csh'" in capsys.readouterr().err
