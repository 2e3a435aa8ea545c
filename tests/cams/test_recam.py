import pytest
import torch

from wsss.cams.cam import CAM
from wsss.cams.recam import ReCAM
from wsss.errors import WsssError
from wsss.models import ReactivatedHead


def naive_maps(features, first, second, classes):
    batch, channels, height, width = features.shape
    maps = features.new_zeros(batch, classes.shape[1], height, width)
    for image in range(batch):
        for position, target in enumerate(classes[image]):
            for i in range(height):
                for j in range(width):
                    maps[image, position, i, j] = sum(
                        first[target, k] * second[target, k] * features[image, k, i, j]
                        for k in range(channels)
                    )
    return maps


def test_maps_are_those_of_the_formula(toy_reactivated, toy_images, toy_classes):
    model = toy_reactivated
    with torch.no_grad():
        features = model.features(toy_images)
        expected = naive_maps(features, model.head.weight, model.head.second_weight, toy_classes)
    found = ReCAM()(model, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_second_classifier_of_ones_leaves_class_activation_maps(
    toy_reactivated, toy_images, toy_classes
):
    torch.nn.init.ones_(toy_reactivated.head.second.weight)
    expected = CAM()(toy_reactivated, toy_images, toy_classes)
    found = ReCAM()(toy_reactivated, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_without_the_second_weights_maps_are_those_of_the_first_classifier(
    toy_reactivated, toy_images, toy_classes
):
    expected = CAM()(toy_reactivated, toy_images, toy_classes)
    found = ReCAM(second_weights=False)(toy_reactivated, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert not torch.allclose(ReCAM()(toy_reactivated, toy_images, toy_classes), expected)


def test_a_second_classifier_changes_neither_logits_nor_class_activation_maps(
    toy, toy_images, toy_classes
):
    with torch.no_grad():
        logits, maps = toy(toy_images), CAM()(toy, toy_images, toy_classes)
        toy.head = ReactivatedHead.beside(toy.head).to(toy_images.device).double()
        assert torch.equal(toy(toy_images), logits)
    assert torch.equal(CAM()(toy, toy_images, toy_classes), maps)


def test_a_model_without_a_second_classifier_is_refused(toy):
    with pytest.raises(WsssError, match="a second one beside it"):
        ReCAM().check(toy)
