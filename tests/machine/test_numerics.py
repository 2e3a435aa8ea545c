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


PARTS = {
    "products": torch.backends.cuda.matmul,
    "products on a CPU": torch.backends.mkldnn.matmul,
    "convolutions": torch.backends.cudnn.conv,
    "recurrences": torch.backends.cudnn.rnn,
}


def precisions():
    return {name: part.fp32_precision for name, part in PARTS.items()}


@pytest.fixture
def _torch_as_it_was():
    with numerics_kept():
        yield
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("_torch_as_it_was")
@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("word", ["high", "medium"])
def test_a_word_for_all_products_is_given_back(word, tf32):
    torch.set_float32_matmul_precision(word)
    before = precisions()
    with numerics_kept():
        set_numerics(True, True, False, tf32)
        # Lightning asks for it, and torch refuses to tell where its settings contradict each other.
        assert torch.get_float32_matmul_precision() == ("high" if tf32 else "highest")
        assert PARTS["products on a CPU"].fp32_precision == "ieee"
    assert torch.get_float32_matmul_precision() == word
    assert precisions() == before


@pytest.mark.usefixtures("_torch_as_it_was")
@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("name", PARTS)
def test_a_precision_of_one_part_is_no_contradiction(name, tf32):
    PARTS[name].fp32_precision = "tf32"
    before = precisions()
    with numerics_kept():
        set_numerics(True, True, False, tf32)
        assert settings()[-2:] == (tf32, tf32)
        wanted = "tf32" if tf32 else "ieee"
        assert precisions() == {**dict.fromkeys(PARTS, wanted), "products on a CPU": "ieee"}
    assert precisions() == before
