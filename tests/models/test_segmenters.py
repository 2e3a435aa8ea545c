"""What every architecture of `configs/segmenter/` does, and that it is what its name says."""

import json

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.nn import functional as F

from wsss.errors import InvalidOptionError
from wsss.explain.segments.seg_gradcam import seg_gradcam
from wsss.models import Segmenter, SplitClassifier, TimmBackbone
from wsss.models.folded_batch_norm import folded
from wsss.models.saved_networks import load_segmenter, save_segmenter
from wsss.settings.config_dir import config_dir
from wsss.settings.remedies import FOR_RUN

NAMES = ("cat", "dog", "sheep")
OPTIONS = sorted(path.stem for path in (config_dir() / "segmenter").glob("*.yaml"))
TINY = {
    "encoder": "test_efficientnet",
    "weights": None,
    "decoder_channels": 16,
    "output_stride": 16,
    "intermediate_channels": [8, 16, 16],
}
OWN = {
    "deeplabv2": {"encoder": "test_resnet", "output_stride": 8},
    "upernet": {"encoder": "test_convnext"},
    "unet": {"encoder": "test_resnet", "decoder_channels": [16, 16, 8, 8, 8]},
    "dpt": {"encoder": "test_vit"},
}
FIRST_TRAINED = {
    "test_efficientnet": "blocks.3",
    "test_resnet": "layer3",
    "test_convnext": "stages_2",
    "test_vit": "blocks.1",
}


def tiny(option, **changes):
    """A segmenter of a YAML file with a network of timm for tests as its encoder."""
    config = OmegaConf.load(config_dir() / "segmenter" / f"{option}.yaml")
    config.update(
        {key: one for key, one in {**TINY, **OWN.get(option, {})}.items() if key in config}
    )
    config.update(changes)
    torch.manual_seed(0)
    return instantiate(config, _convert_="all")(num_classes=len(NAMES))


@pytest.fixture(scope="module", params=OPTIONS)
def option(request):
    return request.param


@pytest.fixture(scope="module")
def shared(option):
    """A segmenter that no test changes for the next one."""
    return tiny(option).eval()


@pytest.fixture
def segmenter(shared):
    return shared.eval().requires_grad_(True)


def test_logits_are_finite_and_have_the_size_of_the_image(segmenter):
    torch.manual_seed(1)
    with torch.inference_mode():
        for size in [(37, 51), (64, 96), (17, 33)]:
            images = torch.rand(2, 3, *size)
            logits = segmenter(images)
            assert logits.shape == (2, 4, *size)
            assert logits.isfinite().all()
            assert torch.equal(segmenter(images), logits)


def test_pixels_are_seen_where_they_are(segmenter):
    """A change in one corner changes logits more there than in the corner across."""
    torch.manual_seed(1)
    images = torch.rand(1, 3, 128, 128)
    changed = images.clone()
    changed[..., :32, 96:] = 1 - changed[..., :32, 96:]
    with torch.inference_mode():
        moved = (segmenter(changed) - segmenter(images)).abs().mean(dim=(0, 1))
    assert moved[:32, 96:].mean() > 1.5 * moved[96:, :32].mean()


def test_training_reaches_all_layers_and_leaves_the_encoders_statistics(option):
    network = tiny(option).to(memory_format=torch.channels_last).train()
    encoder, decoder = network.network.encoder, network.network.decoder
    kept = {name: one.clone() for name, one in encoder.named_buffers()}
    learnt = {name: one.clone() for name, one in decoder.named_buffers()}
    masks = torch.randint(0, 4, (2, 64, 64))
    F.cross_entropy(network(torch.rand(2, 3, 64, 64)), masks).backward()
    grads = {name: one.grad for name, one in network.named_parameters()}
    assert [name for name, one in grads.items() if one is None or not one.isfinite().all()] == []
    for part in (encoder, decoder):
        assert sum(one.grad.abs().sum() for one in part.parameters()) > 0
    assert all(torch.equal(one, kept[name]) for name, one in encoder.named_buffers())
    means = [name for name in learnt if name.endswith("running_mean")]
    assert not means or any(
        not torch.equal(decoder.get_buffer(name), learnt[name]) for name in means
    )
    network.eval()
    assert not any(module.training for module in network.modules())


def test_the_same_seed_makes_the_same_network(option, segmenter):
    again = tiny(option).state_dict()
    assert all(torch.equal(one, again[name]) for name, one in segmenter.state_dict().items())


def test_saved_networks_come_back_with_their_options(segmenter, tmp_path):
    save_segmenter(tmp_path, segmenter, NAMES)
    found, names = load_segmenter(tmp_path)
    assert names == NAMES
    assert json.loads(json.dumps(found.described)) == json.loads(json.dumps(segmenter.described))
    images = torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        assert torch.equal(found(images), segmenter(images))


def test_evidence_of_a_classifier_is_added(segmenter):
    classifier = SplitClassifier.linear(TimmBackbone("test_efficientnet", output_stride=32), 3)
    torch.nn.init.normal_(classifier.eval().head.weight, std=2)
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        alone = segmenter(images)
        segmenter.take_evidence(classifier, 0.5)
        found = segmenter(images)
        segmenter.take_evidence(None, 0.0)
        tags = classifier(images).sigmoid()
    expected = torch.cat([torch.zeros(2, 1), 0.5 * tags.log()], 1)[:, :, None, None].expand_as(
        alone
    )
    torch.testing.assert_close(found - alone, expected, rtol=1e-3, atol=1e-4)


def test_layers_before_a_chosen_one_are_frozen(option, segmenter):
    first = FIRST_TRAINED[segmenter.encoder]
    network = tiny(option, trains_from=first)
    trunk = [*network.network.encoder.model.named_parameters()]
    trained = [name.startswith(f"{first}.") for name, _ in trunk].index(True)
    assert [one.requires_grad for _, one in trunk] == [n >= trained for n in range(len(trunk))]
    assert trained > 0
    assert all(one.requires_grad for one in network.network.decoder.parameters())
    images = torch.rand(1, 3, 40, 56)
    with torch.inference_mode():  # Nothing is drawn by it.
        assert torch.equal(network.eval()(images), segmenter(images))


def test_scales_and_shifts_of_batch_norm_may_be_left_as_they_are():
    encoder = tiny("deeplabv2", trains_batch_norm=False).network.encoder.model
    norms = {name for name, one in encoder.named_parameters() if not one.requires_grad}
    # A ResNet's convolutions have weights of four dimensions and no biases.
    assert norms == {name for name, one in encoder.named_parameters() if one.ndim == 1}
    assert len(norms) > 4


def test_seg_grad_cam_explains_by_the_encoders_last_map(segmenter):
    torch.manual_seed(1)
    image = torch.rand(1, 3, 64, 96)
    region = torch.zeros(64, 96, dtype=torch.bool)
    region[16:48, 32:64] = True
    maps = seg_gradcam(segmenter, image, [0, 1, 2, 3], [region] * 4)
    with torch.inference_mode():
        padded = F.pad(segmenter.normalise(image), [0, -96 % segmenter.output_stride])
        found = segmenter.network.encoder(padded)
    last = (found[0] if segmenter.architecture == "DPT" else found)[-1]
    assert maps.shape == (4, *last.shape[2:])
    assert maps.isfinite().all()
    assert (maps.amax(dim=(1, 2)) > 0).any()


def test_folded_batch_norms_change_nothing_but_rounding(segmenter):
    images = torch.rand(1, 3, 64, 96)
    faster = folded(segmenter, segmenter.network)
    with torch.inference_mode():
        torch.testing.assert_close(faster(images), segmenter(images), rtol=1e-3, atol=1e-4)


DIRECT = {
    "deeplabv3plus": lambda: smp.DeepLabV3Plus(
        "tu-test_efficientnet", encoder_weights=None, encoder_output_stride=16, decoder_channels=16,
        classes=4,
    ),
    "pspnet": lambda: smp.PSPNet(
        "tu-test_efficientnet", encoder_weights=None, encoder_depth=5, psp_out_channels=16,
        output_stride=16, upsampling=16, classes=4,
    ),
    "upernet": lambda: smp.UPerNet(
        "tu-test_convnext", encoder_weights=None, decoder_channels=16, classes=4
    ),
    "segformer": lambda: smp.Segformer(
        "tu-test_efficientnet", encoder_weights=None, decoder_segmentation_channels=16, classes=4
    ),
    "unet": lambda: smp.Unet(
        "tu-test_resnet", encoder_weights=None, decoder_channels=[16, 16, 8, 8, 8], classes=4
    ),
    "dpt": lambda: smp.DPT(
        "tu-test_vit", encoder_weights=None, encoder_depth=3, decoder_fusion_channels=16,
        decoder_intermediate_channels=[8, 16, 16], classes=4, dynamic_img_size=True,
    ),
}  # fmt: skip
"""Each as a user of segmentation-models-pytorch makes it."""


@pytest.mark.parametrize("option", DIRECT)
def test_logits_are_those_of_segmentation_models_pytorch(option):
    ours, theirs = tiny(option).eval(), DIRECT[option]().eval()
    lacking = theirs.load_state_dict(ours.network.state_dict(), strict=False)
    assert not lacking.unexpected_keys
    # DPT takes no map from behind the transformer's last block.
    assert {name.split(".")[2] for name in lacking.missing_keys} <= {"norm", "fc_norm", "head"}
    images = torch.rand(2, 3, 64, 96)
    config = timm.get_pretrained_cfg(ours.encoder)
    mean, std = (torch.tensor(one)[:, None, None] for one in (config.mean, config.std))
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs((images - mean) / std), rtol=0, atol=0)


ENCODERS = {
    "test_efficientnet": "Unet",
    "test_resnet": "Unet",
    "test_convnext": "UPerNet",
    "test_mambaout": "UPerNet",
    "test_nfnet": "Unet",
    "test_byobnet": "Unet",
}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_weights_of_a_whole_network_are_found_by_its_encoder(encoder, tmp_path):
    torch.manual_seed(2)
    path = tmp_path / "whole.pth"
    torch.save(timm.create_model(encoder).state_dict(), path)
    ours = Segmenter(ENCODERS[encoder], encoder, str(path), 3).eval()
    reference = timm.create_model(
        encoder, features_only=True, pretrained=True,
        pretrained_cfg_overlay={"file": str(path), "custom_load": False},
    ).eval()  # fmt: skip
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for found, expected in zip(
            ours.network.encoder.model(images), reference(images), strict=True
        ):
            assert torch.equal(found, expected)


def test_weights_of_a_whole_transformer_are_found_by_dpt(tmp_path):
    whole = timm.create_model("test_vit", dynamic_img_size=True).eval()
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    ours = tiny("dpt", weights=str(tmp_path / "whole.pth")).eval()
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        expected = whole.forward_intermediates(
            images, [1, 3, 5], intermediates_only=True, norm=False
        )
        for found, one in zip(ours.network.encoder(images)[0], expected, strict=True):
            assert torch.equal(found, one)


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [
        ("UPerNet", "swin_tiny_patch4_window7_224"),
        ("Segformer", "pvt_v2_b2"),
        ("Segformer", "twins_svt_small"),
        ("DeepLabV2", "resnet101"),
        ("DPT", "vit_small_patch16_dinov3"),
    ],
)
def test_published_pairs_fit(architecture, encoder):
    """Which is tried with an image that Swin, else of one size, was not made for."""
    with torch.device("meta"):  # Without numbers.
        Segmenter(architecture, encoder, None, 20)


@pytest.mark.parametrize(
    ("architecture", "encoder", "options", "said"),
    [
        ("DeepLabV9", "resnet18", {}, r"architecture=DeepLabV9: .*Expected `DeepLabV"),
        ("Unet", "resnett18", {}, "no such network .did you mean 'resnet18'"),
        ("Unet", "test_vit", {}, "Unet cannot be built on it .*feature maps of 4, 8, 16 and 32"),
        ("DeepLabV2", "test_convnext", {"output_stride": 4}, "DeepLabV2's: 8 or 16 or 32"),
        ("DeepLabV2", "test_mambaout", {}, "a convolutional network of timm that can be dilated"),
        ("Segformer", "test_resnet", {"output_stride": 16}, "Segformer's: 32"),
        ("DPT", "test_resnet", {}, "a vision transformer of timm"),
        ("DPT", "test_vit", {"intermediate_channels": [8] * 7}, "cannot exceed the number"),
        ("DPT", "test_vit", {"readout": "mean"}, "readout.*'cat', 'add', 'ignore'"),
        ("Unet", "test_resnet", {"decoder_channels": 16}, "a list of widths, one for each block"),
        ("Unet", "test_resnet", {"decoder_channels": [8, 8]}, "5 widths, from the deepest"),
        ("UPerNet", "test_resnet", {"decoder_channels": 0}, "a whole number, 1 or more"),
        ("DeepLabV2", "test_resnet", {"rates": []}, r"a list of dilations, such as \[6, 12"),
        ("DeepLabV2", "test_resnet", {"decoder_channels": 8}, "such option. Expected one of rates"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(architecture, encoder, options, said):
    with pytest.raises(InvalidOptionError, match=said) as refusal:
        Segmenter(architecture, encoder, None, 3, **options)
    assert refusal.value.needs <= {*FOR_RUN}
