"""The traced graph of a network (`torch.fx`), and its feature maps."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

from wsss.models.last_feature_map import noting_calls

_FIXED_SIZE_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, F.adaptive_avg_pool2d)


class Surface(fx.Tracer):
    """Traces a network's own `forward`; every module it calls is a leaf.

    Hooks on these modules and their submodules keep firing in the parts.
    """

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """True: no submodule is traced."""
        return True


class ShapeNotes(fx.Interpreter):
    """Runs a graph and records the output shape of every node."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.found: dict[fx.Node, torch.Size] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run a node as usual."""
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.found[n] = value.shape
        return value

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a module with mutable lists in place of fx's immutable ones."""
        plain = tuple(list(one) if isinstance(one, list) else one for one in args)
        return super().call_module(target, plain, kwargs)


def black_image(network: nn.Module, height_px: int, width_px: int) -> Float[Tensor, "1 3 H W"]:
    """An image of zeros, of the type and on the device of a network's parameters."""
    first = next(network.parameters(), torch.empty(0))
    return torch.zeros(1, 3, height_px, width_px, device=first.device, dtype=first.dtype)


def inner_names(network: nn.Module, side_px: int) -> tuple[str, ...]:
    """Names of the last modules at each resolution of a feature map, in the order they run.

    They are children of the network (`layer3`) or steps of its `nn.Sequential` children
    (`features.7`); children of other modules may be parallel branches. Modules that run several
    times, such as a shared ReLU, are left out, as their name is ambiguous.
    """
    steps = dict(network.named_children())
    for name, step in network.named_children():
        if isinstance(step, nn.Sequential):
            steps |= {f"{name}.{inner}": module for inner, module in step.named_children()}
    kept = [(name, step) for name, step in steps.items() if not isinstance(step, nn.Identity)]
    with noting_calls(kept) as calls:
        network(black_image(network, side_px, side_px))
    names = [call.name for call in calls]
    last = {
        call.shape[2]: call.name
        for call in calls
        if names.count(call.name) == 1
        if _is_map(call.shape, side_px) and not channels_last(call.shape)
    }
    return tuple(sorted(last.values(), key=names.index))


def last_map(
    network: nn.Module, graph: fx.Graph, shapes: Mapping[fx.Node, torch.Size], side_px: int
) -> fx.Node | None:
    """The node whose output is the last feature map; None if there is none, or tokens follow it."""
    found = None
    for node in graph.nodes:
        shape = shapes.get(node)
        if shape is None or node.op == "output":
            continue
        if _is_map(shape, side_px) and not _pools_to_fixed_size(network, node):
            found = node
        elif len(shape) == 3 and min(shape[1:]) > 1:
            found = None
    return found


def _pools_to_fixed_size(network: nn.Module, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(network.get_submodule(str(node.target)), _FIXED_SIZE_POOLS[:2])
    return node.target is _FIXED_SIZE_POOLS[2]


def _is_map(shape: torch.Size, side_px: int) -> bool:
    """Whether a shape is that of a feature map of a square image, in either memory layout."""
    if len(shape) != 4:
        return False
    height, width = shape[1:3] if channels_last(shape) else shape[2:4]
    return 1 < height == width < side_px


def channels_last(shape: torch.Size) -> bool:
    """Whether the square map of a square image is [B, h, w, K], as Swin transformers have it."""
    return shape[1] == shape[2] != shape[3]


def parts(
    network: nn.Module, graph: fx.Graph, place: fx.Node, turned: bool
) -> tuple[fx.GraphModule, fx.GraphModule]:
    """The network up to and including the node `place`, and the rest; in between [B, K, h, w].

    Raises:
        KeyError: the rest has another input from before `place`.
    """
    nodes = list(graph.nodes)
    position = nodes.index(place)
    first, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in nodes[: position + 1]:
        copies[node] = first.node_copy(node, copies.__getitem__)
    features = copies[place]
    if turned:
        features = first.call_method("permute", (features, 0, 3, 1, 2))
    first.output(features)
    second = fx.Graph()
    features = second.placeholder("features")
    if turned:
        features = second.call_method("permute", (features, 0, 2, 3, 1))
    copies = {place: features}
    for node in nodes[position + 1 :]:
        copies[node] = second.node_copy(node, copies.__getitem__)
    return fx.GraphModule(network, first, "Features"), fx.GraphModule(network, second, "Head")
