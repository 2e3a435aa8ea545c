import numpy as np
import pytest

from wsss.files import DamagedFileError
from wsss.report.confusions import CONFUSIONS, read_confusions, write_confusions


def test_counts_come_back_as_they_were(tmp_path):
    counts = {"segmenter": np.array([[2**40, 1, 0], [0, 3, 2]])}
    write_confusions(tmp_path / CONFUSIONS, counts)
    found = read_confusions(tmp_path / CONFUSIONS)
    assert list(found) == ["segmenter"]
    np.testing.assert_array_equal(found["segmenter"], counts["segmenter"])


def test_an_evaluation_of_an_earlier_version_has_none_and_a_damaged_file_is_told(tmp_path):
    assert read_confusions(tmp_path / CONFUSIONS) == {}
    (tmp_path / CONFUSIONS).write_bytes(b"no archive")
    with pytest.raises(DamagedFileError):
        read_confusions(tmp_path / CONFUSIONS)
