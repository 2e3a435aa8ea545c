"""Photographs, kernels and unaries to solve; the unaries are drawn, no mask is read."""

from pathlib import Path

import cv2
import numpy as np

from wsss.data.images import read_rgb
from wsss.refine.dense_crf.unaries import energies_from_labels, energies_from_softmax

KERNELS = {
    "irn": {
        "gaussian_sxy_px": 3, "gaussian_compat": 3,
        "bilateral_sxy_px": 50, "bilateral_srgb": 5, "bilateral_compat": 10,
    },
    "deeplab": {
        "gaussian_sxy_px": 1, "gaussian_compat": 3,
        "bilateral_sxy_px": 67, "bilateral_srgb": 3, "bilateral_compat": 4,
    },
}  # fmt: skip
"""IRN's kernels, for seeds, and DeepLab's, for a segmenter's soft-max."""

VOC_LABELS = (2, 2, 3, 2, 2, 4, 2, 3)
"""Labels of an image with background, in about VOC's proportions: most have one class."""


def photographs(folder: Path, count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """`count` images spread evenly over a folder, resized so that their long side lies down.

    Args:
        folder: holds images, sorted by name.
        count: how many.
        size: height and width in pixels.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    if len(files) < count:
        raise SystemExit(f"{folder}: {len(files)} images; expected at least {count}")
    chosen = [files[(2 * number + 1) * len(files) // (2 * count)] for number in range(count)]
    images = []
    for path in chosen:
        image = read_rgb(path)
        if image.shape[0] > image.shape[1]:
            image = np.ascontiguousarray(image.transpose(1, 0, 2))
        images.append(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA))
    return images


def soft_unary(seed: int, num_labels: int, size: tuple[int, int]) -> np.ndarray:
    """Energies of a soft-max whose labels take turns in patches of about 60 px."""
    return energies_from_softmax(_soft_max(seed, num_labels, size))


def label_unary(seed: int, num_labels: int, size: tuple[int, int], present: int) -> np.ndarray:
    """Energies of hard labels, right with probability 0.7, of which few are present."""
    labels = _soft_max(seed, min(present, num_labels), size).argmax(axis=0).astype(np.uint8)
    return energies_from_labels(labels, num_labels, gt_prob=0.7)


def segmenter_unary(seed: int, num_labels: int, size: tuple[int, int], present: int) -> np.ndarray:
    """Energies of a soft-max in which a few labels compete and the others stay below 1e-3."""
    rng = np.random.default_rng(seed)
    probabilities = np.full((num_labels, *size), 1e-9)
    rest = rng.permutation(num_labels)
    probabilities[rest[:present]] = _soft_max(seed, present, size)
    for label in rest[present:]:
        probabilities[label] = 10 ** (-5.5 + _smooth(rng, size))
    return energies_from_softmax(probabilities / probabilities.sum(axis=0))


def _soft_max(seed: int, num_labels: int, size: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    logits = 3 * np.stack([_smooth(rng, size) for _ in range(num_labels)])
    exponential = np.exp(logits - logits.max(axis=0))
    return exponential / exponential.sum(axis=0)


def _smooth(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A random field of mean 0 and variance 1 without details below 25 px."""
    field = cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), 25)
    return (field - field.mean()) / field.std()
