"""Links to a view of the explorer, which anyone can write."""

import json

import pytest

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, UserError
from gbaexplore.plots.explorer import links
from gbaexplore.plots.explorer.courses import Courses
from gbaexplore.running import runner

OFFERED = {"variable": ["peak_rate"], "x": ["muEE"], "y": ["muEE"], "observable": ["E", "I"], "areas": ["V1", "24c"]}
POINT = {"muEE": 28, "feedback": "on"}


@pytest.fixture(scope="module")
def courses(tmp_path_factory, macaque):
    axes = {"muEE": [28.0, 30.0], "feedback": {"on": macaque}}
    study = Study(
        name="small", model=ThresholdLinear(), axes=axes, stimulus=Pulse("V1", 0.0, 0.1, 40.0), measures=[Peak()],
        duration=0.1,
    )  # fmt: skip
    return Courses(runner.execute(study, tmp_path_factory.mktemp("store")).path)


def test_what_fits_is_read(courses):
    view = {"variable": "peak_rate", "log": False, "at": {"area": 3}, "areas": ["V1"], "other": 1, "pins": [POINT]}
    read = links.read(json.dumps({**view, "point": {"muEE": 30}}), OFFERED, courses)
    assert read.pop("point") == {"muEE": 30.0, "feedback": "on"}, "labels as the store has them"
    assert read == {name: value for name, value in view.items() if name != "other"}
    assert links.read('{"point": null}', OFFERED, courses) == {"point": None}
    assert links.read('{"population": "I"}', OFFERED, courses) == {"observable": "I"}, "a link of an earlier page"


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("", "found none; expected an address that this page has written"),
        ("[" * 100_000, r"found \[+\.\.\.; expected"),
        ("9" * 5000, r"found 9{80}\.\.\.; expected"),
        ("[1]", r"found \[1\]; expected"),
        ({"variable": ["peak_rate"]}, r"no variable \['peak_rate'\]"),
        ({"observable": None}, "no observable None; Known: E, I"),
        ({"x": "muee"}, 'no x muee; did you mean "muEE"?'),
        ({"log": 1}, "log = 1; expected true or false"),
        ({"at": {"area": "x"}}, "expected whole numbers"),
        ({"at": {"area": True}}, "expected whole numbers"),
        ({"areas": "V1"}, "areas = V1; expected a list of areas"),
        ({"areas": ["V1", "V1"]}, "expected some of V1, 24c, each once"),
        ({"areas": [["V1"]]}, "expected some of V1, 24c, each once"),
        ({"point": 1}, "point = 1; expected a label of each axis"),
        ({"point": {"muEE": [28]}}, r"muEE has shape \(1,\); expected a finite number"),
        ({"point": {"muEE": 10**400}}, r"muEE = 10{59}\.\.\.; expected a finite number"),
        ('{"point": {"muEE": NaN}}', "muEE = nan; expected a finite number"),
        ({"point": {"muEE": 28, "feedback": ["on"]}}, "on the axis feedback"),
        ({"point": {"feedback": "on"}}, "no label for the axis muEE"),
        ({"pins": [1]}, "a pin = 1; expected"),
        ({"pins": [POINT] * 5}, "5 pins; expected at most 4"),
    ],
)
def test_what_does_not_fit_is_refused(courses, link, message):
    with pytest.raises(UserError, match=message):
        links.read(link if isinstance(link, str) else json.dumps(link), OFFERED, courses)
