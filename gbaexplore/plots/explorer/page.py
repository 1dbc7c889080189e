"""The explorer: a store as a page in the browser, or as an object in a notebook."""

from __future__ import annotations

import contextlib
import functools
import json
import keyword
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import panel as pn
import param

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA, BOUNDED, STATUS, STATUS_MEANINGS
from gbaexplore.basics.places import place, reason
from gbaexplore.basics.streams import say
from gbaexplore.plots import maps
from gbaexplore.plots.explorer import charts, links, pictures, views
from gbaexplore.plots.explorer.courses import Course, Courses
from gbaexplore.plots.explorer.text import escaped
from gbaexplore.store import stores

if TYPE_CHECKING:
    from gbaexplore.study.study import Study

_REFRESH_MS = 2000
_UNREADABLE = UserError, OSError, ValueError, RuntimeError  # errors from reading a damaged or missing store
_READY = "Click the map: the time courses of the point are simulated."
_LOOK = {"overflow-wrap": "anywhere", "padding": "6px 10px", "background": "#f3f5f7", "border-radius": "4px"}

pn.extension("codeeditor")


class Explorer(pn.viewable.Viewer):
    """A store in the browser: a map of any variable over any two axes, and time courses of clicked points.

    Raises:
        UserError: it is not a store, or has no two axes for a map.
    """

    variable = param.Selector(check_on_set=True, doc="what the map shows")
    x = param.Selector(check_on_set=True, doc="axis of the map")
    y = param.Selector(check_on_set=True, doc="axis of the map")
    log = param.Boolean(True, doc="whether colours are logarithmic")
    at = param.Dict({}, doc="position along every other dimension")
    areas = param.ListSelector([], check_on_set=True, doc="areas whose time courses are shown")
    population = param.Selector(check_on_set=True, allow_None=True, doc="observable whose time courses are shown")
    log_courses = param.Boolean(False, doc="whether time courses are logarithmic")
    point = param.Dict(None, allow_None=True, doc="labels of the point that was clicked")
    pins = param.List([], doc="labels of the points that are kept")

    def __init__(self, store: str | Path, study: Study | None = None, **params: Any) -> None:
        self.path, self._study = place(store), study
        self.ds = stores.open_study(self.path)
        self.courses = Courses(self.path, study)
        super().__init__(**{**self._offer(), **params})
        self._message = pn.pane.HTML("", styles=_LOOK, width=600, margin=(0, 5))
        self._progress = pn.pane.HTML("", width=600, margin=(0, 10))
        self._code = pn.widgets.CodeEditor(
            language="python", readonly=True, height=190, sizing_mode="stretch_width", label="the same in Python"
        )
        self._map = charts.Map(self._clicked)
        self._charts = charts.Courses(self.courses.areas)
        self._choices = pn.Column(margin=0)
        self._widgets: dict[str, Any] = {}
        self._state: tuple[Any, ...] = ()
        self._choose()
        self._draw_map()
        self._draw_points()
        self.param.watch(self._axes_changed, ["variable", "x", "y"])
        self.param.watch(self._at_changed, ["at"])
        self.param.watch(lambda *_: _draw(self._draw_map), ["log"])
        self.param.watch(lambda *_: _draw(self._draw_points), ["point", "pins", "areas", "population", "log_courses"])

    def _offer(self) -> dict[str, Any]:
        """Set the choices; return the first ones."""
        axes, areas, observables = views.two_axes(self.ds, self.path), self.courses.areas, self.courses.observables
        variables = views.variables(self.ds)
        self.param["variable"].objects = variables
        self.param["x"].objects = self.param["y"].objects = axes
        self.param["areas"].objects = {escaped(area): area for area in areas}  # the widget interprets HTML
        self.param["population"].objects = observables
        shown = list(dict.fromkeys(source_and_target(self.ds)))
        first = {"variable": variables[0], "x": axes[0], "y": axes[1], "areas": shown}
        return {**first, "population": next(iter(observables), None)}

    # Choices.

    def _choose(self) -> None:
        """Show a widget for each dimension with one label selected.

        Existing widgets stay, because a choice made in a widget while it is being replaced would be lost.
        """
        dims = views.others(self.ds, self.variable, self.x, self.y)
        last = {AREA: self.ds.sizes.get(AREA, 1) - 1}
        # A link may be older than the store's grid, so its positions can be anywhere.
        at = {dim: int(np.clip(self.at.get(dim, last.get(dim, 0)), 0, self.ds.sizes[dim] - 1)) for dim in dims}
        several = [dim for dim in dims if self.ds.sizes[dim] > 1]
        there = self._widgets
        self._widgets = {dim: there[dim] if dim in there else self._widget(dim, at[dim]) for dim in several}
        if list(self._choices) != list(self._widgets.values()):
            self._choices[:] = list(self._widgets.values())
        self.at = at
        for dim, widget in self._widgets.items():
            widget.value = at[dim]

    def _widget(self, dim: str, index: int) -> Any:
        scale = views.scale(self.ds, dim)
        options = {word: i for i, word in enumerate(scale.words)}
        given: dict[str, Any] = {"options": options, "value": index, "width": 230}
        if isinstance(scale.labels[0], str):
            widget = pn.widgets.Select(label=scale.title, **given)
        else:
            widget = pn.widgets.DiscreteSlider(label=escaped(scale.title), **given)
        widget.param.watch(functools.partial(self._chosen, dim), "value")
        return widget

    def _chosen(self, dim: str, event: Any) -> None:
        self.at = {**self.at, dim: event.new}

    def _at_changed(self, *_: Any) -> None:
        self._choose()
        _draw(self._draw_map)

    def _axes_changed(self, *_: Any) -> None:
        if self.x == self.y:  # swap them
            self.y = next(axis for axis in self.param["y"].objects if axis != self.x)
            return
        self._choose()
        _draw(self._draw_map, self._draw_points)

    def _clicked(self, x: float, y: float) -> None:
        """Take the point whose cell was clicked."""
        scales = {axis: views.scale(self.ds, axis) for axis in (self.x, self.y)}
        point = {self.x: scales[self.x].nearest(x), self.y: scales[self.y].nearest(y)}
        for dim in self.ds[STATUS].dims:
            point.setdefault(str(dim), views.labels(self.ds, str(dim))[self.at.get(str(dim), 0)])
        self.point = {str(dim): point[str(dim)] for dim in self.ds[STATUS].dims}

    def pin(self, *_: Any) -> None:
        """Keep the point that was clicked, for comparison."""
        if self.point is not None and self.point not in self.pins:
            self.pins = [*self.pins, self.point][-links.MOST_PINS :]

    def clear(self, *_: Any) -> None:
        """Remove all points."""
        self.param.update(point=None, pins=[])

    # Drawing.

    def _draw_map(self) -> None:
        try:
            plane = views.plane(self.ds, self.variable, self.x, self.y, self.at, self.log)
        except _UNREADABLE as error:
            self._say(f"The map can't be read: {error}")
            return
        self._map.show(plane, self.log)
        counts = [int((self.ds[STATUS].values == code).sum()) for code in range(len(STATUS_MEANINGS))]
        said = ", ".join(f"{n:,} {word}" for n, word in zip(counts, STATUS_MEANINGS) if n)
        self._progress.object = f"<b>{escaped(self.path.stem)}</b>: {sum(counts):,} points: {said}"
        self._code.value = self.python()

    def _draw_points(self) -> None:
        try:
            found = self._found()
        except _UNREADABLE as error:  # or a model that needs its study, or a point that is not in the store
            self._say(str(error))
            return
        x, y = (views.scale(self.ds, axis) for axis in (self.x, self.y))
        shown = {name: course.labels for name, course in found.items() if self._on_this_map(course)}
        self._map.mark([(name, x.position(at[self.x]), y.position(at[self.y])) for name, at in shown.items()])
        self._charts.show(found, self.areas, self.log_courses, self.courses.source)
        said = [course.said(name, self.areas) for name, course in found.items()]
        self._say(*(said or [_READY]))
        self._code.value = self.python()

    def _named(self) -> dict[str, dict[str, Any]]:
        """Return the labels of the points that are shown, by name."""
        found = dict(zip("ABCD", self.pins))
        if self.point is not None and self.point not in self.pins:
            found["here"] = self.point
        return found

    def _found(self) -> dict[str, Course]:
        return {name: self.courses.course(labels, self.population) for name, labels in self._named().items()}

    def _on_this_map(self, course: Course) -> bool:
        """Return whether a point's other labels are the map's."""
        dims = [str(dim) for dim in self.ds[STATUS].dims if dim not in (self.x, self.y)]
        return all(course.labels[dim] == views.labels(self.ds, dim)[self.at.get(dim, 0)] for dim in dims)

    def _say(self, *lines: str) -> None:
        self._message.object = escaped(*lines)

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
                self._choose()
                _draw(self._draw_points)
            _draw(self._draw_map)

    # The view as text: Python, a link.

    def python(self) -> str:
        """Return the lines of Python that draw this view."""
        labels = {dim: views.labels(self.ds, dim)[i] for dim, i in self.at.items()}
        chosen = {dim: label for dim, label in labels.items() if dim in self.ds[STATUS].dims}
        own = {dim: label for dim, label in labels.items() if dim not in chosen}
        lines = ["import gbaexplore as gba", "", f"ds = gba.open_study({str(self.path)!r})"]
        lines.append(f"one = ds.sel({_arguments(chosen)})" if chosen else "one = ds")
        over = f"x={self.x!r}, y={self.y!r}"
        area, source = own.pop(AREA, None), self.courses.source
        one = f"one.sel({_arguments(own)})" if own else "one"
        if any(isinstance(views.labels(self.ds, axis)[0], str) for axis in (self.x, self.y)):  # no axes of plots.map
            if self.variable == views.RATIO:
                lines.append(f"values = gba.analysis.propagation_ratio({one}, {area!r}, {source!r})")
            else:
                lines.append(f"values = {one}[{self.variable!r}].where(one.status.isin({list(BOUNDED)}))")
                lines += [f"values = values.sel(area={area!r})"] if area is not None else []
            lines.append(f"values.plot({over})")
        elif self.variable == views.RATIO:
            lines.append(f"gba.plots.map({one}, {over}, target={area!r}, source={source!r})")
        else:
            lines.append(f"gba.plots.map({one}, {over}, variable={self.variable!r}, area={area!r})")
        for name, labels in self._named().items():
            lines.append(f"{name} = gba.replay({str(self.path)!r}, window={self.courses.window}, {_arguments(labels)})")
            lines.append(f"{name}[{self.population!r}].sel(area={self.areas!r}).plot(x='time', hue='area')")
        return "\n".join(lines)

    def link(self) -> str:
        """Return this view as the query of the page's address."""
        return json.dumps({name: getattr(self, name) for name in links.NAMES}, separators=(",", ":"))

    def follow(self, link: str) -> None:
        """Show the view of a link; one that does not fit this store changes nothing."""
        offered = {name: list(self.param[name].objects) for name in (*links.CHOICES, "areas")}
        try:
            view = links.read(link, offered, self.courses)
        except UserError as error:
            self._say(f"The link does not fit this store: {error}")
        else:
            self.param.update(**view)

    # The page.

    def __panel__(self) -> Any:
        w = {"width": 230}
        controls = pn.Column(
            pn.widgets.Select.from_param(self.param["variable"], label="map of", **w),
            self._choices,
            pn.widgets.Select.from_param(self.param["x"], label="across", **w),
            pn.widgets.Select.from_param(self.param["y"], label="up", **w),
            pn.widgets.Checkbox.from_param(self.param["log"], label="logarithmic colours"),
            pn.widgets.MultiChoice.from_param(
                self.param["areas"], label="time courses of", max_items=links.MOST_AREAS, **w
            ),
            pn.widgets.RadioButtonGroup.from_param(self.param["population"], label="observable", **w),
            pn.widgets.Checkbox.from_param(self.param["log_courses"], label="logarithmic time courses"),
            pn.Row(
                pn.widgets.Button(label="Pin this point", on_click=self.pin, color="primary", width=110),
                pn.widgets.Button(label="Clear", on_click=self.clear, width=110),
                margin=0,
            ),
            pn.Row(self._download("png"), self._download("svg"), margin=0),
            width=260,
        )
        middle = pn.Column(self._progress, self._map.figure, self._message, width=620)
        right = pn.Column(self._charts.layout, width=560)
        return pn.Column(pn.FlexBox(controls, middle, right), pn.pane.HTML("The same in Python:"), self._code)

    def _download(self, ending: str) -> Any:
        return pn.widgets.FileDownload(
            callback=functools.partial(self._picture, ending), filename=f"{self.path.stem}.{ending}",
            label=ending.upper(), width=110,
        )  # fmt: skip

    def _picture(self, ending: str) -> Any:
        plane = views.plane(self.ds, self.variable, self.x, self.y, self.at, self.log)
        shown = {name: course for name, course in self._found().items() if self._on_this_map(course)}
        looks = maps.states(self.ds)
        return pictures.picture(plane, self.log, shown, self.areas, self.courses.source, looks, ending)


def _draw(*parts: Callable[[], None]) -> None:
    """Draw parts of the page when the document is locked; Panel may handle an event while it is not."""
    for part in parts:
        pn.state.execute(part, schedule=True)


def _arguments(labels: dict[str, Any]) -> str:
    """Return labels as arguments of a call, whatever their axes are called."""
    if all(name.isidentifier() and not keyword.iskeyword(name) for name in labels):
        return ", ".join(f"{name}={label!r}" for name, label in labels.items())
    return f"**{labels!r}"


def serve(store: str, study: Study | None, address: str, port: int, show: bool) -> None:
    """Serve the explorer until it is stopped; each visitor has one of its own.

    Raises:
        UserError: it is not a store, or the port can't be had.
    """
    Explorer(store, study).courses.warm()  # compiles, and reports errors before anything is served

    try:
        server = pn.serve(
            lambda: _page(store, study), address=address, port=port, show=False, start=False, title="gbaexplore",
            verbose=False,
        )  # fmt: skip
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"port {port} of {address} can't be had ({reason(error)}); choose another --port or --address"
        ) from None
    url = f"http://{address}:{server.port}/"
    say(f"{store} is shown at {url} until Ctrl-C is pressed")
    if show:
        import webbrowser

        webbrowser.open(url)
    server.start()
    with contextlib.suppress(KeyboardInterrupt):  # the way to stop it
        server.io_loop.start()


def _page(store: str, study: Study | None) -> Any:
    """Return the page of a visitor."""
    try:
        explorer = Explorer(store, study)
    except UserError as error:
        return pn.pane.HTML(escaped(error), styles=_LOOK)
    asked = pn.state.session_args.get("view")
    if asked:
        explorer.follow(asked[0].decode(errors="replace"))
    location = pn.state.location
    if location is not None:
        explorer.param.watch(
            lambda *_: location.param.update(search="?" + urlencode({"view": explorer.link()})), list(links.NAMES)
        )
    pn.state.add_periodic_callback(explorer.refresh, period=_REFRESH_MS)
    return pn.panel(explorer)
