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
from wsss.settings.folders import make_folder
from wsss.settings.overrides import in_hydras_way

VERSION = f"wsss {version('wsss')}"
LOG_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")
SHOWING = {"--help", "-h", "--cfg", "-c", "--info", "-i", "--hydra-help"}
"""Options of Hydra that show something and run nothing."""
FOLLOWED = {"--cfg", "-c", "--info", "-i", "--package", "-p", "--config-dir", "-cd"}
"""Options of Hydra whose value is the next word."""


def with_hydra(task: Callable[[DictConfig], Any], words: list[str], resumes: bool = False) -> None:
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
