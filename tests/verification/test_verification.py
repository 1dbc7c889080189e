"""The rows of the table, and that a wrong number fails."""

import math

import numpy as np
import pytest
from reference import peaks

from gbaexplore.verification import Row, markdown, table
from gbaexplore.verification import rows as verification
from gbaexplore.verification.reference import integrate

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("text", "ours", "passed"),
    [
        ("100.0370", 100.03704, True),
        ("100.0370", 100.03706, False),
        ("2.50922e-06", 2.5092249e-06, True),
        ("2.50922e-06", 2.50926e-06, False),
        ("-1.3152", -1.31519, True),
        ("-1.3152", 1.31519, False),
        ("37.8", math.nan, False),
    ],
)
def test_printed_digits(text, ours, passed):
    row = Row.printed("what", text, "source", ours)
    assert row.passed is passed
    assert row.expected == float(text)


def test_the_difference_is_relative_and_absolute_at_zero():
    assert Row("", 200.0, "", 201.0, 0.01).difference == pytest.approx(0.005)
    assert Row("", 0.0, "", 1e-3, 1e-2).difference == pytest.approx(1e-3)


@pytest.fixture
def rows():
    return [Row("areas", 29, "Markov et al. 2014", 29, 0), Row.printed("V1 | weak (Hz)", "100.0370", "notebook", 100.1)]


def test_the_table_says_what_failed_and_with_which_versions(rows):
    lines = table(rows).splitlines()
    assert lines[0].split()[:3] == ["what", "expected", "ours"]
    assert "pass" in lines[2]
    assert "FAIL" in lines[3]
    assert "100.0370" in lines[3]
    assert "jax " in lines[-2]
    assert "brainpy " in lines[-2]
    assert lines[-1] == "2 numbers checked: 1 pass, 1 fail."


def test_the_markdown_is_a_table(rows):
    body = [line for line in markdown(rows).splitlines() if line.startswith("|")]
    assert len(body) == 2 + len(rows)
    assert body[3].startswith(r"| V1 \| weak (Hz) | 100.0370 | 100.1 |")
    assert {line.replace(r"\|", "").count("|") for line in body} == {8}


def test_counts_and_eigenvalues(macaque):
    found = [*verification.count_rows(macaque), *verification.eigenvalue_rows(macaque)]
    assert len(found) == 12
    for row in found:
        assert row.passed, row
    fewer = {row.what: row for row in verification.count_rows(macaque.thresholded(1e-3))}
    assert not fewer["pathways"].passed


@pytest.mark.parametrize("update", ["sequential", "simultaneous"])
def test_the_integration_is_the_tests_own(macaque, update):
    """Two integrations, written apart, agree to what float64 keeps of a change on top of 10 Hz."""
    muEE = np.array([33.7, 51.5])
    rise, highest = integrate(macaque, muEE, update)
    expected = np.hstack(
        [
            peaks(
                macaque.values["hierarchy"], macaque.weights, muEE=m, omegaEI=o, amplitude=factor * 1.9, update=update
            )[0]
            for m, o, factor in ((33.7, 19.7, 22.05), (51.5, 25.2, 11.54))
        ]
    )
    np.testing.assert_allclose(rise, expected.T, rtol=1e-6, atol=1e-13)
    np.testing.assert_allclose(highest, expected.max(axis=0), rtol=1e-12)


def test_peaks(macaque):
    found = verification.peak_rows(macaque)
    assert len(found) == 8 + 24 + 12
    for row in found:
        assert row.passed, row


def test_another_connectome_fails(macaque):
    """The numbers are held against the network they belong to: 1 % less FLN is seen."""
    found = verification.eigenvalue_rows(macaque.scaled(0.99))
    assert [row.passed for row in found[:3]] == [False] * 3


def test_convergence(macaque, monkeypatch):
    monkeypatch.setattr(verification, "HALVINGS", 2)  # four take four times as long
    found = verification.convergence_rows(macaque)
    assert len(found) == 8 + 4 + 2
    for row in found[:8]:
        assert row.difference < (0.12 if "sequential" in row.what else 0.005), row
    for row in found[8:12]:
        assert row.difference < 1e-3, row


def test_verify_keeps_the_order_of_its_parts(macaque, monkeypatch):
    parts = [name for name in vars(verification) if name.endswith("_rows")]
    assert len(parts) == 6
    for name in parts:
        monkeypatch.setattr(verification, name, lambda connectome, name=name: [Row(name, 29, "", 29, 0)])
    found = [row.what for row in verification.verify()]
    assert sorted(found) == sorted(parts)
    assert found[:3] == ["count_rows", "peak_rows", "brainpy_rows"]


def test_a_brainpy_process_that_fails_says_so(macaque, monkeypatch):
    monkeypatch.setattr(verification.sys, "executable", "false")
    with pytest.raises(RuntimeError, match="BrainPy's process ended with exit code 1"):
        verification.brainpy_rows(macaque)
