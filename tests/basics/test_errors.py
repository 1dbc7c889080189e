"""How messages are worded, and that none of their names can act on a terminal."""

import pickle
import sys
import traceback

import jax
import jax.numpy as jnp
import pytest

from gbaexplore import UserError
from gbaexplore.basics.errors import listing, one_line, printable, text_of, unknown
from gbaexplore.basics.places import writing

ACTING = "V1\x1b[2K\r\n\u202e\x07\x9b\udc80"  # an erased line, a return, reversed letters, a bell, a byte of no letter
SHOWN = r"V1\x1b[2K\r\n\u202e\x07\x9b\udc80"


@pytest.mark.parametrize("plain", ["V1", "Área 24c", "前頭葉", "", "a  b"])
def test_plain_text_stays(plain):
    assert printable(plain) == plain


def test_what_acts_on_a_terminal_is_escaped_everywhere():
    error = UserError(f"no area {ACTING}")
    assert str(error) == f"no area {SHOWN}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert text_of(ValueError("a\n  b\x1b")) == r"a b\x1b"


def test_long_lists_and_long_names_are_cut():
    names = [f"area {i}" for i in range(1000)]
    assert unknown("no area x", "area 9999", names, "Areas").endswith("area 39 and 960 more")
    assert len(listing(["V" * 10_000])) < 100
    assert text_of(ValueError("x" * 1000), 10) == "x" * 10 + "..."
    assert text_of(KeyboardInterrupt()) == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (IsADirectoryError(21, "Is a directory"), "Is a directory"),
        (OSError("disk full"), "disk full"),
        (OSError(), "OSError"),
    ],
)
def test_what_can_not_be_written_is_said_with_its_reason_and_a_fix(error, why):
    with (
        pytest.raises(UserError, match=rf"^x can't be written to: {why}; choose another$"),
        writing("x", "choose another"),
    ):
        raise error


def test_other_errors_pass(tmp_path):
    with pytest.raises(KeyError), writing(tmp_path / "x", "choose another"):
        raise KeyError("nothing to do with the place")


def test_strict_promotion_is_a_matter_of_settings():
    with jax.numpy_dtype_promotion("strict"), pytest.raises(Exception, match="promotion") as caught:
        jnp.float32(1) + jnp.int32(1)
    assert "unset JAX_NUMPY_DTYPE_PROMOTION" in one_line(caught.value)


@pytest.mark.parametrize("folder", ["my-site-packages-talk", f"mnt{sys.base_prefix}/dist-packages"])
def test_an_error_is_found_in_its_users_file_whatever_its_folders_are_called(tmp_path, folder):
    file = tmp_path / folder / "mine.py"
    file.parent.mkdir(parents=True)
    file.write_text("import json\n\njson.loads('{')\n")
    with pytest.raises(ValueError, match="Expecting") as caught:
        exec(compile(file.read_text(), str(file), "exec"), {})
    assert traceback.extract_tb(caught.tb)[-1].filename != str(file)
    assert one_line(caught.value).endswith(" (mine.py, line 3)")
