"""The explorer: a store as a page in the browser, or as an object in a notebook."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import param
from bokeh.models import TextInput

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.basics.errors import UserError, one_line, printable
from gbaexplore.basics.names import AREA, DIVERGED, STATUS, STATUS_MEANINGS, unit
from gbaexplore.basics.places import place
from gbaexplore.basics.points import SEED
from gbaexplore.plots import maps
from gbaexplore.plots.explorer import as_python, charts, links, looks, pictures, point_charts, views
from gbaexplore.plots.explorer.controls import controls_of
from gbaexplore.plots.explorer.courses import Course, Courses
from gbaexplore.plots.explorer.shapes import Curves, Plane, Scatter, Shown
from gbaexplore.plots.explorer.text import escaped
from gbaexplore.plots.style import STATE_COLOURS
from gbaexplore.store import stores

if TYPE_CHECKING:
    from gbaexplore.study.study import Study

_UNREADABLE = UserError, OSError, ValueError, RuntimeError  # errors from reading a damaged or missing store
_READY = "Click the picture: the time courses of the point are simulated."
_CURVES = "nothing: curves"

pn.extension("codeeditor")


class Explorer(pn.viewable.Viewer):
    """A store in the browser: a picture of any variable, and time courses of clicked points.

    A grid is a map over two of its axes or curves along one, a table of points a scatter over two of its columns,
    what has two dimensions of names of its own a matrix. A single point has its time courses alone.

    Raises:
        UserError: it is not a store, or not the study's.
    """

    variable = param.Selector(check_on_set=True, allow_None=True, doc="what the picture shows")
    x = param.Selector(check_on_set=True, allow_None=True, doc="dimension, or column of a table, across the picture")
    y = param.Selector(check_on_set=True, allow_None=True, doc='the one up the picture; "" for curves along x')
    log = param.Boolean(True, doc="whether colours, or curves, are logarithmic")
    at = param.Dict({}, doc="position along every other dimension; of seeds, -1 is their mean and -2 their spread")
    areas = param.ListSelector([], check_on_set=True, doc="areas whose time courses are shown")
    observable = param.Selector(check_on_set=True, allow_None=True, doc="observable whose time courses are shown")
    log_courses = param.Boolean(False, doc="whether time courses are logarithmic")
    point = param.Dict(None, allow_None=True, doc="labels of the point that was clicked")
    pins = param.List([], doc="labels of the points that are kept")

    def __init__(self, store: str | Path, study: Study | None = None, **params: Any) -> None:
        self.path, self._study = place(store), study
        self.ds = stores.open_study(self.path)
        self.courses = Courses(self.path, study)
        super().__init__(**{**self._offer(), **params})
        self._header = pn.pane.HTML("", stylesheets=[looks.HEADER], margin=(5, 5), sizing_mode="stretch_width")
        self._problems: dict[str, str] = {}  # what of the page can't be drawn, by the part
        self._said: tuple[str, ...] = ()
        self._message = pn.pane.HTML("", stylesheets=[looks.MESSAGE], margin=(0, 5), sizing_mode="stretch_width")
        self._about = pn.pane.HTML("", margin=(0, 5), sizing_mode="stretch_width")
        self._heading = pn.pane.HTML("", margin=(0, 5), sizing_mode="stretch_width")
        self._code = pn.widgets.CodeEditor(
            language="python", readonly=True, height=190, sizing_mode="stretch_width", label="the same in Python",
            stylesheets=[looks.CODE],
        )  # fmt: skip
        self._map, self._dots = charts.Map(self._clicked), charts.Dots(self._clicked)
        self._lines = {log: charts.Lines(self._clicked, log) for log in (False, True)}
        self.tab = TextInput(visible=False, name="tab")
        self._picture = pn.Column(margin=0, sizing_mode="stretch_width")
        self._charts = point_charts.Courses(self.courses.areas)
        self._stored = point_charts.Stored()
        self._choices = pn.Column(margin=0, stylesheets=[looks.CHOICES])
        self._widgets: dict[str, Any] = {}
        self._state: tuple[Any, ...] = ()
        self._shown: Shown | None = None
        self._due: list[Callable[[], None]] = []
        self._settling = False
        self._refused: list[str] = []  # a link that did not fit; it is said until something is chosen
        self._choose()
        self._draw_map()
        self._draw_points()
        self.param.watch(lambda *_: self._refused.clear(), list(links.NAMES))
        self.param.watch(self._variable_changed, ["variable"])
        self.param.watch(self._axes_changed, ["x", "y"])
        self.param.watch(self._at_changed, ["at"])
        self.param.watch(lambda *_: self._draw(self._draw_map, self._draw_points), ["log"])
        self.param.watch(self._areas_changed, ["areas"])
        self.param.watch(lambda *_: self._draw(self._draw_points), ["point", "pins", "observable", "log_courses"])

    def _offer(self) -> dict[str, Any]:
        """Set the choices; return the first ones."""
        areas, observables = self.courses.areas, self.courses.observables
        view: dict[str, Any] = views.first_view(self.ds) or {"variable": None, "x": None, "y": None, "at": {}}
        self.param["variable"].objects = views.variables(self.ds)
        self._offer_axes(view["variable"], view["x"])
        self.param["areas"].objects = {escaped(area): area for area in areas}  # the widget interprets HTML
        self.param["observable"].objects = observables
        first = {**view, "y": view["y"] or "", "areas": list(dict.fromkeys(source_and_target(self.ds)))}
        if view["variable"] is not None:
            first["log"] = views.suits_log(self.ds, view["variable"], view["at"])
        point = views.first_point(self.ds, view["at"])
        return {**first, "observable": next(iter(observables), None), "point": point}

    def _offer_axes(self, variable: str | None, x: str | None) -> None:
        """Set the choices of x and y."""
        along = views.over(self.ds, variable) if variable is not None else []
        up = views.partners(self.ds, variable, x) if variable is not None else [None]
        self.param["x"].objects = along or [None]
        self.param["y"].objects = {name or _CURVES: name or "" for name in up}  # a list shows None as nothing at all

    # Choices.

    def _choose(self) -> None:
        """Show a widget for each dimension with one label selected.

        Existing widgets stay, because a choice made in a widget while it is being replaced would be lost.
        """
        if self.variable is None:
            return
        dims = views.others(self.ds, self.variable, self.x, self.y or None)
        first = views.first_at(self.ds, self.variable, self.x, self.y or None) if set(dims) - self.at.keys() else {}
        # A link may be older than the store's grid, so its positions can be anywhere.
        at = {dim: self._within(dim, self.at.get(dim, first.get(dim, 0))) for dim in dims}
        several = [dim for dim in dims if self.ds.sizes[dim] > 1]
        there = self._widgets
        self._widgets = {dim: there[dim] if dim in there else self._widget(dim, at[dim]) for dim in several}
        if list(self._choices) != list(self._widgets.values()):
            self._choices[:] = list(self._widgets.values())
        self.at = at
        for dim, widget in self._widgets.items():
            widget.value = at[dim]

    def _within(self, dim: str, position: int) -> int:
        least = min(views.SEEDS) if dim == SEED and self.ds.sizes[SEED] > 1 else 0
        return int(np.clip(position, least, self.ds.sizes[dim] - 1))

    def _widget(self, dim: str, index: int) -> Any:
        scale = views.scale(self.ds, dim)
        options = {word: i for i, word in enumerate(scale.words)}
        if dim == SEED:
            options = {word: i for i, word in views.SEEDS.items()} | options
        given: dict[str, Any] = {"options": options, "value": index, **looks.WIDE}
        if dim == SEED or not scale.numbers:
            widget = pn.widgets.Select(label=scale.title, **given)
        else:
            widget = pn.widgets.DiscreteSlider(label=escaped(scale.title), **given)
        widget.param.watch(functools.partial(self._chosen, dim), "value")
        return widget

    def _chosen(self, dim: str, event: Any) -> None:
        self.at = {**self.at, dim: event.new}

    def _at_changed(self, *_: Any) -> None:
        if not self._settling:
            self._choose()
            self._draw(self._draw_map, self._draw_points)

    def _areas_changed(self, *_: Any) -> None:
        curves = [self._draw_map] if isinstance(self._shown, Curves) else []
        self._draw(*curves, self._draw_points)

    def _variable_changed(self, *_: Any) -> None:
        if not self._settling:
            self._settle(log=None)

    def _axes_changed(self, *events: Any) -> None:
        if self._settling:
            return
        changed = {event.name: event for event in events}
        if self.x == self.y and "y" in changed:  # swap them
            self._settle(x=changed["y"].old)
        elif self.x == self.y:
            self._settle(y=changed["x"].old)
        else:
            self._settle()

    def _settle(self, **wanted: Any) -> None:
        """Set several choices at once; of x and y take the first ones where they do not go together.

        A log of None lets the values choose.
        """
        view = {name: wanted.get(name, getattr(self, name)) for name in ("variable", "x", "y", "log", "at")}
        variable = view["variable"]
        view["y"] = view["y"] or None
        if view["x"] not in views.over(self.ds, variable):
            view["x"], view["y"] = views.first_axes(self.ds, variable)
        up = views.partners(self.ds, variable, view["x"])
        if view["y"] not in up:
            view["y"] = next((name for name in up if name is not None), None)
        self._settling = True
        try:  # widgets may choose for themselves when their options change, so the choices come last
            self._offer_axes(variable, view["x"])
            axes = {"x": view["x"], "y": view["y"] or ""}
            self.param.update(**{**wanted, **axes, "variable": variable, "log": self.log})
            self._choose()
            log = views.suits_log(self.ds, variable, self.at) if view["log"] is None else view["log"]
            self.param.update(log=log)
        finally:
            self._settling = False
        self._draw(self._draw_map, self._draw_points)

    def _clicked(self, x: float, y: float) -> None:
        """Take the point whose cell, dot or place on a curve was clicked."""
        if self._shown is not None:
            self.point = self._point(self._shown.nearest(x, y))

    def _point(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the labels of a point: those found, else those of the view."""
        dims = [str(dim) for dim in self.ds[STATUS].dims]
        chosen = {dim: views.labels(self.ds, dim)[max(self.at.get(dim, 0), 0)] for dim in dims}
        return {dim: found.get(dim, label) for dim, label in chosen.items()}

    def move(self, right: int, up: int) -> None:
        """Take the neighbour of the point, as arrow keys do."""
        if self._shown is not None and self.point is not None:
            point = self._shown.neighbour(self.point, right, up)
            self.point = {**self.point, **point}

    def pin(self, *_: Any) -> None:
        """Keep the point that was clicked, for comparison."""
        if self.point is not None and self.point not in self.pins:
            self.pins = [*self.pins, self.point][-links.MOST_PINS :]

    def clear(self, *_: Any) -> None:
        """Remove all points."""
        self.param.update(point=None, pins=[])

    # Drawing.

    def _draw(self, *parts: Callable[[], None]) -> None:
        """Draw parts of the page, each once, when the document is locked; Panel may handle an event while it is not."""
        for part in parts:
            if part not in self._due:
                self._due.append(part)
                pn.state.execute(functools.partial(self._drawn, part), schedule=True)

    def _drawn(self, part: Callable[[], None]) -> None:
        self._due.remove(part)
        self._problems.pop(part.__name__, None)
        try:
            part()
        except Exception as error:  # Panel keeps it to itself
            self._problems[part.__name__] = f"This can't be drawn: {one_line(error)}; choose something else"
            self._say(*self._said)
            raise

    def _draw_map(self) -> None:
        try:
            self._shown = self._picture_now()
        except _UNREADABLE as error:
            self._problems[self._draw_map.__name__] = f"The picture can't be read: {error}"
            self._say(*self._said)
            return
        chart = self._chart()
        if isinstance(self._shown, Curves):
            self._lines[self.log].show(self._shown)
        elif self._shown is not None:
            chart.show(self._shown, self.log)
        figures = [] if chart is None else [chart.figure]
        if [pane.object for pane in self._picture] != figures:
            self._picture[:] = [pn.pane.Bokeh(figure, sizing_mode="stretch_width", margin=0) for figure in figures]
        self._header.object = f"<h1>{escaped(self.path.stem)}</h1>{escaped(views.state(self.ds))}"
        self.tab.value = printable(f"{self.path.stem}: {views.state(self.ds)}")
        self._code.value = self.python()

    def _picture_now(self) -> Shown | None:
        if self.variable is None:
            return None
        return views.shown(self.ds, self.variable, self.x, self.y or None, self.at, self.areas, self.log)

    def _chart(self) -> Any:
        """Return the figure's chart; None if there is nothing to draw over."""
        if isinstance(self._shown, Curves):
            return self._lines[self.log]
        return {Plane: self._map, Scatter: self._dots}.get(type(self._shown))

    def _draw_points(self) -> None:
        try:
            self._stored.show(self._of_point())  # first: it needs no model
            found = self._found()
        except _UNREADABLE as error:  # or a model that needs its study, or a point that is not in the store
            self._say(str(error))
            return
        self._charts.show(found, self.areas, self.log_courses, self.courses.source)
        if (chart := self._chart()) is not None:
            places = {name: self._shown.position(c.labels) for name, c in found.items() if self._on_this_map(c)}  # type: ignore[union-attr]
            chart.mark([(name, *place) for name, place in places.items() if place is not None])
        said = [course.said(name, self.areas) for name, course in found.items()]
        self._say(*(said or [_READY]))
        units = next((course.unit for course in found.values()), "")
        self._heading.object = escaped(
            f"Time courses: change of {self.observable} since {self.courses.window[0]:g} s{units}"
            + ("; bands: one standard deviation over seeds" if any(c.seeds for c in found.values()) else "")
        )
        self._about.object = escaped(self._kind(units)) if self._shown is not None else ""
        self._code.value = self.python()

    def _kind(self, units: str) -> str:
        """Return what the picture shows; of values beside changes in the same unit, that they are no changes."""
        title = self._shown.title  # type: ignore[union-attr]
        if self.variable == views.RATIO or AREA not in self.ds[self.variable].dims:
            return title
        values = "change" not in title and title.endswith(units) and unit(self.ds[self.variable].attrs) == units
        return f"{title}: values, where the time courses are changes" if values else title

    def _named(self) -> dict[str, dict[str, Any]]:
        """Return the labels of the points that are shown, by name."""
        found = dict(zip("ABCD", self.pins))
        if self.point is not None and self.point not in self.pins:
            found["here"] = self.point
        return found

    def _found(self) -> dict[str, Course]:
        mean = self.at.get(SEED, 0) < 0
        return {name: self.courses.course(labels, self.observable, mean) for name, labels in self._named().items()}

    def _of_point(self) -> dict[str, Shown]:
        if self.point is None:
            return {}
        return views.of_point(self.ds, self.courses.point(self.point), self.at.get(SEED, 0) < 0, self.areas)

    def _on_this_map(self, course: Course) -> bool:
        """Return whether a point's other labels are the picture's; any seed is in what is shown of all."""
        at = {dim: i for dim, i in self.at.items() if dim in self.ds[STATUS].dims and i >= 0}
        return all(course.labels.get(dim) == views.labels(self.ds, dim)[i] for dim, i in at.items())

    def _say(self, *lines: str) -> None:
        self._said = lines  # of the point; a problem of the picture stays beside it
        self._message.object = escaped(*self._refused, *self._problems.values(), *lines)

    def refresh(self) -> None:
        """Redraw if the store has changed."""
        try:
            state = stores.status(self.path)
            found = (stores.generation(self.path), state.shape, np.bincount(state.ravel(), minlength=4).tolist())
        except (UserError, OSError) as error:
            self._say(f"The store can't be read: {error}")
            return
        if found != self._state:
            other_grid = bool(self._state) and self._state[0] != found[0]
            self._state = found
            self.ds = stores.open_study(self.path)
            if other_grid:  # positions have changed
                self.courses = Courses(self.path, self._study)
                self._widgets = {}
                self._settle()
            else:
                self._draw(self._draw_map, self._draw_points)

    # The view as text: Python, a link.

    def python(self) -> str:
        """Return the lines of Python that draw this view."""
        view = as_python.View(
            self.path, self.ds, self._shown, self.variable, self.x, self.y, self.at, self.courses.source, self._named(),
            self.courses.window, self.observable, self.areas, self._study,
        )  # fmt: skip
        return as_python.python(view)

    def link(self) -> str:
        """Return this view as the query of the page's address."""
        return json.dumps({name: getattr(self, name) for name in links.NAMES}, separators=(",", ":"))

    def follow(self, link: str) -> None:
        """Show the view of a link; one that does not fit this store changes nothing."""
        known = views.variables(self.ds)
        over = [*dict.fromkeys(name for variable in known for name in views.over(self.ds, variable)), None]
        offered: dict[str, list[Any]] = {"variable": known, "x": over, "y": [*over, ""], "areas": self.courses.areas}
        offered["observable"] = self.courses.observables
        try:
            view = links.read(link, offered, self.courses)
            if view.keys() & {"x", "y"}:
                variable, x, y = (view.get(name, getattr(self, name)) for name in ("variable", "x", "y"))
                views.check_axes(self.ds, variable, x, y or None)
        except UserError as error:
            self._refused[:] = [f"The link does not fit this store: {error}"]
            self._say()
            return
        if self.variable is None:
            view = {name: value for name, value in view.items() if name not in ("variable", "x", "y", "log", "at")}
            self.param.update(**view)
        else:  # a link to another variable that says nothing of its scale lets the values choose
            self._settle(**({"log": None} if "variable" in view else {}) | view)

    # The page.

    def __panel__(self) -> Any:
        controls = controls_of(self, self._choices, self._file)
        middle = pn.Column(self._about, self._picture, self._message, stylesheets=[looks.PART])
        found = (self._heading, self._charts.layout, self._stored.layout)
        right = pn.Column(*found, stylesheets=[looks.PART, looks.COURSES])
        body = pn.Column(controls, middle, right, stylesheets=[looks.BODY])
        code = pn.Column(pn.pane.HTML("The same in Python:"), self._code, sizing_mode="stretch_width")
        return pn.Column(self._header, body, code, sizing_mode="stretch_width", stylesheets=[looks.PAGE])

    def _file(self, ending: str) -> Any:
        shown = {name: course for name, course in self._found().items() if self._on_this_map(course)}
        found = maps.states(self.ds) | {DIVERGED: (STATE_COLOURS[DIVERGED], STATUS_MEANINGS[DIVERGED])}
        return pictures.picture(self._picture_now(), self.log, shown, self.areas, self.courses.source, found, ending)
