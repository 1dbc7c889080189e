"""What MkDocs does besides: reference tables from the code, pages of the files that are linked, names that lack one."""

from __future__ import annotations

import argparse
import base64
import importlib
import inspect
import itertools
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MODULES = ("plots", "analysis", "designs")  # of whose names each has to be in the reference

_LISTED = re.compile(r"^::: gbaexplore\.?(\S*)", re.MULTILINE)
_LINK = re.compile(r"\]\((\.\./[^)#\s]+\.\w+)\)")
_TO_NOTEBOOK = re.compile(r"\]\(([^):\s]+)\.ipynb\)")
_LANGUAGES = {".py": "python", ".md": "markdown", ".csv": "text"}

log = logging.getLogger("mkdocs.hooks")


# What has to be in the reference.


def public() -> dict[str, Any]:
    """Return what is public, by its name after `gbaexplore.`."""
    package = importlib.import_module("gbaexplore")
    found = {name: getattr(package, name) for name in package.__all__}
    for name in MODULES:
        module = importlib.import_module(f"gbaexplore.{name}")
        for own, thing in vars(module).items():
            kind = inspect.isfunction(thing) or inspect.isclass(thing)
            if kind and not own.startswith("_") and f"{thing.__module__}.".startswith(f"{module.__name__}."):
                found[f"{name}.{own}"] = thing
    return found


def listed() -> set[str]:
    """Return the names that the pages of the reference document."""
    pages = (DOCS / "reference").glob("*.md")
    return {name for page in pages for name in _LISTED.findall(page.read_text(encoding="utf-8"))}


def undocumented() -> Iterator[str]:
    """Yield a line for each public name without docstring, or without a place in the reference."""
    there = listed()
    for name, thing in public().items():
        if not inspect.getdoc(thing):
            yield f"gbaexplore.{name} has no docstring"
        if name not in there:
            yield f"gbaexplore.{name} is public, but no page in docs/reference/ has `::: gbaexplore.{name}`"


# What pages take from the code: `<!-- commands -->` and `<!-- parameters: MODEL -->`.


def commands() -> str:
    """Return the help of every command."""
    from gbaexplore.cli import _parser

    os.environ["COLUMNS"] = "100"  # argparse asks for the width of the terminal
    parser = _parser()
    choices = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    parts = [f"```text\n{parser.format_help()}```"]
    parts += [f"## gbaexplore {name}\n\n```text\n{command.format_help()}```" for name, command in choices.items()]
    return "\n\n".join(parts)


def parameters(model: str) -> str:
    """Return a table of a model's parameters, as they are declared."""
    declared = getattr(importlib.import_module("gbaexplore"), model).parameters().values()
    rows = [f"| `{p.name}` | {p.default:.6g} | {p.units} | {p.doc} |" for p in declared]
    return "\n".join(["| parameter | default | unit | meaning |", "|---|---|---|---|", *rows])


# What a link to a file of the repository, outside docs/, leads to: a page that shows it.


def _outside(page: str, link: str) -> Path | None:
    """Return which file of the repository a link names, if that is outside docs/."""
    file = Path(os.path.normpath(DOCS / PurePosixPath(page).parent / link))
    return file if file.is_file() and file.is_relative_to(ROOT) and not file.is_relative_to(DOCS) else None


def _shown(file: Path) -> tuple[str, str]:
    """Return the place and the text of the page that shows a file."""
    name = file.relative_to(ROOT).as_posix()
    text = file.read_text(encoding="utf-8").rstrip()
    return f"source/{name}.md", f"# {name}\n\n````{_LANGUAGES.get(file.suffix, 'text')}\n{text}\n````\n"


def _inside(page: str, text: str) -> str:
    """Return a page's text with links to files outside docs/, and to notebooks, as links to the pages of them."""

    def shown(link: re.Match[str]) -> str:
        file = _outside(page, link[1])
        if file is None:
            return link[0]
        return f"]({os.path.relpath(_shown(file)[0], PurePosixPath(page).parent)})"

    return _LINK.sub(shown, _TO_NOTEBOOK.sub(r"](\1.md)", text))


# Notebooks, as they are: never run.


def notebook(file: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and the pictures in it by name."""
    pictures: dict[str, bytes] = {}
    parts = []
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code" and source.strip():
            parts.append(f"````{'bash' if source.startswith('%%bash') else 'python'}\n{source}\n````")
            parts += [_output(output, file.stem, pictures) for output in _joined(cell["outputs"])]
    parts.append(f'<a href="{file.name}" download>This page as a notebook</a>')
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def _joined(outputs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield outputs, what was printed piece by piece as one."""
    for kind, some in itertools.groupby(outputs, key=lambda output: output["output_type"]):
        if kind == "stream":
            yield {"text": "".join(itertools.chain.from_iterable(output["text"] for output in some))}
        else:
            yield from some


def _output(output: dict[str, Any], stem: str, pictures: dict[str, bytes]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        name = f"{stem}_{len(pictures)}.png"
        pictures[name] = base64.b64decode("".join(data["image/png"]))
        return f"![what the cell above draws]({name})"
    if "text/html" in data and "<table" in "".join(data["text/html"]):
        return re.sub(r"\n\s*\n", "\n", "".join(data["text/html"]))
    text = "".join(output.get("text", data.get("text/plain", "")))
    return f"````text\n{text.rstrip()}\n````" if text.strip() else ""


# The hooks.


def on_config(config: Any) -> Any:
    """Put the notebooks into the navigation, by the names of their files."""
    notebooks = [f"notebooks/{file.stem}.md" for file in sorted(DOCS.glob("notebooks/*.ipynb"))]
    if notebooks:
        config.nav.insert(1, {"Tutorials": notebooks})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add pages for notebooks and for the files that pages link to; warn of what is not documented."""
    from mkdocs.structure.files import File

    for line in undocumented():
        log.warning(line)
    added: dict[str, str | bytes] = {}
    for file in sorted(DOCS.glob("notebooks/*.ipynb")):
        text, pictures = notebook(file)
        added[f"notebooks/{file.stem}.md"] = text
        added |= {f"notebooks/{name}": picture for name, picture in pictures.items()}
    pages = {page.src_uri: page.content_string for page in files.documentation_pages()}
    for page, text in {**pages, **{k: v for k, v in added.items() if isinstance(v, str)}}.items():
        for link in _LINK.findall(text):
            file = _outside(page, link)
            if file is not None:
                place, shown = _shown(file)
                added[place] = shown
    for place, content in added.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in what comes from the code, and turn links to what has become a page."""
    markdown = markdown.replace("<!-- commands -->", commands()) if "<!-- commands -->" in markdown else markdown
    markdown = re.sub(r"<!-- parameters: (\w+) -->", lambda found: parameters(found[1]), markdown)
    return _inside(page.file.src_uri, markdown)
