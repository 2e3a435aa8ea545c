"""Extended-CAM (Kim et al.): maps on the scale of the score, spread by Gaussians."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from wsss.argument_checks import check_choice, check_number
from wsss.cams.core.gradients import class_gradients, differentiable_head
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.extended_cam.receptive_field import Fields, features_and_fields
from wsss.models.classifier import LinearHead, SplitClassifier

RESCALE_MIN_SHARE = 1e-3
"""Maps whose sum is a smaller share of their absolute sum are not rescaled to their logit."""


def linear_coarse_maps(
    features: Float[Tensor, "b k h w"], weight: Float[Tensor, "c k"], classes: Int64[Tensor, "b n"]
) -> Float[Tensor, "b n h w"]:
    """Shares of a linear head's logit, `S_ij = Σ_k W_ck A_k(i,j) / Z`, with `Σ S = f_c - b_c`."""
    cells = features.shape[2] * features.shape[3]
    return torch.einsum("bnk,bkhw->bnhw", weight[classes] / cells, features)


def conservative_weights(
    activations: Float[Tensor, "b k h w"], gradients: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b k"]:
    """Weights with `Σ_ij ω_k A_k = Σ_ij A_k g_k`, `ω_k = Σ A_k g_k / Σ A_k`; 0 for dead channels.

    A map `Σ_k ω_k A_k` sums to `Σ A ⊙ g`, the logit itself for heads of ReLUs without biases.
    """
    masses = activations.sum(dim=(2, 3))
    products = torch.einsum("bkhw,bkhw->bk", activations, gradients)
    return torch.where(masses != 0, products / masses.where(masses != 0, 1), 0)


def rescaled_to(
    maps: Float[Tensor, "b n h w"], logits: Float[Tensor, "b n"]
) -> Float[Tensor, "b n h w"]:
    """Maps scaled to sum to their logits, except where a sum is too near zero to be a divisor."""
    sums = maps.sum(dim=(2, 3))
    bounded = sums.abs() > RESCALE_MIN_SHARE * maps.abs().sum(dim=(2, 3))
    factors = torch.where(bounded, logits / sums.where(bounded, 1), 1)
    return maps * factors[:, :, None, None]


def gaussian_kernel(
    pixels: int, centres: Float[Tensor, " u"], sigma: Float[Tensor, " b"]
) -> Float[Tensor, "b y u"]:
    """Share of every pixel in a cell's value: Gaussians about the cells' centres that sum to 1.

    Normalised over the pixels of the image, so that nothing is lost where a tail is cut off.

    Args:
        pixels: length of the image's side.
        centres: of the cells, in pixels; the first pixel's centre is ½.
        sigma: standard deviation in pixels, of each image or of all.
    """
    grid = torch.arange(pixels, dtype=centres.dtype, device=centres.device) + 0.5
    squares = (grid[:, None] - centres) ** 2
    return (-squares / (2 * sigma[:, None, None] ** 2)).softmax(dim=1)


def gaussian_upsampled(
    maps: Float[Tensor, "b n h w"], rows: Float[Tensor, "_ y h"], columns: Float[Tensor, "_ x w"]
) -> Float[Tensor, "b n y x"]:
    """Maps at image size with the same sums, `U = K_y S K_xᵀ`."""
    return rows[:, None] @ maps @ columns[:, None].transpose(2, 3)


def empirical_sigmas(
    network: nn.Module, images: Images
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Deviations in pixels of the squared gradient that the central cell has by the image.

    One forward and one backward pass through the whole network (Luo et al., Understanding the
    Effective Receptive Field, NeurIPS 2016). NaN where the cell does not depend on the image.
    """
    seen = images.detach().clone().requires_grad_()  # Of inference mode, they could not be.
    features = network(seen.clone())
    centre = features[:, :, features.shape[2] // 2, features.shape[3] // 2].sum()
    (gradients,) = torch.autograd.grad(centre, seen)
    energy = gradients.square().sum(dim=1)

    def deviation(profile: Float[Tensor, "b y"]) -> Float[Tensor, " b"]:
        shares = profile / profile.sum(dim=1, keepdim=True)
        pixels = torch.arange(profile.shape[1], dtype=profile.dtype, device=profile.device)
        mean = shares @ pixels
        return (shares * (pixels - mean[:, None]) ** 2).sum(dim=1).sqrt()

    return deviation(energy.sum(dim=2)), deviation(energy.sum(dim=1))


class ExtendedCAM(CamMethod):
    """Conservative maps, which sum to the logit, spread over each cell's receptive field.

    Reconstruction from the published abstract: the two requirements (same scale as the prediction
    score, Gaussian upsampling) are the paper's; the equations, the width and the alignment are not.
    """

    provenance = Provenance(
        "Kim et al., Extending Class Activation Mapping Using Gaussian Receptive Field, CVIU 2023",
        reconstructed="the equation of the conservative map, the Gaussian's width and alignment",
    )
    needs_gradients = True

    def __init__(
        self,
        *,
        sigma: float | Literal["erf", "stride", "empirical"] = "erf",
        align: Literal["grid", "rf"] = "grid",
        bias: Literal["omit", "spread"] = "omit",
        rescale: bool = False,
    ) -> None:
        """Choose what the paper's abstract leaves open.

        Args:
            sigma: standard deviation in pixels; `erf`, that of the effective receptive field of
                uniform weights; `stride`, half a cell; `empirical`, that of the central cell's
                squared gradient by each image, which costs a pass back through the network.
            align: `grid` centres cells as bilinear resizing does; `rf` at their receptive
                fields' centres.
            bias: of a linear head: left out, or spread over all positions.
            rescale: scale the maps of other heads to sum to their logits, where that is possible.

        Raises:
            ValueError: an option is none of these.
        """
        if sigma not in ("erf", "stride", "empirical"):
            expected = "of pixels above 0, or 'erf', 'stride' or 'empirical'"
            check_number(lambda pixels: pixels > 0, expected, sigma=sigma)
        check_choice(("grid", "rf"), align=align)
        check_choice(("omit", "spread"), bias=bias)
        self.sigma = sigma
        self.shares_score = True
        self.align = align
        self.bias = bias
        self.rescale = rescale

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Signed maps of `n` classes of each image, at image size: shares of the logit."""
        if self.sigma == "erf" or self.align == "rf":
            features, fields = features_and_fields(model.features, images)
        else:
            features, fields = model.features(images), None
        coarse = self._coarse_maps(model.head, features, classes)
        rows, columns = self._kernels(model.features, images, coarse, fields)
        return gaussian_upsampled(coarse, rows, columns)

    def _coarse_maps(
        self, head: nn.Module, features: Float[Tensor, "b k h w"], classes: Int64[Tensor, "b n"]
    ) -> Float[Tensor, "b n h w"]:
        """Conservative maps at the resolution of the features."""
        if isinstance(head, LinearHead):
            maps = linear_coarse_maps(features, head.weight, classes)
            if self.bias == "omit" or head.bias is None:
                return maps
            return maps + (head.bias / maps[0, 0].numel())[classes][:, :, None, None]
        leaf, logits = differentiable_head(head, features)
        weights = [
            conservative_weights(features, gradients)
            for (gradients,) in class_gradients(logits, [leaf], classes)
        ]
        maps = torch.einsum("bnk,bkhw->bnhw", torch.stack(weights, dim=1), features)
        return rescaled_to(maps, logits.detach().gather(1, classes)) if self.rescale else maps

    def _kernels(
        self,
        network: nn.Module,
        images: Images,
        maps: Float[Tensor, "b n h w"],
        fields: Fields | None,
    ) -> tuple[Float[Tensor, "_ H h"], Float[Tensor, "_ W w"]]:
        """Gaussians of the map's rows over the image's rows, and of its columns."""
        strides = [images.shape[axis] / maps.shape[axis] for axis in (2, 3)]
        sigmas = self._sigmas(network, images, strides, fields)
        kernels = []
        for axis, (stride, sigma) in enumerate(zip(strides, sigmas, strict=True)):
            cells = torch.arange(maps.shape[2 + axis], dtype=maps.dtype, device=maps.device)
            centres = (cells + 0.5) * stride
            if self.align == "rf" and fields is not None:
                centres = fields[axis].centre + cells * fields[axis].jump
            kernels.append(gaussian_kernel(images.shape[2 + axis], centres, sigma.to(maps)))
        return kernels[0], kernels[1]

    def _sigmas(
        self, network: nn.Module, images: Images, strides: Sequence[float], fields: Fields | None
    ) -> list[Float[Tensor, " _"]]:
        """Widths in pixels along height and width, of each image or of all."""
        if self.sigma == "empirical":
            measured = empirical_sigmas(network, images)
            return [
                sigma.where(sigma > 0, stride / 2)
                for sigma, stride in zip(measured, strides, strict=True)
            ]
        if self.sigma == "erf" and fields is not None:
            widths = [
                field.sigma or stride / 2 for field, stride in zip(fields, strides, strict=True)
            ]
        elif self.sigma == "stride":
            widths = [stride / 2 for stride in strides]
        else:
            widths = [float(self.sigma)] * 2
        return [torch.tensor([width], dtype=torch.float64) for width in widths]
