"""Repair of damaged files of finished stages."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wsss.artifacts import MANIFEST
from wsss.errors import user_error
from wsss.files import DamagedFileError
from wsss.pipeline.damage import remove_with_item
from wsss.pipeline.execution import Outcome
from wsss.pipeline.fingerprints import Plan
from wsss.stage_tools.locks import locked

log = logging.getLogger(__name__)


def repaired(
    run_one: Callable[[str], Outcome],
    stages: Sequence[str],
    plans: Mapping[str, Plan],
    num_processes: int,
) -> list[Outcome]:
    """Run stages in their order; a damaged file is removed, and its stage computes it anew.

    Like any resumed stage, this and the later ones keep all other files.

    Args:
        run_one: runs a stage, or finds it finished.
        stages: the stages of the run.
        plans: where the files of each stage are, those that are not run included.
        num_processes: of the run; several leave the repair to the next run.

    Raises:
        WsssError: the file was removed, and this run cannot compute it.
    """
    outcomes: dict[str, Outcome] = {}
    removed: set[Path] = set()
    while pending := [stage for stage in stages if stage not in outcomes]:
        try:
            outcomes[pending[0]] = run_one(pending[0])
        except DamagedFileError as error:
            owners = [name for name, one in plans.items() if error.path.is_relative_to(one.folder)]
            if not owners or error.path in removed:
                raise  # Computed anew, it is damaged again.
            removed.add(error.path)
            folder = plans[owners[0]].folder
            with locked(folder):  # Another run may be repairing it as well.
                # First: without a manifest the stage is looked through, and goes on.
                (folder / MANIFEST).unlink(missing_ok=True)
                remove_with_item(error.path, folder)
            if owners[0] not in stages or num_processes > 1:
                raise user_error(
                    error.path, error.problems[0].came, error.problems[0].expected,
                    f"It was removed. Run `{owners[0]}` again, which computes it alone anew: the "
                    "same command does, if `stages` has it.",
                ) from error  # fmt: skip
            log.warning("%s is damaged: `%s` computes it anew", error.path, owners[0])
            for stage in stages[stages.index(owners[0]) :]:
                outcomes.pop(stage, None)
    return [outcomes[stage] for stage in stages]
