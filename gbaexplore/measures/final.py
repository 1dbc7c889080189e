"""The value of an observable at the end of a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model


@dataclass(frozen=True)
class Final(StreamingMeasure):
    """The last sample of the window, in each area."""

    skips_rest: ClassVar[bool] = True
    any_shape: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, units = self.measured(model)
        return {f"final_{what}": Variable(self.dims(model), units, f"{name} at the end of the window")}

    def init(self, change: Any, run: Run) -> Any:
        return change

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        return change

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {f"final_{run.what}": rest + acc}
