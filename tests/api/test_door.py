"""What `import wsss` gives: five functions, whatever was imported, wherever it is installed."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

import wsss
from wsss.artifacts import Manifest

ROOT = Path(__file__).parents[2]
CALLS = """
import numpy as np, torch, wsss
network = torch.nn.Sequential(
    torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
    torch.nn.Linear(4, 2),
)
image = np.zeros((8, 8, 3), np.uint8)
assert wsss.cam(network, image, 1, method="cam").maps.shape == (1, 8, 8)
crf = wsss.dense_crf(image, np.full((2, 8, 8), 0.5), num_iterations=1, engine="torch")
assert np.allclose(crf, 0.5)
def says(words, call, argument):
    try:
        call(argument)
    except Exception as error:
        return words in str(error)
assert says("no such folder", wsss.export, "none")
assert says("no such folder", wsss.load, "none")
assert says("`seed`", wsss.run, ["sed=1"])
"""
EVERY_MODULE = """
import importlib, pkgutil, wsss
for module in pkgutil.walk_packages(wsss.__path__, "wsss."):
    if module.name != "wsss.__main__":
        importlib.import_module(module.name)
"""


def python(code, path=ROOT, cwd=None):
    """Run code in a Python that finds the package in `path`."""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=False,
        env={"PYTHONPATH": str(path), "PATH": "", "HOME": "/nowhere"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_importing_the_package_loads_nothing():
    code = """
import sys, wsss
assert {"cam", "dense_crf", "export", "load", "run", "__version__"} <= set(dir(wsss))
heavy = {"torch", "numpy", "hydra", "PIL", "timm", "wsss.api"} & set(sys.modules)
assert not heavy, heavy
"""
    python(code)


def test_the_version_is_that_of_the_distribution():
    assert wsss.__version__ == version("wsss")
    with pytest.raises(AttributeError, match="no attribute 'cams_'"):
        _ = wsss.cams_


@pytest.mark.slow
def test_no_module_takes_the_place_of_a_function():
    taken = {path.stem for path in (ROOT / "wsss").iterdir()} & set(wsss.__all__)
    assert not taken
    python(EVERY_MODULE + CALLS)


@pytest.mark.slow
def test_the_wheel_works_outside_the_checkout(tmp_path):
    installed = tmp_path / "installed"
    installed.mkdir()
    with zipfile.ZipFile(wheel(tmp_path)) as archive:
        archive.extractall(installed)
    check = f"import wsss; assert wsss.__file__.startswith({str(installed)!r}), wsss.__file__\n"
    python(check + CALLS, installed, cwd=tmp_path)


def wheel(folder):
    """The wheel; where its builder is not installed, an archive of what pyproject.toml puts in."""
    try:
        from hatchling.builders.wheel import WheelBuilder
    except ImportError:
        pass
    else:
        (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
        return Path(built)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    target = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    parts = {name: name for name in target["packages"]} | target["force-include"]
    with zipfile.ZipFile(folder / "wsss.whl", "w") as archive:
        for source, place in parts.items():
            for path in (ROOT / source).rglob("*"):
                archive.write(path, Path(place) / path.relative_to(ROOT / source))
    return folder / "wsss.whl"


# The documents.


def code_blocks(document, heading):
    """The Python blocks of a section."""
    text = (ROOT / document).read_text(encoding="utf-8")
    section = re.split(r"^## ", text.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
    blocks = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert blocks, f"no code under {heading} in {document}"
    return blocks


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an image, in which code runs."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    return tmp_path


@pytest.mark.slow
def test_the_calls_of_the_readme_run(tiny_run, here, monkeypatch, write_folder):
    (calls,) = code_blocks("README.md", "From Python")
    assert len(calls.strip().splitlines()) <= 12
    write_folder(root="my_images", size=(64, 64))
    # Without a download, and trained for seconds.
    run, small = wsss.run, torchvision.models.resnet18
    monkeypatch.setattr(torchvision.models, "resnet50", lambda weights: small(weights=None))
    monkeypatch.setattr(wsss, "run", lambda words: run([*words, *tiny_run]))
    names = {}
    exec(compile(calls, "README.md", "exec"), names)
    assert names["run"].report.is_file()
    assert (here / "where.png").is_file()
    assert names["sharp"].shape == names["seen"].probabilities.shape == (3, 64, 64)


def test_a_method_of_the_users_own_module_works(tiny_run, here):
    text = (ROOT / "docs" / "own_method.md").read_text(encoding="utf-8")
    module, call = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (here / "my_module.py").write_text(module, encoding="utf-8")
    torch.manual_seed(0)
    names = {"network": nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1),
                                      nn.Flatten(), nn.Linear(4, 2))}  # fmt: skip
    exec(compile(call, "docs/own_method.md", "exec"), names)
    assert names["found"].raw.shape == (1, 62, 62)
    (command,) = re.findall(r"^wsss run (.*)$", text, flags=re.MULTILINE)
    few = ("data.num_train=6", "data.num_val=2", "data.size_px=64", "stages=[classify,localize]")
    run = wsss.run([*tiny_run, *few, *command.split(), f"work_dir={here}"])
    manifest = Manifest.read(run.folders["localize"])
    assert manifest.config["method"] == {"_target_": "my_module.MyCAM", "power": 2.0}
