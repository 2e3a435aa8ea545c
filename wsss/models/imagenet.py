"""Names of ImageNet's classes, which timm ships."""

from types import SimpleNamespace


def imagenet_names(num_classes: int) -> tuple[str, ...]:
    """The names of the classes of a network that was trained on ImageNet or a part of it.

    The subset is inferred from the number of classes (1,000: ILSVRC). Names are lists of synonyms,
    `tabby, tabby cat`; for other numbers of classes they are indices, `class 7`.
    """
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(SimpleNamespace(num_classes=num_classes))
    if subset is None:
        return tuple(f"class {index}" for index in range(num_classes))
    return tuple(ImageNetInfo(subset).label_descriptions())
