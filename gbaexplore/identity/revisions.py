"""Revisions of code of this package that is not traced, and hashes of its earlier versions."""

from __future__ import annotations

FORMAT = 2
"""The format of recipes. Recipes without a format identify code by hashes of its source text."""

REVISIONS: dict[str, int] = {
    "engine": 1,
    "noise": 2,
    "delays": 2,
    "lanes": 1,
    "ThresholdLinear.jacobian": 1,
    "LocalCircuit.jacobian": 1,
    "DelayedThresholdLinear.jacobian": 1,
    "ODEModel.jacobian": 1,
    "Model.jacobian": 1,
    "SpectralAbscissa": 1,
    "NonNormality": 1,
    "CalibratedAmplitude": 1,
    "AcrossSeeds": 1,
    "Sensitivity": 1,
}
"""Raise one with every change that moves a number: "engine" is the order of operations in `engine`, "noise" the
generator, "delays" the delay line, "lanes" the number of points side by side in networks of more than 32 areas; the
others are classes and functions, by their public names. A store keeps those that its study uses.
"""

EARLIER: dict[str, set[str]] = {
    "engine": {"1"},
    "AcrossSeeds": {"3354290beff855c3", "39c639b71c3f316e"},
    "CalibratedAmplitude": {"0edd1fc4936f1190", "5ef7f170c9207d0a"},
    "DelayedThresholdLinear": {"1e0ceb745d68a3b9", "ff2f985bf5e9174b"},
    "Final": {"62b1ad6b79d6239a", "832d2647adb431fd"},
    "LocalCircuit": {"53e435c8f6fd8466", "7d7368f42ad76a0b"},
    "Mean": {"872e5302f2b9ff54", "94a62f32e3651b5c"},
    "Peak": {"11246e4ed516bcb8", "d633e46c7488ded9"},
    "Pulse": {"3a921c60ed229b6a", "de4bd46a6c49cd0e"},
    "Quantile": {"aa3a4fdc324c1477", "df38575a393f45d3"},
    "Sensitivity": {
        "01ca9cb986466832",
        "18f8b72c8e2dd330",
        "242686e91a42c006",
        "2b7a491ed4083d5c",
        "64fd7491d5647916",
        "a6368bcb2b2f2b7f",
        "e49d1fa203728f28",
    },
    "Silence": {"46c049239055d74e", "ceddce4675796888"},
    "SpectralAbscissa": {"0987d4748ea47391", "34fb53e606b3ca9d"},
    "Spectrum": {"0a890ca95cc2284d", "d202060c1ec9895c"},
    "Stimulus": {"859c00749a053d1f"},
    "ThresholdLinear": {"1f40d0651d64e140", "ccf4423c13a48a85", "d35e54747d5f1fae"},
    "Trace": {"9c7cd0f7a5bc3b8c", "e2cf9ec4fb50e248"},
    "Variance": {"3e11edf9b48c13d0", "51c732cd00676ab3"},
    "WilsonCowan": {"38530b10fe733dc0", "fc9e68e035a06e3c"},
}
"""For recipes of the first format: hashes of the source text of this package's classes, of all versions that give the
present numbers, on Python 3.11, 3.12 and 3.13: to the bit, or with delays to rounding. If a class comes to give other
numbers, remove its hashes.
"""
