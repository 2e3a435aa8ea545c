"""The comparison of runs as one self-contained HTML page."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from wsss.artifacts import atomic, write_json
from wsss.comparing.compared_run import FINISHED, ComparedRun
from wsss.comparing.json_file import as_json
from wsss.comparing.same_images import SameImage, results_side_by_side
from wsss.comparing.score_differences import ScoreComparison
from wsss.comparing.score_section import scores_section
from wsss.comparing.sections import curves_section, images_section, runs_section
from wsss.data.source import Source
from wsss.errors import WsssError
from wsss.report import formatting as text
from wsss.report.header import Header
from wsss.report.page import render
from wsss.settings.build import build
from wsss.wording import plural

log = logging.getLogger(__name__)

PIXEL_DENSITY = 1.5
"""Pixels of a picture for each pixel of the page, for high-density screens."""


def write_page(
    runs: Sequence[ComparedRun],
    path: Path,
    *,
    title: str,
    source: Source | None = None,
    scores: ScoreComparison | None = None,
    remark: str | None = None,
    images: int = 4,
    panel_height_px: int = 130,
) -> Path:
    """Write the comparison of runs, and give its path; scores are in a file of JSON beside it, too.

    Args:
        runs: to be compared.
        path: of the page.
        title: its heading.
        source: the data set; None: the one that all runs have noted.
        scores: of the runs, with intervals; None leaves them out.
        remark: a sentence more for its head.
        images: of each kind of result.
        panel_height_px: height at which pictures are shown.
    """
    source = source or _source(runs)
    shown: Mapping[str, Sequence[SameImage]] = {}
    if source is not None and images:
        height_px = round(PIXEL_DENSITY * panel_height_px)
        shown = results_side_by_side(source, runs, images, height_px)
    sections = [
        runs_section(runs),
        None if scores is None else scores_section(scores),
        curves_section(runs),
        images_section(shown, panel_height_px),
    ]
    content = render(
        _header(runs, title, source, remark), [one for one in sections if one is not None]
    )
    with atomic(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="\n")
    write_json(path.with_suffix(".json"), as_json(runs, scores))
    return path


def _source(runs: Sequence[ComparedRun]) -> Source | None:
    """The data set of the runs; None where it is not known or not there, or they have several."""
    settings = [run.data for run in runs if run.data]
    if not settings or any(one != settings[0] for one in settings):
        log.warning("no images are shown: the runs noted no data set, or several")
        return None
    try:
        source: Source = build(OmegaConf.create(dict(settings[0])))
    except WsssError as error:
        log.warning("no images are shown: %s", error)
        return None
    return source


def _header(
    runs: Sequence[ComparedRun], title: str, source: Source | None, remark: str | None
) -> Header:
    manifests = [one for run in runs for one in run.manifests.values()]
    finished = max((one.finished_at for one in manifests), default="")
    commits = dict.fromkeys(one.commit for one in manifests if one.commit)
    failed = sum(run.status != FINISHED for run in runs)
    trained = {str(folder) for run in runs for folder in run.folders.values()}
    total = sum(len(run.folders) for run in runs)
    sentence = f"{plural(len(runs), 'run')} of {plural(total, 'stage')}, "
    sentence += f"{len(trained)} of which were computed, the others shared."
    if failed:
        sentence += f" {plural(failed, 'run')} did not finish."
    if remark:
        sentence += f" {remark}"
    return Header(
        title=title,
        data_set=source.name if source is not None else "",
        date=text.date(finished),
        commit=", ".join(commits),
        sentence=sentence,
        tiles=(),
    )
