"""Signs of life, with processes that are threads here and a store in memory."""

import time
from functools import partial
from threading import Event
from types import SimpleNamespace

import pytest
import torch
from torch.distributed import HashStore

from wsss.pipeline import heartbeats, watch
from wsss.pipeline.heartbeats import DONE, FAILED, MISSED, Heartbeats
from wsss.pipeline.watch import GRACE_S

INTERVAL_S = 0.02


@pytest.fixture
def begin():
    """Start the watch of a rank of three; what it is told joins a list."""
    store, begun = HashStore(), []

    def start(rank):
        told = []
        one = Heartbeats(store, rank, 3, told.append, INTERVAL_S)
        one.start()
        begun.append(one)
        return one, told

    start.store = store
    yield start
    for one in begun:
        one.end(DONE)


def wait_for(told, at_most_s=20):
    deadline = time.monotonic() + at_most_s
    while not told and time.monotonic() < deadline:
        time.sleep(INTERVAL_S)
    return told


def test_a_process_that_stops_is_named_with_its_place_by_all_others(begin, monkeypatch):
    monkeypatch.setattr(heartbeats.socket, "gethostname", lambda: "node7")
    (_, first), (_, second) = begin(0), begin(1)
    begin.store.set("where/2", "node9, pid 12")
    begin.store.set("beat/2", "4")
    for told in (first, second):
        (reason,) = wait_for(told)
        assert reason.startswith("process 2 of 3 (on node9, pid 12) has given no sign of life for")


def test_processes_that_live_have_ended_or_have_not_begun_are_no_loss(begin):
    one, told = begin(0)
    other, heard = begin(1)
    other.end(DONE)
    time.sleep(3 * MISSED * INTERVAL_S)
    assert not told
    assert not heard
    one.end(DONE)
    assert begin.store.get("beat/0") == DONE.encode()


def test_an_error_is_told_at_once(begin):
    _, told = begin(0)
    other, _ = begin(1)
    other.end(FAILED)
    (reason,) = wait_for(told)
    assert "process 1 of 3" in reason
    assert "ended with an error" in reason


def test_a_store_that_is_gone_was_that_of_the_first_process(begin):
    class Gone:
        def set(self, *_):
            raise RuntimeError("Connection reset by peer\nand more")

    one, told = begin(1)
    one.store = Gone()
    assert wait_for(told) == [
        "the first process is gone, or cannot be reached (Connection reset by peer)"
    ]
    one.store = begin.store


def test_a_suspended_run_finds_all_others_alive(begin, monkeypatch):
    """As after Ctrl-Z: no process gives a sign for a long time, and then all do again."""
    signs = iter(["5"] * (MISSED - 1) + ["6", "7"])
    seen = []
    one, told = begin(0)
    one.end(DONE)
    begin.store.set("where/1", "here")
    for sign in signs:
        begin.store.set("beat/1", sign)
        seen.append(one._look_at(1))
    assert seen == [""] * (MISSED + 1)
    assert not told


def test_a_loss_is_told_within_a_minute():
    one = Heartbeats(HashStore(), 0, 2, print)
    assert one.patience_s + GRACE_S + 1 < 60


@pytest.mark.parametrize("has_ended", [True, False])
def test_a_process_that_has_ended_meanwhile_is_not_killed(monkeypatch, has_ended):
    """Its own error may be told while it is waited for: the next run of a sweep has begun."""
    store, left = HashStore(), []
    store.set("where/1", "node9, pid 12")
    store.set("beat/1", FAILED)
    monkeypatch.setattr(HashStore, "clone", lambda self: self, raising=False)
    c10d = torch.distributed.distributed_c10d
    monkeypatch.setattr(c10d, "_get_default_store", lambda: store)
    monkeypatch.setattr(watch, "Heartbeats", partial(Heartbeats, interval_s=INTERVAL_S))
    monkeypatch.setattr(watch, "_leave", lambda message, _: left.append(message))
    begun, waited = Event(), []

    def grace(_):
        begun.wait()
        if has_ended:
            one.end(FAILED)
        waited.append(True)

    monkeypatch.setattr(watch, "time", SimpleNamespace(sleep=grace))
    one = watch.watch_all(SimpleNamespace(world_size=2, global_rank=0, local_rank=0), ())
    begun.set()
    assert wait_for(waited)
    assert bool(wait_for(left, 0.2 if has_ended else 20)) is not has_ended
    one.end(FAILED)
