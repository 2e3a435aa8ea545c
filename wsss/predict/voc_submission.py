"""The folder that the evaluation server of PASCAL VOC takes."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsss.artifacts import LabelStore, atomic
from wsss.data.sample import Item
from wsss.data.sources.voc import CLASS_NAMES
from wsss.errors import user_error
from wsss.wording import name_some, plural

VOC_ID = re.compile(r"\d{4}_\d{6}")
RESULTS = Path("results", "VOC2012", "Segmentation")


def check_classes(class_names: Sequence[str]) -> None:
    """Refuse a segmenter of other classes.

    Raises:
        WsssError: they are not VOC's twenty, in VOC's order.
    """
    if tuple(class_names) == CLASS_NAMES:
        return
    missing = [name for name in CLASS_NAMES if name not in class_names]
    other = [name for name in class_names if name not in CLASS_NAMES]
    parts = [f"without {', '.join(missing)}"] if missing else []
    parts += [f"with {', '.join(other)}"] if other else []
    raise user_error(
        "voc_submission",
        f"a segmenter of {len(class_names)} classes, "
        + (" and ".join(parts) or "in another order than VOC's"),
        "the twenty classes of PASCAL VOC in their order, which the server scores",
        "Leave it out, or use a segmenter of `wsss run data=voc12`.",
    )


def write_submission(
    root: Path, items: Iterable[Item], masks: LabelStore, competition: str
) -> Path:
    """Copy masks to where the server looks for them: `<competition>_test_cls/<id>.png`.

    Returns:
        The folder of the copies.
    """
    folder = root / RESULTS / f"{competition}_test_cls"
    for item in items:
        content = masks.there(item).read_bytes()
        with atomic(folder / f"{item.file_stem}.png") as temporary:
            temporary.write_bytes(content)
    return folder


def told(root: Path, items: Sequence[Item]) -> list[str]:
    """What there is to know of a submission: which images it has, and how it is packed."""
    foreign = [item.id for item in items if not VOC_ID.fullmatch(item.id)]
    lines = [f"{plural(len(items), 'mask')}: the server wants one for each of test.txt's 1,456 ids"]
    if foreign:
        lines.append(f"{plural(len(foreign), 'id')} unlike VOC's 2008_000001: {name_some(foreign)}")
    return [*lines, f"pack it by: tar -C '{root}' -czf results.tgz {RESULTS.parts[0]}"]
