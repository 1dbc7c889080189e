"""What is into each of a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gbaexplore.basics.errors import unknown


class Driven:
    """What is into each input, (area,), as attributes by the names that a model's `inputs` gives."""

    def __init__(self, into: Mapping[str, Any]) -> None:
        self.__dict__.update(into)

    def __getattr__(self, name: str) -> Any:
        # An AttributeError, so that the message can name the line of the model's code.
        known = list(self.__dict__)
        raise AttributeError(unknown(f'no input "{name}"', name, known, "Inputs"))
