"""Forward passes over large images, tile by tile."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from wsss.data.datasets import to_tensor
from wsss.data.pyramids import PyramidBatch, Scales, rescale
from wsss.data.sample import Item
from wsss.models import Segmenter
from wsss.predict.notes import Confidences
from wsss.predict.tiles import Tiling
from wsss.predict.write_results import WriteResults
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import map_batches
from wsss.stage_tools.predictions.passes import predictor
from wsss.stage_tools.predictions.prediction import averaged_labels
from wsss.stage_tools.worker_pool import failure_noted


def predict_in_tiles(
    context: Context,
    segmenter: Segmenter,
    items: Sequence[Item],
    tiling: Tiling,
    scales: Scales,
    flip: bool,
    write: WriteResults,
) -> Iterator[Item]:
    """Write the results of images seen in tiles, yielding the image after each of its tiles.

    One image is in memory at a time, and as many tiles of it as there are threads: each is a batch
    of its own, so that its labels depend on no setting of batches.
    """
    for item in items:
        with failure_noted(context.folder, item):
            yield from _predict_one(context, segmenter, item, tiling, scales, flip, write)


def _predict_one(
    context: Context,
    segmenter: Segmenter,
    item: Item,
    tiling: Tiling,
    scales: Scales,
    flip: bool,
    write: WriteResults,
) -> Iterator[Item]:
    image = context.source.read_image(item)
    tiles = tiling.tiles((image.shape[0], image.shape[1]))
    mask = np.zeros(image.shape[:2], dtype=np.uint8)
    confidences = Confidences.none()
    batches = (_batch(item, image[tile.seen], scales) for tile in tiles)
    passes = map_batches(context, predictor(context, segmenter, scales, flip), batches)
    for tile, (_, (prediction,)) in zip(tiles, passes, strict=True):
        chosen = prediction.single_scale
        if not write.single_scale:
            chosen = averaged_labels(image[tile.seen], prediction, None, scales.max_side_px)
        mask[tile.kept] = chosen[tile.core]
        rows, columns = tile.core
        kept = prediction.probabilities[:, rows, columns]
        confidences.add(chosen[tile.core], prediction.labels, kept)
        yield item
    write.write(item, image, mask, confidences, len(tiles))


def _batch(item: Item, seen: UInt8[np.ndarray, "h w 3"], scales: Scales) -> PyramidBatch:
    """A tile at every scale."""
    size = (seen.shape[0], seen.shape[1])
    pyramid = [to_tensor(rescale(seen, one))[None] for one in scales.sizes(size)]
    return PyramidBatch([item], [size], pyramid)


def count_tiles(tiling: Tiling, sizes: Sequence[tuple[int, int]]) -> int:
    """Tiles of all images of these sizes."""
    return sum(len(tiling.tiles(size)) for size in sizes)
