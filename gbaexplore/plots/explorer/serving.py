"""Serving the explorer: a page for each visitor, with its address, tab and arrow keys."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import panel as pn
from bokeh.models import CustomJS, TextInput

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.places import reason
from gbaexplore.basics.streams import say
from gbaexplore.plots.explorer import links, looks
from gbaexplore.plots.explorer.page import Explorer
from gbaexplore.plots.explorer.text import escaped

if TYPE_CHECKING:
    from gbaexplore.study.study import Study

_REFRESH_MS = 2000
# A phone shows the page as wide as it is, the tab is named, and keys are listened to. A key in a list, a slider or a
# text is theirs; one that is held down moves five times a second, which simulations can follow.
_LISTEN = """
const meta = document.createElement('meta')
Object.assign(meta, {name: 'viewport', content: 'width=device-width, initial-scale=1'})
document.head.append(meta)
const name = () => { document.title = tab.value }
tab.properties.value.change.connect(name)
name()
let count = 0, last = 0
addEventListener('keydown', (event) => {
  const part = event.composedPath()[0]
  const typing = part.matches?.('input, select, textarea, [contenteditable=true], [role=slider], .noUi-handle')
  if (!known.includes(event.key) || typing || event.altKey || event.ctrlKey || event.metaKey) return
  event.preventDefault()
  if (event.repeat && performance.now() - last < 200) return
  last = performance.now()
  pressed.value = `${event.key} ${++count}`
})
"""
_KEYS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, 1), "ArrowDown": (0, -1)}


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
    # These warn of visitors who leave, and of links that the page itself refuses.
    for name in ("bokeh.server.views.ws", "panel.util"):
        logging.getLogger(name).setLevel(logging.ERROR)
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
        return pn.pane.HTML(escaped(error), stylesheets=[looks.MESSAGE, looks.WHOLE])
    asked = pn.state.session_args.get("view")
    if asked:
        explorer.follow(asked[0].decode(errors="replace"))
    location = pn.state.location
    if location is not None:
        explorer.param.watch(
            lambda *_: location.param.update(search="?" + urlencode({"view": explorer.link()})), list(links.NAMES)
        )
    pn.state.add_periodic_callback(explorer.refresh, period=_REFRESH_MS)
    page = pn.panel(explorer)
    page.stylesheets = [*page.stylesheets, looks.WHOLE]
    page.extend([explorer.tab, _keys(explorer)])
    return page


def _keys(explorer: Explorer) -> Any:
    """Return the invisible part of a page that moves its point by arrow keys, and names the browser's tab."""
    pressed = TextInput(visible=False, name="keys")
    pressed.on_change("value", lambda _, __, value: explorer.move(*_KEYS.get(value.split()[0], (0, 0))))
    if pn.state.curdoc is not None:
        listen = CustomJS(args={"pressed": pressed, "tab": explorer.tab, "known": list(_KEYS)}, code=_LISTEN)
        pn.state.curdoc.js_on_event("document_ready", listen)
    return pressed
