"""Weights drawn anew, block by block from the head to the input.

Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim, Sanity Checks for Saliency Maps, NeurIPS 2018:
cascading randomisation.
"""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from wsss.explain.sanity.network_blocks import Block
from wsss.models.classifier import SplitClassifier


def cascade(
    model: SplitClassifier, blocks: Sequence[Block], seed: int
) -> Iterator[tuple[str, SplitClassifier]]:
    """Copies of a classifier with more and more weights drawn anew, each with its step's name.

    Every block is drawn from a seed of its own: the same seed gives the same weights, whatever
    device the classifier is on and whatever was drawn before. The classifier stays as it is.

    Args:
        model: the classifier.
        blocks: in the order of the cascade.
        seed: ≥ 0.
    """
    device = next(model.parameters()).device
    former = copy.deepcopy(model).cpu()
    for step, block in enumerate(blocks):
        # A copy for each step: methods may keep notes about a network that they know.
        former = copy.deepcopy(former)
        randomise([former.get_submodule(name) for name in block.modules], [seed, step])
        yield block.title, copy.deepcopy(former).to(device)


@torch.no_grad()
def randomise(modules: Sequence[nn.Module], seed: Sequence[int]) -> None:
    """Draw the parameters that modules hold themselves anew, in place; on the CPU.

    A module with `reset_parameters` is reset by it, to what it began with before any training; a
    batch norm forgets its statistics, too. The parameters of other modules (position embeddings,
    class tokens, scales of layers) are shuffled, each among its own values: they keep their
    distribution and lose what they know. Other buffers, such as the colours that images are
    normalised by, are not learned, and stay.

    Args:
        modules: on the CPU.
        seed: numbers ≥ 0, which torch's global generator is not touched by.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([*seed]).generate_state(1)[0]))
        for module in modules:
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in module.parameters(recurse=False):
                places = torch.randperm(parameter.numel())
                parameter.copy_(parameter.flatten()[places].view_as(parameter))
