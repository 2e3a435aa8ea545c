"""Every recipe of `configs/experiment/` makes its networks and takes a step of each stage."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from devkits import write_coco14, write_voc12
from devkits.pictures import picture
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from small_clip import write_towers

from wsss.models.saved_networks import load_classifier, load_segmenter
from wsss.settings.config_dir import config_dir

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools'

EXPERIMENTS = sorted(path.stem for path in (config_dir() / "experiment").glob("*.yaml"))
SMALL = {
    "batch_size": 4, "crop_px": 64, "factors": [1.0], "feature_windows": 1, "max_epochs": 1,
    "num_iterations": 1, "num_steps": 4, "num_train": 6, "num_val": 3, "radius": 4, "size_px": 64,
}  # fmt: skip
"""Whatever is called so, and makes a step small."""
LARGE_TRANSFORMERS = (
    "segmenter.encoder=vit_tiny_patch16_224",
    "segmenter.decoder_channels=16",
    "segmenter.intermediate_channels=[8,16,16,16]",
)
"""In the place of networks that would take a minute a step; the others are the published ones."""
IN_THE_NORMAL_SUITE = {"clip_es_voc12", "frozen_dino_voc12", "recam_coco14"}
"""Between them they have the stages, data sets and kinds of networks of all recipes."""
STEPS = {
    "clip_es_coco14": (82_081, 100_000),
    "cam_voc12": (10_582, 20_000),
    "cam_coco14": (82_783, 100_000),
    "frozen_dino_voc12": (10_582, 30_000),
    "frozen_dino_coco14": (82_081, 80_000),
}
"""Training images, and the published steps of the segmenter."""


def experiment(name: str) -> DictConfig:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("run", overrides=[f"experiment={name}"])


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Path, last name and value of each setting."""
    for key, value in node.items():
        here = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict):
            yield from leaves(value, here)
        else:
            yield here, str(key), value


def small_words(config: dict[str, Any]) -> list[str]:
    """Settings that make a recipe's steps small, and networks random that a hub has."""
    words = []
    for path, key, value in leaves(
        {k: v for k, v in config.items() if k not in ("hydra", "logger")}
    ):
        if (key, value) == ("weights", "hub"):
            words.append(f"{path}=null")
        elif key in SMALL and not str(value).startswith("${"):
            words.append(f"{path}={SMALL[key]}".replace(" ", ""))
    return words


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small data set for each kind of source, by its name, and a work folder."""
    here = tmp_path_factory.mktemp("experiments")
    write_voc12(here / "voc")
    write_coco14(here / "coco")
    tags = ["image,labels"]
    for number in range(6):
        mask = np.zeros((64, 80), dtype=np.uint8)
        mask[10:50, 10:50] = 1 + number % 2
        picture(here / "folder" / "images" / f"{number}.jpg", mask)
        tags.append(f"{number}.jpg,{('cat', 'dog')[number % 2]}")
    (here / "folder" / "labels.csv").write_text("\n".join(tags))
    roots = {"Voc": here / "voc", "Coco": here / "coco", "Folder": here / "folder"}
    return {**roots, "work": here / "runs"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one, marks=(pytest.mark.minutes, pytest.mark.slow)[one in IN_THE_NORMAL_SUITE])
        for one in EXPERIMENTS
    ],
)
def test_an_experiment_takes_a_step_of_each_stage(run, places, name, request):
    composed = experiment(name)
    config = OmegaConf.to_container(composed, resolve=False)
    source = config["data"]["_target_"].rpartition(".")[2]
    root = [f"data.root={places[source]}"] if source in places else []
    large = LARGE_TRANSFORMERS if name.startswith("frozen_dino") else ()
    towers = ()
    if composed.cam._target_.endswith("ClipText"):
        pytest.importorskip("open_clip", reason="the text tower is open_clip's")
        request.getfixturevalue("small_towers")
        towers = write_towers(places["work"].parent)
    stages = "stages=[classify,reactivate,localize,affinity,propagate,probe,refine,segment]"
    # Recipes that share stages share their results.
    words = [f"experiment={name}", *root, stages, *small_words(config), *large, *towers]
    outcomes = run(places["work"], *words, tiny=())
    classifier, names = load_classifier(outcomes["classify"].folder)
    assert classifier.head.num_classes == len(names)
    assert [*outcomes["localize"].folder.glob("seeds/*.npz")]
    network, _ = load_segmenter(outcomes["segment"].folder)
    assert large or network.encoder == composed.segmenter.encoder
    numbers = {stage: outcomes[stage].manifest.numbers for stage in ("classify", "segment")}
    assert np.isfinite(numbers["segment"]["train_loss"])
    assert np.isfinite(numbers["classify"].get("train_loss", numbers["classify"]["val_map"]))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_networks_of_an_experiment_are_built_as_published(name):
    """Without numbers, which is quick; names that have weights on a hub are known to timm."""
    import timm

    config = experiment(name)
    hub = [
        part.get("name", part.get("encoder"))
        for part in (config.backbone, config.segmenter, config.cam.get("attention_network"))
        if part is not None and part.get("weights") == "hub"
    ]
    for network in hub:
        cfg = timm.get_pretrained_cfg(network)
        assert cfg is not None
        assert cfg.has_weights
    with torch.device("meta"):
        features = instantiate(config.backbone, _convert_="all", weights=None)
        segmenter = instantiate(config.segmenter, _convert_="all", weights=None)(num_classes=20)
        trunk = features(freeze=config.classify.get("freeze", "backbone"))
    assert trunk.num_features > 0
    if config.backbone.name.startswith("resnet50"):  # IRN's and ReCAM's has no dilation.
        convolutions = [one for one in trunk.modules() if isinstance(one, torch.nn.Conv2d)]
        assert {one.dilation for one in convolutions} == {(1, 1)}
        assert trunk.output_stride == 16
    trained = [p.requires_grad for p in segmenter.network.encoder.parameters()]
    assert any(trained) != name.startswith("frozen_dino")


@pytest.mark.parametrize(("data", "lr"), [("voc12", 2.5e-4), ("coco14", 2e-4)])
def test_steps_of_deeplabv2_are_of_the_published_size(data, lr):
    """Theirs minimises four losses where ours has one; a step has their gradient and decay."""
    found = [
        config.segment
        for config in map(experiment, EXPERIMENTS)
        if config.data._target_.lower().endswith(data.rstrip("0123456789"))
        and config.segmenter.architecture == "DeepLabV2"
    ]
    assert len(found) >= 4
    for segment in found:
        assert segment.lr == pytest.approx(4 * lr)
        assert segment.lr * segment.optimizer.weight_decay == pytest.approx(lr * 5e-4)


@pytest.mark.parametrize("name", STEPS)
def test_segmenters_are_trained_for_as_many_steps_as_published(name):
    images, steps = STEPS[name]
    segment = experiment(name).segment
    assert segment.max_epochs * images / segment.batch_size == pytest.approx(steps, rel=0.06)
