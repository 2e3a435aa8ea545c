"""From a request to an audit: the run, what is computed of each image, the checks, the files."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from omegaconf import DictConfig

from wsss.artifacts import fingerprint, read_json, remove_unfinished, write_json
from wsss.auditing.audited_run import AuditedRun, run_of
from wsss.auditing.examination import examine
from wsss.auditing.finding import AUDIT, TABLE, Audit, read_audit, write_audit
from wsss.auditing.finding_pictures import EVIDENCE
from wsss.auditing.page import PAGE, write_page
from wsss.auditing.proposal import PROPOSAL, write_proposal
from wsss.auditing.request import Request
from wsss.data.source import SPLITS
from wsss.errors import user_error
from wsss.files import DamagedFileError, on_disk
from wsss.machine.cores import usable_cores
from wsss.machine.devices import usable_device
from wsss.report.audit_findings import AUDIT as AUDITS
from wsss.report.audit_findings import CACHE, STATE, VERSION, audited_stages
from wsss.settings.folders import make_folder
from wsss.stage_tools.context import Context
from wsss.stage_tools.dead_loaders import dead_loaders_told
from wsss.stage_tools.locks import locked
from wsss.stage_tools.one_process import one_process
from wsss.stage_tools.worker_pool import failures, forget_failures

OWN_FILES = (AUDIT, TABLE, PROPOSAL, PAGE)
MOST_FAILED = 0.5
"""Share of images that may be unreadable."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Results of a call."""

    folder: Path
    audit: Audit
    cached: bool


def run(request: Request, data: DictConfig | None = None) -> Outcome:
    """Audit the data set of a run; an audit that is there is not computed again.

    Args:
        request: the checked settings.
        data: settings of the data set; None: those that the run has noted.

    Raises:
        WsssError: the run has no classifier, or too many images failed.
    """
    device = usable_device(request.device)
    audited = run_of(request.folder, data)
    key = _fingerprint(audited, request)
    folder = (request.output or _beside(audited) / key).absolute()
    make_folder("output", str(folder))
    with on_disk(folder), locked(folder / CACHE):
        if _state(folder) == {"fingerprint": key, "finished": True} and _is_whole(folder):
            return Outcome(folder, read_audit(folder), cached=True)
        _claim(folder, key)
        with one_process(device) as fabric, dead_loaders_told("audit"):
            found = _audit(audited, request, folder, fabric)
        write_proposal(folder / PROPOSAL, audited.source, found.findings)
        write_audit(folder, found, finished=False)
        write_page(folder, audited.source)
        write_audit(folder, found)
        write_json(folder / CACHE / STATE, {"fingerprint": key, "finished": True})
        return Outcome(folder, found, cached=False)


def _audit(audited: AuditedRun, request: Request, folder: Path, fabric: Fabric) -> Audit:
    context = Context(
        audited.source,
        folder / CACHE,
        inputs=audited.folders,
        fabric=fabric,
        workers=usable_cores() if request.workers is None else request.workers,
        unusable=audited.unusable,
        max_failed_fraction=MOST_FAILED,
        application="audit",
    )
    examined = examine(context, audited, folder, request.folds, request.seed)
    left_out = dict.fromkeys(sorted(audited.unusable), "the run found it unreadable")
    return Audit(
        audited.source.class_names,
        examined.splits,
        examined.checks,
        audited.described,
        left_out | failures(context.folder),
        {"folds": request.folds, "seed": request.seed},
    )


def _beside(audited: AuditedRun) -> Path:
    """The folder of audits in the work folder of a run."""
    return next(iter(audited.folders.values())).absolute().parents[1] / AUDITS


def _fingerprint(audited: AuditedRun, request: Request) -> str:
    """Fingerprint of an audit: by the stages that it is made from, and its settings."""
    used = {stage: folder.name for stage, folder in audited.folders.items()}
    settings = {"folds": request.folds, "seed": request.seed}
    data = [audited.source.fingerprint(split) for split in SPLITS]
    return fingerprint({"audit": VERSION, "stages": used, "data": data, **settings})


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in OWN_FILES)


def _claim(folder: Path, key: str) -> None:
    """Note whose folder it is; another audit that is there is removed.

    Raises:
        WsssError: it holds a file of such a name that no audit wrote.
    """
    state = _state(folder)
    ours = state is not None or _wrote(folder / AUDIT)
    if not ours and any((folder / name).exists() for name in (*OWN_FILES, CACHE, EVIDENCE)):
        raise user_error(
            folder, "files that `wsss audit` did not write", "an earlier audit, which is replaced, "
            "or an empty folder", "Choose another folder by `output=…`.",
        )  # fmt: skip
    if ours and (state is None or state.get("fingerprint") != key):
        shutil.rmtree(folder / CACHE, ignore_errors=True)
    shutil.rmtree(folder / EVIDENCE, ignore_errors=True)
    for name in OWN_FILES:
        (folder / name).unlink(missing_ok=True)
    write_json(folder / CACHE / STATE, {"fingerprint": key, "finished": False})
    remove_unfinished(folder)
    forget_failures(folder / CACHE)


def _state(folder: Path) -> dict[str, Any] | None:
    """What the folder says of itself; None where there was no audit."""
    path = folder / CACHE / STATE
    content = read_json(path) if path.is_file() else None
    return content if isinstance(content, dict) else None


def _wrote(path: Path) -> bool:
    """Whether an `audit.json` is one of ours, where `cache/` was removed."""
    with suppress(DamagedFileError):
        content = read_json(path) if path.is_file() else None
        return isinstance(content, dict) and bool(audited_stages(content))
    return False
