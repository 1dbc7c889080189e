import math
import os

import numpy as np
import pytest

from gbaexplore import Connectome, Peak, Pulse, SpectralAbscissa, ThresholdLinear, Trace, UserError, load_study
from gbaexplore.basics.names import canonical
from gbaexplore.engine import queue


def test_blocks_cover_the_grid_once_and_own_whole_chunks(make_study, macaque):
    study = make_study(
        connectome=None,
        axes={
            "muEE": np.linspace(31, 53, 221),
            "feedback": {"on": macaque, "off": macaque.without_feedback()},
            "omegaEI": np.linspace(19, 26, 71),
        },
    )
    covered = np.zeros(study.shape, int)
    for block in study.blocks():
        covered[block.slices] += 1
        assert all(s.start % n == 0 for s, n in zip(block.slices, study.block_shape))
        assert len({study.variant_of(block).labels["feedback"]}) == 1
    assert (covered == 1).all()
    assert study.size == 31_382
    assert study.block_shape == (15, 1, 71)


def test_blocks_of_a_study_with_time_courses_stay_small(make_study):
    study = make_study(axes={"muEE": np.linspace(20, 50, 5000)}, measures=[Trace()])
    block_bytes = math.prod(study.block_shape) * 4 * 50_000 * 29
    assert block_bytes < 130e6


def test_the_size_of_blocks_can_be_set(make_study):
    study = make_study(axes={"muEE": np.linspace(20, 50, 500)}, block_points=100)
    assert study.block_shape == (100,)
    assert study.recipe() == make_study(axes={"muEE": np.linspace(20, 50, 500)}).recipe(), "it changes no result"
    with pytest.raises(UserError, match="block_points = 0; expected a whole number of at least 1"):
        make_study(block_points=0)


def test_a_small_grid_has_the_program_of_another(make_study):
    """Some more values compile nothing anew."""
    short = dict(stimulus=Pulse("V1", onset=0.02, duration=0.05, amplitude=40.0), measures=[Peak()], duration=0.12)
    few = make_study(axes={"muEE": [28.0, 30.0]}, **short).compute()
    before = queue._program.cache_info().misses
    many = make_study(axes={"muEE": np.linspace(28, 30, 31)}, **short).compute()
    assert queue._program.cache_info().misses == before
    np.testing.assert_array_equal(many.peak_rate[[0, -1]], few.peak_rate)


def test_a_queue_holds_a_block_of_any_size(make_study):
    axes = {"muEE": np.linspace(28, 30, 1000), "omegaEI": np.linspace(20, 22, 1000)}
    for block_points in (None, 3, 9000, 100_000):
        study = make_study(axes=axes, block_points=block_points)
        assert study.queue_points >= math.prod(study.block_shape)
        assert study.in_queues(256).queue_points == 256


def test_linspace_and_arange_mean_the_same_points(make_study):
    a = make_study(axes={"muEE": np.linspace(31, 53, 221)})
    b = make_study(axes={"muEE": 31 + 0.1 * np.arange(221)})
    assert a.recipe() == b.recipe()
    assert canonical(np.array([0.1 + 0.2]))[0] == 0.3


def test_canonical_numbers_are_what_twelve_digits_say():
    rng = np.random.default_rng(0)
    powers = 10.0 ** np.arange(-40, 40)
    some = [rng.random(1000), -rng.random(10), 10 ** rng.uniform(-30, 30, 1000), powers, np.nextafter(powers, 0)]
    values = np.concatenate([*some, np.arange(1000) / 1e3 + 5e-12, [0.0, -0.0, np.nan, np.inf]])
    said = np.array([float(f"{value:.12g}") for value in values])
    np.testing.assert_array_equal(canonical(values).view(np.int64), said.view(np.int64))


@pytest.mark.slow
def test_any_object_can_be_an_axis(make_study, run_all, macaque):
    pulses = {area: Pulse(area=area, onset=2.0, duration=0.25, amplitude=20.0) for area in ("V1", "MT")}
    models = {order: ThresholdLinear(update=order) for order in ("sequential", "simultaneous")}
    cuts = {"whole": macaque, "cut": macaque.without_pathway("V4", "V1")}
    study = make_study(
        model=None, stimulus=None, connectome=None,
        axes={"order": models, "muEE": [30.0, 33.7], "into": pulses, "pathway": cuts},
    )  # fmt: skip
    found = run_all(study)
    assert found["peak_rate"].shape == (2, 2, 2, 2, 29)
    for i, model in enumerate(models.values()):
        for j, stimulus in enumerate(pulses.values()):
            for k, connectome in enumerate(cuts.values()):
                parts = dict(model=model, stimulus=stimulus, connectome=connectome)
                one = run_all(make_study(axes={"muEE": [30.0, 33.7]}, **parts))
                np.testing.assert_array_equal(found["peak_rate"][i, :, j, k], one["peak_rate"])
    assert (found["peak_rate"][0] != found["peak_rate"][1]).any()


def test_amplitude_is_a_parameter_and_the_response_scales_with_it(make_study, run_all):
    found = run_all(make_study(axes={"amplitude": [10.0, 20.0], "muEE": [33.7]}))["peak_rate"]
    np.testing.assert_allclose(found[1], 2 * found[0], rtol=1e-5)


@pytest.mark.slow
def test_derived_parameters(make_study, run_all):
    study = make_study(
        axes={"muEE": [34.0, 36.0], "muIE": [24.0, 25.3]},
        derived={
            "omegaEI": lambda muEE, omegaII: 19.7 + (muEE - 33.7) * 55 / 178 + 0 * omegaII,
            "omegaIE": lambda omegaEI, muIE: math.sqrt(omegaEI) + muIE / 3,
        },
    )
    template = study.template()
    assert template.omegaEI.dims == ("muEE",)
    assert template.omegaEI.attrs["units"] == "pA/Hz"
    assert template.omegaIE.dims == ("muEE", "muIE")
    found = run_all(study)["peak_rate"]
    for i, muEE in enumerate((34.0, 36.0)):
        for j, muIE in enumerate((24.0, 25.3)):
            fixed = {"omegaEI": float(template.omegaEI[i]), "omegaIE": float(template.omegaIE[i, j]), "muIE": muIE}
            one = run_all(make_study(axes={"muEE": [muEE]}, fixed=fixed))["peak_rate"]
            np.testing.assert_allclose(found[i, j], one[0], rtol=1e-4)


def test_template_describes_itself(make_study, macaque):
    study = make_study(measures=[Peak(), SpectralAbscissa()])
    ds = study.template()
    assert ds.peak_rate.dims == ("muEE", "omegaEI", "area")
    assert ds.spectral_abscissa.dims == ("muEE", "omegaEI")
    assert ds.peak_rate.dtype == np.float32
    assert list(ds.area.values) == list(macaque.areas)
    for name, variable in {**ds.data_vars, **ds.coords}.items():
        assert variable.attrs.get("long_name"), name
        assert variable.dtype == object or name == "hierarchy" or variable.attrs.get("units"), name
    assert ds.status.attrs["flag_meanings"] == "pending ok diverged failed undefined"
    assert "muEE" in ds.attrs["gbaexplore_recipe"]


NAN = float("nan")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(axes={"muee": [1, 2]}), r'no parameter "muee" in ThresholdLinear; did you mean "muEE"'),
        (dict(axes={"muEE": []}), 'axis "muEE" has shape'),
        (dict(axes={"muEE": [[1.0, 2.0]]}), 'axis "muEE" has shape'),
        (dict(axes={"muEE": [1.0, 2.0, 1.0]}), 'axis "muEE" has 1 more than once'),
        (dict(axes={"muEE": [31.0, 31.0 + 1e-13]}), 'axis "muEE" has 31 more than once'),
        (dict(axes={"muEE": [1.0, NAN]}), 'axis "muEE" has nan; expected finite numbers'),
        (dict(axes={"muEE": ["a", "b"]}), r'axis "muEE"\[0\] = .a.; expected finite numbers, or a mapping from labels'),
        (dict(axes={"muEE": [True, False]}), r'axis "muEE"\[0\] = True; expected finite numbers'),
        (dict(axes={"muEE": "28"}), 'axis "muEE" = .28.; expected finite numbers'),
        (dict(axes={"muEE": None}), 'axis "muEE" = None; expected finite numbers'),
        (dict(axes={"feedback": {}}), 'axis "feedback" is empty'),
        (dict(axes={"feedback": {True: 1}}), r'has the label True; expected text \(write "on"'),
        (dict(axes={"feedback": {"on": 3}}), '"on" is 3; expected a connectome'),
        (dict(axes={"x": {"a": ThresholdLinear(), "b": Pulse("V1", 2, 0.25, 1)}}), "mixes kinds of objects"),
        (dict(axes=[1, 2]), "axes is list; expected a mapping"),
        (dict(axes={"area": {"a": ThresholdLinear()}}, model=None), 'axis "area" uses a reserved name; rename it'),
        (dict(fixed={"muEE": 3.0}), '"muEE" is given by axes and by fixed'),
        (dict(fixed={"muIE": 3.0}, derived={"muIE": lambda muEE: 1}), '"muIE" is given by fixed and by derived'),
        (dict(fixed={"muIe": 3.0}), 'no parameter "muIe" .* did you mean "muIE"'),
        (dict(fixed={"muIE": "3"}), r'fixed\["muIE"\] = .3.; expected a finite number'),
        (dict(fixed={"seed": 1}), "seed is given, but nothing in the study is random"),
        (dict(fixed={"noise": 0.1}, axes={"seed": [0, -1]}), "seed = -1.0; expected a whole number of at least 0"),
        (dict(fixed={"noise": 0.1, "seed": 0.5}), "seed = 0.5; expected a whole number"),
        (dict(derived={"seed": lambda muEE: muEE}), 'no parameter "seed"'),
        (dict(fixed={"tauE": 0.0}), "tauE = 0 s; expected above 0"),
        (dict(fixed={"restE": 9.0}), "restE = 9 Hz is below thresholdE = 10 Hz"),
        (dict(derived={"muIE": lambda mEE: 1}), r'derived "muIE": no parameter "mEE" .* did you mean "muEE"'),
        (dict(derived={"muIE": lambda muIE: 1}), "depend on each other in a cycle"),
        (
            dict(derived={"muIE": lambda omegaIE: 1, "omegaIE": lambda muIE: 1}),
            "depend on each other in a cycle: .*muIE",
        ),
        (dict(derived={"muIE": lambda muEE: 1 / 0}), 'derived "muIE" raised ZeroDivisionError at muEE = 28.0: '),
        (dict(derived={"muIE": lambda muEE: NAN}), 'derived "muIE" at muEE = 28.0 = nan; expected a finite number'),
        (dict(derived={"muIE": 3}), "expected a function of other parameters"),
        (dict(connectome=None), "the study has no connectome"),
        (dict(model=None), "the study has no model"),
        (dict(stimulus=Pulse("V1", 9.9, 0.25, 1.0)), "the pulse acts from 9.9 to 10.15 s"),
        (dict(stimulus=Pulse("v1", 2.0, 0.25, 1.0)), 'did you mean "V1"'),
        (dict(dt=3e-4), "steps of dt = 0.0003 s; expected a whole number"),
        (dict(dt=-1.0), "dt = -1 s; expected a number above 0"),
        (dict(duration="10"), "duration = '10'; expected a finite number"),
        (dict(precision="float16"), 'expected "float32" or "float64"'),
        (dict(measures=[]), "the study has no measures"),
        (dict(measures=["peak"]), "measures has 'peak'"),
        (dict(name="a/b"), "study name 'a/b'"),
        (dict(measures=Peak()), r"measures is Peak; expected a list, such as \[Peak\(\)\]"),
        (dict(measures=[Peak(window=0.2)]), r"window of Peak is 0.2; expected \(start, stop\)"),
        (dict(axes={"a/b": {"x": ThresholdLinear()}}), "axis name 'a/b': expected a name"),
        (
            dict(axes={"muEE": {"x": ThresholdLinear()}}, model=None),
            '"muEE" has labels, but has the name of a parameter; rename it',
        ),
        (dict(derived={"muIE": lambda *a: 1}), "expected a function of named parameters"),
        (dict(derived={"muIE": np.sqrt}), "expected a function of named parameters"),
    ],
)
def test_bad_studies_are_refused_when_they_are_made(make_study, parts, message):
    with pytest.raises(UserError, match=message):
        make_study(**parts)


def test_two_connectomes_are_one_too_many(make_study, macaque):
    variants = {"on": macaque, "off": macaque.without_feedback()}
    with pytest.raises(UserError, match="the study has more than one connectome"):
        make_study(axes={"feedback": variants})
    with pytest.raises(UserError, match="the study has more than one connectome"):
        make_study(connectome=None, axes={"feedback": variants, "other": variants})


def test_connectomes_of_an_axis_have_the_same_areas(make_study, macaque):
    with pytest.raises(UserError, match="differ in their areas"):
        make_study(connectome=None, axes={"lesion": {"none": macaque, "V4": macaque.without("V4")}})


def test_unknown_update_order():
    with pytest.raises(UserError, match='update="parallel"; expected "sequential" or "simultaneous"'):
        ThresholdLinear(update="parallel")


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 5, 60])
def test_any_number_of_areas(make_study, run_all, n):
    """Points agree whatever the batch, for networks small and large."""
    rng = np.random.default_rng(n)
    fln = rng.random((n, n)) * 0.1 * (1 - np.eye(n))
    own = Connectome("own", tuple(f"a{i}" for i in range(n)), fln, values={"hierarchy": np.linspace(0, 1, n)})
    parts = dict(connectome=own, stimulus=Pulse("a0", 2.0, 0.25, 20.0), measures=[Peak(window=(1.75, 2.5))])
    many = run_all(make_study(axes={"muEE": np.linspace(5, 20, 300)}, **parts))
    one = run_all(make_study(axes={"muEE": np.linspace(5, 20, 300)[117:118]}, **parts))
    assert many["peak_rate"].max() > 0
    np.testing.assert_array_equal(many["peak_rate"][117], one["peak_rate"][0])


@pytest.mark.slow
def test_a_label_may_stand_for_several_objects(make_study, run_all):
    """Regimes: a model and its calibrated pulse; parameters given by label reach derived functions too."""
    regimes = {
        "weak": (ThresholdLinear(muEE=33.7), Pulse("V1", 2.0, 0.25, 22.05 * 1.9)),
        "strong": (ThresholdLinear(muEE=51.5), Pulse("V1", 2.0, 0.25, 11.54 * 1.9)),
    }
    study = make_study(
        model=None, stimulus=None, axes={"muIE": [25.3, 25.4], "regime": regimes},
        derived={
            "omegaEI": lambda regime: {"weak": 19.7, "strong": 25.2}[regime],
            "eta": lambda muIE: muIE / 25.3 * 0.68,
        },
    )  # fmt: skip
    template = study.template()
    assert template.omegaEI.dims == ("regime",)
    np.testing.assert_array_equal(template.omegaEI, [19.7, 25.2])
    assert template.eta.dims == ("muIE",)
    found = run_all(study)["peak_rate"]
    for i, (model, pulse) in enumerate(regimes.values()):
        parts = dict(axes={"muEE": [model.muEE], "omegaEI": [(19.7, 25.2)[i]]}, stimulus=pulse)
        np.testing.assert_allclose(found[0, i], run_all(make_study(**parts))["peak_rate"][0, 0], rtol=1e-5)


def test_without_a_stimulus_nothing_happens_at_rest(make_study, run_all):
    found = run_all(make_study(stimulus=None))
    assert not found["peak_rate"].any()
    assert (found["status"] == 1).all()


def test_numpy_numbers_are_numbers(make_study, run_all):
    study = make_study(
        duration=np.int64(5), ceiling=np.int64(500), fixed={"muIE": np.float32(25.25)},
        stimulus=Pulse("V1", np.float32(2.0), np.float32(0.25), np.float64(41.895)),
        measures=[Peak(window=(np.float32(1.75), np.float64(5.0)))],
        derived={"eta": lambda muEE, offset=0.68: offset + 0 * muEE},
    )  # fmt: skip
    plain = make_study(
        duration=5, ceiling=500, fixed={"muIE": 25.25}, stimulus=Pulse("V1", 2.0, 0.25, 41.895),
        derived={"eta": lambda muEE: 0.68},
    )  # fmt: skip
    assert study.recipe() == plain.recipe()


def test_a_trace_larger_than_a_block_still_has_blocks(make_study):
    study = make_study(axes={"muEE": [30.0, 31.0]}, measures=[Trace()], dt=1e-6, duration=3.0)
    assert [block.size for block in study.blocks()] == [1, 1]


def test_a_file_that_is_rewritten_within_its_second_is_loaded_as_it_is(tmp_path):
    path = tmp_path / "twice.py"
    for muEE in ("31.0", "32.0"):
        path.write_text(
            "from gbaexplore import Peak, Study, ThresholdLinear, load_connectome\n"
            "study = Study(name='twice', model=ThresholdLinear(), connectome=load_connectome('macaque29'),\n"
            f"    axes={{'muEE': [{muEE}]}}, measures=[Peak()], duration=0.1)\n"
        )
        os.utime(path, (1e9, 1e9))
        assert load_study(path).axes["muEE"] == [float(muEE)]
