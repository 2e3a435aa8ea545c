import torch
from torch import nn

from wsss.cams.cluster_cam import ClusterCAM
from wsss.cams.core.masking import mean_colour
from wsss.explain.faithfulness_protocol import Protocol, judge
from wsss.models import SplitClassifier


class Unnormalised(nn.Module):
    """Features of colours as they are, less a constant: what a `Normalisation` does in disguise."""

    def __init__(self, features, subtracted):
        super().__init__()
        self.features = features
        self.subtracted = subtracted

    def forward(self, images):
        return self.features(images + self.subtracted)


def test_what_is_hidden_has_the_colour_that_the_network_sees_as_zero(toy):
    mean = mean_colour(toy)
    assert torch.equal(toy.features.normalise(mean[None]), torch.zeros_like(mean)[None])


def test_features_without_a_normalisation_see_black_as_zero(toy, toy_images, toy_classes):
    mean = mean_colour(toy)
    plain = SplitClassifier(Unnormalised(toy.features, mean), toy.head)
    assert torch.equal(mean_colour(plain).to(mean), torch.zeros_like(mean))
    # The same images, as either of the networks wants them.
    expected = ClusterCAM()(toy, toy_images, toy_classes)
    found = ClusterCAM()(plain, toy_images - mean, toy_classes)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    protocol = Protocol(curves=False)
    tags = torch.zeros(3, 5, dtype=torch.bool)
    whole, other = (
        judge(model, ClusterCAM(), images, tags, protocol)
        for model, images in ((toy, toy_images), (plain, toy_images - mean))
    )
    for score in ("kept", "deleted"):
        found, expected = getattr(other, score), getattr(whole, score)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
