"""The container file names files that are there and go in, and the Python that the pins are for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
TEXT = re.sub(r"\\\n\s*", "", (ROOT / "Containerfile").read_text(encoding="utf-8"))
LINES = [line.split() for line in TEXT.splitlines() if line and not line.startswith("#")]
PYTHON_OF_DEBIAN = {"bookworm": "3.11"}


def arguments(instruction):
    return [words for first, *words in LINES if first == instruction]


def sources():
    """Files and folders that are copied from the repository."""
    copies = [words for words in arguments("COPY") if not words[0].startswith("--from=")]
    return [source for *files, _ in copies for source in files]


def test_what_is_copied_is_there_and_not_ignored():
    admitted = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert admitted == set(sources())
    assert all((ROOT / source).exists() for source in sources())


def test_what_the_package_is_built_from_is_copied():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = settings["project"]
    needed = {*wheel["packages"], *wheel["force-include"], *project["license-files"]}
    assert {"pyproject.toml", project["readme"], *needed} <= set(sources())


def test_its_python_is_one_that_the_package_takes():
    (base,) = [words[0].removeprefix("BASE=") for words in arguments("ARG")]
    version = PYTHON_OF_DEBIAN[re.fullmatch(r"debian:(\w+)-slim", base)[1]]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert version in SpecifierSet(settings["project"]["requires-python"])


def test_packages_are_installed_as_the_makefile_does():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements/run.txt" in TEXT
    assert "--require-hashes -r requirements/run.txt" in makefile
    assert "UV_COMPILE_BYTECODE=1" in TEXT
    assert "UV_COMPILE_BYTECODE := 1" in makefile


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_targets_run_wsss_as_a_user(target):
    stages = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]
    by_name = {stage.split()[2]: stage for stage in stages}
    users = re.findall(r"^USER (\w+)", by_name[target], flags=re.MULTILINE)
    assert users[-1] == "wsss"
    assert 'ENTRYPOINT ["wsss"]' in by_name["cpu"]
    assert by_name["cuda"].startswith("cpu AS cuda")
