"""On an accelerator more points are side by side; its numbers are the processor's, to rounding."""

import jax
import numpy as np
import pytest

from gbaexplore import Mean, Peak, Pulse, ThresholdLinear


@pytest.fixture
def study(make_study):
    model = ThresholdLinear(noise=0.02, update="simultaneous")
    early = Pulse(area="V1", onset=0.0, duration=0.01, amplitude=40.0)
    return make_study(model=model, stimulus=early, measures=[Peak(), Mean()], duration=0.02)


@pytest.mark.slow
def test_the_lanes_of_an_accelerator_give_the_same_to_rounding(study, run_all, monkeypatch):
    expected = run_all(study)
    assert study.plan(next(iter(study.variants()))).batch.lanes == 64
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert study.plan(next(iter(study.variants()))).batch.lanes == 8192
    agree(run_all(study), expected)


@pytest.mark.skipif(jax.default_backend() == "cpu", reason="there is no accelerator")
def test_an_accelerator_agrees_with_the_processor(study, run_all):
    found = run_all(study)
    with jax.default_device(jax.devices("cpu")[0]):
        agree(found, run_all(study))


def agree(found, expected):
    assert found.keys() == expected.keys()
    for name in ("peak_rate", "mean_rate"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-4 * np.abs(expected[name]).max())
    np.testing.assert_array_equal(found["status"], expected["status"])
