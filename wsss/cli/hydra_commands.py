"""Commands whose words Hydra reads: settings of a run, sweeps, and options of its own."""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from wsss.cli.error_messages import readable_errors
from wsss.settings.compose import compose, compose_sweep
from wsss.settings.config_dir import config_dir
from wsss.settings.folders import make_folder, new_log_folder, search_folder
from wsss.settings.overrides import expected_runs, in_hydras_way, is_search, parse

Task = Callable[[DictConfig], Any]

VERSION = f"wsss {version('wsss')}"
LOG_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")
SHOWING = {"--help", "-h", "--cfg", "-c", "--info", "-i", "--hydra-help"}
"""Options of Hydra that show something and run nothing."""
UNRESOLVED = {*"${,"}
"""What is in a value that is none yet."""
FOLLOWED = {"--cfg", "-c", "--info", "-i", "--package", "-p", "--config-dir", "-cd"}
"""Options of Hydra whose value is the next word."""


def with_hydra(task: Task, words: list[str], resumes: bool = False) -> None:
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
    # Only what resumes leaves records of its runs, which can be shown together.
    sweeping = bool({"--multirun", "-m"} & {*options}) and not showing and resumes
    with readable_errors(resumes):
        if {"--multirun", "-m"} & {*options}:
            runs = compose_sweep("run", settings, complete=not showing)
        else:
            runs = [compose("run", settings, complete=not showing)]
        if not showing:
            _make_folders(runs, settings)
    if sweeping:
        sys.exit(_sweep(task, options, settings, runs, resumes))
    with readable_errors(resumes):
        _call_hydra(with_own_command_line, options, settings)


def _call_hydra(task: Task, options: Sequence[str], settings: Sequence[str]) -> None:
    """Let Hydra read options and settings and call the task."""
    # Hydra takes options before settings only: `wsss run seed=1 -m cam=a,b` should work as well.
    sys.argv = [sys.argv[0], *options, *map(in_hydras_way, settings)]
    command = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="run")
    command(task)()


def _sweep(
    task: Task,
    options: Sequence[str],
    settings: Sequence[str],
    runs: Sequence[DictConfig],
    resumes: bool,
) -> int:
    """Make all runs of a sweep, show them together, and give the exit status."""
    from wsss.cli.sweep import run_of_sweep, show_sweep, whole_launch

    with readable_errors(resumes):
        chosen = _chosen(settings, "hydra.sweep.dir")
        work_dir = runs[0].work_dir
        if chosen:
            folder = Path(chosen)
        elif is_search(parse(settings)):
            from wsss.searching.objective import reads_masks

            objective = _chosen(settings, "hydra.sweeper.objective")
            oracle = bool(objective) and reads_masks(objective)
            folder = search_folder(work_dir, settings, oracle=oracle)
        else:
            folder = new_log_folder(work_dir)
        placed = [] if chosen else [f"hydra.sweep.dir='{folder}'"]
        with whole_launch() as launch:
            _call_hydra(run_of_sweep(task, sys.argv[0], "run"), options, [*settings, *placed])
        if UNRESOLVED & {*str(folder)}:  # Only Hydra knows the folder; `wsss compare` shows it.
            return launch.status
        return max(launch.status, show_sweep(folder, expected_runs(settings)))


def _make_folders(runs: Sequence[DictConfig], settings: Sequence[str]) -> None:
    """Make the folders that Hydra writes to, whose errors are tracebacks.

    Raises:
        WsssError: one cannot be made.
    """
    for work_dir in dict.fromkeys(cfg.work_dir for cfg in runs):
        make_folder("work_dir", work_dir)
    for setting in LOG_FOLDERS:
        if (folder := _chosen(settings, setting)) and not UNRESOLVED & {*folder}:
            make_folder(setting, folder)


def _chosen(settings: Sequence[str], setting: str) -> str:
    """The value of a setting that the words name; empty where they do not."""
    values = (
        value for key, _, value in (word.partition("=") for word in settings) if key == setting
    )
    return [*values, ""][0].strip("'\"")


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
