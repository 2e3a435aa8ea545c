"""Imports point downwards, as CONTRIBUTING tells: held to the tree that it prints."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import wsss

PACKAGE = Path(wsss.__path__[0])
TREE = re.search(
    r"```text\n(cli/.*?)```", (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S
)[1]
LAYERS = [re.findall(r"(\w+)/?(?: |$)", line[:30].rstrip()) for line in TREE.splitlines()]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in RANK
)
STAGES = PACKAGE / "stages"
THE_SAME = {"oracle_bound_same_schedule": "oracle_bound"}
"""Stages that are another one under a second name."""
STAGE = ("run", "VERSION", "INPUTS", "SPLITS", "READS_MASKS", "KEY_NUMBER")


def part_of(path: Path) -> str:
    """The package, or module, right below `wsss` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports anywhere, inside functions and for types, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_tree_names_every_package_once_and_nothing_else():
    there = {part_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__", "__main__"}
    named = [name for names in LAYERS for name in names]
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    own = part_of(path)
    for name in imported(path):
        if name.startswith("wsss.") and (other := name.split(".")[1]) != own:
            assert other in RANK, f"{name}: the tree has no such package"
            assert RANK[other] > RANK[own], f"{own} is not above {other}"
        library = name.split(".")[0]
        if RANK[own] > RANK["settings"]:
            assert library not in {"hydra", "omegaconf"}, f"{own} knows Hydra"
            assert library not in {"mlflow", "tensorboard", "wandb"}, f"{own} knows a tracker"


@pytest.mark.parametrize("path", sorted(STAGES.rglob("*.py")), ids=lambda path: path.stem)
def test_no_stage_knows_another(path):
    own = path.relative_to(STAGES).parts[0].removesuffix(".py")
    modules = {one.stem for one in STAGES.iterdir()}
    others = {name.split(".")[2] for name in imported(path) if name.startswith("wsss.stages.")}
    assert others & modules <= {own, THE_SAME.get(own)}


def test_stages_holds_stages_only():
    for path in STAGES.iterdir():
        if path.stem.startswith("__"):
            continue
        module = import_module(f"wsss.stages.{path.stem}")
        assert all(hasattr(module, name) for name in STAGE), path
