"""Take the user's own seeds in place of activation maps of this run's classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsss.argument_checks import check_choice
from wsss.artifacts import Seeds, SeedStore, seed_size
from wsss.artifacts.given_seeds import SUFFIXES, check_labels, read_given_seeds
from wsss.data.sample import Item
from wsss.data.source import TRAIN, Source
from wsss.errors import Problem, WsssError, user_error
from wsss.stage_tools.context import Context
from wsss.stage_tools.given_files import check_complete, files_of
from wsss.stage_tools.item_files import Calls, write_item_files

VERSION = 1
INPUTS: tuple[str, ...] = ()
SPLITS = (TRAIN,)
READS_MASKS = False
HAS_NETWORKS = False
KEY_NUMBER = "images"
GIVEN_PATHS = ("folder",)
REFUSE, DROP = "refuse", "drop"
SAMPLE = 16
"""Files that are read before anything is computed, evenly spaced."""


def given_files(source: Source, *, folder: str | None) -> dict[str, Path]:
    """The seeds of training images, by the images' ids.

    Raises:
        InvalidOptionError: there are none.
    """
    return files_of("folder", folder, source.items(TRAIN), SUFFIXES)


def check(context: Context, *, folder: str, untagged: str = REFUSE) -> None:
    """Refuse a folder that lacks the seeds of too many images, and seeds of another layout.

    A sample is read: what is wrong with all of them is found before a network is trained.

    Raises:
        WsssError: names the files.
    """
    check_choice((REFUSE, DROP), untagged=untagged)
    items = context.items(TRAIN)
    found = given_files(context.source, folder=folder)
    check_complete("folder", folder, items, found, context.max_failed_fraction)
    task = TakeSeeds(context.source.class_names, SeedStore(context.folder / "seeds"), untagged)
    there = [item for item in items if item.id in found]
    problems: list[Problem] = []
    for item in there[:: -(-len(there) // SAMPLE)]:
        try:
            task.read(item, found[item.id], context.size(item))
        except WsssError as error:
            problems += error.problems
    if len(problems) > min(1, context.max_failed_fraction * len(items)):  # One may be by chance.
        raise WsssError(*problems[:3])


@dataclass(frozen=True, slots=True)
class TakeSeeds:
    """Checks the seeds of an image and writes them as this stage's, in a process of its own."""

    class_names: Sequence[str]
    seeds: SeedStore
    untagged: str

    def __call__(self, item: Item, path: Path | None, size: tuple[int, int]) -> None:
        """Take the seeds of an item.

        Args:
            item: a training image.
            path: of its seeds; an image without tags needs none.
            size: height and width of the image.

        Raises:
            WsssError: there are no seeds, or they do not fit the image or its tags.
        """
        self.seeds.write(item, self.read(item, path, size))

    def read(self, item: Item, path: Path | None, size: tuple[int, int]) -> Seeds:
        """The seeds of an item's tags; errors as when they are taken."""
        tags = np.array(item.labels, dtype=np.uint16)
        if path is None and item.labels:
            raise user_error(item.id, "no seeds", "seeds of every image that has tags", "Add them.")
        if path is None:
            return Seeds(tags, np.zeros((0, *seed_size(*size)), dtype=np.float16), size)
        found = read_given_seeds(path, size)
        check_labels(path, found, item.labels, self.class_names, extra=self.untagged == DROP)
        return Seeds(tags, found.maps[np.isin(found.labels, tags)], size)


def run(context: Context, *, folder: str, untagged: str = REFUSE) -> dict[str, float]:
    """Write the user's seeds of every training image, as `seeds/<id>.npz`.

    Args:
        context: data, folders, processes.
        folder: of `<id>.npy` in IRN's layout, or `<id>.npz` in this package's; see
            `read_given_seeds`.
        untagged: what becomes of maps of classes that their image is not tagged with: `refuse`, or
            `drop`, which takes the others.

    Returns:
        `images`: number of seed files.

    Raises:
        WsssError: too many seeds are missing or wrong.
    """
    items = context.items(TRAIN)
    found = given_files(context.source, folder=folder)
    store = SeedStore(context.folder / "seeds")
    task = TakeSeeds(context.source.class_names, store, untagged)

    def calls(pending: Sequence[Item]) -> Calls:
        return ((item, found.get(item.id), context.size(item)) for item in pending)

    write_item_files(context, items, store, task, calls, "given seeds")
    return {"images": float(sum(store.has(item) for item in items))}
