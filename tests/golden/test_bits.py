"""Every number that the package makes, of tiny cases, is what was recorded: to the bit on the machine of the record.

A refactoring must not move any. Where a change is meant to, `record.py` records the new ones.
"""

import json

import cases
import pytest
import record

RECORDED = json.loads(record.BITS.read_text())
FEW = {  # between them most of what makes numbers, in little time
    "threshold_linear", "threshold_linear_parameters", "threshold_linear_noise", "wilson_cowan_euler", "local_circuit",
    "own_model", "returning", "calibration_by_brackets", "calibration_that_starts_away_from_rest", "stimulus_stepwise",
    "stimulus_of_pieces", "lanes_are_refilled", "lanes_run_to_the_end", "many_areas", "axes_of_every_kind",
    "random_numbers", "linear_theory", "non_normality_local", "boundaries_of_a_grid", "derived_fields", "networks",
    "tables", "boundary_in_three_dimensions",
}  # fmt: skip
SOME_SLOW = [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in cases.CASES]


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
