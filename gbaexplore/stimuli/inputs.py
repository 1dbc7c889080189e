"""Several inputs of one model, each with a stimulus of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.points import amplitude_of
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus, Pieces, pieces_of
from gbaexplore.stimuli.silence import Silence


@dataclass(frozen=True, eq=False)
class Inputs(AbstractStimulus):
    """The stimuli into the inputs that a model declares: each has its own amplitude, and `amplitude` multiplies all."""

    parts: Mapping[str, AbstractStimulus]
    amplitude: float = 1.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.parts)

    @property
    def amplitudes(self) -> dict[str, float]:
        return {amplitude_of(name): float(part.amplitude) for name, part in self.parts.items()}

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        found = [pieces_of(part, connectome, dt, n_steps) for part in self.parts.values()]
        # What is silent has no onset.
        acting = [edges for edges, _ in found if edges[0] < edges[-1]]
        edges = np.unique(np.concatenate(acting)) if acting else np.array([0, 0])
        levels = np.zeros((len(edges) - 1, len(found), len(connectome.areas)))
        for i, (own, values) in enumerate(found):
            at = np.searchsorted(own, edges[:-1], side="right") - 1
            acts = (at >= 0) & (at < len(values)) & (own[0] < own[-1])
            levels[acts, i] = values[at[acts]]
        return Pieces(edges, levels)

    def recipe(self) -> dict[str, Any]:
        into = {name: part.recipe() for name, part in self.parts.items()}
        areas = [area for own in into.values() for area in own.get("areas", [own[k] for k in ("area",) if k in own])]
        return {"kind": "Inputs", "into": into, "areas": list(dict.fromkeys(areas))}


def inputs_given(given: Any) -> Any:
    """Return what is given as a stimulus; a mapping, of a model's inputs to stimuli, as `Inputs`.

    Raises:
        UserError: a mapping of anything else.
    """
    if not isinstance(given, Mapping):
        return given
    for name, part in given.items():
        if not isinstance(name, str) or not isinstance(part, AbstractStimulus) or part.inputs is not None:
            raise UserError(
                f"stimulus has {name!r}: {type(part).__name__}; expected the model's inputs, each with its stimulus: "
                '{"I": Pulse(...)}'
            )
    return Inputs(dict(given))


def joined(given: Sequence[AbstractStimulus]) -> list[AbstractStimulus]:
    """Return stimuli into different inputs as one; others as they are."""
    parts: dict[str, AbstractStimulus] = {}
    for stimulus in given:
        if not isinstance(stimulus, Inputs) or parts.keys() & stimulus.parts.keys():
            return list(given)
        parts |= stimulus.parts
    return [Inputs(parts)] if parts else list(given)


def stimulus_into(
    declared: Mapping[str, str] | None, stimulus: AbstractStimulus | None, model: str
) -> AbstractStimulus:
    """Return the stimulus of a model that declares these inputs, in their order; an input without one is silent.

    Args:
        declared: of the model of this name, input -> unit; None where it has only one, without a name.

    Raises:
        UserError: an unknown input; a stimulus that does not say which input, or says it where there is only one.
    """
    given = () if stimulus is None or isinstance(stimulus, Silence) else stimulus.inputs
    if declared is None:
        if given:
            raise UserError(
                f"{model} has one input, without a name, and the stimulus is into {', '.join(given)}; expected a "
                "stimulus such as Pulse(...)"
            )
        return Silence() if stimulus is None else stimulus
    if given is None:
        raise UserError(
            f"{model} has the inputs {', '.join(declared)}, and the {type(stimulus).__name__} does not say into which; "
            f'expected {{"{next(iter(declared))}": {type(stimulus).__name__}(...)}}'
        )
    for name in given:
        if name not in declared:
            raise UserError(unknown(f'{model} has no input "{name}"', name, declared, "Inputs"))
    if stimulus is not None and given == tuple(declared):
        return stimulus
    parts = stimulus.parts if isinstance(stimulus, Inputs) else {}
    return Inputs({name: parts.get(name, Silence()) for name in declared})
