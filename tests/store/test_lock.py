"""The lock of an object store, where there is no operating system to end it with its process."""

import _thread
import threading
import time

import pytest

from gbaexplore import UserError
from gbaexplore.store import lock

upath = pytest.importorskip("upath")


@pytest.fixture
def objects(monkeypatch):
    """A lock's place and its store, in a memory that is shared as a bucket is: an object is created once."""
    fs, one = type(upath.UPath("memory://bucket").fs), threading.Lock()
    create = fs.pipe_file

    def alone(*args, **kwargs):
        with one:
            return create(*args, **kwargs)

    monkeypatch.setattr(fs, "pipe_file", alone)
    store = upath.UPath("memory://bucket/x.zarr")
    place = store.with_name(".x.zarr.lock")
    yield place, store
    for path in list(store.parent.iterdir()) if store.parent.exists() else []:
        path.unlink()


def names(store):
    return sorted(path.name for path in store.parent.iterdir()) if store.parent.exists() else []


def test_one_that_is_renewed_is_held_whatever_our_own_clock_says(objects, monkeypatch):
    place, store = objects
    with lock._object(place, store):
        monkeypatch.setattr(time, "time", lambda: 1e12)
        with pytest.raises(UserError, match="is being written by process"), lock._object(place, store):
            pass
        assert names(store) == [place.name]
    assert names(store) == []


def test_of_many_that_find_it_dead_one_gets_in(objects, monkeypatch):
    place, store = objects
    place.write_text('{"process": 7, "host": "gone", "since": "long ago"}')
    monkeypatch.setattr(lock, "_DEAD_S", 1.0)
    time.sleep(1.1)
    ready, inside, refused, leave = threading.Barrier(6), [], [], threading.Event()

    def take(number):
        ready.wait()
        try:
            with lock._object(place, store):
                inside.append(number)
                leave.wait(10)
        except UserError:
            refused.append(number)

    takers = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for taker in takers:
        taker.start()
    end = time.monotonic() + 10
    while len(inside) + len(refused) < 6 and time.monotonic() < end:
        time.sleep(0.01)
    leave.set()
    for taker in takers:
        taker.join()
    assert len(inside) == 1
    assert len(refused) == 5
    assert names(store) == []


def test_one_that_has_found_it_dead_too_late_stays_out(objects, monkeypatch):
    """Between its look and its claim another one has taken the lock, and has removed its own claim."""
    place, store = objects
    place.write_text("{}")
    monkeypatch.setattr(lock, "_DEAD_S", 0.0)
    read = lock._content

    def late(path):
        found = read(path)
        if found == "{}":
            place.write_text('{"process": 8, "host": "quicker", "since": "now"}')
        return found

    monkeypatch.setattr(lock, "_content", late)
    with pytest.raises(UserError, match="is being written by process 8 on quicker"), lock._object(place, store):
        pass
    assert names(store) == [place.name]


def test_a_holder_that_was_asleep_leaves_it_to_the_one_that_took_it_and_ends(objects, monkeypatch):
    place, store = objects
    monkeypatch.setattr(lock, "_RENEWED_S", 0.02)
    ended = threading.Event()
    monkeypatch.setattr(_thread, "interrupt_main", ended.set)
    with lock._object(place, store):
        place.write_text("another's")
        assert ended.wait(10)
        time.sleep(0.1)
        assert place.read_text() == "another's"
    assert place.read_text() == "another's"
