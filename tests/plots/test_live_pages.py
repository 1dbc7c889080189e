"""Interactive pictures in a real browser: what stands under the mouse is what the Dataset has."""

import ast
import re
from pathlib import Path

import hvplot.xarray  # noqa: F401 - gives Datasets their .hvplot
import numpy as np
import panel as pn
import pytest
from bokeh.resources import INLINE

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, plots
from gbaexplore import run as compute
from tests.support.browser import NEEDED, launched, sync_api

pytestmark = NEEDED
PAGE = Path(__file__).parents[2] / "docs/how-to/interactive.md"

# Where a point of the data is on the page, in pixels.
WHERE = """([x, y]) => {
  const view = Object.values(Bokeh.index).flatMap((root) => [...find(root)])[0]
  function* find(view) {
    if (view.model.type === 'Figure') yield view
    for (const child of view.child_views ?? []) yield* find(child)
  }
  const box = view.canvas_view.el.getBoundingClientRect()
  const at = (scale, v) => scale.compute(typeof v === 'string' ? v : v)
  return [box.left + at(view.frame.x_scale, x), box.top + at(view.frame.y_scale, y)]
}"""
RENDERERS = """() => Bokeh.documents.flatMap((d) => [...d._all_models.values()])
  .filter((m) => m.type === 'Figure').reduce((n, m) => n + m.renderers.length, 0)"""
FINISHED = """() => {
  const views = Object.values(window.Bokeh?.index ?? {})
  return views.length > 0 && views.every((view) => view.has_finished())
}"""
TOLD = """() => {
  const found = []
  const look = (root) => { for (const e of root.querySelectorAll('*')) {
    if (e.classList?.contains('bk-Tooltip') && e.shadowRoot) found.push(e.shadowRoot.textContent)
    if (e.shadowRoot) look(e.shadowRoot) } }
  look(document)
  return found.join(' ')
}"""


@pytest.fixture(scope="module")
def ds(macaque, tmp_path_factory):
    study = Study(
        "map", model=ThresholdLinear(), duration=0.3, measures=[Peak()],
        stimulus=Pulse(area="V1", onset=0.05, duration=0.15, amplitude=41.9),
        axes={"muEE": np.linspace(30, 58, 8), "omegaEI": np.linspace(19, 26, 8),
              "feedback": {"on": macaque, "off": macaque.without_feedback()}},
    )  # fmt: skip
    return compute(study, store=tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A function that opens a picture and returns its page."""
    with sync_api.sync_playwright() as playwright:
        browser = launched(playwright)
        folder = tmp_path_factory.mktemp("html")

        def show(picture, width=900):
            html = folder / f"{len(list(folder.iterdir()))}.html"
            pn.panel(picture).save(html, resources=INLINE)
            page = browser.new_page(viewport={"width": width, "height": 600})
            page.problems = []
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            page.goto(html.as_uri())
            page.wait_for_function(FINISHED)
            return page

        yield show
        browser.close()


def under_the_mouse(page, x, y):
    left, top = page.evaluate(WHERE, [x, y])
    page.mouse.move(left - 3, top - 3)
    page.mouse.move(left, top)
    page.wait_for_timeout(400)
    return page.evaluate(TOLD)


def numbers(text):
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)]


def test_the_value_under_the_mouse_is_the_datasets(ds, shown):
    part = ds.sel(area="24c", feedback="on")
    page = shown(plots.interactive(part, "peak_rate"))
    for muEE, omegaEI in ((30.0, 19.0), (34.0, 24.0), (42.0, 26.0)):
        told = under_the_mouse(page, muEE, omegaEI)
        value = part.peak_rate.sel(muEE=muEE, omegaEI=omegaEI, method="nearest").item()
        assert np.isfinite(value)
        assert any(found == pytest.approx(value, rel=2e-3) for found in numbers(told)), (value, told)
    assert page.problems == []


def test_plain_hvplot_tells_the_datasets_value_too(ds, shown):
    part = ds.peak_rate.sel(area="24c", feedback="on")
    page = shown(part.hvplot(x="muEE", y="omegaEI"))
    for muEE, omegaEI in ((30.0, 19.0), (38.0, 26.0)):
        value = part.sel(muEE=muEE, omegaEI=omegaEI).item()
        told = under_the_mouse(page, muEE, omegaEI)
        assert any(found == pytest.approx(value, rel=2e-3) for found in numbers(told)), (value, told)
    assert page.problems == []


def test_a_point_that_diverged_tells_no_number(ds, shown):
    part = ds.sel(area="24c", feedback="on")
    page = shown(plots.interactive(part, "peak_rate"))
    told = under_the_mouse(page, 58.0, 19.0)
    assert "NaN" in told or "peak_rate" not in told
    assert page.problems == []


def test_a_profile_tells_the_area_and_its_value(ds, shown):
    part = ds.sel(muEE=34.0, omegaEI=24.0, feedback="on")
    page = shown(plots.interactive(part, "peak_rate"))
    value = part.peak_rate.sel(area="V4").item()
    told = under_the_mouse(page, "V4", value)
    assert "V4" in told
    assert any(found == pytest.approx(value, rel=2e-3) for found in numbers(told)), (value, told)


def test_every_picture_of_the_how_to_page_is_drawn(shown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space, drawn = {}, 0
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for statement in ast.parse(block).body:
            if not isinstance(statement, ast.Expr):
                exec(compile(ast.Module([statement], []), PAGE.name, "exec"), space)
                continue
            picture = eval(compile(ast.Expression(statement.value), PAGE.name, "eval"), space)
            page = shown(picture)
            assert page.problems == [], ast.unparse(statement)
            assert page.evaluate(RENDERERS) > 0, ast.unparse(statement)
            page.close()
            drawn += 1
    assert drawn >= 16


@pytest.mark.parametrize("width", [900, 390])
def test_pictures_of_every_kind_are_drawn_without_an_error(ds, shown, width):
    for picture in (
        plots.interactive(ds, "peak_rate"),
        plots.interactive(ds.sel(area=["V1", "24c"], omegaEI=26.0), "peak_rate", by="area"),
        plots.interactive(ds.sel(area="V1"), "time_to_peak", scale="linear"),
    ):
        page = shown(picture, width)
        assert page.problems == []
        page.close()
