"""The command in processes that need not import anything: forks of one that has.

For tests that start it dozens of times. What a process does before it looks at its arguments is left out; what is read
from the environment by an import, such as dask's settings, is that of the first process.
"""

import multiprocessing
import os
import sys
import threading
import time
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["gbaexplore.running.runner", "distributed", "xarray", "zarr"])  # all that a run imports
_LOCK = threading.Lock()  # a process that starts looks after those of other threads too


class Forked:
    """A process of the command, in a session of its own, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, args, env, log):
        self.written = [Path(f"{log}.out"), Path(f"{log}.err")]
        given = [str(arg) for arg in args], env, [str(path) for path in self.written]
        self.process = _FORKS.Process(target=_run, args=given)
        with _LOCK:
            self.process.start()
        self.pid = self.process.pid

    @property
    def returncode(self):
        return self.poll()

    def poll(self):
        with _LOCK:
            return self.process.exitcode

    def kill(self):
        self.process.kill()

    def wait(self, timeout):
        end = time.monotonic() + timeout
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        return self.returncode

    def communicate(self, timeout):
        """Return what it wrote, once it has ended: (standard output, standard error)."""
        assert self.wait(timeout) is not None, f"process {self.pid} has not ended in {timeout:g} s"
        return tuple(path.read_text(encoding="utf-8") if path.exists() else "" for path in self.written)


def _run(args, env, written):
    os.setsid()
    os.environ.update(env)
    for number, path in enumerate(written, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    from gbaexplore.cli import main

    sys.argv = ["gbaexplore", *args]
    code = main(args)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
