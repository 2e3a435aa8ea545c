import warnings

import torch

from wsss.machine.nondeterminism import nondeterministic_operations


def run(*names):
    for name in names:
        warnings.warn(
            f"{name} does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True, warn_only=True)'.",
            stacklevel=2,
        )


def test_operations_are_noted_in_every_block_and_warned_of_once(recwarn):
    for _ in range(2):  # Python itself would show the second block nothing.
        with nondeterministic_operations() as found:
            run("kthvalue CUDA", "put_", "put_")
            run("put_")
        assert found == {"kthvalue CUDA", "put_"}


def test_other_warnings_come_through():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with nondeterministic_operations() as found:
            run("put_", "put_")
            warnings.warn("something else", stacklevel=1)
    assert found == {"put_"}
    assert [str(one.message)[:9] for one in caught] == ["put_ does", "something"]


def test_operations_that_torch_warns_of_once_in_other_words_are_noted(recwarn):
    with nondeterministic_operations() as found:
        warnings.warn(
            "Memory Efficient attention defaults to a non-deterministic algorithm. To explicitly "
            "enable determinism call torch.use_deterministic_algorithms(True, warn_only=False).",
            stacklevel=1,
        )
        assert torch.is_warn_always_enabled()
    assert found == {"Memory Efficient attention"}
    assert not torch.is_warn_always_enabled()
