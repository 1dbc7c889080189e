"""Where blocks are computed: threads, worker processes or a dask scheduler; and Ctrl-C meanwhile."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing.resource_tracker
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

from gbaexplore.basics.errors import UserError, text_of

_CONNECT_S = 6.0
_CLOSE_S, _CLOSE_SOON_S = 5.0, 0.5  # the second after Ctrl-C


@contextlib.contextmanager
def client_of(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """Yield a client of threads in this process, of worker processes, or of a running scheduler."""
    import dask.config
    import distributed

    # The dispatch, not the scheduler, finds out which task killed a worker.
    settings = {"distributed.comm.timeouts.connect": f"{_CONNECT_S}s", "distributed.scheduler.allowed-failures": 0}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        if scheduler is not None:
            client = _connect(scheduler)
        else:
            cluster = _local_cluster(workers)
            stack.push(_closing(cluster))
            client = distributed.Client(cluster, set_as_default=False)
        stack.push(_closing(client))
        yield client


def _local_cluster(workers: int | None) -> Any:
    import distributed

    try:
        with _interrupts_blocked(), _no_garbage_collection():
            return distributed.LocalCluster(
                processes=workers is not None,
                n_workers=workers or 1,
                threads_per_worker=1 if workers else os.cpu_count(),
                dashboard_address=None,
                # Even without a dashboard the scheduler serves HTTP and warns if its default port is taken.
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                silence_logs="CRITICAL",  # failures are reported by the outcomes of their blocks
            )
    except RuntimeError as error:
        raise UserError(
            f"a worker process could not be started ({text_of(error, 100)}); a script that asks for workers needs "
            'if __name__ == "__main__": above what it does; otherwise run again, with fewer workers if memory is short'
        ) from None


def _closing(thing: Any) -> Callable[..., None]:
    """Return what closes a client or cluster at the end; errors are ignored: it is busy, or its peer has gone."""

    def close(kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.suppress(Exception):
            thing.close(timeout=_CLOSE_SOON_S if kind and issubclass(kind, KeyboardInterrupt) else _CLOSE_S)

    return close


def _connect(address: str) -> Any:
    import distributed
    from distributed.comm.registry import backends

    scheme = address.split("://")[0] if "://" in address else "tcp"
    try:
        # Checked first: a client of an unknown scheme would leave its thread behind and print errors at exit.
        if scheme not in backends:
            raise ValueError(f"unknown address scheme {scheme!r}")
        for name in ("distributed", "distributed.client"):  # each has a level of its own
            logging.getLogger(name).setLevel(logging.CRITICAL)  # we report a scheduler that goes away
        client = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
        client.wait_for_workers(1, timeout=_CONNECT_S)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise UserError(
            f"no dask scheduler with a worker answers at {address} ({type(error).__name__}: {text_of(error, 120)}); "
            "expected the address that `dask scheduler` prints, such as tcp://127.0.0.1:8786"
        ) from None
    return client


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Hold Ctrl-C back, here and in all threads and processes started meanwhile.

    It must not stop a worker process half-way: Ctrl-C is for this process, which tells the workers.
    """
    # Otherwise it starts with the first process and then unblocks the signal.
    multiprocessing.resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep garbage collection on other threads away from the callbacks that a starting cluster adds.

    distributed times collections and prints a traceback for one whose start it has missed.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
