"""Take the user's own pseudo masks in place of refined seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsss.argument_checks import check_choice
from wsss.artifacts import LabelStore, StatisticsStore
from wsss.data.images import check_mask_size, read_mask
from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL, Item
from wsss.data.source import TRAIN, Source
from wsss.errors import InvalidOptionError, user_error
from wsss.stage_tools.context import Context
from wsss.stage_tools.given_files import check_complete, files_of
from wsss.stage_tools.item_files import Calls, write_item_files
from wsss.stage_tools.mask_statistics import mask_statistics, write_summary
from wsss.wording import name_some

VERSION = 1
INPUTS: tuple[str, ...] = ()
SPLITS = (TRAIN,)
READS_MASKS = False
HAS_NETWORKS = False
KEY_NUMBER = "foreground_fraction"
GIVEN_PATHS = ("masks",)
REFUSE, VOID = "refuse", "void"


def given_files(source: Source, *, masks: str | None) -> dict[str, Path]:
    """The pseudo masks of training images, by the images' ids.

    Raises:
        InvalidOptionError: there are none.
    """
    return files_of("masks", masks, source.items(TRAIN), (".png",))


def check(context: Context, *, masks: str, untagged: str = REFUSE) -> None:
    """Refuse masks that are the ground truth, and a folder that lacks those of too many images.

    Only paths are compared. Copies of the ground truth are found by the evaluation, which stamps
    what comes of them as `oracle`.

    Raises:
        InvalidOptionError: says which.
    """
    check_choice((REFUSE, VOID), untagged=untagged)
    items = context.items(TRAIN)
    found = given_files(context.source, masks=masks)
    truth = {item.id: item.mask.resolve() for item in items if item.mask is not None}
    if any(path.resolve() == truth.get(item_id) for item_id, path in found.items()):
        raise InvalidOptionError(
            "masks", masks, "pseudo masks, which were made without ground truth",
            "these are the ground-truth masks of the data set, which no pseudo mask may be",
            "Give masks that a method made, or leave `refine=given` out.",
        )  # fmt: skip
    check_complete("masks", masks, items, found, context.max_failed_fraction)


@dataclass(frozen=True, slots=True)
class TakeMask:
    """Checks a mask and writes it as this stage's, in a process of its own."""

    class_names: tuple[str, ...]
    masks: LabelStore
    statistics: StatisticsStore
    untagged: str

    def __call__(self, item: Item, path: Path | None, size: tuple[int, int]) -> None:
        """Take the mask of an item; it is written last, which marks the item as finished.

        Args:
            item: a training image.
            path: of its mask; without one an image without tags is background.
            size: height and width of the image.

        Raises:
            WsssError: there is no mask, or one that does not fit its image or its tags.
        """
        if path is not None:
            mask = read_mask(path, len(self.class_names))
            check_mask_size(path, (mask.shape[0], mask.shape[1]), size)
        elif not item.labels:
            mask = np.full(size, BACKGROUND_LABEL, dtype=np.uint8)
        else:
            raise user_error(
                item.id, "no pseudo mask", "a mask of every image that has tags", "Add it."
            )
        others = {*np.unique(mask).tolist()} - {BACKGROUND_LABEL, VOID_LABEL, *item.labels}
        if others and self.untagged == REFUSE:
            tags = name_some([self.class_names[label - 1] for label in item.labels])
            raise user_error(
                path,
                f"pixels of {name_some([self.class_names[label - 1] for label in sorted(others)])}"
                ", which its image is not tagged with",
                f"no other classes than the image's tags ({tags or 'none'})",
                "Correct the tags or the mask; `refine.untagged=void` leaves such pixels out.",
            )
        mask[np.isin(mask, sorted(others))] = VOID_LABEL
        self.statistics.write(item, mask_statistics(mask))
        self.masks.write(item, mask)


def run(context: Context, *, masks: str, untagged: str = REFUSE) -> dict[str, float]:
    """Write the user's pseudo mask of every training image, as `masks/<id>.png`.

    Args:
        context: data, folders, processes.
        masks: folder of `<id>.png`, 8-bit palette or greyscale: 0 background, 1…C classes in the
            data set's order, 255 void; of the size of its image.
        untagged: what becomes of a mask with a class that its image is not tagged with: `refuse`,
            or `void`, which leaves such pixels out.

    Returns:
        Statistics as those of refined masks, without a comparison with seeds. `metrics.json` has
        every class's share, too.

    Raises:
        WsssError: too many masks are missing or wrong.
    """
    items = context.items(TRAIN)
    found = given_files(context.source, masks=masks)
    store = LabelStore(context.folder / "masks")
    statistics = StatisticsStore(context.folder / "statistics")
    task = TakeMask(context.source.class_names, store, statistics, untagged)

    def calls(pending: Sequence[Item]) -> Calls:
        return ((item, found.get(item.id), context.size(item)) for item in pending)

    write_item_files(context, items, store, task, calls, "given masks")
    return write_summary(context, items, store, statistics)
