import shutil

import numpy as np
import pytest

from gbaexplore import Connectome, UserError, load_connectome
from gbaexplore.networks.axes import same_areas
from gbaexplore.networks.connectome import DATA


def small(**parts):
    given = dict(name="two", areas=("a", "b"), hierarchy=np.array([0.0, 1.0]), fln=np.array([[0, 0.2], [0.3, 0]]))
    return Connectome(**{**given, **parts})


def test_macaque_has_the_published_counts(macaque):
    assert len(macaque.areas) == 29
    assert (macaque.areas[0], macaque.areas[-1]) == ("V1", "24c")
    assert {"9/46d", "2", "5", "10"} <= set(macaque.areas), "names stay text, digits and slashes included"
    assert np.count_nonzero(macaque.fln) == 536
    assert macaque.hierarchy.max() == 1.0
    assert (np.diff(macaque.hierarchy) >= 0).all()
    assert not np.diag(macaque.fln).any()
    np.testing.assert_allclose(macaque.wiring_mm, macaque.wiring_mm.T, atol=0.71)


def test_rows_are_targets(macaque):
    # V2's strongest known input is V1, with FLN 0.7636; V1 gets 0.7322 of its own from V2.
    assert macaque.fln[macaque.index("V2"), macaque.index("V1")] == pytest.approx(0.76356, abs=1e-5)
    assert macaque.to_dataset().fln.sel(target="V1", source="V2").item() == pytest.approx(0.73216, abs=1e-5)


def test_content_decides_equality_not_the_name(macaque):
    again = load_connectome("macaque29")
    assert again == macaque
    assert hash(again) == hash(macaque)
    assert again.without_feedback() != macaque
    assert again.scaled(1.0) == macaque
    assert "macaque29" in repr(macaque)
    assert "536 of 812" in repr(macaque)


def test_variants(macaque):
    i, j = macaque.index("V4"), macaque.index("V1")
    assert not np.triu(macaque.without_feedback().fln, 1).any()
    mean = macaque.symmetrized("arithmetic").fln
    np.testing.assert_allclose(mean[i, j], (macaque.fln[i, j] + macaque.fln[j, i]) / 2)
    geometric = macaque.symmetrized("geometric").fln
    np.testing.assert_allclose(geometric[i, j], np.sqrt(macaque.fln[i, j] * macaque.fln[j, i]))
    kept = macaque.thresholded(1e-3).fln
    assert (kept[kept > 0] >= 1e-3).all()
    assert np.count_nonzero(kept) == np.count_nonzero(macaque.fln >= 1e-3)
    assert macaque.scaled(0.5, target="V4").fln[i, j] == macaque.fln[i, j] / 2
    assert macaque.scaled(0.5, source="V4").fln[i, j] == macaque.fln[i, j]
    cut = macaque.without_pathway("V4", "V1")
    assert cut.fln[i, j] == 0
    assert np.count_nonzero(cut.fln) == 535
    fewer = macaque.without("V4", "9/46d")
    assert len(fewer.areas) == 27
    assert fewer.fln.shape == (27, 27)
    assert fewer.fln[fewer.index("24c"), fewer.index("8m")] == macaque.fln[macaque.index("24c"), macaque.index("8m")]
    assert fewer.sln.shape == fewer.wiring_mm.shape == (27, 27)


def test_targeted_inhibition(macaque):
    targeted = macaque.with_targeted_inhibition(0.2)
    i, j = macaque.index("V4"), macaque.index("V1")
    up = macaque.hierarchy[i] - macaque.hierarchy[j]
    assert up > 0
    assert targeted.fln_inhibitory[i, j] == pytest.approx(macaque.fln[i, j] * (1 + 0.2 * up))
    assert targeted.fln_inhibitory[j, i] == macaque.fln[j, i]
    np.testing.assert_array_equal(targeted.fln, macaque.fln)
    assert targeted != macaque
    assert not np.triu(targeted.without_feedback().fln_inhibitory, 1).any()
    assert targeted.without("V4").fln_inhibitory.shape == (28, 28)
    with pytest.raises(UserError, match="the factor = -1; expected a number of at least 0"):
        macaque.with_targeted_inhibition(-1)


def test_it_can_not_be_changed(macaque):
    with pytest.raises(ValueError, match="read-only"):
        macaque.fln[0, 1] = 0
    with pytest.raises(AttributeError):
        macaque.name = "mine"
    labelled = macaque.to_dataset()
    labelled.fln[0, 1] = 5
    assert load_connectome("macaque29") == macaque


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(fln=np.zeros((2, 3))), r"fln has shape \(2, 3\); expected \(2, 2\)"),
        (dict(fln=np.array([[0, -0.1], [0, 0]])), r"fln is -0.1 at a<-b; expected finite values >= 0"),
        (dict(fln=np.array([[0, np.nan], [0, 0]])), "fln is nan at a<-b"),
        (dict(hierarchy=np.array([0.0])), r"hierarchy has shape \(1,\)"),
        (dict(areas=("a", "a")), "area a is there more than once"),
        (dict(areas=()), "no areas"),
        (dict(areas=("a", 5)), "must be non-empty text, .* found 5"),
    ],
)
def test_bad_content(parts, message):
    with pytest.raises(UserError, match=message):
        small(**parts)


def test_bad_requests(macaque):
    with pytest.raises(UserError, match='no area "v1" in macaque29; did you mean "V1"'):
        macaque.index("v1")
    with pytest.raises(UserError, match='expected "arithmetic" or "geometric"'):
        macaque.symmetrized("mean")
    with pytest.raises(UserError, match="the threshold = -1; expected a number of at least 0"):
        macaque.thresholded(-1)
    with pytest.raises(UserError, match="the factor = nan; expected a finite number"):
        macaque.scaled(np.nan)
    with pytest.raises(UserError, match="leaves no area"):
        small().without("a", "b")
    with pytest.raises(UserError, match=r'no connectome "macaque"; did you mean "macaque29"\?; expected'):
        load_connectome("macaque")
    with pytest.raises(UserError, match=r'"on" and "cut" differ in their areas \(V4\)'):
        same_areas({"on": macaque, "cut": macaque.without("V4")})


@pytest.fixture
def own(tmp_path):
    """A user's own folder in the layout of data/."""
    folder = tmp_path / "mine"
    shutil.copytree(DATA / "macaque29", folder)
    (folder / "SHA256SUMS").unlink()
    return folder


def edit(path, old, new):
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_folder_of_ones_own(own, macaque):
    (own / "sln.csv").unlink()
    (own / "wiring_mm.csv").unlink()
    mine = load_connectome(own)
    assert mine.name == "mine"
    assert mine.sln is None
    np.testing.assert_array_equal(mine.fln, macaque.fln)
    assert mine != macaque, "what a model could see is not the same"


def test_a_changed_file_does_not_match_its_checksum(tmp_path):
    folder = tmp_path / "macaque29"
    shutil.copytree(DATA / "macaque29", folder)
    assert load_connectome(folder) == load_connectome("macaque29")
    edit(folder / "fln.csv", "0.7321572061864212", "0.7321572061864213")
    with pytest.raises(UserError, match=r"fln.csv is not the file that .*SHA256SUMS names"):
        load_connectome(folder)
    (folder / "fln.csv").unlink()
    with pytest.raises(UserError, match="no such file"):
        load_connectome(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("areas.csv", "hierarchy_raw", "level", "expected area, hierarchy_raw"),
        ("areas.csv", "0.5459753734764864", "high", r'areas.csv, .*: found "high"; expected a number'),
        ("fln.csv", "V2,", "v2,", r"columns are not the areas .*found v2, expected V2"),
        ("fln.csv", "\nV2,", "\nv2,", r"rows are not the areas .*found v2, expected V2"),
        ("fln.csv", "0.7321572061864212", "-0.1", "fln is -0.1 at V1<-V2"),
        ("fln.csv", "0.7321572061864212,", "", r'the row of "V1" has 29 cells; expected 30'),
    ],
)
def test_bad_files(own, file, old, new, message):
    edit(own / file, old, new)
    with pytest.raises(UserError, match=message):
        load_connectome(own)


def test_missing_and_unreadable_files(own):
    fln = (own / "fln.csv").read_text().splitlines()
    (own / "fln.csv").write_text("\n".join(fln[:-1]))
    with pytest.raises(UserError, match=r"rows are not the areas .*found 28, expected 29"):
        load_connectome(own)
    (own / "fln.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"fln.csv is not text in UTF-8 \(invalid start byte at byte 0\)"):
        load_connectome(own)
    (own / "fln.csv").unlink()
    with pytest.raises(UserError, match=r"no fln\.csv"):
        load_connectome(own)
    (own / "areas.csv").write_text("area,hierarchy_raw\n")
    with pytest.raises(UserError, match="has 1 rows; expected a header"):
        load_connectome(own)
