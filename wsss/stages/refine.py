"""Turn seeds into pseudo masks."""

from dataclasses import dataclass

from wsss.artifacts import LabelStore, SeedStore
from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL, Item
from wsss.data.source import TRAIN, Source
from wsss.refine.refinement import Refinement
from wsss.stages.context import Context
from wsss.stages.items import check_failures, process_items
from wsss.stages.progress import track

VERSION = 1
INPUTS = ("localize",)
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "foreground_fraction"


@dataclass(frozen=True, slots=True)
class RefineItem:
    """The work on one image, done in a process of its own."""

    source: Source
    seeds: SeedStore
    masks: LabelStore
    method: Refinement

    def __call__(self, item: Item) -> None:
        """Write the pseudo mask of an item."""
        image = self.source.read_image(item)
        self.masks.write(item, self.method(image, self.seeds.read(item)))


def run(context: Context, *, method: Refinement) -> dict[str, float]:
    """Write the pseudo mask of every training image, as `masks/<id>.png`.

    Args:
        context: data, folders, processes.
        method: turns an image and its seeds into a mask.

    Returns:
        `images`, and the fractions of pixels that are foreground and void: what can be seen of
        pseudo masks without ground truth.
    """
    items = context.items(TRAIN)
    masks = LabelStore(context.folder / "masks")
    seeds = SeedStore(context.inputs["localize"] / "seeds")
    own = context.share(items)
    pending = [item for item in own if not masks.has(item)]
    task = RefineItem(context.source, seeds, masks, method)
    results = process_items(task, ((item,) for item in pending), context.workers, context.folder)
    done = len(own) - len(pending)
    for _ in track(results, len(own), "refine", done, visible=context.is_main):
        pass
    context.fabric.barrier()
    check_failures(context, len(items))
    return (
        _statistics(masks, [item for item in items if masks.has(item)]) if context.is_main else {}
    )


def _statistics(masks: LabelStore, items: list[Item]) -> dict[str, float]:
    """Mean over images of the fractions of foreground and void pixels."""
    void = foreground = 0.0
    for item in items:
        mask = masks.read(item)
        is_void = mask == VOID_LABEL
        void += float(is_void.mean()) / len(items)
        foreground += float(((mask != BACKGROUND_LABEL) & ~is_void).mean()) / len(items)
    images = float(len(items))
    return {"images": images, "foreground_fraction": foreground, "void_fraction": void}
