"""A finished run of tiny networks in a folder, and the command in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import wsss
from wsss.artifacts import LabelStore, Manifest, Seeds, SeedStore, seed_size, write_json
from wsss.data.source import TRAIN, VAL
from wsss.data.sources.folder import Folder
from wsss.models import Segmenter, SplitClassifier, TimmBackbone
from wsss.models.saved_networks import save_classifier, save_segmenter

NAMES = ("cat", "dog")
SIZES = {"red/a.jpg": (40, 56), "b.png": (33, 48), "c.jpg": (64, 47), "d.jpg": (48, 48)}
TAGS = {"red/a.jpg": "cat", "b.png": "cat|dog", "c.jpg": "dog", "d.jpg": "cat"}
ENCODER = "test_efficientnet"
"""A network of timm for tests, with few weights."""
JOINED = "tf_efficientnet_lite0+tf_efficientnet_lite2"


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """Folders of the stages of a run, and its data."""

    work_dir: Path
    data: Path

    def stage(self, name: str) -> Path:
        (folder,) = (self.work_dir / name).iterdir()
        return folder

    @property
    def data_words(self) -> tuple[str, str]:
        return "data=folder", f"data.root={self.data}"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Stages with the networks, masks, seeds and scores that real ones leave."""
    root = tmp_path_factory.mktemp("run")
    run = FinishedRun(root / "runs", root / "pets")
    _write_data(run.data)
    source = Folder(run.data)
    data = {TRAIN: source.fingerprint(TRAIN)}
    inputs: dict[str, str] = {}
    folders: dict[str, Path] = {}
    weights = str(root / "secret" / "weights.pth")
    configs: dict[str, dict[str, Any]] = {
        "classify": {"backbone": {"name": JOINED, "weights": "package"}},
        "segment": {"segmenter": {"encoder": "resnet50", "weights": weights}},
        "evaluate": {"scales": {"factors": [1.5, 1.0]}},
    }
    for stage in ("classify", "localize", "refine", "segment", "evaluate"):
        folder = folders[stage] = run.work_dir / stage / f"{stage:0<16}"
        config = configs.get(stage, {})
        basis = {"inputs": dict(inputs), "data": data}
        folder.mkdir(parents=True)
        Manifest(stage, folder.name, config, {}, basis, finished_at="2026-01-01").write(folder)
        inputs = {stage: folder.name}
    torch.manual_seed(0)
    classifier = SplitClassifier.linear(TimmBackbone(ENCODER), len(NAMES))
    save_classifier(folders["classify"], classifier, NAMES)
    segmenter = Segmenter("DeepLabV3Plus", ENCODER, None, len(NAMES), decoder_channels=8)
    _stretch(segmenter)
    save_segmenter(folders["segment"], segmenter, NAMES)
    rng = np.random.default_rng(0)
    masks, seeds = LabelStore(folders["refine"] / "masks"), SeedStore(folders["localize"] / "seeds")
    for item in source.items(TRAIN):
        height, width, _ = source.read_image(item).shape
        coarse = rng.choice([0, *item.labels, 255], (height // 8 + 1, width // 8 + 1))
        masks.write(item, coarse.repeat(8, 0).repeat(8, 1)[:height, :width].astype(np.uint8))
        maps = rng.random((len(item.labels), *seed_size(height, width))).astype(np.float16)
        seeds.write(item, Seeds(np.array(item.labels, dtype=np.uint16), maps, (height, width)))
    predictions = LabelStore(folders["evaluate"] / "predictions" / VAL)
    for item in source.items(VAL):
        predictions.write(item, np.ones(source.read_image(item).shape[:2], dtype=np.uint8))
    write_json(folders["evaluate"] / "metrics.json", _metrics())
    return run


def _write_data(root: Path) -> None:
    rng = np.random.default_rng(1)
    for name, (height, width) in SIZES.items():
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        Image.fromarray(coarse.repeat(8, 0).repeat(8, 1)[:height, :width]).save(path)
    rows = [f"{name},{tags}" for name, tags in TAGS.items()]
    (root / "labels.csv").write_text("\n".join(["image,labels", *rows]))
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_text("red/a\nb\nc\n")
    (root / "splits" / "val.txt").write_text("d\n")


def _stretch(segmenter: Segmenter) -> None:
    """Let random weights give logits that differ from pixel to pixel, as trained ones do."""
    head = segmenter.network.segmentation_head[0]
    with torch.no_grad():
        head.weight *= 200


def _metrics() -> dict[str, Any]:
    common = {"num_images": 1, "pixel_accuracy": 0.9, "per_class_iou": [0.8, 0.5, 0.3]}
    return {
        "subjects": {
            "seeds_oracle": {
                "label": "seeds, best threshold", "split": "train", "oracle": True, "miou": 0.625,
                **common,
            },
            "segmenter": {
                "label": "segmenter", "split": "val", "oracle": False, "miou": 0.5331, **common,
            },
        }
    }  # fmt: skip


Export = Callable[..., tuple[int, str]]


@pytest.fixture
def export(
    call_command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Export:
    """Call `wsss export`: its exit status, and all it said, on one line."""

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        status, said = call_command("export", *words)
        return status, " ".join(said.replace("│", " ").split())

    return call


@pytest.fixture(scope="session")
def everything(finished: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an export of all that there is; takes 20 s."""
    formats = ["formats=safetensors,onnx,torch_export,voc,coco,irn", "classifier=true", "example=d"]
    return _exported(finished, tmp_path_factory, formats)


@pytest.fixture(scope="session")
def masks_and_seeds(finished: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an export without networks."""
    return _exported(finished, tmp_path_factory, ["formats=voc,coco,irn"])


def _exported(
    finished: FinishedRun, tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> Path:
    output = f"output={tmp_path_factory.mktemp('export') / 'out'}"
    return wsss.export(finished.stage("segment"), [*words, output, *finished.data_words])
