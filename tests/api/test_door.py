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
from PIL import Image
from torch import nn

import wsss

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


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an image, in which code runs."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    return tmp_path


def test_a_method_of_the_users_own_module_works(here):
    text = (ROOT / "docs" / "own_method.md").read_text(encoding="utf-8")
    module, _ = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(module, "docs/own_method.md", "exec"), names)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    found = wsss.cam(network, "cat.jpg", 0, method=names["MyCAM"](power=2.0))
    assert found.raw.shape == (1, 62, 62)
