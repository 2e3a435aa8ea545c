import os
from contextlib import suppress

import pytest
import torch

from wsss.machine.numerics import CUBLAS, any_order, numerics_kept, set_numerics


def settings():
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
    )


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.delenv(CUBLAS, raising=False)
    yield
    os.environ.pop(CUBLAS, None)


@pytest.mark.parametrize("flags", [(True, True, False, False), (True, False, True, True)])
def test_all_are_set_and_given_back(flags):
    deterministic, warn_only, benchmark, tf32 = flags
    before = settings()
    with numerics_kept():
        set_numerics(deterministic, warn_only, benchmark, tf32)
        assert settings() == (
            deterministic, warn_only, False, deterministic, benchmark, tf32, tf32,
        )  # fmt: skip
        assert os.environ[CUBLAS] == ":4096:8"
    assert settings() == before


def test_they_are_given_back_after_an_error():
    before = settings()
    with suppress(KeyError), numerics_kept():
        set_numerics(True, True, False, True)
        raise KeyError
    assert settings() == before


def test_a_workspace_that_the_user_chose_stays(monkeypatch):
    monkeypatch.setenv(CUBLAS, ":16:8")
    with numerics_kept():
        set_numerics(True, False, False, False)
    assert os.environ[CUBLAS] == ":16:8"


def test_kernels_of_any_order_are_taken_in_a_block_alone():
    with numerics_kept():
        set_numerics(True, True, False, False)
        before = settings()
        with any_order():
            assert not torch.are_deterministic_algorithms_enabled()
        assert settings() == before
