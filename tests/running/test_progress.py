"""The bar of a run, as a terminal shows it."""

import fcntl
import io
import os
import pty
import select
import struct
import termios

import pytest

from gbaexplore.running.progress import Progress


def shown(columns, act):
    """What a terminal of so many columns gets."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(theirs, "w") as out:
        progress = Progress(31_382, out)
        progress.started -= 60.0
        act(progress)
        out.flush()
        text = ""
        while select.select([ours], [], [], 0.1)[0]:
            text += os.read(ours, 10_000).decode()
    os.close(ours)
    return text


@pytest.mark.parametrize("columns", [10, 20, 30, 60, 80, 200])
def test_the_bar_fits_the_terminal(columns):
    text = shown(columns, lambda progress: [progress.add(n) for n in (1, 15_000, 16_381)])
    lines = [line.removesuffix("\x1b[K") for line in text.split("\r") if line]
    assert len(lines) == 3, text
    assert max(map(len, lines)) < columns, "none in the last column, which would begin a new line"
    assert ("points/s" in lines[1]) == (columns >= 60)
    assert ("left" in lines[1]) == (columns >= 30)


def test_after_a_stop_the_bar_stands_still_and_says_what_it_waits_for():
    def act(progress):
        progress.add(400)
        progress.stop(2, 5.0)
        progress.add(400)
        progress.close()

    bar, line, rest = shown(80, act).split("\r\n")
    assert "400/31,382 points" in bar
    assert line == "stopping: waiting for the 2 blocks in work, at most 5 s (Ctrl-C again: not at all)"
    assert not rest


def test_no_terminal_gets_whole_lines():
    out = io.StringIO()
    progress = Progress(2, out)
    progress.add(1)
    progress.stop(1, 5.0)
    assert out.getvalue() == "", "what is done every five seconds and at the end"
