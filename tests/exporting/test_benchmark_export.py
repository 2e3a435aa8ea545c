import json
import sys

import numpy as np
import pytest
from PIL import Image


@pytest.mark.slow  # Makes the folder, if it comes first.
def test_the_file_and_the_network_label_pictures_alike(
    everything, finished, tmp_path, monkeypatch, capsys
):
    import benchmark_export

    for side in (40, 49):
        picture = np.random.default_rng(side).integers(0, 256, (side, 64, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{side}.png")
    words = [finished.stage("segment"), everything, tmp_path, "--count", 2]
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
    benchmark_export.main()
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 2
    assert found["equal_labels"]["onnx"] > 0.999
    assert found["equal_labels"]["predict_resized"] > 0.99
    assert found["equal_labels"]["predict"] < 1  # Neither side of 49 px is a multiple of 16.
