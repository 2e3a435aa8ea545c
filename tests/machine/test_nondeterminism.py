import warnings

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
