"""The rooms of the package: imports between them go one way, and none goes in a circle."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import gbaexplore

PACKAGE = Path(gbaexplore.__file__).parent
# Each room may import those before it, and itself.
ROOMS = (
    "basics", "identity", "designs", "networks", "store", "stimuli", "models", "measures", "engine", "study",
    "analysis", "running", "fitting", "plots", "verification", "cli",
)  # fmt: skip
MODULES = {
    ".".join(("gbaexplore", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}


# Made by the package alone: a solved measure is handed what no measure of a user's own can use yet, for one.
OWN = {"SolvedMeasure", "LinearMeasure", "Silence", "Inputs", "Recorded", "TangentModel"}
ROOT = Path(__file__).parents[2]


def imports(name: str) -> set[str]:
    """The package's modules that a module imports, wherever in it, also for its types alone."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in MODULES else str(node.module) for one in inside}
    return {one for one in found if one in MODULES} - {name}


def room(name: str) -> str:
    return name.split(".")[1]


def test_every_module_is_in_a_room():
    assert {room(name) for name in MODULES if name != "gbaexplore"} == set(ROOMS)


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {"gbaexplore"}))
def test_imports_go_one_way(name):
    later = ROOMS[ROOMS.index(room(name)) + 1 :]
    assert not {one for one in imports(name) if one == "gbaexplore" or room(one) in later}


def test_no_circles():
    left = {name: imports(name) for name in MODULES}
    while done := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in done}
    assert not left


def rooms_of(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^\| `(?:gbaexplore/)?(\w+)(?:/|\.py)?` \|", text, re.MULTILINE)


def test_the_contributors_page_shows_the_rooms_in_their_order():
    assert rooms_of("docs/contributing.md") == list(ROOMS)


@pytest.mark.parametrize(
    ("folder", "base"),
    [
        ("models", gbaexplore.Model),
        ("measures", gbaexplore.Measure),
        ("stimuli", gbaexplore.AbstractStimulus),
        ("fitting.optimisers", gbaexplore.Optimiser),
    ],
)
def test_what_a_folder_holds_is_public(folder, base):
    inside = {
        name
        for module in MODULES
        if module.startswith(f"gbaexplore.{folder}.")
        for name, thing in vars(importlib.import_module(module)).items()
        if isinstance(thing, type) and issubclass(thing, base) and thing.__module__ == module and name[0] != "_"
    }
    assert inside - set(gbaexplore.__all__) <= OWN


def test_test_files_have_names_of_their_own():
    """pytest imports them by these alone: two of one name, or two of conftest.py, hide each other."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py")]
    assert [name for name in sorted(set(names)) if names.count(name) > 1] == []
