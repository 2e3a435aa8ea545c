"""albumentations asks the internet for a newer version of itself, unless it is kept from it."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from wsss.data.transforms import Augmentation

SILENT = """
import os, pickle, socket, sys

def refused(*_, **__):
    raise AssertionError("The internet was asked.")

socket.getaddrinfo = socket.socket.connect = refused
before = dict(os.environ)
{first}
assert "albumentations" in sys.modules
assert os.environ.get("NO_ALBUMENTATIONS_UPDATE") == before.get("NO_ALBUMENTATIONS_UPDATE")
"""
BUILT = "from wsss.data.transforms import Augmentation; Augmentation(32)"
SENT = f"pickle.loads({pickle.dumps(Augmentation(32))!r})"
"""What a loader worker gets that is not forked, and imports nothing before."""


@pytest.mark.parametrize(("first", "set_before"), [(BUILT, None), (SENT, "0")], ids=["new", "sent"])
def test_nobody_is_asked_for_a_newer_albumentations(first, set_before):
    environment = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    if set_before is not None:
        environment["NO_ALBUMENTATIONS_UPDATE"] = set_before
    command = [sys.executable, "-W", "error", "-c", SILENT.format(first=first)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_sent_augmentation_draws_the_same():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    mask = rng.integers(0, 3, (40, 60), dtype=np.uint8)
    augment = Augmentation(48, 0.7, 1.3, 0.2, max_side_px=50)
    sent = pickle.loads(pickle.dumps(augment))
    for seed in range(5):
        for one, other in zip(augment(image, mask, seed), sent(image, mask, seed), strict=True):
            np.testing.assert_array_equal(one, other)
