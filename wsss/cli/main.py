"""The command `wsss` and its subcommands."""

import argparse
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from wsss.cli.error_messages import rank, readable_errors
from wsss.settings.compose import compose, compose_sweep
from wsss.settings.config_dir import config_dir
from wsss.settings.folders import make_folder
from wsss.settings.overrides import in_hydras_way

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
  wsss explain cat.jpg model=timm:tf_efficientnet_lite0 weights=package
"""
VERSION = f"wsss {version('wsss')}"
LOG_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")
SHOWING = {"--help", "-h", "--cfg", "-c", "--info", "-i", "--hydra-help"}
"""Options of Hydra that show something and run nothing."""
FOLLOWED = {"--cfg", "-c", "--info", "-i", "--package", "-p", "--config-dir", "-cd"}
"""Options of Hydra whose value is the next word."""


def main(first: Sequence[str] = ()) -> None:
    """Entry point of the command line, whose words come after those of `first`."""
    parser = argparse.ArgumentParser(
        prog="wsss",
        description="Weakly-supervised semantic segmentation: from image tags to a network.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in ("run", "check"):  # Hydra answers their --help, with the settings.
        commands.add_parser(name, help=COMMANDS[name], add_help=False)
    explain = commands.add_parser(
        "explain",
        help=COMMANDS["explain"],
        usage="wsss explain IMAGE … key=value …",
        epilog=settings_help((config_dir() / "explain.yaml").read_text(encoding="utf-8")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    explain.add_argument("--list", action="store_true", help="show the methods, explain nothing")
    explain.add_argument("--cfg", choices=["job"], help="show the settings, explain nothing")
    arguments, words = parser.parse_known_args([*first, *sys.argv[1:]])
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # For `_target_`s of the user's own.
    if arguments.command == "explain":
        with readable_errors():
            _explain(words, arguments)
    elif arguments.command == "check":
        _with_hydra(_check, ["hydra/help=check", *words])
    else:
        _with_hydra(_run, words, resumes=True)


def _with_hydra(task: Callable[[DictConfig], Any], words: list[str], resumes: bool = False) -> None:
    """Hand a command's task to Hydra, which composes the configuration and calls it."""
    command_line = list(sys.argv)

    def with_own_command_line(cfg: DictConfig) -> Any:
        # Lightning starts further processes with the command line of this one.
        sys.argv = command_line
        with readable_errors(resumes):
            return task(cfg)

    options, settings = split_options(words)
    if "--version" in options:  # Hydra would tell its own.
        print(VERSION)
        return
    showing = bool(SHOWING & {*options})
    with readable_errors(resumes):
        if {"--multirun", "-m"} & {*options}:
            runs = compose_sweep("run", settings, complete=not showing)
        else:
            runs = [compose("run", settings, complete=not showing)]
        if not showing:
            _make_folders(runs, settings)
    # Hydra takes options before settings only: `wsss run seed=1 -m cam=a,b` should work as well.
    sys.argv = [sys.argv[0], *options, *map(in_hydras_way, settings)]
    command = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="run")
    with readable_errors(resumes):
        command(with_own_command_line)()


def _make_folders(runs: Sequence[DictConfig], settings: Sequence[str]) -> None:
    """Make the folders that Hydra writes to, whose errors are tracebacks.

    Raises:
        WsssError: one cannot be made.
    """
    for work_dir in dict.fromkeys(cfg.work_dir for cfg in runs):
        make_folder("work_dir", work_dir)
    for setting, _, folder in (word.partition("=") for word in settings):
        if setting in LOG_FOLDERS and not {*"${,"} & {*folder}:
            make_folder(setting, folder.strip("'\""))


def settings_help(text: str) -> str:
    """A configuration file as help: its comments as text, each setting above its description."""
    lines = []
    for line in text.splitlines():
        if line.startswith("#"):
            lines.append(line.removeprefix("#").removeprefix(" "))
            continue
        setting, _, comment = line.partition(" # ")
        key, _, value = setting.partition(":")
        lines.append(f"  {key + '=' + value.strip():<20}{' ' * bool(comment)}{comment}".rstrip())
    return "\n".join(lines)


def split_options(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's options, and settings; a folder of the user's own settings is one of these, too."""
    options: list[str] = []
    settings: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if before in ("--config-dir", "-cd"):
            options.pop()
            settings.append(f"hydra.searchpath=['{Path(word).absolute()}']")
        elif word.startswith("-") or (before in FOLLOWED and "=" not in word):
            options.append(word)
        else:
            settings.append(word)
    return options, settings


def _run(cfg: DictConfig) -> dict[str, float]:
    """Run the pipeline and show its results."""
    from wsss.cli.tables import stage_results as summary
    from wsss.pipeline import run as pipeline

    _prepare()
    outcomes = pipeline.run(cfg)
    if rank() == 0:
        summary.show(outcomes)
    return {
        f"{outcome.stage}/{name}": value
        for outcome in outcomes
        for name, value in outcome.manifest.numbers.items()
    }


def _check(cfg: DictConfig) -> None:
    """Check the data set and show the report."""
    from wsss.cli.tables.data_check import render
    from wsss.pipeline.check_command import check_data

    _prepare()
    report = check_data(cfg)
    Console().print(render(report))
    if report.failed:
        sys.exit(1)


def _explain(words: list[str], arguments: argparse.Namespace) -> None:
    """Explain images and say where the pictures are."""
    if arguments.list:
        from wsss.explain.method_catalogue import catalogue, method_table

        Console().print(method_table(catalogue(config_dir())))
        return
    from wsss.explain.options import configure_methods
    from wsss.explain.request import configure, request_of

    cfg, options = configure(words)
    methods = configure_methods(cfg.cam, options)
    if arguments.cfg:
        print(OmegaConf.to_yaml(OmegaConf.create({**cfg, "methods": methods})))
        return
    request = request_of(cfg)
    from wsss.cli.quick_imports import import_timm

    import_timm()
    from wsss.cli.tables.explanations import outcome
    from wsss.explain import explain_request as explainer

    _prepare()
    folder, found = explainer.run(request, methods)
    Console().print(outcome(folder, found.top, found.sheets, found.problems))


def _prepare() -> None:
    """Set up the process: memory, and quieter libraries."""
    from wsss.machine.memory import keep_freed_memory

    keep_freed_memory()
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
