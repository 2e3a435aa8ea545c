"""Dictionaries of arrays, read from pickles as published code writes them, and never run."""

import io
import os
import pickle

import numpy as np
import pytest
import torch

from wsss.artifacts.plain_pickles import read_array_dictionary
from wsss.errors import WsssError

PYTHON_2 = (
    b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    b"(K\x01)cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
    b"\x89]}U\x042007cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    b"K\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00\xbftbsatb."
)
"""`np.array({"2007": np.array([1, -0.5], np.float32)})`, whose text is bytes."""


def in_npy(path, pickled):
    """The bytes of a pickle behind the header of an `.npy` file."""
    whole = io.BytesIO()
    np.save(whole, np.array({}, dtype=object))
    header = whole.getvalue().partition(b"\n")[0] + b"\n"
    path.write_bytes(header + pickled)
    return path


def same(found, expected):
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].dtype == np.asarray(value).dtype
        np.testing.assert_array_equal(found[key], value)


CONTENT = {
    "2007_000032": np.array([0, 1, 1], dtype=np.float32),
    7: np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    "big-endian": np.array([1.5, -2], dtype=">f8"),
    "empty": np.zeros((0, 4, 5), dtype=np.float16),
    "truth": np.array([[True], [False]]),
    "scalar": np.float32(0.25),
    "number": 3,
    "list": [1, 0, 2],
    "text": np.array(["cat", "großer Hund"]),
}


@pytest.mark.parametrize("protocol", range(2, 5))
@pytest.mark.parametrize("core", ["numpy._core", "numpy.core"])
def test_what_numpy_wrote_is_what_numpy_reads(tmp_path, protocol, core):
    pickled = pickle.dumps(np.array(CONTENT, dtype=object), protocol=protocol)
    if protocol < 4:  # A name is a line of text, which numpy 1 writes without `_`.
        pickled = pickled.replace(b"numpy._core", core.encode())
    path = in_npy(tmp_path / "labels.npy", pickled)
    same(read_array_dictionary(path), CONTENT)


def test_files_of_python_2_are_read_as_numpy_reads_them(tmp_path):
    path = in_npy(tmp_path / "labels.npy", PYTHON_2)
    same(read_array_dictionary(path), {"2007": np.array([1, -0.5], np.float32)})


def test_seeds_are_read_as_the_authors_of_irn_write_them(tmp_path):
    label = torch.tensor([0.0, 1, 0, 1])
    keys = torch.nonzero(label)[:, 0]
    cam = torch.rand(4, 6, 8)[keys]  # A copy; the next is a view into a larger storage.
    view = torch.rand(4, 6, 8)[1:3].transpose(1, 2)
    high = torch.rand(2, 24, 32).numpy()
    seeds = {"keys": keys, "cam": cam.cpu(), "view": view, "high_res": high}
    np.save(tmp_path / "seeds.npy", seeds)
    expected = {name: np.asarray(one) for name, one in seeds.items()}
    same(read_array_dictionary(tmp_path / "seeds.npy"), expected)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.float64, torch.int32, torch.uint8, torch.bool], ids=str
)
def test_tensors_of_other_types(tmp_path, dtype):
    tensor = torch.arange(6).reshape(2, 3).to(dtype)
    np.save(tmp_path / "one.npy", {"cam": tensor, "none": tensor[:0]})
    same(
        read_array_dictionary(tmp_path / "one.npy"),
        {"cam": tensor.numpy(), "none": np.zeros((0, 3), tensor.numpy().dtype)},
    )


class Calls:
    """Unpickled, it calls a function."""

    def __init__(self, function, *arguments, state=None):
        self.call = (function, arguments, *([] if state is None else [state]))

    def __reduce__(self):
        return self.call


def legacy(thing):
    """Bytes that `torch.storage._load_from_bytes` takes."""
    whole = io.BytesIO()
    torch.save(thing, whole, _use_new_zipfile_serialization=False)
    return whole.getvalue()


def object_without_flag():
    """An array whose bytes numpy takes for a pointer: its type hides that it holds objects."""
    return Calls(
        np._core.multiarray._reconstruct, np.ndarray, (0,), b"b",
        state=(1, (1,), Calls(np.dtype, "V8", False, True, state=(
            3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)), False, b"\x41" * 8),
    )  # fmt: skip


ATTACKS = {
    "a command": lambda mark: Calls(os.system, f"touch {mark}"),
    "an expression": lambda mark: Calls(eval, f"open({str(mark)!r}, 'w').close()"),
    "a file of numpy": lambda mark: Calls(np.save, str(mark), 1),
    "a tensor's elements": lambda mark: Calls(
        torch.storage._load_from_bytes, legacy(Calls(os.system, f"touch {mark}"))
    ),
    "a type with flags": lambda _: object_without_flag(),
    "a view beyond its elements": lambda _: Calls(
        torch._utils._rebuild_tensor_v2,
        Calls(torch.storage._load_from_bytes, legacy(torch.zeros(2).storage())),
        0, (1000,), (1,), False, None,
    ),
    "an array in an array": lambda _: np.array([np.zeros(2), None], dtype=object),
    "a dictionary in a dictionary": lambda _: {"a": 1},
    "nothing": lambda _: None,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_else_is_read_or_run(tmp_path, attack):
    mark = tmp_path / "mark.npy"
    value = {"cat": ATTACKS[attack](mark)}
    path = in_npy(tmp_path / "labels.npy", pickle.dumps(np.array(value, dtype=object)))
    with pytest.raises(WsssError, match=r"labels\.npy: .* Expected a dictionary of arrays"):
        read_array_dictionary(path)
    assert not mark.exists()


CRAFTED = {
    "an attribute of an admitted name": b"cnumpy\nndarray.__class__.__subclasses__\n(tR.",
    "a builtin": b"cbuiltins\neval\n(S'1'\ntR.",
    "NumPy's own loader": b"cnumpy\nload\n(S'x'\ntR.",
    "bytes of its choice": b"c__builtin__\nbytes\n(I9999999999\ntR.",
    "a codec": b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR.",
    "addresses": b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntRS'12345678'\ntR.",
    "state of an admitted name": b"cnumpy\ndtype\n(N}S'x'\nI1\nstb.",
    "attributes of an admitted name": b"cnumpy\ndtype\n}S'__call__'\nI1\nsb.",
    "an extension": b"\x82\x01.",
}


@pytest.mark.parametrize("pickled", CRAFTED.values(), ids=CRAFTED)
def test_crafted_pickles_are_refused_and_change_nothing(tmp_path, pickled):
    with pytest.raises(WsssError, match="dictionary of arrays"):
        read_array_dictionary(in_npy(tmp_path / "labels.npy", pickled))
    np.save(tmp_path / "labels.npy", CONTENT)
    same(read_array_dictionary(tmp_path / "labels.npy"), CONTENT)


def test_a_name_is_told(tmp_path):
    np.save(tmp_path / "labels.npy", {"cat": Calls(os.system, "true")})
    with pytest.raises(WsssError, match=rf"a pickle that calls `{os.system.__module__}.system`"):
        read_array_dictionary(tmp_path / "labels.npy")


def test_a_pickle_cannot_change_the_reader(tmp_path):
    # BUILD on a class itself: `numpy.dtype`, then a dictionary of attributes.
    pickled = b"\x80\x02cnumpy\ndtype\n}U\x05arrayU\x01xsb."
    with pytest.raises(WsssError, match="damaged"):
        read_array_dictionary(in_npy(tmp_path / "labels.npy", pickled))


@pytest.mark.parametrize(
    ("content", "came"),
    [
        (np.zeros((3, 2)), r"an array of float64, shape \[3, 2\]"),
        (np.array([{}], dtype=object), r"an array of object, shape \[1\]"),
        (np.array([1, 2], dtype=object).tolist(), r"an array of int64, shape \[2\]"),
    ],
)
def test_other_arrays(tmp_path, content, came):
    np.save(tmp_path / "labels.npy", content)
    with pytest.raises(WsssError, match=came):
        read_array_dictionary(tmp_path / "labels.npy")


@pytest.mark.parametrize("length", [3, 60, 140, 250])
def test_half_a_file_is_damaged(tmp_path, length):
    np.save(tmp_path / "labels.npy", {"cat": np.zeros(40)})
    whole = (tmp_path / "labels.npy").read_bytes()
    (tmp_path / "labels.npy").write_bytes(whole[:length])
    with pytest.raises(WsssError, match=r"labels\.npy: the file is damaged"):
        read_array_dictionary(tmp_path / "labels.npy")
