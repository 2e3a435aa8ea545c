"""Maps that spread along the attention between patches, inside boxes (Lin et al. 2023)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Axes: b = batch, N = patches, row by row.


def sinkhorn(matrix: Float[Tensor, "b N N"], rounds: int) -> Float[Tensor, "b N N"]:
    """Divide columns, then rows, by their sums, `rounds` times (Sinkhorn, 1964).

    The limit is doubly stochastic; after any round rows sum to 1.

    Args:
        matrix: positive.
        rounds: 1 or more.
    """
    for _ in range(rounds):
        matrix = matrix / matrix.sum(dim=1, keepdim=True)
        matrix = matrix / matrix.sum(dim=2, keepdim=True)
    return matrix


def affinity(attention: Float[Tensor, "b N N"], rounds: int, power: int) -> Float[Tensor, "b N N"]:
    """How much patches belong together: `((D + Dᵀ) / 2)^power` of the normalised attention `D`.

    Args:
        attention: between patches, positive; the mean of layers and heads.
        rounds: of `sinkhorn`.
        power: 1 or more.
    """
    balanced = sinkhorn(attention, rounds)
    walked: Tensor = torch.linalg.matrix_power((balanced + balanced.mT) / 2, power)
    return walked


def box_mask(
    maps: Float[Tensor, "*n h w"], threshold: float, open_ends: bool = False
) -> Bool[Tensor, "*n h w"]:
    """Cells inside the bounding box of any connected region of values at or above a threshold.

    Cells touch at their sides and corners. A map of zeros has no box.

    Args:
        maps: not negative.
        threshold: of the maximum of each map, in (0, 1].
        open_ends: as the authors' code has it: a box that reaches the map's last row or column ends
            in front of it.
    """
    import numpy as np
    from scipy.ndimage import find_objects, label

    peak = maps.amax(dim=(-2, -1), keepdim=True)
    above = ((maps >= threshold * peak) & (peak > 0)).cpu().numpy()
    masks = np.zeros_like(above)
    last = tuple(side - 1 for side in above.shape[-2:])
    for index in np.ndindex(above.shape[:-2]):
        for box in find_objects(label(above[index], np.ones((3, 3)))[0]):
            ends = (min(one.stop, end) for one, end in zip(box, last, strict=True))
            rows, columns = map(slice, (one.start for one in box), ends) if open_ends else box
            masks[(*index, rows, columns)] = True
    return torch.from_numpy(masks).to(maps.device)


def spread(
    maps: Float[Tensor, "b n h w"],
    between: Float[Tensor, "b N N"],
    sources: Bool[Tensor, "b n h w"],
) -> Float[Tensor, "b n h w"]:
    """Each cell's sum of what the cells of `sources` give it, `Σ_j A_ij B_j M_j`.

    Args:
        maps: of `n` classes.
        between: between cells.
        sources: cells that give.
    """
    given = (maps * sources).flatten(2)
    return torch.einsum("bij,bnj->bni", between, given).reshape(maps.shape)
