"""Recorded operations, and the way of explanation components back through them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.cams.fg_cam.operations import Prepare
from wsss.errors import WsssError


@dataclass(slots=True)
class Step:
    """One recorded operation; tensors are known by their numbers."""

    inputs: tuple[int, ...]
    output: int
    prepare: Prepare | WsssError
    """An error says why components cannot be carried through."""


def check(steps: list[Step], output: int) -> None:
    """Refuse operations on the way back from `output` that components cannot be carried through.

    Raises:
        WsssError: names the operation and the module it is in.
    """
    wanted = {output}
    for step in reversed(steps):
        if step.output in wanted:
            if isinstance(step.prepare, WsssError):
                raise step.prepare
            wanted.update(step.inputs)


def carry_back(
    steps: list[Step], output: int, components: Float[Tensor, "n b ..."], classes_per_pass: int
) -> Iterator[Float[Tensor, "b ..."]]:
    """Components of the tensor of number 0, class by class; `steps` is emptied.

    Args:
        steps: the operations in the order of the pass.
        output: number of the tensor that the components are of.
        components: for n classes.
        classes_per_pass: classes that are carried back together.

    Raises:
        WsssError: components cannot be carried through one of the operations.
    """
    check(steps, output)
    parts = list(torch.split(components, classes_per_pass))
    del components
    while parts:
        # With the last classes, the tensors of a step are freed as soon as it is done.
        yield from _carried(steps.copy() if len(parts) > 1 else steps, output, parts.pop(0))


def _carried(
    steps: list[Step], output: int, components: Float[Tensor, "n b ..."]
) -> list[Float[Tensor, "b ..."]]:
    """Components of the tensor of number 0, for each class; `steps` is emptied."""
    carried = [{output: one} for one in components]
    del components
    while steps:
        step = steps.pop()
        if step.output not in carried[0]:
            continue
        assert not isinstance(step.prepare, WsssError)
        distribute = step.prepare()
        for one in carried:
            shares = distribute(one.pop(step.output))
            for number, share in zip(step.inputs, shares, strict=True):
                one[number] = one[number] + share if number in one else share
    return [one[0] for one in carried]
