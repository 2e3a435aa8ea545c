"""The command `wsss`: dispatch and messages, nothing else."""

import argparse
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import hydra
from omegaconf import DictConfig
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from wsss.errors import Problem, WsssError
from wsss.machine.memory import keep_freed_memory
from wsss.settings.folder import config_dir
from wsss.settings.overrides import check_complete, check_overrides, with_group_slashes

COMMANDS = {
    "run": "run the pipeline, or some of its stages (see `wsss run --help`)",
    "check": "read a data set once and report what would break a run",
    "explain": "show where in an image a classifier sees a class (see `wsss explain --help`)",
}
EPILOG = """\
examples:
  wsss run                                    the embedded data set, all stages
  wsss check data=folder data.root=my_images  look at your own data first
  wsss run data=folder data.root=my_images    then run it
  wsss explain cat.jpg --model timm:tf_efficientnet_lite0 --weights package
"""


def main(first: Sequence[str] = ()) -> None:
    """Entry point of the command line, whose words come after those of `first`."""
    parser = argparse.ArgumentParser(
        prog="wsss",
        description="Weakly-supervised semantic segmentation: from image tags to a network.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wsss {version('wsss')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, description in COMMANDS.items():
        # Hydra answers --help of a command, with its settings.
        commands.add_parser(name, help=description, add_help=False)
    arguments, overrides = parser.parse_known_args([*first, *sys.argv[1:]])
    if arguments.command == "check":
        overrides.append("hydra/help=check")
    if arguments.command == "explain":
        _explain(overrides)
        return
    _hydra({"run": _run, "check": _check}[arguments.command], overrides)


def _hydra(task: Callable[[DictConfig], Any], overrides: list[str]) -> None:
    """Hand a command's task to Hydra, which composes the configuration and calls it."""
    command_line = list(sys.argv)
    resumes = task is _run

    def with_own_command_line(cfg: DictConfig) -> Any:
        # Lightning starts further processes with the command line of this one.
        sys.argv = command_line
        with _readable_errors(resumes):
            check_complete(cfg)
            return task(cfg)

    overrides = with_group_slashes(config_dir(), overrides)
    with _readable_errors(resumes):
        check_overrides(config_dir(), overrides)
    # Hydra takes options before settings only: `wsss run seed=1 -m cam=a,b` should work as well.
    settings = [word for word in overrides if "=" in word and not word.startswith("-")]
    options = [word for word in overrides if word not in settings]
    sys.argv = [sys.argv[0], *options, *settings]
    hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="run")(
        with_own_command_line
    )()


def _run(cfg: DictConfig) -> dict[str, float]:
    """Run the pipeline and show what came out."""
    from wsss.cli.tables import stages as summary
    from wsss.pipeline import run as pipeline

    _prepare()
    outcomes = pipeline.run(cfg)
    if _rank() == 0:
        summary.show(outcomes)
    return {
        f"{outcome.stage}/{name}": value
        for outcome in outcomes
        for name, value in outcome.manifest.numbers.items()
    }


def _check(cfg: DictConfig) -> None:
    """Check the data set and show what was found."""
    from wsss.cli.tables.data_check import render
    from wsss.pipeline.check import check_data

    _prepare()
    report = check_data(cfg)
    Console().print(render(report))
    if report.failed:
        sys.exit(1)


def _explain(words: list[str]) -> None:
    """Explain images and say where the pictures are."""
    from wsss.explain.catalogue import catalogue, method_table
    from wsss.explain.request import parse

    with _readable_errors():
        # Before torch is loaded: --help and --list should take no seconds.
        request = parse(words)
        if request.list_methods:
            Console().print(method_table(catalogue(config_dir())))
            return
        from wsss.cli.tables.explanations import outcome
        from wsss.explain import run as explainer

        _prepare()
        folder, found = explainer.run(request, config_dir())
        Console().print(outcome(folder, found.top, found.sheets, found.problems))


def _prepare() -> None:
    """Set up the process: memory, and libraries that say less about themselves."""
    keep_freed_memory()
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")


@contextmanager
def _readable_errors(resumes: bool = False) -> Iterator[None]:
    """Show problems the user can mend without a traceback, and leave with status 1.

    Args:
        resumes: whether a command that is interrupted goes on where it was when it is run again.
    """
    try:
        yield
    except WsssError as error:
        if (rank := _rank()) == 0:
            Console(stderr=True).print(_panel(error.problems))
        else:
            print(f"process {rank}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        again = "goes on from here" if resumes else "begins anew"
        Console(stderr=True).print(f"\nInterrupted. The same command {again}.")
        sys.exit(130)


def _rank() -> int:
    """The number of this process among those of the run."""
    from lightning_fabric.utilities.rank_zero import rank_zero_only

    return int(getattr(rank_zero_only, "rank", 0))


def _panel(problems: tuple[Problem, ...]) -> Panel:
    """One paragraph a problem: where, what came, what was expected, what to do."""
    paragraphs = []
    for problem in problems:
        paragraphs.append(
            Text.assemble(
                (problem.where, "bold"),
                f"\n  {problem.came}\n",
                ("  expected: ", "dim"),
                f"{problem.expected}\n",
                ("  → ", "green"),
                problem.remedy,
            )
        )
    count = "" if len(problems) == 1 else f" ({len(problems)} problems)"
    return Panel(Group(*paragraphs), title=f"wsss cannot go on{count}", border_style="red")
