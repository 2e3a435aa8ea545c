"""A second network whose attention a method uses: a vision transformer beside the classifier."""

from wsss.errors import InvalidOptionError
from wsss.models.vit import VitBackbone


def second_network(network: object) -> VitBackbone | None:
    """The network itself, put into evaluation mode and frozen in place.

    Raises:
        InvalidOptionError: it is no `VitBackbone`, or one without an attention for each layer.
    """
    if network is None:
        return None
    if not isinstance(network, VitBackbone) or not network.has_attention:
        expected = "a VitBackbone, whose architecture is its `name`"
        raise InvalidOptionError("attention_network", network, expected)
    return network.eval().requires_grad_(False)
