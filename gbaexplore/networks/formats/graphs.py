"""Graphs in GraphML: attributes of nodes are names or values, attributes of edges are matrices."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from gbaexplore.basics.errors import UserError, text_of
from gbaexplore.networks.formats.found import Found, Table
from gbaexplore.networks.tables import Graph

NODES = "node"
"""What the nodes' own names are called."""


def read(data: bytes, what: str) -> Found:
    """Return the attributes of a GraphML file by name: those of edges as matrices, row = target, column = source.

    An undirected edge is a pathway both ways. 0 where there is no edge.

    Raises:
        UserError: it is not GraphML, or declares entities; parallel edges; NetworkX is not installed.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # a few of which may stand for any amount of text
        raise UserError(f"{what} declares a document type or entities; expected GraphML without them")
    try:
        import networkx
    except ImportError:
        raise UserError(
            f'{what} is GraphML, which NetworkX reads; expected it to be installed: pip install "gbaexplore[files]"'
        ) from None
    try:
        graph = networkx.read_graphml(io.BytesIO(data))
    except Exception as error:  # of a file that is not GraphML: any
        raise UserError(f"{what} can't be read as GraphML: {text_of(error)}; expected a graph of areas") from None
    whole = Graph(graph if graph.is_directed() else graph.to_directed())
    found: Found = {NODES: Table(rows=whole.areas)}
    for name in sorted({name for _, node in graph.nodes(data=True) for name in node}):
        texts = [node.get(name) for _, node in graph.nodes(data=True)]
        if all(isinstance(text, str) for text in texts):
            found[name] = Table(rows=tuple(map(str, texts)))
        else:
            found[name] = _read(whole.values, name)
    for name in sorted({name for *_, edge in graph.edges(data=True) for name in edge}):
        found[name if name not in found else f"edge {name}"] = _read(whole.matrix, name)
    return found


def _read(get: Callable[[str], Any], name: str) -> Table:
    try:
        return Table(get(name))
    except UserError as error:
        return Table(error=error)
