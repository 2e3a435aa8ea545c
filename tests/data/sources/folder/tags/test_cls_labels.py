"""The dictionary `cls_labels.npy` of published repositories."""

import io

import numpy as np
import pytest

from wsss.data.sources.folder.folder import Folder
from wsss.errors import WsssError


@pytest.mark.parametrize(
    ("value", "classes", "came"),
    [
        ({"cat_0": np.zeros(80)}, None, "arrays of shape (80,), whose classes have no names"),
        ({"cat_0": np.zeros(20), "cat_1": np.zeros(21)}, None, "'cat_1' has an array of shape (21"),
        ({"cat_0": np.full(20, 0.5)}, None, "'cat_0' has an array of shape (20,) with [0.5, 0.5"),
        ({"cat_0": np.zeros(20)}, ["background", "cat"], "'cat_0' has an array of shape (20,)"),
        (np.zeros(20), None, "an array of float64, shape [20]"),
        ({"cat_0": io.BytesIO()}, None, "a pickle that calls `_io.BytesIO`"),
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
