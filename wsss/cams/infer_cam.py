"""Class-conditional response maps (Sun et al., Inferring the Class Conditional Response Map)."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from wsss.argument_checks import check_choice, check_fraction, check_positive, check_whole
from wsss.cams.cam import class_activation_maps
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.needs import Need
from wsss.cams.core.postprocess import PUBLISHED_EPSILON, normalise_max, resize
from wsss.errors import InvalidOptionError
from wsss.machine.memory import return_freed_memory
from wsss.models.classifier import LinearHead, SplitClassifier

PIXELS_PER_PASS = 2**20
"""Most image pixels in one forward pass, so that memory stays bounded: one view of 1024 px."""
Patch = tuple[int, int, int, int]
"""A rectangle of an image: first row, row after the last, first column, column after the last."""


class InferCAM(CamMethod):
    """Response maps of overlapping patches, whose strongest responses are erased, round by round.

    1. The multi-scale CAM of the image gives every class a centre of mass. Four overlapping patches
       reach from the corners to beyond the centres. With three or more classes: one, the image.
    2. In each patch, round by round, the response `R` becomes `max(R, N)`, where `N` is the patch's
       multi-scale CAM, and pixels with `max_c R ≥ 0.7` are replaced by the patch's mean colour. It
       ends after five rounds or when a round erases less than 2 % of the patch.
    3. The response of the image is the maximum over its patches.

    The algorithm is that of the authors' published code. The deliberate differences: erased regions
    are mirrored with the mirrored image and resized from full size at every scale
    (`compat="official"` does neither), patches end at the image's border and are not saved as JPEG.
    The loss for training a segmenter that the paper adds is left out.
    """

    needs = frozenset({Need.LINEAR_HEAD})
    provenance = Provenance(
        "Sun et al., Inferring the Class Conditional Response Map for Weakly Supervised Semantic "
        "Segmentation, WACV 2022"
    )
    sees_scales = True

    def __init__(
        self,
        *,
        scales: Sequence[float] = (1.0, 0.5, 1.5, 2.0),
        max_rounds: int = 5,
        erase_threshold: float = 0.7,
        min_erased_fraction: float = 0.02,
        buffers_px: Sequence[int] = (10, 20),
        compat: Literal["official"] | None = None,
    ) -> None:
        """Set the options, whose defaults are the authors'.

        Args:
            scales: factors of a patch's sides; each is also seen mirrored.
            max_rounds: most rounds of erasing in a patch.
            erase_threshold: response from which a pixel is erased; above 1 nothing is.
            min_erased_fraction: of a patch's pixels; a round that erases less is the last.
            buffers_px: how far patches reach beyond the centres, in pixels, for one class, for two,
                …; an image of more classes is not split.
            compat: `official` treats the erased region as the authors' code does.

        Raises:
            ValueError: an option is out of its range.
        """
        check_choice((None, "official"), compat=compat)
        if not scales:
            raise InvalidOptionError("scales", tuple(scales), "one or more")
        for factor in scales:
            check_positive(scales=factor)
        check_whole(1, max_rounds=max_rounds)
        check_positive(erase_threshold=erase_threshold)
        check_fraction(min_erased_fraction=min_erased_fraction)
        for buffer in buffers_px:
            check_whole(1, buffers_px=buffer)
        self.scales = tuple(scales)
        self.max_rounds = max_rounds
        self.erase_threshold = erase_threshold
        self.min_erased_fraction = min_erased_fraction
        self.buffers_px = tuple(buffers_px)
        self.compat = compat

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Responses in [0, 1) at image size.

        The present classes of an image are the different ones among its `n`. They share one erased
        region, so a class's response depends on the others.
        """
        responses = []
        for image, image_classes in zip(images, classes, strict=True):
            present, position = image_classes.unique(return_inverse=True)
            responses.append(self._image_response(model, image, present)[position])
        return torch.stack(responses)

    def _image_response(
        self, model: SplitClassifier, image: Float[Tensor, "3 H W"], present: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n H W"]:
        """Maximum over the patches of one image."""
        height, width = image.shape[1:]
        whole = (0, height, 0, width)
        if len(present) > len(self.buffers_px):
            return self._patch_response(model, image, present)
        maps = self._multiscale_maps(model, image, present)
        merged = torch.zeros_like(maps)
        centres = centres_of_mass(maps)
        for patch in corner_patches(centres, (height, width), self.buffers_px[len(present) - 1]):
            top, bottom, left, right = patch
            window = merged[:, top:bottom, left:right]
            # The maps of the whole image are its first round.
            first_round = maps if patch == whole else None
            part = image[:, top:bottom, left:right]
            response = self._patch_response(model, part, present, first_round)
            torch.maximum(window, response, out=window)
        return merged

    def _patch_response(
        self,
        model: SplitClassifier,
        patch: Float[Tensor, "3 h w"],
        present: Int64[Tensor, " n"],
        first_round: Float[Tensor, "n h w"] | None = None,
    ) -> Float[Tensor, "n h w"]:
        """Response of a patch after all rounds of erasing."""
        response = first_round
        if response is None:
            response = self._multiscale_maps(model, patch, present)
        kept = torch.ones(patch.shape[1:], dtype=torch.bool, device=patch.device)
        for _ in range(self.max_rounds - 1):
            still_kept = response.amax(dim=0) < self.erase_threshold
            erased = int(kept.sum()) - int(still_kept.sum())
            if erased / kept.numel() < self.min_erased_fraction:
                break
            kept = still_kept
            maps = self._multiscale_maps(model, patch, present, kept)
            response = torch.maximum(response, maps)
        return response

    def _multiscale_maps(
        self,
        model: SplitClassifier,
        patch: Float[Tensor, "3 h w"],
        present: Int64[Tensor, " n"],
        kept: Bool[Tensor, "h w"] | None = None,
    ) -> Float[Tensor, "n h w"]:
        """CAMs in [0, 1), summed over scales and mirror images, by class maximum + 1e-5."""
        height, width = patch.shape[1:]
        total = patch.new_zeros(len(present), height, width)
        for factor in self.scales:
            size = max(1, round(height * factor)), max(1, round(width * factor))
            masks = None
            if kept is not None:
                scaled = resize_mask(kept, size)
                masks = scaled, scaled if self.compat == "official" else scaled.flip(-1)
                if self.compat == "official":
                    kept = scaled
            maps = _positive_maps(model, resize(patch[None], size), masks, present)
            plain, from_mirror = resize(maps, (height, width))
            total += plain + from_mirror.flip(-1)
        return normalise_max(total, PUBLISHED_EPSILON)


def _positive_maps(
    model: SplitClassifier,
    view: Float[Tensor, "1 3 h w"],
    masks: tuple[Bool[Tensor, "h w"], Bool[Tensor, "h w"]] | None,
    present: Int64[Tensor, " n"],
) -> Float[Tensor, "2 n h2 w2"]:
    """Rectified CAMs of a view and its mirror image, which have the mean colour outside the masks.

    They take one forward pass together, or one each if they are large.
    """
    weight = cast("LinearHead", model.head).weight

    def seen(is_mirrored: bool) -> Float[Tensor, "1 3 h w"]:
        one = view.flip(-1) if is_mirrored else view
        if masks is None:
            return one
        return one.where(masks[is_mirrored], view.mean(dim=(2, 3), keepdim=True))

    def look(views: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n h2 w2"]:
        return class_activation_maps(model.features(views), weight, present.expand(len(views), -1))

    if 2 * view.shape[2] * view.shape[3] <= PIXELS_PER_PASS:
        return look(torch.cat([seen(False), seen(True)])).relu()
    maps = []
    for is_mirrored in (False, True):
        # Passes of other sizes leave free memory in pieces that are too small for this one.
        return_freed_memory()
        maps.append(look(seen(is_mirrored)))
    return torch.cat(maps).relu()


def resize_mask(mask: Bool[Tensor, "h w"], size: tuple[int, int]) -> Bool[Tensor, "h2 w2"]:
    """Resize a mask to `size` (height, width), taking the nearest pixel."""
    # "nearest-exact" because "nearest" is shifted by half a pixel, and so not symmetric.
    return F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].bool()


def centres_of_mass(maps: Float[Tensor, "n h w"]) -> Int64[Tensor, "n 2"]:
    """Row and column of each map's centre of mass, rounded down; the middle of an empty map."""
    height, width = maps.shape[1:]
    masses = maps.double()
    total = masses.sum(dim=(1, 2))
    rows = torch.arange(height, dtype=masses.dtype, device=maps.device)
    columns = torch.arange(width, dtype=masses.dtype, device=maps.device)
    moments = torch.stack([masses.sum(dim=2) @ rows, masses.sum(dim=1) @ columns], dim=1)
    empty = (total == 0)[:, None]
    middle = torch.tensor([height // 2, width // 2], device=maps.device)
    return torch.where(empty, middle, (moments / total.where(total != 0, 1)[:, None]).long())


def corner_patches(
    centres: Int64[Tensor, "n 2"], size: tuple[int, int], buffer_px: int
) -> list[Patch]:
    """The four patches that reach from an image's corners beyond all centres, without repeats.

    Args:
        centres: row and column of every class's centre.
        size: height and width of the image.
        buffer_px: pixels beyond the farthest centre, at least 1; the image's border ends a patch.
    """
    height, width = size
    last_row, last_column = (int(value) + buffer_px for value in centres.amax(dim=0))
    first_row, first_column = (int(value) - buffer_px for value in centres.amin(dim=0))
    rows = (0, min(last_row, height)), (max(first_row, 0), height)
    columns = (0, min(last_column, width)), (max(first_column, 0), width)
    return list(dict.fromkeys((*some_rows, *some) for some_rows in rows for some in columns))
