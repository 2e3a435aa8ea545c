"""The command `wsss` and its subcommands."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wsss.cli.commands.audit import audit
from wsss.cli.commands.check import check
from wsss.cli.commands.compare import compare
from wsss.cli.commands.explain import explain
from wsss.cli.commands.export import export
from wsss.cli.commands.predict import predict
from wsss.cli.commands.run import run
from wsss.cli.commands.runs import runs
from wsss.cli.error_messages import readable_errors
from wsss.cli.hydra_commands import VERSION, with_hydra
from wsss.cli.settings_help import settings_help
from wsss.machine.openmp import wait_briefly
from wsss.settings.config_dir import config_dir

RUNS = {
    "run": "run the pipeline, or some of its stages (see `wsss run --help`)",
    "check": "read a data set once and report what would break a run",
}
"""Commands with the settings of a run."""
OTHERS = {
    "explain": (
        explain,
        "IMAGE …",
        "show where in an image a classifier sees a class (see `wsss explain --help`)",
    ),
    "predict": (
        predict,
        "IMAGE …",
        "masks of your images by a finished segmenter (see `wsss predict --help`)",
    ),
    "export": (
        export,
        "STAGE",
        "write a finished stage's results for other programs (see `wsss export --help`)",
    ),
    "runs": (
        runs,
        "list | show STAGE | prune",
        "what is in a work folder, and what nothing needs any more (see `wsss runs --help`)",
    ),
    "audit": (
        audit,
        "LOGS|STAGE",
        "find doubtful images and tags by a run, without masks (see `wsss audit --help`)",
    ),
    "compare": (
        compare,
        "LOGS|STAGE …",
        "show several runs side by side (see `wsss compare --help`)",
    ),
}
"""Commands with settings of their own, in `configs/<command>.yaml`: what they take besides."""
RESUMING = {"predict", "export", "audit"}
"""Those that go on where they were."""
EPILOG = """\
examples:
  wsss run                                    the embedded data set, all stages
  wsss check data=folder data.root=my_images  look at your own data first
  wsss run data=folder data.root=my_images    then run it
  wsss predict photos/ --segmenter FOLDER     masks of new images
  wsss explain cat.jpg model=timm:tf_efficientnet_lite0 weights=package
"""


def main(first: Sequence[str] = ()) -> None:
    """Entry point of the command line, whose words come after those of `first`."""
    wait_briefly()
    parser = argparse.ArgumentParser(
        prog="wsss",
        description="Weakly-supervised semantic segmentation: from image tags to a network.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, purpose in RUNS.items():  # Hydra answers their --help, with the settings.
        commands.add_parser(name, help=purpose, add_help=False)
    for name, (_, takes, purpose) in OTHERS.items():
        own = commands.add_parser(
            name,
            help=purpose,
            usage=f"wsss {name} {takes} key=value …",
            epilog=settings_help((config_dir() / f"{name}.yaml").read_text(encoding="utf-8")),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        own.add_argument("--cfg", choices=["job"], help="show the settings and do nothing else")
        if name == "explain":
            own.add_argument("--list", action="store_true", help="show the methods")
    arguments, words = parser.parse_known_args([*first, *sys.argv[1:]])
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # For `_target_`s of the user's own.
    if arguments.command == "run":
        with_hydra(run, words, resumes=True)
    elif arguments.command == "check":
        with_hydra(check, ["hydra/help=check", *words])
    else:
        with readable_errors(resumes=arguments.command in RESUMING):
            command, _, _ = OTHERS[arguments.command]
            command(words, arguments)
