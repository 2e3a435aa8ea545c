"""The embedded data set: eight classes on eight backdrops, drawn on the fly."""

from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
from jaxtyping import UInt8

from wsss.argument_checks import check_fraction, check_whole
from wsss.artifacts import fingerprint
from wsss.data.sample import Item
from wsss.data.source import SPLITS, TRAIN, VAL, Source
from wsss.data.sources.synthetic.scene import Scene, compose, draw_image, draw_mask
from wsss.data.sources.synthetic.shapes import SHAPES

_SCENE, _PAINT = range(2)
"""Independent random streams of an image; its mask needs the first one only."""


class Synthetic(Source):
    """A controlled benchmark of weak supervision without files, downloads or licences.

    It has the difficulties of weak supervision: small discriminative parts on plain bodies,
    backdrops that correlate with the class, clutter, occlusion. Image `i` of a split depends on the
    parameters, the split and `i` alone.
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

        Raises:
            InvalidOptionError: a parameter is out of its range.
        """
        check_whole(1, num_train=num_train, num_val=num_val, max_objects=max_objects)
        check_whole(64, size_px=size_px)
        check_fraction(context_bias=context_bias)
        check_whole(0, seed=seed)
        self.num_items = {TRAIN: num_train, VAL: num_val}
        self.size_px = size_px
        self.context_bias = context_bias
        self.max_objects = max_objects
        self.seed = seed
        self._items: dict[str, tuple[Item, ...]] = {}
        self._digests: dict[tuple[str, str], str] = {}

    def items(self, split: str) -> Sequence[Item]:
        """All items of `train` or `val`, with the labels of their visible objects."""
        if split not in self._items:
            names = (f"{split}_{index:04d}" for index in range(self.num_items[split]))
            self._items[split] = tuple(Item(name, self.scene(name).labels) for name in names)
        return self._items[split]

    def read_image(self, item: Item) -> UInt8[np.ndarray, "h w 3"]:
        """Draw the image, RGB."""
        return draw_image(self.scene(item.id), self._rng(item.id, _PAINT))

    def read_mask(self, item: Item) -> UInt8[np.ndarray, "h w"]:
        """Draw the exact ground truth: 0 background, 1…C classes; no void."""
        return draw_mask(self.scene(item.id))

    def fingerprint(self, split: str) -> str:
        """Hash of the parameters, and of a picture of every class as drawn by this version."""
        return fingerprint(
            {
                "source": self.name,
                "drawn": self._drawn(split, self.read_image),
                "split": split,
                "num_items": self.num_items[split],
                "size_px": self.size_px,
                "context_bias": self.context_bias,
                "max_objects": self.max_objects,
                "seed": self.seed,
            }
        )

    def mask_fingerprint(self, split: str) -> str:
        """Hash of the parameters, and of the first masks as drawn by this version."""
        drawn = self._drawn(split, self.read_mask)
        return fingerprint(["mask", self.fingerprint(split), drawn])

    def _drawn(self, split: str, draw: Callable[[Item], np.ndarray]) -> str:
        """Digest of the first C drawings, which detects changes of the drawing code."""
        key = (split, draw.__name__)
        if key not in self._digests:
            digest = sha256()
            for item in self.items(split)[: len(SHAPES)]:
                digest.update(draw(item).tobytes())
            self._digests[key] = digest.hexdigest()
        return self._digests[key]

    def scene(self, item_id: str) -> Scene:
        """The scene of an image.

        Every class is the first object of every C-th image, in an order of the split's own, so
        that C images in a row hold all classes.
        """
        split, index = _parse(item_id)
        order = np.random.default_rng([self.seed, split]).permutation(len(SHAPES))
        first_label = 1 + int(order[index % len(SHAPES)])
        rng = self._rng(item_id, _SCENE)
        return compose(self.size_px, first_label, self.max_objects, self.context_bias, rng)

    def _rng(self, item_id: str, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *_parse(item_id), stream])


def _parse(item_id: str) -> tuple[int, int]:
    """Number of the split and of the image in it."""
    split, _, index = item_id.rpartition("_")
    return SPLITS.index(split), int(index)
