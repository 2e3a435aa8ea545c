import pytest
import torch

from wsss.exporting.deployed import DeployedSegmenter
from wsss.models import Segmenter, SplitClassifier, TimmBackbone
from wsss.models.saved_networks import load_segmenter, save_segmenter

NAMES = ("cat", "dog", "sheep")


@pytest.fixture(scope="module")
def networks():
    """A segmenter, and a classifier that is sure of some classes."""
    torch.manual_seed(0)
    segmenter = Segmenter("DeepLabV3Plus", "resnet18", None, 3, decoder_channels=16).eval()
    classifier = SplitClassifier.linear(TimmBackbone("resnet18", output_stride=32), 3).eval()
    torch.nn.init.normal_(classifier.head.weight, std=2)
    return segmenter.requires_grad_(False), classifier.requires_grad_(False)


@pytest.fixture
def with_evidence(networks):
    segmenter, classifier = networks
    segmenter.take_evidence(classifier, 0.5)
    yield segmenter
    segmenter.take_evidence(None, 0.0)


def test_probabilities_are_multiplied_by_those_of_the_tags(networks):
    segmenter, classifier = networks
    images = torch.rand(2, 3, 64, 96)
    alone = segmenter(images).double().softmax(1)
    tags = classifier(images).double().sigmoid()
    assert tags.max() > 2 * tags.min()
    segmenter.take_evidence(classifier, 0.5)
    found = segmenter(images).double().softmax(1)
    segmenter.take_evidence(None, 0.0)
    expected = alone * torch.cat([torch.ones(2, 1), tags.sqrt()], 1)[:, :, None, None]
    torch.testing.assert_close(found, expected / expected.sum(1, keepdim=True), rtol=1e-4, atol=0)


def test_a_classifier_of_one_label_an_image_is_asked_for_its_soft_max(networks):
    _, classifier = networks
    single = SplitClassifier(classifier.features, classifier.head, multi_label=False)
    images = torch.rand(2, 3, 64, 96)
    torch.testing.assert_close(single.log_probabilities(images).exp().sum(1), torch.ones(2))


def test_a_saved_segmenter_takes_the_same_evidence(with_evidence, tmp_path):
    images = torch.rand(1, 3, 64, 64)
    save_segmenter(tmp_path, with_evidence, NAMES)
    again, names = load_segmenter(tmp_path)
    assert names == NAMES
    assert again.classifier_weight == 0.5
    assert not any(one.requires_grad for one in again.parameters())
    torch.testing.assert_close(again(images), with_evidence(images), rtol=0, atol=0)


def test_a_deployed_segmenter_of_any_size_takes_the_same_evidence(with_evidence):
    images = torch.randint(0, 256, (1, 3, 50, 75), dtype=torch.uint8)
    logits, *_ = DeployedSegmenter(with_evidence)(images)
    torch.testing.assert_close(logits, with_evidence(images.float() / 255), rtol=1e-4, atol=1e-4)
