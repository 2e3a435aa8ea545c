"""Memory and time of `wsss predict` on a scan, and what tiles change on photographs.

Usage:
    python scripts/benchmark_predict.py --segmenter runs/segment/3f0c… --images my_images/images \
        --output runs/benchmark_predict.json
    python scripts/benchmark_predict.py … --side 2000 --count 10

The scan is a square mosaic of the photographs. Memory is the highest sum over the command's
processes, sampled every 100 ms: of resident memory, in which shared pages count for each process
(`rss`), and with shared pages shared out (`pss`). Photographs that are cut into four tiles are
predicted as a whole, too: told is the share of pixels with the same label, and of those that one of
both gives a class. Prints a summary and writes JSON.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from subprocess import DEVNULL, Popen

import psutil
from PIL import Image

from wsss.artifacts import LabelStore, write_json
from wsss.data.images import IMAGE_SUFFIXES, read_header
from wsss.data.sample import Item
from wsss.data.sources.file_source import walk_files
from wsss.predict.tiles import Tiling

COMMAND = (sys.executable, "-m", "wsss", "predict")
CELL_PX = 500
"""Side of a photograph in the scan."""
INTERVAL_S = 0.1


def mosaic(photographs: Sequence[Path], side_px: int) -> Image.Image:
    """A square picture of photographs in rows."""
    picture = Image.new("RGB", (side_px, side_px))
    source = cycle(photographs)
    for top in range(0, side_px, CELL_PX):
        for left in range(0, side_px, CELL_PX):
            with Image.open(next(source)) as photograph:
                picture.paste(photograph.convert("RGB").resize((CELL_PX, CELL_PX)), (left, top))
    return picture


def memory_mb(root: psutil.Process) -> tuple[float, float]:
    """Resident and proportional memory of a process and all below it."""
    rss = pss = 0
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0.0, 0.0
    for process in processes:
        try:
            full = process.memory_full_info()
        except psutil.Error:  # It ended meanwhile.
            continue
        rss += full.rss
        pss += getattr(full, "pss", full.rss)
    return rss / 2**20, pss / 2**20


def watched(words: Sequence[object]) -> dict[str, float]:
    """Run `wsss predict`, and measure its time and memory."""
    start = time.monotonic()
    peaks = (0.0, 0.0)
    with Popen([*COMMAND, *map(str, words)], stdout=DEVNULL) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            rss, pss = memory_mb(root)
            peaks = max(peaks[0], rss), max(peaks[1], pss)
            time.sleep(INTERVAL_S)
    if process.returncode:
        sys.exit(f"wsss predict ended with status {process.returncode}")
    seconds = time.monotonic() - start
    return {"seconds": round(seconds, 1), "rss_mb": round(peaks[0]), "pss_mb": round(peaks[1])}


def agreement(whole: LabelStore, tiled: LabelStore, items: Sequence[Item]) -> dict[str, float]:
    """Shares of pixels with the same label: of all, and of those with a class in one of both."""
    same = pixels = same_classes = class_pixels = 0
    lowest = 1.0
    for item in items:
        a, b = whole.read(item), tiled.read(item)
        equal, shown = a == b, (a > 0) | (b > 0)
        same, pixels = same + int(equal.sum()), pixels + equal.size
        same_classes += int((equal & shown).sum())
        class_pixels += int(shown.sum())
        lowest = min(lowest, float(equal.mean()))
    return {
        "images": len(items),
        "equal_pixels": same / pixels,
        "equal_class_pixels": same_classes / max(1, class_pixels),
        "lowest_of_an_image": lowest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segmenter", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--output", type=Path, required=True, help="JSON file")
    parser.add_argument("--side", type=int, default=10_000, help="of the scan in pixels; 0: none")
    parser.add_argument("--scan-tile", type=int, default=1024, help="tiles of the scan in pixels")
    parser.add_argument("--count", type=int, default=50, help="photographs that are cut in four")
    parser.add_argument("--tile-px", type=int, default=288, help="tiles of photographs")
    parser.add_argument("--overlap-px", type=int, default=72, help="their overlap")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    photographs = [asked.images / name for name in walk_files(asked.images, IMAGE_SUFFIXES)]
    options = ("--segmenter", asked.segmenter, "--workers", asked.workers)
    result: dict[str, object] = {"segmenter": str(asked.segmenter), "workers": asked.workers}
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        if asked.side:
            scan = here / "scan.jpg"
            mosaic(photographs, asked.side).save(scan, quality=90)
            tiles = ("--tile-above-megapixels", 0, "--tile-px", asked.scan_tile)
            scan_tiling = Tiling(asked.scan_tile, 256, 0.0)
            result["scan"] = {
                "side_px": asked.side,
                "tiles": len(scan_tiling.tiles((asked.side, asked.side))),
                **watched([scan, *options, *tiles, "--output", here / "scan"]),
            }
            print("scan:", result["scan"], flush=True)
        tiling = Tiling(asked.tile_px, asked.overlap_px, 0.0)
        cut = [p for p in photographs if len(tiling.tiles(read_header(p).size)) == 4]
        chosen = cut[:: max(1, len(cut) // asked.count)][: asked.count]
        names = here / "photographs.txt"
        names.write_text("\n".join(map(str, chosen)), encoding="utf-8")
        watched([names, *options, "--output", here / "whole"])
        tiles = ("--tile-px", asked.tile_px, "--overlap-px", asked.overlap_px)
        tiles += ("--tile-above-megapixels", 0)
        watched([names, *options, *tiles, "--output", here / "tiled"])
        stores = (LabelStore(here / kind / "masks") for kind in ("whole", "tiled"))
        items = [Item(path.stem, (), path) for path in chosen]
        result["four_tiles"] = {
            "tile_px": asked.tile_px,
            "overlap_px": asked.overlap_px,
            **agreement(*stores, items),
        }
        print("four tiles:", result["four_tiles"])
    write_json(asked.output, result)


if __name__ == "__main__":
    main()
