import subprocess
import sys

import numpy as np
import psutil
from PIL import Image

from wsss.artifacts import LabelStore
from wsss.data.sample import Item


def test_the_scan_shows_the_photographs_in_rows(tmp_path):
    import benchmark_predict

    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (40, 30), (80 * number, 0, 0)).save(paths[-1])
    scan = np.array(benchmark_predict.mosaic(paths, 1000))
    assert scan.shape == (1000, 1000, 3)
    assert [scan[y, x, 0] for y in (10, 990) for x in (10, 990)] == [0, 80, 160, 0]


def test_pixels_with_the_same_label_are_counted(tmp_path):
    import benchmark_predict

    whole, tiled = LabelStore(tmp_path / "whole"), LabelStore(tmp_path / "tiled")
    items = [Item("a", ()), Item("b", ())]
    for item, one, other in zip(
        items, ((0, 0, 1, 1), (0, 0, 0, 0)), ((0, 0, 1, 2), (0, 0, 0, 0)), strict=True
    ):
        whole.write(item, np.array([one], dtype=np.uint8))
        tiled.write(item, np.array([other], dtype=np.uint8))
    found = benchmark_predict.agreement(whole, tiled, items)
    assert found == {
        "images": 2, "equal_pixels": 7 / 8, "equal_class_pixels": 1 / 2, "lowest_of_an_image": 0.75,
    }  # fmt: skip


def test_memory_is_that_of_a_process_and_those_below_it():
    import benchmark_predict

    alone, _ = benchmark_predict.memory_mb(psutil.Process())
    hold = "import sys; held = b'x' * (64 << 20); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        both, pss = benchmark_predict.memory_mb(psutil.Process())
        process.stdin.close()
    assert 64 < both - alone < 128
    assert 0 < pss <= both
