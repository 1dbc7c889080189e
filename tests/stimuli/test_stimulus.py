import numpy as np
import pytest

from gbaexplore import Pulse, Stimulus, UserError
from gbaexplore.basics.time import whole_steps
from gbaexplore.store.recipe import identity

DT, STEPS = 2e-4, 50_000


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
        (lambda: Stimulus({"V1": np.array([1.0, np.nan])}, onset=0), "values that are not finite"),
        (lambda: Stimulus({}, onset=0), "drives nothing"),
    ],
)
def test_bad_stimuli(macaque, make, message):
    with pytest.raises(UserError, match=message):
        make().pieces(macaque, DT, STEPS)


def test_whole_steps():
    assert whole_steps(0.3, 0.1, "it") == 3
    with pytest.raises(UserError, match=r"it = 0.25 s is 2.5 steps of dt = 0.1 s; .* use 0.2 s"):
        whole_steps(0.25, 0.1, "it")
