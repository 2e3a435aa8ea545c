"""The embedded data set: eight classes on eight backdrops, drawn on the fly."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import UInt8

from wsss.argument_checks import check_fraction, check_whole
from wsss.artifacts import fingerprint
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL, Source
from wsss.data.sources.synthetic.alterations import cropped, near_copy, stamped
from wsss.data.sources.synthetic.faults import DUPLICATES, Faults, Planted
from wsss.data.sources.synthetic.planting import Planting, parse
from wsss.data.sources.synthetic.scene import Scene, compose, draw_image, draw_mask
from wsss.data.sources.synthetic.shapes import SHAPES
from wsss.data.sources.synthetic.tag_faults import Labels
from wsss.errors import InvalidOptionError

_SCENE, _PAINT = range(2)
"""Independent random streams of an image; its mask needs the first one only."""


class Synthetic(Source):
    """A controlled benchmark of weak supervision without files, downloads or licences.

    It has the difficulties of weak supervision: small discriminative parts on plain bodies,
    backdrops that correlate with the class, clutter, occlusion. Image `i` of a split depends on the
    parameters, the split and `i` alone.

    Faults can be planted, to measure what finds them. Masks stay those of what an image shows. Near
    copies come after the other images of a split, and have none of the other faults.
    """

    name = "synthetic"
    class_names = tuple(shape.name for shape in SHAPES)

    def __init__(
        self,
        num_train: int = 240,
        num_val: int = 96,
        size_px: int = 160,
        context_bias: float = 0.5,
        max_objects: int = 3,
        seed: int = 0,
        faults: Faults = Faults(),  # noqa: B008 (it is frozen)
    ) -> None:
        """Set the parameters; nothing is drawn yet.

        Args:
            num_train: images of the training split.
            num_val: images of the validation split.
            size_px: nominal side length; heights and widths are within 20 % of it.
            context_bias: probability of the backdrop typical of the first object's class; otherwise
                the backdrop is independent of the classes.
            max_objects: most objects an image shows; there is at least one.
            seed: of all random draws.
            faults: what is wrong on purpose; nothing by default.

        Raises:
            InvalidOptionError: a parameter is out of its range.
        """
        check_whole(1, num_train=num_train, num_val=num_val, max_objects=max_objects)
        check_whole(64, size_px=size_px)
        check_fraction(context_bias=context_bias)
        check_whole(0, seed=seed)
        if faults.missing_tags and max_objects == 1:
            raise InvalidOptionError(
                "faults.missing_tags",
                faults.missing_tags,
                "images with several tags, to lose one",
                "no image has several, since max_objects=1",
                "Allow more objects, or let no tag be missing.",
            )
        self.num_items = {TRAIN: num_train, VAL: num_val}
        self.size_px = size_px
        self.context_bias = context_bias
        self.max_objects = max_objects
        self.seed = seed
        fault_seed = seed if faults.seed is None else faults.seed
        self._planting = Planting(faults, fault_seed, self._shown)
        self._labels: dict[str, dict[str, Labels]] = {}
        self._items: dict[str, tuple[Item, ...]] = {}
        self._digests: dict[tuple[str, str], str] = {}

    def items(self, split: str) -> Sequence[Item]:
        """All items of `train` or `val`, tagged with their visible objects, faults excepted."""
        if split not in self._items:
            tags = self._planting.tags(split)
            self._items[split] = tuple(Item(name, labels) for name, labels in tags.items())
        return self._items[split]

    def read_image(self, item: Item) -> UInt8[np.ndarray, "h w 3"]:
        """Draw the image, RGB."""
        name = self._drawn_as(item.id)
        image = draw_image(self.scene(name), self._rng(name, _PAINT))
        if name != item.id:
            return near_copy(image, self._planting.rng(DUPLICATES, item.id))
        return stamped(image) if name in self._planting.stamped else image

    def read_mask(self, item: Item) -> UInt8[np.ndarray, "h w"]:
        """Draw the exact ground truth: 0 background, 1…C classes; no void."""
        name = self._drawn_as(item.id)
        mask = draw_mask(self.scene(name))
        is_copy = name != item.id
        return cropped(mask, self._planting.rng(DUPLICATES, item.id)) if is_copy else mask

    def planted(self) -> Sequence[Planted]:
        """All planted faults, kind by kind; for benchmarks and tests, never for a stage."""
        return self._planting.planted()

    def fingerprint(self, split: str) -> str:
        """Hash of the parameters, and of a picture of every class as drawn by this version."""
        content: dict[str, Any] = {
            "source": self.name,
            "drawn": self._drawn(split, self.read_image),
            "split": split,
            "num_items": self.num_items[split],
            "size_px": self.size_px,
            "context_bias": self.context_bias,
            "max_objects": self.max_objects,
            "seed": self.seed,
        }
        faults = self._planting.faults
        if faults.any:
            tags = [item.labels for item in self.items(split)]
            settings = {**asdict(faults), "seed": self._planting.seed}
            # Copies among validation images are of training images.
            content["faults"] = [settings, self.num_items[TRAIN], tags]
        return fingerprint(content)

    def mask_fingerprint(self, split: str) -> str:
        """Hash of the parameters, and of the first masks as drawn by this version."""
        drawn = self._drawn(split, self.read_mask)
        return fingerprint(["mask", self.fingerprint(split), drawn])

    def _drawn(self, split: str, draw: Callable[[Item], np.ndarray]) -> str:
        """Digest of the first C drawings, which detects changes of the drawing code.

        Where faults are planted, the first image with a watermark and the first copy count as well.
        """
        key = (split, draw.__name__)
        if key not in self._digests:
            digest, items = sha256(), self.items(split)
            altered = (
                [item for item in items if item.id in ids][:1]
                for ids in (self._planting.stamped, self._planting.copies)
            )
            for item in chain(items[: len(SHAPES)], *altered):
                digest.update(draw(item).tobytes())
            self._digests[key] = digest.hexdigest()
        return self._digests[key]

    def scene(self, item_id: str) -> Scene:
        """The scene of an image that is no near copy.

        Every class is the first object of every C-th image, in an order of the split's own, so
        that C images in a row hold all classes.
        """
        split, index = parse(item_id)
        order = np.random.default_rng([self.seed, split]).permutation(len(SHAPES))
        first_label = 1 + int(order[index % len(SHAPES)])
        rng = self._rng(item_id, _SCENE)
        scene = compose(self.size_px, first_label, self.max_objects, self.context_bias, rng)
        return self._planting.placed(scene, item_id)

    def _shown(self, split: str) -> dict[str, Labels]:
        """What the images of a split show, near copies excepted, by id."""
        if split not in self._labels:
            names = (f"{split}_{index:04d}" for index in range(self.num_items[split]))
            self._labels[split] = {name: self.scene(name).labels for name in names}
        return self._labels[split]

    def _drawn_as(self, item_id: str) -> str:
        """The id of the image that is drawn: of a near copy, that of its original."""
        copy = self._planting.copies.get(item_id)
        return copy.original if copy else item_id

    def _rng(self, item_id: str, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *parse(item_id), stream])
