"""Every number that the package makes, of tiny cases, is what was recorded: to the bit on the machine of the record.

A refactoring must not move any. Where a change is meant to, `record.py` records the new ones.
"""

import json

import cases
import pytest
import record

RECORDED = json.loads(record.BITS.read_text())
AGAIN = {  # what another case has too, in another precision or order, by another scheme, or with another measure
    "threshold_linear_float64", "threshold_linear_targeted", "threshold_linear_without_background",
    "threshold_linear_noise_float64", "delayed_float64", "wilson_cowan_heun", "wilson_cowan_rk4",
    "wilson_cowan_at_rest",
    "local_circuit_float64", "brainpy_float64", "across_seeds_by_parts", "sensitivity_wilson_cowan",
    "sensitivity_of_fluctuations", "calibration_by_brackets_float64", "stimulus_stepwise_to_the_end",
    "lanes_are_refilled_ragged",
}  # fmt: skip
SOME_SLOW = [pytest.param(name, marks=pytest.mark.slow) if name in AGAIN else name for name in cases.CASES]


@pytest.fixture(scope="module")
def exact():
    return record.environment() == RECORDED["environment"]


def test_every_case_is_recorded():
    assert list(RECORDED["cases"]) == list(cases.CASES)


@pytest.mark.parametrize("name", SOME_SLOW)
def test_bits(name, exact):
    found = {variable: record.bits_of(array) for variable, array in cases.values(name).items()}
    lines = list(record.moved(name, RECORDED["cases"][name]["variables"], found, exact))
    if lines:
        noticed = cases.identity(name) != RECORDED["cases"][name]["identity"]
        seen = "stores notice" if noticed else "no store would notice: raise a revision in identity/revisions.py"
        how = "bits of this very environment" if exact else "values of another environment, to rounding"
        pytest.fail(
            f"{name} is not what was recorded ({how}; {seen}):\n  " + "\n  ".join(lines) + "\nIf a change was meant to "
            f"move it, record it and say why in the commit: python tests/golden/record.py {name}",
            pytrace=False,
        )


@pytest.mark.parametrize("name", SOME_SLOW)
def test_stores_know_it(name, exact):
    """Programs that change without need make every store be proved: record them only if they have to."""
    if not exact:
        pytest.skip("another JAX may make other programs")
    assert cases.identity(name) == RECORDED["cases"][name]["identity"]
