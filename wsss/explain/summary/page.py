"""A summary as one self-contained HTML page, in the style of the report."""

from collections.abc import Sequence
from pathlib import Path

from wsss.artifacts import atomic
from wsss.explain.summary.findings import Findings
from wsss.explain.summary.summarised_run import MASKS, SummarisedRun
from wsss.report import formatting as text
from wsss.report.header import Header, Tile
from wsss.report.page import render
from wsss.report.section import Section
from wsss.wording import plural

PAGE = "index.html"


def write_page(
    path: Path, run: SummarisedRun, found: Sequence[Findings], sections: Sequence[Section]
) -> None:
    """Write the page.

    Args:
        path: of the page.
        run: that is summarised.
        found: of each network.
        sections: in their order.
    """
    content = render(_header(run, found), sections, "wsss.explain.summary")
    with atomic(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="\n")


def _header(run: SummarisedRun, found: Sequence[Findings]) -> Header:
    manifests = run.manifests.values()
    commits = dict.fromkeys(one.commit for one in manifests if one.commit)
    looked_at = [f"{plural(one.num_images, 'image')} seen by the {one.network}" for one in found]
    by_masks = any(one.by == MASKS for one in found)
    basis = "by ground truth: oracle" if by_masks else "by image tags alone: no mask was read"
    return Header(
        title=f"Summary of {run.name}",
        data_set=run.source.name,
        date=text.date(max((one.finished_at for one in manifests), default="")),
        commit=", ".join(commits),
        sentence=f"{text.words(looked_at)}. What is wrong is told {basis}.",
        tiles=tuple(tile for one in found for tile in _tiles(one)),
        saw_masks=run.saw_masks,
    )


def _tiles(found: Findings) -> list[Tile]:
    """How many images are wrong, and in how many groups."""
    wrong = len({one.item.id for one in found.failures})
    kind = "segmenter" if found.network == "segmenter" else "classify"
    oracle = found.by == MASKS
    return [
        Tile(
            f"{wrong:,}", f"of {found.num_images:,}", f"images with a failure, {found.network}",
            kind, oracle,
        ),
        Tile(
            f"{len(found.groups):,}", "", f"groups of like failures, {found.network}", kind, oracle
        ),
    ]  # fmt: skip
