import pytest

from wsss.artifacts import Manifest
from wsss.data.sources.folder import Folder
from wsss.data.sources.huggingface import HuggingFace, huggingface
from wsss.data.sources.synthetic import Synthetic
from wsss.pipeline.tracking.lineage import artefacts_of

datasets = pytest.importorskip("datasets")


def table():
    rows = {"image": [{"bytes": b"image", "path": None}], "labels": ["cat"]}
    features = datasets.Features({"image": datasets.Image(), "labels": datasets.Value("string")})
    return {"train": datasets.Dataset.from_dict(rows, features=features)}


def test_data_is_told_by_an_address_that_there_is(write_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface, "opened_tables", lambda _: table())
    root = write_folder()
    for source, address in (
        (Folder(root), root.as_uri()),
        (HuggingFace(tmp_path), tmp_path.as_uri()),
        (HuggingFace("someone/pets"), "hf://datasets/someone/pets"),
        (Synthetic(), ""),
    ):
        manifest = Manifest("classify", "5eed", {}, {}, {"data": {"train": "da7a"}})
        data, classifier = artefacts_of(manifest, tmp_path / "a stage", source)
        assert (data.kind, data.uri) == ("train_data", address)
        assert data.facts == {"data_set": source.name}
        assert classifier.uri == (tmp_path / "a stage").as_uri()
        assert classifier.made_of == ("train_data-da7a",)
