import time

import pytest

from wsss.data.sources import file_digests


@pytest.fixture
def later(monkeypatch):
    """A clock by which all files were written a minute ago."""
    now = time.time_ns() + 60 * 10**9
    monkeypatch.setattr(file_digests.time, "time_ns", lambda: now)
