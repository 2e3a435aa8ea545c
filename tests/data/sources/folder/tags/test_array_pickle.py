"""Dictionaries of arrays that `numpy.save` wrote, and files that would run something."""

import io
import os
import pickle

import numpy as np
import pytest

from wsss.data.sources.folder.folder import Folder
from wsss.data.sources.folder.tags.array_pickle import read_array_dictionary
from wsss.errors import WsssError


def saved(value):
    stream = io.BytesIO()
    np.save(stream, value)
    return stream.getvalue()


def with_pickle(content):
    """An `.npy` file whose pickle is another one."""
    whole = saved({})
    return whole[: whole.index(b"\n") + 1] + content


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["f4", ">f8", "i8", "u1", "?"])
def test_arrays_are_those_of_numpy(protocol, dtype):
    arrays = {
        "2007_000032": np.arange(20).astype(dtype),
        np.int32(7): np.zeros(0, dtype),
        np.str_("é"): np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype)),
    }
    whole = np.empty((), object)
    whole[()] = arrays
    found = read_array_dictionary(with_pickle(pickle.dumps(whole, protocol)))
    assert [*found] == [*arrays]
    for one, other in zip(found.values(), arrays.values(), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_nothing_of_a_file_is_run(tmp_path):
    trace = tmp_path / "trace"
    files = {
        "value": saved({"a": Touch(trace)}),
        "key": saved({"a": np.zeros(20), Touch(trace).__reduce__()[0]: 1}),
        "pickle": with_pickle(pickle.dumps(Touch(trace))),
    }
    for what, content in files.items():
        with pytest.raises(ValueError, match=r"it names (posix|nt)\.mkdir"):
            read_array_dictionary(content)
        assert not trace.exists(), what
    pickle.loads(pickle.dumps(Touch(trace)))
    assert trace.exists()  # It would have.


FUNCTIONS = {
    "an attribute of an admitted name": b"cnumpy\nndarray.__class__.__subclasses__\n(tR.",
    "a builtin": b"cbuiltins\neval\n(S'1'\ntR.",
    "NumPy's own loader": b"cnumpy\nload\n(S'x'\ntR.",
    "bytes of its choice": b"c__builtin__\nbytes\n(I9999999999\ntR.",
    "a codec": b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR.",
    "addresses": b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntRS'12345678'\ntR.",
    "state of an admitted name": b"cnumpy\ndtype\n(N}S'x'\nI1\nstb.",
    "attributes of an admitted name": b"cnumpy\ndtype\n}S'__call__'\nI1\nsb.",
    "an extension": b"\x82\x01.",
    "cut short": pickle.dumps({"a": 1})[:-4],
    "nothing": b"",
    "no array": pickle.dumps({"a": 1}),
}


@pytest.mark.parametrize("what", FUNCTIONS)
def test_crafted_pickles_are_refused(what):
    with pytest.raises(ValueError):  # noqa: PT011 (each has a message of its own)
        read_array_dictionary(with_pickle(FUNCTIONS[what]))
    assert len(read_array_dictionary(saved({"a": np.zeros(20)}))) == 1


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((3, 20)),
        np.array(["a", "b"], object),
        {"a": np.array([None])},
        {"a": np.array(["1"])},
        {"a": [0, 1]},
        {"a": np.zeros(2, [("x", "f4")])},
    ],
    ids=str,
)
def test_other_arrays_are_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011 (each has a message of its own)
        read_array_dictionary(saved(value))


@pytest.mark.parametrize(
    ("value", "classes", "came"),
    [
        ({"cat_0": np.zeros(80)}, None, "arrays of shape (80,), whose classes have no names"),
        ({"cat_0": np.zeros(20), "cat_1": np.zeros(21)}, None, "'cat_1' has an array of shape (21"),
        ({"cat_0": np.full(20, 0.5)}, None, "'cat_0' has an array of shape (20,) with [0.5, 0.5"),
        ({"cat_0": np.zeros(20)}, ["background", "cat"], "'cat_0' has an array of shape (20,)"),
        (np.zeros(20), None, "no plain dictionary of arrays (an array of float64 of shape (20,)"),
        ({"cat_0": io.BytesIO()}, None, "no plain dictionary of arrays (it names _io.BytesIO)"),
    ],
)
def test_wrong_dictionaries_get_one_message(write_folder, value, classes, came):
    root = write_folder(labels_csv=None, classes=classes)
    np.save(root / "labels.npy", value)
    with pytest.raises(WsssError) as caught:
        Folder(root)
    (problem,) = caught.value.problems
    assert problem.where == str(root / "labels.npy")
    assert problem.came.startswith(came)
