"""A network's own calls written down, and where its feature maps are."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

_FIXED_SIZE_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, F.adaptive_avg_pool2d)


class Surface(fx.Tracer):
    """Writes down the calls of a network itself, each module it calls as a whole.

    Hooks on these modules and on all that lies in them keep firing in the parts.
    """

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """No module is looked into."""
        return True


class ShapeNotes(fx.Interpreter):
    """Runs a graph and notes the shape of what every node gives."""

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
        """Call a module, with lists it may write to."""
        plain = tuple(list(one) if isinstance(one, list) else one for one in args)
        return super().call_module(target, plain, kwargs)


def black_image(network: nn.Module, height_px: int, width_px: int) -> Float[Tensor, "1 3 H W"]:
    """An image of zeros, of the type and on the device of a network's parameters."""
    first = next(network.parameters(), torch.empty(0))
    return torch.zeros(1, 3, height_px, width_px, device=first.device, dtype=first.dtype)


def inner_names(network: nn.Module, side_px: int) -> tuple[str, ...]:
    """Names of the last modules at each resolution of a feature map, in the order they run.

    They are modules of the network itself (`layer3`) or steps of those (`features.7`). Modules
    that run several times, such as a shared ReLU, are left out: nobody could tell which of their
    outputs is meant.
    """
    calls: list[tuple[str, torch.Size]] = []
    with _noting_calls(network, calls):
        network(black_image(network, side_px, side_px))
    names = [name for name, _ in calls]
    last = {
        shape[2]: name
        for name, shape in calls
        if names.count(name) == 1 and _is_map(shape, side_px) and not channels_last(shape)
    }
    return tuple(sorted(last.values(), key=names.index))


@contextmanager
def _noting_calls(network: nn.Module, calls: list[tuple[str, torch.Size]]) -> Iterator[None]:
    """Note name and output shape of the modules that run in the block, if they give a tensor."""

    def noting(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                calls.append((name, output.shape))

        return hook

    steps = dict(network.named_children())
    # Steps of a step are looked at where they follow each other, for elsewhere they are branches.
    for name, step in network.named_children():
        if isinstance(step, nn.Sequential):
            steps |= {f"{name}.{inner}": module for inner, module in step.named_children()}
    handles = [
        module.register_forward_hook(noting(name))
        for name, module in steps.items()
        if not isinstance(module, nn.Identity)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


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
    """Whether a shape is a feature map's, of a square image of `side_px`: in either layout."""
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
    """The network up to and including the node `place`, and what follows it; in between [B,K,h,w].

    Raises:
        KeyError: what follows needs something that was computed before.
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
