import numpy as np

from wsss.data.resizing import resize_mask, shrink
from wsss.data.transforms import Augmentation


def test_large_images_are_reduced_and_small_ones_left_alone():
    image = np.zeros((300, 200, 3), dtype=np.uint8)
    assert shrink(image, 60).shape == (60, 40, 3)
    assert shrink(image, 300) is image


def test_masks_keep_their_labels():
    blown = resize_mask(np.array([[0, 2]], dtype=np.uint8), (2, 4))
    assert blown.tolist() == [[0, 0, 2, 2]] * 2


def test_a_large_image_is_augmented_at_the_size_at_which_it_will_be_seen():
    mask = np.zeros((400, 600), dtype=np.uint8)
    mask[:, 300:] = 1
    image = np.repeat(mask[..., None] * 200, 3, axis=2)
    augment = Augmentation(40, scale_min=1, scale_max=1, color_jitter=0, max_side_px=60)
    crops = [augment(image, mask, seed) for seed in range(8)]
    # 40 of 60 columns: both halves are in every crop, which they seldom are in 40 of 600.
    assert all(0.2 < (crop == 1).mean() < 0.8 for _, crop in crops)
    assert all(((crop[..., 0] > 100) == (labels == 1)).mean() > 0.9 for crop, labels in crops)
