"""CITATION.cff agrees with the package, and names the papers of its methods."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COUPLINGS = {"attention_product.yaml", "transcam.yaml"}
"""Baselines of AD-CAM, which take one step of a paper's method."""
FUSIONS = {"fused.yaml", "fd_fg_cam.yaml"}
"""Ours, of methods that have papers."""


def test_it_is_of_this_version_and_licence():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["keywords"] == PROJECT["keywords"]
    assert CITATION["authors"] == [{"name": "The wsss authors"}]


@pytest.mark.parametrize("reference", CITATION["references"], ids=lambda one: one["notes"])
def test_references_have_what_the_format_requires(reference):
    assert {"type", "title", "authors", "year"} <= reference.keys()
    assert reference["authors"]
    assert ("conference" in reference) == (reference["type"] == "conference-paper")


@pytest.mark.parametrize(
    "path",
    [
        one
        for one in sorted((ROOT / "configs/cam").glob("*.yaml"))
        if one.name not in COUPLINGS | FUSIONS
    ],
    ids=lambda path: path.stem,
)
def test_the_paper_of_every_cam_method_is_cited(path):
    lines = re.match(r"(#.*\n)+", path.read_text(encoding="utf-8"))[0].splitlines()
    head = " ".join(line.removeprefix("#").strip() for line in lines)
    cited = [one for one in CITATION["references"] if one["title"] in head]
    assert len(cited) == 1
    assert str(cited[0]["year"]) in head
    assert ("reconstruction" in cited[0]["notes"]) == ("Reconstruction:" in head)
