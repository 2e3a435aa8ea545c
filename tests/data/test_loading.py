"""What the training loaders draw: the same whoever draws it."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from wsss.data.datasets import MaskedImages, TaggedImages
from wsss.data.pyramids import PyramidBatches, Scales, plan_batches
from wsss.data.random_seeds import epoch_sampler, sample_seed
from wsss.data.resizing import shrunk_size
from wsss.data.sample import Item
from wsss.data.source import TRAIN
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.data.transforms import Augmentation

SOURCE = Synthetic(num_train=7, num_val=1, size_px=64)
AUGMENTATION = Augmentation(48, scale_min=0.5, scale_max=1.5)


def masked_images():
    return MaskedImages(SOURCE, SOURCE.items(TRAIN), SOURCE.read_mask, AUGMENTATION, seed=3)


def drawn(epoch, workers):
    dataset = masked_images()
    sampler = epoch_sampler(dataset, 0, 1, seed=3)
    sampler.set_epoch(epoch)
    loader = DataLoader(dataset, batch_size=2, sampler=sampler, num_workers=workers)
    return [(batch["images"], batch["masks"]) for batch in loader]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers):
    for one, other in zip(drawn(1, 0), drawn(1, workers), strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_every_epoch_and_sample_is_varied_anew():
    dataset = masked_images()
    pictures = [dataset[epoch, 0]["images"] for epoch in range(6)]
    assert len({picture.numpy().tobytes() for picture in pictures}) == 6
    assert len({sample_seed(*key) for key in np.ndindex(3, 20, 20)}) == 1200


def test_ranks_share_out_an_epoch_without_repeating():
    dataset = list(range(11))
    shares = []
    for rank in range(2):
        sampler = epoch_sampler(dataset, rank, 2, seed=0)
        sampler.set_epoch(4)
        shares.append(list(sampler))
    assert {epoch for share in shares for epoch, _ in share} == {4}
    indices = [index for share in shares for _, index in share]
    assert [len(share) for share in shares] == [5, 5]
    assert len(set(indices)) == 10


def test_image_and_mask_move_together():
    # A mask that is its image shows any difference of the geometry.
    mask = np.kron(np.arange(48).reshape(6, 8), np.ones((8, 8))).astype(np.uint8)
    image = np.repeat(mask[..., None], 3, axis=2)
    plain = Augmentation(40, scale_min=1.0, scale_max=1.0, color_jitter=0)
    seen = set()
    for seed in range(20):
        picture, labels = plain(image, mask, seed)
        np.testing.assert_array_equal(picture[..., 0], labels)
        seen.add(labels.tobytes())
    assert len(seen) > 10


def test_padding_is_void():
    image, mask = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.uint8)
    picture, labels = Augmentation(32, 1.0, 1.0, color_jitter=0)(image, mask, 0)
    assert picture.shape == (32, 32, 3)
    assert (labels == 1).sum() == 64
    assert (labels == 255).sum() == 32 * 32 - 64
    assert (picture[labels == 255] == 127).all()


def test_tags_are_multi_hot():
    items = SOURCE.items(TRAIN)
    sample = TaggedImages(SOURCE, items, AUGMENTATION, seed=0)[0, 2]
    assert sample["tags"].nonzero()[:, 0].tolist() == [label - 1 for label in items[2].labels]
    assert sample["images"].shape == (3, 48, 48)


def test_scales_are_whole_cells_and_bounded():
    scales = Scales((1.0, 0.5, 1.5), multiple_px=16, max_side_px=512)
    assert scales.sizes((375, 500)) == ((368, 496), (192, 256), (560, 752))
    assert scales.sizes((4000, 6000)) == ((336, 512), (176, 256), (512, 768))
    assert scales.sizes((1, 1)) == ((16, 16),) * 3
    assert shrunk_size((4000, 6000), scales.max_side_px) == (341, 512)
    assert shrunk_size((1, 6000), scales.max_side_px) == (1, 512)


def test_every_item_is_in_one_batch_of_its_size():
    rng = np.random.default_rng(0)
    items = [Item(str(i), (1,)) for i in range(50)]
    sizes = {item.id: (int(rng.integers(1, 5)) * 20, 60) for item in items}
    scales = Scales((1.0, 1.5))
    plan = plan_batches(items, lambda item: sizes[item.id], scales, batch_size=4)
    assert sorted(int(item.id) for batch in plan for item in batch) == list(range(50))
    assert max(map(len, plan)) == 4
    assert all(len({scales.sizes(sizes[item.id]) for item in batch}) == 1 for batch in plan)


def test_pyramids_are_read_and_unreadable_images_noted():
    class Flawed(Synthetic):
        def read_image(self, item):
            if item.id == "train_0001":
                raise OSError("broken")
            return super().read_image(item)

    source = Flawed(num_train=3, num_val=1, size_px=64)
    batches = PyramidBatches(source, [source.items(TRAIN)[:2]], Scales((1.0, 2.0)))
    (batch,) = list(batches.loader(workers=0))
    assert [item.id for item in batch.items] == ["train_0000"]
    assert [(item.id, reason) for item, reason in batch.failures] == [("train_0001", "broken")]
    height, width = batch.sizes[0]
    assert [level.shape[2:] for level in batch.pyramid] == [
        (round(height * f / 16) * 16, round(width * f / 16) * 16) for f in (1, 2)
    ]
