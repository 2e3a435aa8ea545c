import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError
from wsss.stage_tools import feature_views
from wsss.stage_tools.context import Context
from wsss.stage_tools.feature_batches import FeatureBatches
from wsss.stage_tools.feature_views import FeatureViews, feature_loader, feature_validation
from wsss.stage_tools.pooled_features import features_path

NUM_VIEWS, NUM_FEATURES = 6, 5


@pytest.fixture(scope="module")
def source():
    return Synthetic(num_train=11, num_val=7, size_px=64)


@pytest.fixture(scope="module")
def folder(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    generator = np.random.default_rng(0)
    for split in ("train", "val"):
        for item in source.items(split):
            views = generator.normal(size=(NUM_VIEWS, NUM_FEATURES)).astype(np.float32)
            np.save(features_path(folder, item), views)
    features_path(folder, source.items("train")[3]).unlink()
    return folder


def context_of(source, folder, rank=0, ranks=1):
    fabric = SimpleNamespace(global_rank=rank, world_size=ranks, device=torch.device("cpu"))
    return Context(source, folder, fabric=fabric, seed=7)


def epochs_of(loader, count=3):
    found = []
    for epoch in range(count):
        if hasattr(loader.sampler, "set_epoch"):
            loader.sampler.set_epoch(epoch)
        batches = list(loader)
        assert len(batches) == len(loader)
        found += [(batch["images"], batch["tags"]) for batch in batches]
    return found


@pytest.mark.parametrize(("rank", "ranks"), [(0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("batch_size", [4, 10, 32])
def test_memory_gives_the_same_batches_as_files(
    source, folder, monkeypatch, rank, ranks, batch_size
):
    context = context_of(source, folder, rank, ranks)
    features = FeatureViews(context, source.items("train"), folder)
    assert len(features) == 10
    made = []
    for share in (1.0, 0.0):
        monkeypatch.setattr(feature_views, "MEMORY_SHARE", share)
        made.append(feature_loader(context, features, batch_size))
    assert [type(one) for one in made] == [FeatureBatches, DataLoader]
    memory, files = map(epochs_of, made)
    assert [x.shape for x, _ in memory] == [x.shape for x, _ in files]
    for ours, theirs in zip(memory, files, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])
    varied = {float(x.flatten()[0]) for x, _ in memory}
    assert len(varied) > 1


def test_features_in_memory_are_bounded_whatever_is_free(source, folder, monkeypatch):
    context = context_of(source, folder)
    features = FeatureViews(context, source.items("train"), folder)
    size = 4 * len(features) * features.read(0).size
    for bound, fits in ((size, True), (size - 1, False)):
        monkeypatch.setattr(feature_views, "MOST_BYTES", bound)
        assert (feature_views.loaded(context, features) is not None) == fits


def test_validation_sees_the_unvaried_image(source, folder, monkeypatch):
    context = context_of(source, folder)
    made = []
    for share in (1.0, 0.0):
        monkeypatch.setattr(feature_views, "MEMORY_SHARE", share)
        made.append(epochs_of(feature_validation(context, folder)))
    for (ours, our_tags), (theirs, their_tags) in zip(*made, strict=True):
        assert torch.equal(ours, theirs)
        assert torch.equal(our_tags, their_tags)
    first = np.stack([np.load(features_path(folder, one))[0] for one in source.items("val")])
    assert torch.equal(made[0][0][0][..., 0, 0], torch.from_numpy(first))


def test_a_damaged_file_is_named(source, folder, tmp_path):
    for item in source.items("val"):
        path = features_path(tmp_path, item)
        path.write_bytes(features_path(folder, item).read_bytes())
    path.write_bytes(b"no array")
    with pytest.raises(WsssError, match=path.name):
        feature_validation(context_of(source, tmp_path), tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_there_may_be_more_images_than_a_process_may_open_files(tmp_path):
    source = Synthetic(num_train=200, num_val=1, size_px=64)
    for item in source.items("train"):
        np.save(features_path(tmp_path, item), np.ones((1, 2), dtype=np.float32))
    context = context_of(source, tmp_path)
    features = FeatureViews(context, source.items("train"), tmp_path)
    with few_open_files(100):
        views = feature_views.loaded(context, features)
    assert views.shape == (200, 1, 2)
    assert (views == 1).all()


@contextmanager
def few_open_files(more):
    """Let the block open so many files besides those that are open."""
    import os
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)  # The lowest number that is not taken.
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(free + more, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
