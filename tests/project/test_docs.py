"""The documentation: every public name is in it, every command that it shows exists, and its pages' code runs.

In the pages that are run, `sh` and `python` blocks are run in order, in an empty folder; a `python` block with a title
is a file of that name. Blocks of `bash` (installing, clusters, stores elsewhere), `text` and `py` (other packages) are
not run.
"""

import argparse
import base64
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gbaexplore.cli import _parser

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FOLDERS = ("how-to", "concepts", "coming-from")
RUN = [
    *(DOCS / f"{name}.md" for name in ("index", "choices")),
    *(p for f in FOLDERS for p in sorted((DOCS / f).glob("*.md"))),
]
BLOCK = re.compile(r"^```(\w+)(?: title=\"(.+?)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# Its own module, because MkDocs loads it by its path too.
_spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
hooks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hooks)


def names(paths):
    return [str(path.relative_to(DOCS)) for path in paths]


def test_every_public_name_has_a_docstring_and_a_place_in_the_reference():
    assert list(hooks.undocumented()) == []


def test_a_name_without_docstring_or_place_is_told(monkeypatch):
    monkeypatch.setattr(hooks, "public", lambda: {"nowhere": lambda: None})
    assert [line.split(" ", 1)[1][:10] for line in hooks.undocumented()] == ["has no doc", "is public,"]


def test_everything_in_the_reference_exists():
    for name in hooks.listed():
        owner, _, last = f"gbaexplore.{name}".rpartition(".")
        assert hasattr(importlib.import_module(owner), last), name


def test_a_notebook_becomes_a_page_as_it_is(tmp_path):
    picture = base64.b64encode(b"a picture").decode()
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["7"]},
        {"output_type": "stream", "name": "stdout", "text": ["8\n"]},
        {"output_type": "display_data", "data": {"image/png": picture, "text/plain": ["<Figure>"]}},
        {"output_type": "execute_result", "data": {"text/html": ["<table></table>"], "text/plain": ["a table"]}},
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# Tour\n", "of it"]},
        {"cell_type": "code", "source": ["print(7)"], "outputs": outputs},
    ]
    (tmp_path / "tour.ipynb").write_text(json.dumps({"cells": cells}))
    text, pictures = hooks.notebook(tmp_path / "tour.ipynb")
    assert pictures == {"tour_0.png": b"a picture"}
    parts = ["# Tour\nof it", "print(7)", "````text\n78\n````", "](tour_0.png)", "<table></table>", 'href="tour.ipynb"']
    assert [part for part in parts if part not in text] == []


@pytest.mark.slow
def test_the_site_is_built_strictly_and_fetches_nothing(tmp_path):
    for package in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(package)
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path]
    done = subprocess.run(build, cwd=DOCS.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    text = "".join(page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html"))
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?https?:[^>]*", text) == []


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_commands_that_are_shown_exist(page):
    commands = next(a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction)).choices
    text = page.read_text(encoding="utf-8")
    blocks = [line for kind, _, code in BLOCK.findall(text) if kind in ("sh", "bash") for line in code.splitlines()]
    for line in [*blocks, *re.findall(r"`([^`\n]+)`", text)]:
        # After variables that are set for the command; a comment is none of it.
        found = re.match(r"(?:\w+=\S+ )*gbaexplore (.+)", line)
        if not found:
            continue
        command, *rest = shlex.split(found[1], comments=True)
        if command.startswith("--") or command == "COMMAND":
            continue
        assert command in commands, line
        for option in (word for word in rest if word.startswith("--")):
            assert option in commands[command]._option_string_actions, line


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=names(RUN))
def test_the_code_of_a_page_runs(page, tmp_path):
    program = ["import matplotlib, pathlib, subprocess; matplotlib.use('agg')"]
    for kind, title, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        if title:
            program.append(f"pathlib.Path({title!r}).write_text({code!r})")
        elif kind == "python":
            program.append(code)
        elif kind == "sh":
            # check and diff exit with 1 if they find something, which some pages show.
            program += [f"assert subprocess.run({c!r}, shell=True).returncode in {_ends(c)}" for c in code.splitlines()]
    if len(program) == 1:
        return
    (tmp_path / "page.py").write_text("\n".join(program))
    compiled = {name: value for name, value in os.environ.items() if name.startswith("JAX_")}
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), **compiled}
    # Panel has warnings of its own; the other is of what tests share.
    strict = ["-W", "error", "-W", "ignore::PendingDeprecationWarning", "-W", "ignore:Error reading persistent"]
    done = subprocess.run([sys.executable, *strict, "page.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _ends(command):
    return (0, 1) if re.match("gbaexplore (check|diff) ", command) else (0,)
