import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gbaexplore import AbstractStimulus, Pulse, Stimulus, UserError
from gbaexplore.basics.time import whole_steps
from gbaexplore.stimuli.base import Pieces, pieces_of
from gbaexplore.store.recipe import identity

DT, STEPS = 2e-4, 50_000


class Own(AbstractStimulus):
    """A user's own stimulus, which gives anything."""

    amplitude = 1.0

    def __init__(self, edges, levels, give=None):
        self.given = give or Pieces(edges, levels)

    def pieces(self, connectome, dt, n_steps):
        return self.given

    def recipe(self):
        return {"kind": "Own"}


def test_a_pulse_acts_on_the_steps_from_onset_to_before_its_end(macaque, pulse):
    edges, levels = pulse.pieces(macaque, DT, STEPS)
    np.testing.assert_array_equal(edges, [10_000, 11_250])
    assert levels[0, 0] == 1
    assert levels.sum() == 1


def test_a_course_is_sampled_at_the_times_of_its_steps(macaque):
    stimulus = Stimulus({"V4": lambda t: t}, onset=1.0, duration=0.001)
    edges, levels = stimulus.pieces(macaque, DT, STEPS)
    np.testing.assert_array_equal(edges, 5_000 + np.arange(6))
    np.testing.assert_allclose(levels[:, macaque.index("V4")], 1 + np.arange(5) * DT)


def test_equal_steps_are_one_piece(macaque):
    stimulus = Stimulus({"V1": np.r_[np.ones(100), np.zeros(50), np.ones(25)]}, onset=0.0)
    edges, levels = stimulus.pieces(macaque, DT, STEPS)
    np.testing.assert_array_equal(edges, [0, 100, 150, 175])
    np.testing.assert_array_equal(levels[:, 0], [1, 0, 1])


def test_recipes_tell_courses_apart(make_study):
    def stored(f, **times):
        stimulus = Stimulus({"V1": f}, **{"onset": 2.0, "duration": 0.5, **times})
        return identity(make_study(axes={"muEE": [30.0]}, stimulus=stimulus).recipe())

    assert stored(lambda t: t) == stored(lambda t: 1 * t)
    assert stored(lambda t: t) != stored(lambda t: t + 1e-9)

    def short_pulse(at):  # of 2 ms, somewhere in 2 s
        return stored(lambda t: 400.0 * ((t > at - 1e-9) & (t < at + 0.002 - 1e-9)), onset=0.0, duration=2.0)

    assert short_pulse(1.001) != short_pulse(1.1488)
    # What it is made by does not count.
    square = np.full(2500, 1.0)
    assert stored(lambda t: 1 + 0 * t) == stored(square, duration=None)
    pulse = make_study(axes={"muEE": [30.0]}, stimulus=Pulse("V1", 2.0, 0.5, 1.0))
    assert stored(square, duration=None) == identity(pulse.recipe())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pulse("v1", 2.0, 0.25, 1.0), 'no area "v1" in macaque29; did you mean "V1"'),
        (lambda: Pulse("V1", 9.9, 0.25, 1.0), r"acts from 9.9 to 10.15 s, the run from 0 to 10 s"),
        (lambda: Pulse("V1", -1.0, 0.25, 1.0), "acts from -1 to -0.75 s"),
        (lambda: Pulse("V1", 2.0, 0.0, 1.0), "a stimulus of some length"),
        (lambda: Pulse("V1", 2.0, 0.25005, 1.0), "duration = 0.25005 s is 1250.25 steps of dt = 0.0002 s"),
        (lambda: Stimulus({"V1": np.ones(3), "V2": np.ones(4)}, onset=0), r"have \[3, 4\] values"),
        (lambda: Stimulus({"V1": np.ones(3)}, onset=0, duration=1.0), "leave duration out"),
        (lambda: Stimulus({"V1": lambda t: t}, onset=0), "give its duration"),
        (lambda: Stimulus({"V1": np.array([1.0, np.nan])}, onset=0), r"is nan at \(1,\); expected finite numbers"),
        (lambda: Stimulus({}, onset=0), "drives nothing"),
        (lambda: Stimulus([np.ones(3)], onset=0), "courses are list; expected {area: function"),
        (lambda: Stimulus({"V1": np.ones((3, 1))}, onset=0), r"shape \(3, 1\); expected one number per step"),
        (lambda: Stimulus({"V1": np.array([True, False])}, onset=0), 'the stimulus into "V1" has True and False'),
        (lambda: Stimulus({"V1": ["1", "2"]}, onset=0), r'the stimulus into "V1"\[0\] = .1.; expected'),
        (lambda: Stimulus({"V1": lambda t: t > 2}, onset=2.0, duration=0.1), "has True and False; expected finite"),
        (
            lambda: Stimulus({"V1": lambda t: t[:5]}, 2.0, 0.1),
            r"shape \(5,\) at 500 times; expected one number at each",
        ),
        (lambda: Stimulus({"V1": lambda t: 1 / (t - t)}, 2.0, 0.1), "is inf at|raised RuntimeWarning"),
        (lambda: Stimulus({"V1": lambda t: 1.0 if t > 2 else 0.0}, 2.0, 0.1), "raised ValueError: .*use jnp.where"),
        (lambda: Stimulus({"V1": lambda: 1.0}, 2.0, 0.1), "raised TypeError.*expected a function of an array of times"),
        (
            lambda: Stimulus({"V1": pd.Series([1.0, 2.0], index=[0.0, 0.001])}, onset=0),
            r"values at 0 to 0.001 s.*np.interp",
        ),
        (lambda: Pulse("V1", 1e300, 0.25, 1.0), "expected fewer than 2"),
        (lambda: Pulse(["V1"], 2.0, 0.25, 1.0), r"\['V1'\] is not the name of an area of macaque29"),
        (
            lambda: Own(np.zeros(3), np.zeros((2, 28))),
            r"edges of shape \(3,\) and levels of shape \(2, 28\); .*\(pieces, 29\)",
        ),
        (lambda: Own([5, 3], np.zeros((1, 29))), "Own: edges are not rising whole numbers from 0 to 50000"),
        (lambda: Own([0, 50_001], np.zeros((1, 29))), "Own: edges are not rising whole numbers"),
        (lambda: Own([0, 1.5], np.zeros((1, 29))), "Own: edges are not rising whole numbers"),
        (lambda: Own([0, 1], np.full((1, 29), np.nan)), r"Own: levels is nan at \(0, 0\)"),
        (lambda: Own([0, 1], np.full((1, 29), 1e300)), r"Own has a level of 1e\+300;"),
        (lambda: Own(None, None, give=[1, 2, 3]), r"Own.pieces gives list; expected Pieces\(edges, levels\)"),
    ],
)
def test_bad_stimuli(macaque, make, message):
    with pytest.raises(UserError, match=message):
        pieces_of(make(), macaque, DT, STEPS)


@pytest.mark.parametrize("wrong", [None, True, "2", np.nan, np.inf, 1j, [2.0], pd.NA, np.datetime64("2020")], ids=repr)
def test_times_and_amplitudes_are_numbers(wrong):
    for field in ("onset", "duration", "amplitude"):
        with pytest.raises(UserError, match=f"^the pulse's {field} .*expected a finite number"):
            Pulse(**{"area": "V1", "onset": 2.0, "duration": 0.25, "amplitude": 1.0, field: wrong})
        if field != "duration" or wrong is not None:
            with pytest.raises(UserError, match=f"{field} .*expected a finite number"):
                Stimulus({"V1": np.ones(3)}, **{"onset": 2.0, field: wrong})


def test_numbers_of_any_kind_make_the_same_pulse():
    given = Pulse("V1", np.float32(0.1), jnp.float32(0.25), np.array(41.9))
    assert given == Pulse("V1", 0.1, 0.25, 41.9)
    assert {type(value) for value in (given.onset, given.duration, given.amplitude)} == {float}


def test_an_array_may_be_labelled_with_its_times(macaque):
    values = np.array([1.0, 2.0, 3.0])
    times = 1.0 + DT * np.arange(3)
    plain = Stimulus({"V1": values}, onset=1.0).pieces(macaque, DT, STEPS)
    for course in (pd.Series(values, times), xr.DataArray(values, {"time": times}, "time"), pd.Series(values)):
        found = Stimulus({"V1": course}, onset=1.0).pieces(macaque, DT, STEPS)
        np.testing.assert_array_equal(found.levels, plain.levels)
        np.testing.assert_array_equal(found.edges, plain.edges)


def test_a_stimulus_does_not_change_with_the_array_that_it_was_made_of(macaque):
    values = np.ones(3)
    made = Stimulus({"V1": values}, onset=1.0)
    values[:] = 7
    assert made.pieces(macaque, DT, STEPS).levels.max() == 1


def test_a_stimulus_that_is_random_each_time_is_refused(make_study):
    drawn = Stimulus({"V1": lambda t: np.random.default_rng().normal(size=t.shape)}, onset=2.0, duration=0.1)
    with pytest.raises(UserError, match=r"the Stimulus of the study gives other values each time"):
        make_study(stimulus=drawn).recipe()


def test_whole_steps():
    assert whole_steps(0.3, 0.1, "it") == 3
    assert whole_steps(1e5, 1e-4, "it") == 10**9
    with pytest.raises(UserError, match=r"it = 50.0001 s is 500000\.5 steps of dt"):
        whole_steps(50.00005, 1e-4, "it")
    for wrong in (0, -0.1, None, True, np.nan):
        with pytest.raises(UserError, match=r"^dt "):
            whole_steps(1.0, wrong, "it")
    with pytest.raises(UserError, match=r"it = 0.25 s is 2.5 steps of dt = 0.1 s; .* use 0.2 s"):
        whole_steps(0.25, 0.1, "it")
