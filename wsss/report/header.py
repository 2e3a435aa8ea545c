"""The head of a report: data set, origin, and the result in one sentence."""

from dataclasses import dataclass

from wsss.artifacts.manifest import MARK
from wsss.report import formatting as text
from wsss.report.bound import LABELS, best_against_best, without_bound
from wsss.report.read_scores import PSEUDO_MASKS, SEGMENTER, SEGMENTER_TTA_CRF, Subject
from wsss.report.results import Results
from wsss.wording import plural

_HEADLINES = (PSEUDO_MASKS, SEGMENTER, SEGMENTER_TTA_CRF)


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline number."""

    value: str
    unit: str
    caption: str
    kind: str = ""
    """Its CSS class."""
    oracle: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """The head of the page, above all sections."""

    title: str
    data_set: str
    date: str
    """When the last stage finished."""
    commit: str
    """The commits of the code that the stages ran from."""
    sentence: str
    tiles: tuple[Tile, ...]
    saw_masks: bool = False
    """Whether weights that were trained with masks had a part in any of it."""


def header(results: Results, title: str | None = None) -> Header:
    """Sum up a report.

    Args:
        results: of the stages.
        title: heading of the page; None for the data set's name.
    """
    manifests = results.manifests.values()
    finished = max((manifest.finished_at for manifest in manifests), default="")
    commits = dict.fromkeys(manifest.commit for manifest in manifests if manifest.commit)
    return Header(
        title=title or results.data_set,
        data_set=results.data_set,
        date=text.date(finished),
        commit=", ".join(commits),
        sentence=sentence(results),
        tiles=tuple(_tiles(results)),
        saw_masks=any(one.saw_masks for one in manifests),
    )


def sentence(results: Results) -> str:
    """The results in one sentence."""
    classes = plural(len(results.class_names), "class", "classes")
    start = f"Learnt from {_supervision(results)} of {classes}"
    scored = [subject for name in _HEADLINES if (subject := results.scores.get(name)) is not None]
    if scored:
        return f"{start}: {text.words([_achievement(subject) for subject in scored])}."
    refine = results.manifests.get("refine")
    if refine is not None and "images" in refine.numbers:
        count = plural(int(refine.numbers["images"]), "image")
        return f"{start}: pseudo masks of {count}. There is no ground truth, so none is scored."
    return f"{start}. No masks have been scored."


_GIVEN = {"refine": "given pseudo masks", "localize": "given seeds"}
"""What stands in the place of what is made of tags, and its stage; a later one counts alone."""


def _supervision(results: Results) -> str:
    """What the networks learnt from."""
    if any(one.saw_masks for one in results.manifests.values()):
        return f"{_tags(results)}, and from outlines by a network whose weights saw masks,"
    return _tags(results)


def _tags(results: Results) -> str:
    """Image tags, or what stands in their place."""
    given = (
        words
        for stage, words in _GIVEN.items()
        if stage in results.manifests and results.manifests[stage].is_given
    )
    return next(given, "image tags")


def _achievement(subject: Subject) -> str:
    images = plural(subject.num_images, f"{subject.split} image")
    oracle = ", oracle" if subject.oracle else ""
    return f"{text.percent(subject.miou)} % mIoU for {subject.label} ({images}{oracle})"


def _tiles(results: Results) -> list[Tile]:
    tiles = [
        Tile(
            text.percent(subject.miou),
            "%",
            f"mIoU, {subject.label}, {subject.split}",
            name,
            subject.oracle,
        )
        for name in _HEADLINES
        if (subject := results.scores.get(name)) is not None
    ]
    if (best := best_against_best(results.weak_over_bound)) is not None:
        weak = results.scores.get(best.subject)
        mark = MARK if weak is not None and weak.saw_masks else ""
        caption = f"weak/{LABELS[best.stage]}, the best score of each{mark}"
        tiles.append(Tile(text.percent(best.ratio), "%", caption, best.bound, oracle=True))
    if (tag_map := results.number("classify", "val_map")) is not None:
        tiles.append(Tile(text.percent(tag_map), "%", "mAP of the classifier on tags", "classify"))
    if results.manifests:
        own = without_bound(results.manifests)
        value, _, unit = text.duration(sum(one.wall_time_s for one in own.values())).partition(" ")
        but = ", without the bound" * results.has_bound
        tiles.append(Tile(value, unit, f"computing time of all stages{but}"))
    return tiles
