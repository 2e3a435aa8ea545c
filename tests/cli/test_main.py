import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

from wsss.cli import main as cli
from wsss.cli.hydra_commands import split_options
from wsss.cli.settings_help import settings_help
from wsss.settings.config_dir import config_dir
from wsss.stages import CHAIN
from wsss.wording import INTERRUPTED

COMMAND = Path(sys.executable).with_name("wsss")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "wsss check data=folder data.root=my_images"),
        (["run", "--help"], "data: coco14, folder, huggingface, synthetic, voc07, voc12"),
        (["run", "--help"], "max_failed_fraction=0.01  how many of a stage's images"),
        (["check", "--help"], "max_failed_fraction=0.01  how many of a stage's images"),
        (["run", "--cfg", "job"], "_target_: wsss.stages.localize.run"),
        (["run", "data=folder", "--cfg", "job"], "root: ???"),
        (["check", "--help"], "read a data set once"),
        (["explain", "--help"], "wsss explain cat.jpg model=timm:tf_efficientnet_lite0"),
        (["explain", "cam=fd_cam", "cam.quantile=0.5", "--cfg", "job"], "quantile: 0.5"),
        (["explain", "--cfg", "job"], "flip: false"),
        (["predict", "--help"], "wsss predict photos/ --segmenter runs/segment/3f0c…"),
        (["predict", "--scales", "0.5,1", "--cfg", "job"], "scales:\n- 0.5\n- 1\n"),
        (["explain", "--list"], "ReciproCAM"),
        (["--version"], "wsss 0."),
        (["run", "--version"], "wsss 0."),
        (["check", "--version"], "wsss 0."),
    ],
)
def test_help_from_any_folder_leaves_nothing_behind(tmp_path, words, said):
    done = subprocess.run(
        [COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("words", "setting", "reason"),
    [
        (["work_dir=a_file"], "work_dir=a_file", "it is a file"),
        (["work_dir=a_file/runs"], "work_dir=a_file/runs", "Not a directory"),
        (["-m", "work_dir=a_file", "seed=1,2"], "work_dir=a_file", "it is a file"),
        (["hydra.run.dir=a_file/x"], "hydra.run.dir=a_file/x", "Not a directory"),
        (["hydra.run.dir='a_file'"], "hydra.run.dir=a_file", "it is a file"),
    ],
)
def test_a_folder_that_cannot_be_made_is_told(
    monkeypatch, capsys, tmp_path, command, words, setting, reason
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    monkeypatch.setattr(sys, "argv", ["wsss", command, *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert setting in said
    assert f"this folder cannot be used: {reason}" in said


def test_the_help_of_explain_is_text_not_yaml():
    text = settings_help("# Head:\n#   wsss explain\nsize: null # in pixels\nflip: false\n")
    assert text.splitlines() == [
        "Head:", "  wsss explain", "  size=null            in pixels", "  flip=false",
    ]  # fmt: skip


def test_the_help_tells_every_stage_group_and_common_setting():
    help_ = OmegaConf.load(config_dir() / "hydra" / "help" / "wsss.yaml")
    said = f"{help_.settings}\n{help_.groups}"
    assert max(map(len, said.splitlines())) <= 100
    cfg = OmegaConf.load(config_dir() / "run.yaml")
    groups = [name for one in cfg.defaults if OmegaConf.is_dict(one) for name in one]
    for name in [*CHAIN, *(name for name in groups if not name.startswith("override"))]:
        assert re.search(rf"\b{name}\b", help_.groups), name
    for name in ("stages", "work_dir", "seed", "workers", "max_failed_fraction"):
        default = "null" if cfg[name] is None else cfg[name]
        assert re.search(rf"^  {name}={default} ", help_.settings, re.MULTILINE), name
    for stage in CHAIN:
        assert stage in help_.settings


def test_an_unknown_command_lists_those_there_are(tmp_path):
    done = subprocess.run(
        [COMMAND, "rn"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "run" in done.stderr
    assert "check" in done.stderr


def test_scripts_are_short_for_a_stage(tmp_path):
    script = Path(__file__).parents[2] / "scripts" / "refine.py"
    done = subprocess.run(
        [sys.executable, script, "--cfg", "job"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("stages:\n- refine\nwork_dir")


@pytest.mark.parametrize(
    ("words", "module", "said"),
    [
        (["run"], "pipeline.run", INTERRUPTED),
        (["check"], "pipeline.run", "The same command begins anew."),
        (
            ["explain", "a.jpg", "checkpoint=runs"],
            "explain.explain_request",
            "The same command begins anew.",
        ),
    ],
)
def test_an_interrupted_command_says_whether_it_goes_on(
    monkeypatch, capsys, tmp_path, words, module, said
):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["wsss", *words])
    monkeypatch.setattr(f"wsss.{module}.run", interrupted)
    monkeypatch.setattr("wsss.pipeline.check_command.check_data", interrupted)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 130
    assert f"Interrupted. {said}" in capsys.readouterr().err


HEAVY = ("torch", "pytorch_lightning", "lightning_fabric", "timm", "torchvision", "sklearn", "cv2")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--help"], 0),
        (["run", "--help"], 0),
        (["explain", "--help"], 0),
        (["explain", "--list"], 0),
        (["run", "seeed=1"], 1),
        (["run", "-m", "cam=cam,gradcm"], 1),
        (["run", "seed=x", "stages=null"], 1),
        (["check", "data=foldr"], 1),
        (["explain", "a.jpg", "modl=timm:resnet50"], 1),
        (["explain", "a.jpg", "--model", "timm:resnet50"], 1),
        (["explain", "a.jpg", "cam=gradcam", "cam.layer=[a]"], 1),
    ],
)
def test_what_computes_nothing_loads_no_library_that_computes(tmp_path, words, status):
    code = (
        "import sys; from wsss.cli import main as cli\n"
        f"sys.argv = ['wsss', *{words}]\n"
        f"try: cli.main()\n"
        f"except SystemExit as left: assert (left.code or 0) == {status}, left.code\n"
        f"loaded = {{*sys.modules}} & {{*{HEAVY}}}\n"
        "assert not loaded, loaded"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    ("words", "options", "settings"),
    [
        (["seed=1", "-m", "cam=a,b"], ["-m"], ["seed=1", "cam=a,b"]),
        (["--cfg", "job", "seed=1"], ["--cfg", "job"], ["seed=1"]),
        (["--info", "seed=1"], ["--info"], ["seed=1"]),
        (["~logger", "refine"], [], ["~logger", "refine"]),
        (["--config-dir", "/a b", "cam=x"], [], ["hydra.searchpath=['/a b']", "cam=x"]),
    ],
)
def test_options_of_hydra_and_settings_are_told_apart(words, options, settings):
    assert split_options(words) == (options, settings)


MODULE = """
from wsss.cams.cam import CAM
from wsss.cams.core.method import Provenance


class MyCAM(CAM):
    provenance = Provenance("nobody")

    def __init__(self, sigma: float = 1.0) -> None:
        self.sigma = sigma

    def __call__(self, model, images, classes):
        return super().__call__(model, images, classes) ** self.sigma
"""


@pytest.mark.parametrize("command", ["run", "explain"])
def test_a_method_in_a_module_of_the_current_folder(tmp_path, command):
    (tmp_path / "my_module.py").write_text(MODULE)
    Image.new("RGB", (64, 48), (200, 60, 30)).save(tmp_path / "a.png")
    own = ["cam._target_=my_module.MyCAM", "+cam.sigma=2"]
    words = {
        "run": [
            "data.num_train=4", "data.num_val=2", "data.size_px=64", "classify.max_epochs=1",
            "stages=[classify,localize]", "classify.feature_windows=1", "workers=1",
        ],
        "explain": ["a.png", "model=timm:tf_efficientnet_lite0", "weights=package", "size=64"],
    }[command]  # fmt: skip
    done = subprocess.run(
        [COMMAND, command, *words, *own], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if command == "explain":
        assert list(tmp_path.glob("runs/explain/*/a/MyCAM.*.png"))
    else:
        assert list(tmp_path.glob("runs/localize/*/manifest.json"))
