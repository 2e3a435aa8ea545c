import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsss.cams.cluster_cam import ClusterCAM
from wsss.cams.cluster_cam.channel_clusters import cluster_channels
from wsss.cams.cluster_cam.cluster_cam import base_and_scissors
from wsss.cams.core import masking
from wsss.metrics.explanation.replacement_images import Blur
from wsss.models import LinearHead, SplitClassifier
from wsss.models.normalisation import Normalisation

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


class Pixelwise(nn.Module):
    """Channels that are mixtures of an image's colours, pixel by pixel; black is zero."""

    def __init__(self, mixture):
        super().__init__()
        self.normalise = Normalisation([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
        self.mixture = nn.Parameter(mixture)

    def forward(self, images):
        return torch.einsum("kc,bchw->bkhw", self.mixture, self.normalise(images))


def pixelwise(mixture, weights):
    """A classifier of one class whose head reads the channels with `weights`."""
    model = SplitClassifier(Pixelwise(torch.tensor(mixture)), LinearHead(len(mixture), 1)).double()
    with torch.no_grad():
        model.head.linear.weight.copy_(torch.tensor([weights]))
    return model.eval()


def red_left_green_right():
    image = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    image[:, 0, :, :4] = torch.linspace(0.5, 1, 4)
    image[:, 1, :, 4:] = torch.linspace(0.5, 1, 4)
    return image


def stretched(maps):
    low, high = maps.min(), maps.max()
    return (maps - low) / (high - low)


def naive_maps(model, image, classes, labels):
    """Section 2.7 with the clusters given, one masked image after the other."""
    features = model.features(image[None])[0]
    maps, scores = [], []
    for label in sorted(set(labels.tolist()) - {-1}):
        mean = features[labels == label].mean(dim=0)
        if mean.max() == mean.min():
            continue
        mask = F.interpolate(mean[None, None], size=image.shape[1:], mode="bilinear")[0, 0]
        mask = stretched(mask)
        assert 0 <= mask.min() <= mask.max() <= 1
        normalised = model.features.normalise(image) * mask
        logits = model.head(model.features.network(normalised[None]))
        maps.append(stretched(mean))
        scores.append(logits[0].sigmoid())
    result = []
    for c in classes.tolist():
        values = [float(score[c]) for score in scores]
        best, worst = values.index(max(values)), values.index(min(values))
        result.append(maps[best] - maps[worst])
    return torch.stack(result)


@pytest.mark.parametrize("feature", ["shape", "raw"])
def test_maps_are_those_of_the_formulas_given_the_clusters(
    toy_mlp, toy_images, toy_classes, feature
):
    with torch.no_grad():
        found = ClusterCAM(num_clusters=4, feature=feature)(toy_mlp, toy_images, toy_classes)
        for image, classes, maps in zip(toy_images, toy_classes, found, strict=True):
            features = toy_mlp.features(image[None])[0]
            labels = cluster_channels(features, 4, feature, "kmeans", 0)
            torch.testing.assert_close(maps, naive_maps(toy_mlp, image, classes, labels), **CLOSE)


@pytest.mark.parametrize(("cic", "expected"), [(False, 1 + 4), (True, 1 + 4 + 1)])
def test_it_takes_one_pass_and_one_for_each_cluster(toy, toy_images, cic, expected, device):
    seen = []
    handle = toy.features.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    with torch.no_grad():
        ClusterCAM(num_clusters=4, cic=cic)(
            toy, toy_images[:1], torch.tensor([[0, 3]], device=device)
        )
    handle.remove()
    assert sum(seen) == expected
    assert seen[:2] == [1, 4]


def permuted(model, order):
    """The same classifier with its channels in another order; `order` may repeat channels."""
    last = model.features.network[2][0]
    with torch.no_grad():
        repeats = len(order) // last.out_channels
        last.weight, last.bias = (nn.Parameter(v[order]) for v in (last.weight, last.bias))
        model.head.linear.weight = nn.Parameter(model.head.weight[:, order] / repeats)
        last.out_channels = len(order)
    return model


@pytest.mark.parametrize("algorithm", ["kmeans", "spectral"])
@pytest.mark.parametrize("repeats", [1, 2])
def test_order_and_repetition_of_channels_do_not_matter(
    toy, toy_images, toy_classes, algorithm, repeats
):
    method = ClusterCAM(num_clusters=4, algorithm=algorithm)
    with torch.no_grad():
        expected = method(toy, toy_images, toy_classes)
        generator = torch.Generator().manual_seed(0)
        order = torch.arange(16).repeat(repeats)[torch.randperm(16 * repeats, generator=generator)]
        # The head averages pixels of 16 · repeats channels, each with its share of the weight.
        found = method(permuted(toy, order), toy_images, toy_classes)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


def test_as_many_clusters_as_channels_find_the_best_single_channel(toy, toy_images, device):
    with torch.no_grad():
        maps = ClusterCAM(num_clusters=50, bottom=0)(
            toy, toy_images[:1], torch.tensor([[3]], device=device)
        )
        features = toy.features(toy_images[:1])[0]
        scores = []
        for channel in features:
            if channel.max() == channel.min():
                scores.append(-1.0)
                continue
            mask = F.interpolate(channel[None, None], (14, 12), mode="bilinear")[0, 0]
            seen = toy.features.normalise(toy_images[0]) * stretched(mask)
            scores.append(float(toy.head(toy.features.network(seen[None]))[0, 3]))
    best = features[scores.index(max(scores))]
    torch.testing.assert_close(maps[0, 0], stretched(best), **CLOSE)


@pytest.mark.parametrize("merge", ["difference", "score"])
def test_one_cluster_is_its_own_map(toy, toy_images, merge, device):
    classes = torch.tensor([[3]], device=device)
    with torch.no_grad():
        maps = ClusterCAM(num_clusters=1, merge=merge)(toy, toy_images[:1], classes)
        features = toy.features(toy_images[:1])[0]
        mean = features[features.flatten(1).any(dim=1)].mean(dim=0)
        mask = stretched(F.interpolate(mean[None, None], (14, 12), mode="bilinear")[0, 0])
        seen = toy.features.normalise(toy_images[0]) * mask
        score = toy.head(toy.features.network(seen[None]))[0, 3].sigmoid()
    factor = score if merge == "score" else 1
    torch.testing.assert_close(maps[0, 0], factor * stretched(mean), **CLOSE)


def test_the_base_is_what_the_head_reads_and_the_scissors_cut_the_rest():
    red, green = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    model = pixelwise([red, green, red, green, red], [2.0, 0.0, 2.0, 0.0, 2.0])
    image = red_left_green_right()
    with torch.no_grad():
        found = ClusterCAM(num_clusters=2)(model, image, torch.tensor([[0]]))[0, 0]
    torch.testing.assert_close(found, image[0, 0] - image[0, 1], **CLOSE)
    assert found.relu()[:, 4:].max() == 0
    assert found.relu()[:, :4].min() > 0


def test_constant_clusters_have_no_mask():
    model = pixelwise([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [1.0, 1.0])
    image = red_left_green_right()
    image[:, 2] = 0.5
    with torch.no_grad():
        maps = ClusterCAM()(model, image, torch.tensor([[0]]))
    torch.testing.assert_close(maps[0, 0], image[0, 0], **CLOSE)


def test_dead_features_give_zeros(toy, toy_images, toy_classes):
    with torch.no_grad():
        toy.features.network[2][0].weight.zero_()
        toy.features.network[2][0].bias.fill_(-1)
        maps = ClusterCAM()(toy, toy_images, toy_classes)
    assert maps.shape == (3, 2, 7, 6)
    assert not maps.any()


def test_bases_and_scissors_of_several_clusters_are_weighted_means():
    clusters = torch.rand(5, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scores = torch.tensor([[0.1], [0.9], [0.6], [0.4], [0.2]], dtype=torch.float64)
    base = (0.9 * clusters[1] + 0.6 * clusters[2]) / 1.5
    scissors = (0.9 * clusters[0] + 0.8 * clusters[4]) / 1.7
    found = base_and_scissors(clusters, scores, 2, 2)
    torch.testing.assert_close(found, (base[None], scissors[None]), **CLOSE)
    # The scissors are of those clusters alone that are not in the base.
    found = base_and_scissors(clusters[:3], scores[:3], 2, 2)
    torch.testing.assert_close(found, (base[None], clusters[:1]), **CLOSE)


def test_merged_by_score_the_best_score_weighs_the_base_and_its_complement_the_scissors(
    toy, toy_images, device
):
    def maps(**options):
        method = ClusterCAM(num_clusters=4, **options)
        return method(toy, toy_images[:1], torch.tensor([[3]], device=device))[0, 0]

    with torch.no_grad():
        base = maps(bottom=0)
        scissors = base - maps()
        best = maps(bottom=0, merge="score").max() / base.max()
        assert 0.1 < best < 0.9
        torch.testing.assert_close(
            maps(merge="score"), best * base - (1 - best) * scissors, **CLOSE
        )


def test_scores_below_zero_have_no_weight():
    clusters = torch.eye(2, dtype=torch.float64)[:, None]
    scores = torch.tensor([[-0.1], [-0.2]], dtype=torch.float64)
    base, scissors = base_and_scissors(clusters, scores, 2, 0)
    torch.testing.assert_close(base[0, 0], torch.full((2,), 0.5, dtype=torch.float64))
    assert not scissors.any()


def test_the_increase_of_confidence_is_over_the_hidden_image(toy, toy_images, device):
    classes = torch.tensor([[3]], device=device)
    options = {"num_clusters": 2, "merge": "score"}
    with torch.no_grad():
        plain = ClusterCAM(**options)(toy, toy_images[:1], classes)[0, 0]
        increase = ClusterCAM(cic=True, **options)(toy, toy_images[:1], classes)[0, 0]
        base = ClusterCAM(num_clusters=2, bottom=0)(toy, toy_images[:1], classes)[0, 0]
        difference = ClusterCAM(num_clusters=2)(toy, toy_images[:1], classes)[0, 0]
        hidden = toy.features.normalise.mean.expand(1, 3, 14, 12)
        baseline = toy(hidden).sigmoid()[0, 3]
    scissors = base - difference
    torch.testing.assert_close(plain - increase, baseline * (base + scissors), **CLOSE)


def test_a_blurred_image_fills_what_is_masked(toy, toy_images, device):
    with torch.no_grad():
        image = toy_images[0]
        background = Blur()(image[None])[0]
        maps = toy_images.new_zeros(1, 2, 2)
        found = masking.masked_probabilities(toy, image, background, maps)
        expected = toy.probabilities(toy(background[None]))
        assert background.std() < image.std()
        blur = ClusterCAM(num_clusters=3, fill="blur")(
            toy, toy_images, torch.tensor([[0]] * 3, device=device)
        )
    torch.testing.assert_close(found, expected, **CLOSE)
    assert blur.isfinite().all()


def test_masks_span_zero_to_one():
    maps = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    masks = masking.image_masks(maps, (12, 9))
    assert masks.amin(dim=(1, 2)).tolist() == [0.0] * 4
    assert masks.amax(dim=(1, 2)).tolist() == [1.0] * 4


def test_the_number_of_images_a_pass_does_not_matter(toy, toy_images, toy_classes, monkeypatch):
    with torch.no_grad():
        expected = ClusterCAM()(toy, toy_images, toy_classes)
        monkeypatch.setattr(masking, "PIXELS_PER_PASS", 2 * 14 * 12)
        found = ClusterCAM()(toy, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize(
    "options",
    [
        {"num_clusters": 0},
        {"num_clusters": "elbo"},
        {"feature": "colour"},
        {"algorithm": "dbscan"},
        {"fill": "noise"},
        {"merge": "sum"},
        {"top": 0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        ClusterCAM(**options)
