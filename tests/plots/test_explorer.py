"""The explorer in a real browser: what the page holds is what the store and the simulator give."""

import contextlib
import dataclasses
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest

from gbaexplore import (
    Explorer,
    ODEModel,
    Peak,
    Pulse,
    ThresholdLinear,
    load_connectome,
    open_study,
    parameter,
    replay,
    run,
)
from gbaexplore.analysis import propagation_ratio
from gbaexplore.basics.errors import printable
from gbaexplore.basics.names import OK, UNDEFINED
from gbaexplore.measures.base import Variable
from gbaexplore.measures.final import Final
from gbaexplore.running import runner
from gbaexplore.store import stores
from tests.support.browser import LONG_S, NEEDED, launched, sync_api

pytestmark = NEEDED
COMMAND = Path(sys.executable).with_name("gbaexplore")
WINDOW = (1.75, 2.6)

# The page's own data, as the browser has it.
MODEL = """(name) => {
  const found = Bokeh.documents.map((d) => d.get_model_by_name(name)).find((m) => m != null)
  return found.renderers.map((r) => Object.fromEntries(Object.entries(r.data_source.data).map(
    ([key, column]) => [key, Array.from(column, (item) => item?.length === undefined || typeof item === 'string'
      ? item : Array.from(item, (x) => Number.isFinite(x) ? x : null))])))
}"""

# Whether the map is drawn: what comes from then on is seen to, clicks too.
DRAWN = """() => (window.Bokeh?.documents ?? []).some((d) => {
  const names = ['map', 'scatter', 'curves', 'course V1']
  const found = [...d._all_models.values()].filter((m) => names.includes(m.name) && m.visible)
  return found.some((one) => Bokeh.index.find_one(one)?.has_finished())
})"""

# A box is ticked and the point pinned, one directly after the other.
CHOOSE_AND_PIN = """(ticked) => {
  const models = Bokeh.documents.flatMap((d) => [...d._all_models.values()])
  const box = models.find((m) => m.type.endsWith('Checkbox') && m.label === ticked)
  const pin = models.find((m) => m.type.endsWith('Button') && m.label === 'Pin this point')
  box.active = !box.active
  Bokeh.index.find_one(pin).click()
}"""

# A page in a process without Panel, as the command has it, whose points that are ok are undefined.
ALL_UNDEFINED = """
import sys
from gbaexplore.plots.explorer import one_file
from gbaexplore.store import stores
opened = stores.open_study
def changed(path):
    ds = opened(path)
    return ds.assign(status=ds.status.where(ds.status != 1, 4))
stores.open_study = changed
one_file.write(*sys.argv[1:])
"""


@pytest.fixture(scope="module")
def make(request):
    """A function that makes a small study: part of the map, both feedbacks, across the boundary of divergence."""
    from gbaexplore import Pulse, Study, load_connectome

    macaque = load_connectome("macaque29")

    def study(**parts):
        given = dict(
            name="small",
            model=ThresholdLinear(),
            axes={
                "muEE": np.linspace(31, 53, 12),
                "omegaEI": np.linspace(19, 26, 8),
                "feedback": {"on": macaque, "off": macaque.without_feedback()},
            },
            stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=41.9),
            measures=[Peak(window=WINDOW)],
        )
        return Study(**{**given, **parts})

    return study


@pytest.fixture(scope="module")
def store(make, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    run(make(), store=folder)
    return folder / "small.zarr"


@contextlib.contextmanager
def served(store, *options):
    """The address of an explorer, in a process of its own."""
    process = subprocess.Popen(
        [COMMAND, "explore", store, "--port", "0", "--no-browser", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        assert "is shown at http://127.0.0.1:" in line
        yield next(word for word in line.split() if word.startswith("http"))
    finally:
        process.terminate()
        process.communicate(timeout=LONG_S)


@pytest.fixture(scope="module")
def address(store):
    with served(store) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = launched(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def serve():
    """A function that serves a store and returns the address."""
    with contextlib.ExitStack() as servers:
        yield lambda store: servers.enter_context(served(store))


@pytest.fixture
def visit(browser, serve):
    """Open pages; at the end none may have said an error. They are closed before their servers stop: the editor goes
    on loading its parts for a while.
    """
    errors, contexts = [], []

    def visit(url, offline=False, width=1500, **how):
        context = browser.new_context(viewport={"width": width, "height": 1000}, offline=offline, **how)
        context.set_default_timeout(1000 * LONG_S)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("requestfailed", lambda request: errors.append(request.url))
        page.goto(url)
        page.wait_for_function(DRAWN)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert errors == []


WIDTHS = (1440, 1024, 640, 390)

# Parts of the page that reach beyond its right side, in whatever shadow.
BEYOND = """() => {
  const roots = [document]
  const beyond = []
  for (const root of roots)
    for (const one of root.querySelectorAll('*')) {
      if (one.shadowRoot) roots.push(one.shadowRoot)
      const box = one.getBoundingClientRect()
      const seen = box.width > 0 && box.height > 0 && one.checkVisibility({visibilityProperty: true})
      if (one.tagName === 'CANVAS' && seen && box.right > innerWidth + 1) beyond.push(one.className)
    }
  return [...beyond, ...(document.documentElement.scrollWidth > innerWidth ? ['the page'] : [])]
}"""

# The box of a figure on the page.
BOX = """(name) => {
  const figure = Bokeh.documents.map((d) => d.get_model_by_name(name)).find((m) => m != null)
  const box = Bokeh.index.find_one(figure).el.getBoundingClientRect()
  return [box.left, box.top, box.width, box.height]
}"""

TICKS = """([values, log]) => {
  const code = Bokeh.documents.flatMap((d) => [...d._all_models.values()])
    .find((m) => m.type === 'CustomJSTicker').major_code
  const found = new Function('cb_data', 'log', code)({start: values[0], end: values[1]}, log)
  const words = new Function('ticks', 'index', 'log', Bokeh.documents.flatMap((d) => [...d._all_models.values()])
    .find((m) => m.type === 'CustomJSTickFormatter').code)
  return found.map((_, index) => words(found, index, log))
}"""


# The values of each map and matrix.
MAPS = """() => Bokeh.documents.flatMap((d) => [...d._all_models.values()])
  .filter((m) => m.type === 'Figure' && m.name === 'map')
  .map((m) => Array.from(m.renderers[0].data_source.data.value[0], (x) => Number.isFinite(x) ? x : null))"""


def data(page, name):
    return page.evaluate(MODEL, name)


def numbers(values):
    return np.array([np.nan if value is None else value for value in values], float)


def shown(page):
    """The map's values, (y, x)."""
    return numbers(data(page, "map")[0]["value"][0]).reshape(8, 12)


def is_shown(page, expected):
    """Whether the map shows values (y, x), logarithmically."""
    return np.allclose(shown(page), expected.where(expected > 0), rtol=1e-6, equal_nan=True)


def click(page, muEE, omegaEI, figure="map"):
    """Click where a point of the grid is drawn."""
    x, y = page.evaluate(
        """([x, y, name]) => {
          const figure = Bokeh.documents.flatMap((d) => [...d._all_models.values()])
            .find((m) => m.name === name && m.visible)
          const view = Bokeh.index.find_one(figure)
          view.el.scrollIntoView({block: 'center'})
          const frame = view.frame ?? view.plot_view.frame
          const box = view.canvas_view.el.getBoundingClientRect()
          return [box.x + frame.x_scale.compute(x), box.y + frame.y_scale.compute(y)]
        }""",
        [muEE, omegaEI, figure],
    )
    page.mouse.click(x, y)


def until(page, condition):
    """Wait until something that the page holds is so. What is changed at once may arrive one after the other."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < LONG_S, f"it did not happen: {page.url}"
        page.wait_for_timeout(50)


def says(page, text):
    return page.get_by_text(text).count() > 0


def pins(url):
    """The points that a page's address names."""
    asked = parse_qs(urlsplit(url).query)
    return json.loads(asked["view"][0])["pins"] if asked else []


def lines(page, area):
    return next(drawn for drawn in data(page, f"course {area}") if "name" in drawn)


def left(page):
    """Where V1's time courses leave the range."""
    return next(drawn for drawn in data(page, "course V1") if "x" in drawn)


def test_the_map_is_the_store(visit, address, store):
    page = visit(address)
    ds = open_study(store)
    peak = ds.peak_rate.where(ds.status == 1).sel(feedback="on")
    ratio = (peak.sel(area="24c") / peak.sel(area="V1")).transpose("omegaEI", "muEE")
    np.testing.assert_allclose(shown(page), ratio, rtol=1e-6)
    assert says(page, "192 points: ")
    page.get_by_label("variable").select_option(label="peak_rate")
    page.get_by_label("area", exact=True).select_option(label="8m")
    page.get_by_label("feedback").select_option(label="off")
    expected = ds.peak_rate.where(ds.status == 1).sel(feedback="off", area="8m").transpose("omegaEI", "muEE")
    until(page, lambda: is_shown(page, expected))


def test_what_a_user_has_in_hand_stays(visit, address, store):
    """A list that is open while the map changes: what is chosen in it counts."""
    page = visit(address)
    area = page.get_by_label("area", exact=True).element_handle()
    page.get_by_label("variable").select_option(label="peak_rate")
    ds = open_study(store)
    peak = ds.peak_rate.where(ds.status == 1).sel(feedback="on").transpose("area", "omegaEI", "muEE")
    until(page, lambda: is_shown(page, peak.sel(area="24c")))
    area.select_option(label="8m")
    until(page, lambda: is_shown(page, peak.sel(area="8m")))


def test_hover_and_boundaries_are_labelled(visit, address):
    page = visit(address)
    told = page.evaluate(
        """() => {
          const figure = Bokeh.documents.map((d) => d.get_model_by_name('map')).find((m) => m != null)
          const hover = figure.toolbar.tools.find((tool) => tool.type === 'HoverTool')
          const legend = figure.below.find((item) => item.type === 'Legend')
          const items = legend.items.filter((item) => item.visible).map((item) => item.label.value)
          return [hover.tooltips.map(([label]) => label), items, figure.below[0].axis_label.text]
        }"""
    )
    tooltips, legend, across = told
    assert tooltips == ["muEE (pA/Hz)", "omegaEI (pA/Hz)", "value", "state"]
    assert legend == ["boundary of divergence", "diverged"]
    assert across == "muEE (pA/Hz)"
    border = next(lines for lines in data(page, "map") if lines.get("xs"))
    assert all(31 <= x <= 53 for curve in border["xs"] for x in curve)


def test_ticks_are_short_and_differ(visit, address):
    page = visit(address)
    for (low, high), log, expected in [
        ((np.log10(3e-4), np.log10(0.02)), True, ["5e-4", "0.001", "0.002", "0.005", "0.01", "0.02"]),
        ((np.log10(19.9), np.log10(20.1)), True, ["19.9", "19.95", "20", "20.05", "20.1"]),
        ((-7.2, 1.1), True, ["1e-7", "1e-5", "0.001", "0.1", "10"]),
        ((0.0, 4e-4), False, ["0", "1e-4", "2e-4", "3e-4", "4e-4"]),
    ]:
        assert page.evaluate(TICKS, [[low, high], log]) == expected


def test_the_page_is_as_wide_as_the_browser(visit, address):
    shapes = []
    for width in WIDTHS:
        page = visit(address, width=width)
        assert page.evaluate(BEYOND) == [], width
        left, top, wide, high = page.evaluate(BOX, "map")
        shapes.append(round(wide / high, 2))
        course_left, _, course_wide, _ = page.evaluate(BOX, "course V1")
        assert (course_left > left + wide / 2) is (width == 1440), "three columns where there is room"
        assert (left > 200) is (width > 900), "one column where there is little"
        assert course_wide > 300
        button = page.get_by_text("Pin this point").bounding_box()
        assert button["y"] < top or width > 900, "controls above"
        if width == 390:
            click(page, 33.0, 20.0)
            until(page, lambda page=page: says(page, "muEE 33, omegaEI 20, feedback on: peaks V1"))
    assert max(shapes) - min(shapes) < 0.03, "the map keeps its proportions"


def test_light_and_dark(visit, address):
    shades = {}
    for scheme in ("light", "dark"):
        page = visit(address, color_scheme=scheme)
        picture = page.get_by_text("small", exact=True).first.evaluate("(one) => getComputedStyle(one).color")
        shades[scheme] = max(map(int, picture.removeprefix("rgb(").removesuffix(")").split(",")[:3]))
    assert shades["light"] < 100 < 200 < shades["dark"], "words in contrast to the page"


def test_the_tab_is_named_and_arrow_keys_move_the_point(visit, address):
    page = visit(address)
    until(page, lambda: page.title().startswith("small: 192 points: "))
    until(page, lambda: len(lines(page, "24c")["ys"]) == 1)
    assert says(page, "here: muEE 43, omegaEI 23, feedback on: "), "the time courses of a first point, at once"
    for key, words in (
        ("ArrowRight", "here: muEE 45, omegaEI 23, feedback on: "),
        ("ArrowDown", "here: muEE 45, omegaEI 22, feedback on: "),
        ("ArrowLeft", "here: muEE 43, omegaEI 22, feedback on: "),
    ):
        page.keyboard.press(key)
        until(page, lambda words=words: says(page, words))
    page.get_by_label("variable").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(500)
    assert says(page, "here: muEE 43, omegaEI 22, feedback on: "), "a list has keys of its own"


@pytest.fixture(scope="module")
def kinds(make, tmp_path_factory):
    """A function that computes a store of one kind and returns its path."""
    from gbaexplore import Connectome, Pulse
    from gbaexplore.designs import latin_hypercube

    places = {"hierarchy": np.linspace(0, 1, 3)}
    three = Connectome("three", ("V1", "V4", "24c"), 0.2 * (1 - np.eye(3)), values=places)
    folder = tmp_path_factory.mktemp("kinds")
    axes = {
        "table": {"row": latin_hypercube(12, {"muEE": (20.0, 28.0), "omegaEI": (19.0, 23.0)})},
        "axis": {"muEE": [20.0, 24.0, 28.0]},
        "single": {"muEE": [24.0]},
    }

    def compute(kind):
        pulse = Pulse("V1", 0.05, 0.1, 40.0)
        measures = [Final()] if kind == "single" else [Peak()]
        study = make(
            name=kind, axes=axes[kind], connectome=three, stimulus=pulse, measures=measures, duration=0.3, dt=1e-3
        )
        return runner.execute(study, folder).path

    return compute


@pytest.mark.parametrize(
    ("kind", "figure", "words"),
    [("table", "scatter", ""), ("axis", "curves", "here: muEE 28: peaks V1"), ("single", "curves", "here: muEE 24: ")],
)
def test_stores_of_every_kind_are_shown(visit, serve, kinds, tmp_path, kind, figure, words):
    path, point = kinds(kind), None
    url = serve(path)
    page = visit(url, width=WIDTHS[0])
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1000})
        if width == WIDTHS[-1]:  # as on a phone, where it was never wider
            page = visit(url, width=width)
        until(page, lambda page=page: len(lines(page, "V1")["ys"]) == 1)
        until(page, lambda page=page: page.evaluate(BEYOND) == [])
        assert data(page, figure)
    ds = open_study(path)
    if kind == "axis":  # on the curve
        peak = ds.peak_rate.sel(muEE=28.0)
        point = 28.0, float(peak.sel(area="24c") / peak.sel(area="V1"))
    if kind == "table":
        far = int(ds.muEE.argmax())
        point, words = (float(ds.muEE[far]), float(ds.omegaEI[far])), f"here: row {far}: peaks V1"
    if point is not None:
        click(page, *point, figure=figure)
    until(page, lambda: says(page, words))
    file = tmp_path / "page.html"
    subprocess.run([COMMAND, "explore", path, "--html", file], check=True)
    page = visit(file.as_uri(), offline=True, width=390, is_mobile=True)
    assert page.evaluate("() => innerWidth") == 390
    assert page.evaluate(BEYOND) == []
    page.get_by_label("variable").select_option(label="final_rate" if kind == "single" else "peak_rate")
    page.wait_for_timeout(500)
    if kind == "single":
        value, point, words = ds.final_rate.sel(area="V4").item(), (1.0, ds.final_rate.sel(area="V4").item()), "area V4"
    else:
        part = ds.peak_rate.sel(area="24c")
        value = float(part.isel(row=far) if kind == "table" else part.sel(muEE=28.0))
        words = f"row {far}, muEE (pA/Hz) " if kind == "table" else "muEE (pA/Hz) 28: ok"
        point = point if kind == "table" else (28.0, value)
    click(page, *point, figure=figure)
    until(page, lambda: says(page, words))
    said = page.get_by_text(words).last.inner_text()
    assert float(said.split()[-1]) == pytest.approx(value, rel=1e-3)


def test_any_two_axes(visit, address, store):
    page = visit(address)
    page.get_by_label("up").select_option(label="feedback")
    until(page, lambda: data(page, "map")[0]["dh"] == [2.0])
    until(page, lambda: says(page, "omegaEI (pA/Hz)"))


def test_a_click_gives_the_time_courses_that_simulate_gives(visit, address, store):
    page = visit(address)
    click(page, 33.0, 20.0)
    until(page, lambda: says(page, "muEE 33, omegaEI 20, feedback on: peaks V1"))
    until(page, lambda: len(lines(page, "V1")["ys"]) == len(lines(page, "24c")["ys"]) == 1)
    until(page, lambda: len(data(page, "profile")[0]["ys"]) == 1)
    ds = replay(store, muEE=33.0, omegaEI=20.0, feedback="on", window=WINDOW, every=0.0004)
    for area in ("V1", "24c"):
        change = (ds.E - ds.E[0]).sel(area=area)
        np.testing.assert_allclose(numbers(lines(page, area)["ys"][0]), change, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(numbers(lines(page, area)["xs"][0]), ds.time)
    profile = numbers(data(page, "profile")[0]["ys"][0])
    peaks = (ds.E - ds.E[0]).max("time")
    np.testing.assert_allclose(profile, (100 * peaks / peaks.sel(area="V1")).where(peaks > 0), rtol=1e-6)


def test_a_point_that_runs_away_says_where_it_left(visit, address):
    page = visit(address)
    click(page, 49.0, 20.0)
    until(page, lambda: says(page, "diverges, 500 Hz above rest in "))
    until(page, lambda: len(lines(page, "V1")["xs"]) == 1)
    until(page, lambda: len(left(page)["x"]) == 1)
    course, mark = lines(page, "V1"), left(page)
    known = np.isfinite(numbers(course["ys"][0]))
    assert 0 < known.sum() < len(known)
    assert numbers(course["xs"][0])[known][-1] == mark["x"][0]


def test_pins_compare_and_the_link_shows_the_same(visit, address):
    page = visit(address)
    for n, point in enumerate([(33.0, 20.0), (35.0, 24.0)], start=1):
        click(page, *point)
        until(page, lambda n=n: len(lines(page, "24c")["ys"]) == n)
        page.get_by_text("Pin this point").click()
        until(page, lambda n=n: lines(page, "24c")["name"] == list("AB"[:n]))
    until(page, lambda: len(pins(page.url)) == 2)
    again = visit(page.url)
    until(again, lambda: lines(again, "24c")["name"] == ["A", "B"])
    assert lines(again, "24c") == lines(page, "24c")
    page.get_by_text("Clear").click()
    until(page, lambda: lines(page, "24c")["name"] == [])
    assert lines(again, "24c")["name"] == ["A", "B"], "two visitors do not disturb each other"


def test_clicks_in_quick_succession_all_count(visit, address):
    """Panel handles a click that comes right after a choice without the document's lock."""
    page = visit(address)
    click(page, 33.0, 20.0)
    until(page, lambda: len(lines(page, "24c")["ys"]) == 1)
    for name in ("A", "B"):
        page.evaluate(CHOOSE_AND_PIN, "logarithmic values")
        until(page, lambda name=name: name in lines(page, "24c")["name"])
        click(page, 35.0, 24.0)
        until(page, lambda: len(lines(page, "24c")["ys"]) == 2)


@pytest.mark.parametrize(("ending", "head"), [("PNG", b"\x89PNG"), ("SVG", b"<?xml")])
def test_the_view_as_a_picture(visit, address, tmp_path, ending, head):
    page = visit(address)
    click(page, 33.0, 20.0)
    until(page, lambda: len(lines(page, "24c")["ys"]) == 1)
    with page.expect_download() as found:
        page.get_by_text(ending, exact=True).click()
    file = tmp_path / found.value.suggested_filename
    found.value.save_as(file)
    assert file.name == f"small.{ending.lower()}"
    assert file.read_bytes().startswith(head)


def test_it_fills_while_a_run_goes_on(visit, serve, make, tmp_path):
    study = make(block_points=24)
    path = runner.execute(study, tmp_path, only=[0]).path
    url = serve(path)
    page = visit(url)
    assert (numbers(data(page, "map")[0]["state"][0]) == 0).any()
    assert says(page, "pending")
    runner.execute(study, tmp_path)
    until(page, lambda: (numbers(data(page, "map")[0]["state"][0]) != 0).all())
    until(page, lambda: not says(page, "pending"))


def test_a_store_that_is_damaged_or_goes_away_is_told_on_the_page(visit, serve, make, tmp_path, browser):
    path = runner.execute(make(), tmp_path).path
    url = serve(path)
    page = visit(url)
    shutil.rmtree(path)
    until(page, lambda: says(page, "The store can't be read"))
    late = browser.new_page()
    late.set_default_timeout(1000 * LONG_S)
    late.goto(url)
    late.wait_for_selector("text=is not a gbaexplore store")
    late.close()


def test_one_page_without_a_server(visit, store, tmp_path):
    file = tmp_path / "page.html"
    subprocess.run([COMMAND, "explore", store, "--html", file], check=True)
    page = visit(file.as_uri(), offline=True)
    ds = open_study(store)
    page.get_by_label("variable").select_option(label="peak_rate")
    page.get_by_label("area").select_option(label="8m")
    page.get_by_label("feedback").select_option(label="off")
    expected = ds.peak_rate.where(ds.status == 1).sel(feedback="off", area="8m").transpose("omegaEI", "muEE")
    until(page, lambda: is_shown(page, expected))
    click(page, 33.0, 20.0)
    until(page, lambda: data(page, "profile")[0]["y"] != [])
    stored = ds.peak_rate.sel(muEE=33.0, omegaEI=20.0, feedback="off")
    np.testing.assert_allclose(numbers(data(page, "profile")[0]["y"]), stored.where(stored > 0), rtol=1e-6)


@dataclasses.dataclass(frozen=True)
class Receptors(ODEModel):
    """What each of two receptors lets pass, a number without a unit."""

    w: float = parameter(0.5, units="1", doc="coupling")
    bias: float = parameter(0.1, units="1", doc="input")
    observables = {"s": "1"}
    dimensions = {"s": {"receptor": ("fast", "slow")}}

    def derivative(self, x, p, net, stimulus):
        tau = np.array([[0.005], [0.02]])
        return {"s": (p.w * (x.s @ net.weights.T) + stimulus + p.bias - x.s) / tau}


@pytest.fixture
def receptors(make, tmp_path):
    """The store of a study of such peaks: of another name, and with a dimension of their own."""
    pulse, axes = Pulse("V1", 0.02, 0.05, 1.0), {"w": [0.2, 0.5, 0.8], "bias": [0.1, 0.2]}
    given = dict(connectome=load_connectome("macaque29"), stimulus=pulse, measures=[Peak()], duration=0.1, dt=1e-3)
    return runner.execute(make(name="receptors", model=Receptors(), axes=axes, **given), tmp_path).path


def test_a_ratio_has_the_peaks_own_dimension(visit, serve, receptors, tmp_path):
    path = receptors
    ds = open_study(path)
    assert ds.peak_s.dims == ("w", "bias", "receptor", "area")
    ratio = propagation_ratio(ds, "24c", "V1").transpose("receptor", "bias", "w")
    assert (ratio > 0).all()

    def shows(page, receptor):
        maps = [numbers(values) for values in page.evaluate(MAPS) if len(values) == 6]  # the point's matrices too
        return len(maps) == 1 and np.allclose(maps[0].reshape(2, 3), ratio.sel(receptor=receptor), rtol=1e-6)

    page = visit(serve(path))
    until(page, lambda: shows(page, "fast"))
    page.get_by_label("receptor").select_option(label="slow")
    until(page, lambda: shows(page, "slow"))
    file = tmp_path / "page.html"
    subprocess.run([COMMAND, "explore", path, "--html", file], check=True)
    page = visit(file.as_uri(), offline=True)
    page.get_by_label("receptor").select_option(label="slow")
    until(page, lambda: shows(page, "slow"))
    click(page, 0.5, 0.2)
    until(page, lambda: data(page, "profile")[0]["y"] != [])
    peaks = ds.peak_s.sel(w=0.5, bias=0.2, receptor="slow")
    np.testing.assert_allclose(numbers(data(page, "profile")[0]["y"]), peaks / peaks.sel(area="V1"), rtol=1e-6)


def test_the_lines_of_python_of_such_a_ratio(receptors):
    explorer = Explorer(receptors)
    names = {}
    exec(explorer.python().replace("values.plot", "None and values.plot"), names)
    ratio = propagation_ratio(names["ds"], "24c", "V1").sel(receptor="fast")
    np.testing.assert_array_equal(names["values"], ratio)


def test_a_page_without_a_server_shows_values_of_undefined_points(visit, store, tmp_path):
    """The script covers only those points whose value is not known."""
    file = tmp_path / "page.html"
    subprocess.run([sys.executable, "-c", ALL_UNDEFINED, store, file], check=True)
    ds = open_study(store)
    ds["status"] = ds.status.where(ds.status != OK, UNDEFINED)
    page = visit(file.as_uri(), offline=True)
    page.get_by_label("feedback").select_option(label="off")
    state = ds.status.sel(feedback="off").transpose("omegaEI", "muEE")
    until(page, lambda: np.array_equal(data(page, "map")[0]["state"][0], state.values.ravel()))
    known = state == UNDEFINED
    assert 0 < known.sum() < known.size
    np.testing.assert_array_equal(np.isfinite(shown(page)), known)
    np.testing.assert_array_equal(data(page, "map")[0]["cover"][0], state.where(~known, OK).values.ravel())


def test_what_is_no_store(tmp_path):
    done = subprocess.run([COMMAND, "explore", tmp_path / "none.zarr"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is not a gbaexplore store" in done.stderr


def test_a_notebook_shows_it(store):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    cells = [nbformat.v4.new_code_cell(f"import gbaexplore as gba\ngba.Explorer({str(store)!r})")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=LONG_S).execute()
    shown = [output.get("data", {}) for output in notebook.cells[0].outputs]
    assert any("text/html" in data and "variable" in data["text/html"] for data in shown)


def test_the_lines_of_python_draw_the_view(store):
    explorer = Explorer(store, point={"muEE": 33.0, "omegaEI": 20.0, "feedback": "on"})
    import matplotlib

    matplotlib.use("agg")
    names = {}
    exec(explorer.python(), names)
    assert names["here"].attrs["muEE"] == 33.0
    explorer.variable = "peak_rate"
    exec(explorer.python(), {})
    assert json.loads(explorer.link())["variable"] == "peak_rate"
    explorer.y = "feedback"
    exec(explorer.python(), {})
    explorer.variable = "propagation_ratio"
    exec(explorer.python(), {})
    explorer.follow('{"x": "nothing"}')
    assert explorer.x == "muEE"
    explorer.refresh()  # the first look at the store draws everything again
    assert explorer._message.object.startswith("The link does not fit this store: ")
    explorer.param.update(variable="peak_rate", y="omegaEI")
    assert explorer._message.object.startswith("here: "), "a choice has been made since"
    explorer.follow('{"at": {"feedback": 1, "area": 99}}')
    assert [widget.value for widget in explorer._choices] == [1, 28], "where a link leads, within the grid"
    assert explorer.at == {"feedback": 1, "area": 28}
    assert stores.status(store).size == 192


@dataclasses.dataclass(frozen=True)
class Own(ThresholdLinear):
    """A model that a store does not hold."""


def test_a_model_of_the_studys_own_is_asked_for(make, tmp_path):
    study = make(model=Own())
    run(study, store=tmp_path)
    point = {"muEE": 33.0, "omegaEI": 20.0, "feedback": "on"}
    without = Explorer(tmp_path / "small.zarr")
    without.__panel__()
    without.point = point
    assert "give the study: gbaexplore explore STORE --study STUDY.py" in without._message.object
    explorer = Explorer(tmp_path / "small.zarr", study=study)
    explorer.point = point
    assert explorer._message.object.startswith("here: muEE 33, omegaEI 20, feedback on: peaks V1")


def test_a_run_in_progress_fills_in(make, tmp_path):
    axes = {**make().axes, "muEE": [31.0, 32.0, 33.0], "omegaEI": [20.0, 21.0]}
    study = make(axes=axes, block_points=2)
    first, *rest = range(len(study.blocks()))
    path = runner.execute(study, tmp_path, only=[first]).path
    explorer = Explorer(path)
    explorer.refresh()
    before = np.isfinite(explorer._map.cells.data["value"][0]).sum()
    assert "pending" in explorer._header.object
    runner.execute(study, tmp_path, only=rest)
    explorer.refresh()
    assert before < np.isfinite(explorer._map.cells.data["value"][0]).sum()
    assert "pending" not in explorer._header.object
    assert explorer.point == explorer.courses.point(explorer.point), "and has a point"


def test_a_grid_that_changes_under_the_page(make, tmp_path):
    axes = make().axes
    path = runner.execute(make(axes={**axes, "muEE": [31.0, 33.0]}), tmp_path).path
    explorer = Explorer(path)
    explorer.refresh()
    other = {**axes, "muEE": [31.0, 32.0, 33.0], "feedback": {"on": axes["feedback"]["on"]}}
    runner.execute(make(axes=other), tmp_path, shrink=True)
    explorer.refresh()
    assert explorer._map.cells.data["value"][0].shape == (8, 3)
    assert [widget.label for widget in explorer._choices] == ["area"]
    explorer._clicked(32.0, 20.0)
    assert "muEE 32, omegaEI 20, feedback on: peaks V1" in explorer._message.object


ACTS = """<img src=x onerror="document.title='acted'">"""
WORDS = {
    "markup": ACTS,
    "end of a script": "</script><script>document.title='acted'</script>",
    "formula": r"$$\frac{1}{2}$$",
    "quotes": "'\"`${document.title='acted'}",
    "marks": "b\u2028\u202e\x1b[2J",
}


@dataclasses.dataclass(frozen=True)
class Loud(Final):
    """A measure whose unit and long name would act."""

    def variables(self, model):
        return {"final_rate": Variable(("area",), ACTS, ACTS)}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A store in which every label, name and unit would act on a page that took it for more than text."""
    from gbaexplore import Connectome, Pulse, Study

    areas = ("V1", *(word for word in WORDS.values() if word.isprintable()))
    other = Connectome("other", areas, 0.2 * (1 - np.eye(5)), values={"hierarchy": np.linspace(0, 1, 5)})
    study = Study(
        name="hostile",
        model=ThresholdLinear(),
        axes={"muEE": [5.0, 6.0], "omegaEI": [20.0, 22.0], "feedback": dict.fromkeys(WORDS.values(), other)},
        stimulus=Pulse(area="V1", onset=0.1, duration=0.1, amplitude=40.0),
        measures=[Peak(), Loud()],
        duration=0.3,
    )
    folder = tmp_path_factory.mktemp("hostile")
    run(study, store=folder)
    path = folder / f"{ACTS.replace('/', '')}.zarr"
    (folder / "hostile.zarr").rename(path)
    return path


def acted(page):
    """Whether text has become a part of the page, in it or in one of its widgets."""
    return page.evaluate(
        """() => {
          const roots = [document]
          for (const root of roots)
            for (const one of root.querySelectorAll('*')) if (one.shadowRoot) roots.push(one.shadowRoot)
          return document.title === 'acted' || typeof MathJax !== 'undefined' ||
            roots.some((root) => root.querySelector('img[src=x]'))
        }"""
    )


def test_labels_are_text_on_the_page(visit, serve, hostile):
    url = serve(hostile)
    for label in WORDS.values():
        view = {"point": {"muEE": 5, "omegaEI": 20, "feedback": label}, "areas": list(WORDS.values())[:4]}
        page = visit(f"{url}?{urlencode({'view': json.dumps(view)})}")
        until(page, lambda page=page, label=label: says(page, f"feedback {printable(label)}: peaks"))
        page.get_by_label("variable").select_option(label="final_rate")
        until(page, lambda page=page: len(data(page, "profile")[0]["ys"]) == 1)
        click(page, 6.0, 20.0)
        page.get_by_label("up").select_option(label="feedback")
        until(page, lambda page=page: data(page, "map")[0]["dh"] == [5.0])
        assert not acted(page)
    for x, figure in (("muEE", "curves"), ("area", "map")):
        y = "" if figure == "curves" else "feedback"
        view = {"variable": "final_rate", "x": x, "y": y, "areas": list(WORDS.values())[:4]}
        page = visit(f"{url}?{urlencode({'view': json.dumps(view)})}")
        until(page, lambda page=page, figure=figure: data(page, figure)[0])
        page.wait_for_timeout(1000)
        assert not acted(page)


def test_labels_are_text_in_one_page(visit, hostile, tmp_path):
    file = tmp_path / "page.html"
    subprocess.run([COMMAND, "explore", hostile, "--html", file], check=True)
    page = visit(file.as_uri(), offline=True)
    page.get_by_label("variable").select_option(label="final_rate")
    for label in WORDS.values():
        page.get_by_label("feedback").select_option(label=label)
        click(page, 6.0, 20.0)
        until(page, lambda: says(page, f"muEE (pA/Hz) 6, omegaEI (pA/Hz) 20: ok; {ACTS} ({ACTS})"))
        assert not acted(page)


def test_a_link_is_text(visit, serve, hostile):
    """What is wrong with a link is said in a line of text, whoever wrote it."""
    url = serve(hostile)
    for link in (json.dumps({"point": {"feedback": ACTS + " ", "muEE": 5, "omegaEI": 20}}), ACTS, "[" * 9000):
        page = visit(f"{url}?{urlencode({'view': link})}")
        until(page, lambda page=page: says(page, "The link does not fit this store: "))
        assert not acted(page)
