import numpy as np

from wsss.data.copy_paste import partner, pasted
from wsss.data.datasets import MaskedImages
from wsss.data.random_seeds import sample_seed
from wsss.data.source import TRAIN
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.data.transforms import Augmentation

SOURCE = Synthetic(num_train=6, num_val=1, size_px=64)
AUGMENTATION = Augmentation(48)


def images(copy_paste):
    return MaskedImages(SOURCE, SOURCE.items(TRAIN), SOURCE.read_mask, AUGMENTATION, 3, copy_paste)


def test_objects_come_in_front_and_neither_background_nor_void_does():
    image, other = np.zeros((1, 4, 3), np.uint8), np.full((1, 4, 3), 9, np.uint8)
    mask, other_mask = np.uint8([[0, 1, 255, 1]]), np.uint8([[2, 0, 3, 255]])
    found, labels = pasted(image, mask, other, other_mask)
    assert labels.tolist() == [[2, 1, 3, 1]]
    assert found[..., 0].tolist() == [[9, 0, 9, 0]]


def test_as_many_samples_as_asked_get_objects_of_any_image_each_epoch_anew():
    partners = [partner(0.25, 6, 3, epoch, index) for epoch in range(100) for index in range(6)]
    given = [one for one in partners if one is not None]
    # 600 draws: four standard deviations are 42.
    assert abs(len(given) - 150) < 42
    assert {index for index, _ in given} == set(range(6))
    assert len({seed for _, seed in given}) == len(given)
    assert partners[:6] == [partner(0.25, 6, 3, 0, index) for index in range(6)]


def test_a_sample_is_its_own_image_with_the_objects_of_its_partner():
    plain, mixed = images(0.0), images(1.0)
    for index in range(6):
        key = (5, index)
        other, seed = partner(1.0, 6, 3, *key)
        item = SOURCE.items(TRAIN)[other]
        ours = plain[key]
        assert ours["masks"].equal(images(0.0)[key]["masks"])
        augmented = AUGMENTATION(SOURCE.read_image(item), SOURCE.read_mask(item), seed)
        expected, labels = pasted(
            ours["images"].permute(1, 2, 0).numpy(), ours["masks"].numpy(), *augmented
        )
        found = mixed[key]
        np.testing.assert_array_equal(found["images"].permute(1, 2, 0), expected)
        np.testing.assert_array_equal(found["masks"], labels)
        assert seed != sample_seed(3, *key)
