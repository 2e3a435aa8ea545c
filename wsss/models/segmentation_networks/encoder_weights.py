"""Weights of whole networks of timm, loaded into encoders, which name their modules otherwise."""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from wsss.models.weights import load_trunk


def load_encoder(trunk: nn.Module, state: Mapping[str, Tensor], weights: str) -> None:
    """Load the parameters of a whole network into timm's `features_only` form of it.

    Args:
        trunk: gets the parameters.
        state: parameters of the whole network, by timm's names.
        weights: the setting that named them, for the error.

    Raises:
        InvalidOptionError: a parameter of the trunk is missing in `state` or has another shape.
    """
    found = {
        name: state[there]
        for name in trunk.state_dict()
        for there in [next((one for one in _names(name) if one in state), None)]
        if there is not None
    }
    load_trunk(trunk, found, weights)


def _names(name: str) -> Iterator[str]:
    """What the whole network may call a parameter of its `features_only` form.

    timm takes a sequence of stages apart (`stages_0` was `stages.0`), or wraps the network as it is
    in a `model`.
    """
    yield name
    yield name.removeprefix("model.")
    first, dot, rest = name.partition(".")
    parts = first.split("_")
    for end in range(len(parts) - 1, 0, -1):
        yield f"{'_'.join(parts[:end])}.{'_'.join(parts[end:])}{dot}{rest}"
