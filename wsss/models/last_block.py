"""Cutting a network before its last stage."""

import copy
from typing import Any, cast

from torch import fx, nn

from wsss.errors import UnsupportedError
from wsss.models.backbones import Backbone
from wsss.models.traced_graph import parts


class _Whole(nn.Module):
    """The network of a backbone from normalised images to its features."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Any) -> Any:
        features = getattr(self.network, "forward_features", self.network)
        return features(images)


class _Calls(fx.Tracer):
    """Traces into the modules that contain `inner`; all other modules are leaves."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """True but for the modules that contain `inner`."""
        return m is self.inner or all(one is not self.inner for one in m.modules())


def boundary(backbone: Backbone) -> nn.Module:
    """The module whose output is the last stage's input: the last but one of the inner layers.

    Raises:
        WsssError: the network has no two stages.
    """
    layers = [*backbone.inner_layers.values()]
    if len(layers) < 2:
        raise _undivided(backbone, f"it has {len(layers)} inner layers", "two stages or more")
    return layers[-2]


def cut_before_last_stage(backbone: Backbone) -> tuple[nn.Module, nn.Module]:
    """The network up to its last stage, and a copy of the rest.

    The first maps RGB in [0, 1] to the output of `boundary` and has the backbone's own modules; the
    second maps that to the features [B, K, h, w].

    Raises:
        WsssError: the network has no two stages, or its last one has further inputs.
    """
    inner = boundary(backbone)
    whole = _Whole(backbone.network)
    graph = _Calls(inner).trace(whole)
    [place] = [
        node
        for node in graph.nodes
        if node.op == "call_module" and whole.get_submodule(cast("str", node.target)) is inner
    ]
    try:
        first, second = parts(whole, graph, place, turned=False)
    except KeyError as error:
        came = f"its last stage also takes `{error.args[0]}` from before"
        expected = "a last stage that sees nothing but the stage before it"
        raise _undivided(backbone, came, expected) from error
    # Without the modules of the first part, or the copy would hold their weights, too.
    second.delete_all_unused_submodules()
    return nn.Sequential(backbone.normalise, first), copy.deepcopy(second)


def _undivided(backbone: Backbone, came: str, expected: str) -> UnsupportedError:
    """The error for a network without a separable last stage."""
    remedy = "Use a convolutional network, such as EfficientNet-Lite0 or ResNet-50."
    return UnsupportedError(backbone.name, came, expected, remedy, {"last stage"})
