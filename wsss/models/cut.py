"""Any image classifier cut in two: what makes the last feature map, and what comes after it."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

from wsss.errors import user_error
from wsss.models.backbones import Backbone
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.normalisation import Normalisation

_FIXED_SIZE_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, F.adaptive_avg_pool2d)
_REMEDY = (
    "Use a network whose features stay a map until they are pooled, such as timm:resnet50, "
    "timm:tf_efficientnet_lite0, torchvision:vgg16 or torchvision:swin_t."
)


class CutBackbone(Backbone):
    """The part of a classifier up to its last feature map, with images normalised as it expects."""

    def __init__(
        self,
        name: str,
        network: nn.Module,
        normalise: Normalisation,
        side_px: int,
        features: Float[Tensor, "1 k h w"],
    ) -> None:
        """Describe the part.

        Args:
            name: of the whole classifier, such as `timm:resnet50`.
            network: normalised images to the feature map.
            normalise: the statistics of the images it was trained on.
            side_px: side of the square images it was trained on.
            features: its output for such an image.
        """
        super().__init__(name, round(side_px / features.shape[2]))
        self.network = network
        self.num_features = features.shape[1]
        self.normalise = normalise
        self.side_px = side_px
        self.takes_any_size = True
        """Whether the classifier works on images of other sizes than `side_px`, too."""
        self._inner_names = inner_names(network, side_px)

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature map of RGB images in [0, 1]."""
        return self.network(self.normalise(images))  # type: ignore[no-any-return]

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        """The last module at each resolution, shallow to deep: `layer3`, `features.16`."""
        return {name: self.network.get_submodule(name) for name in self._inner_names}


class CutHead(nn.Module):
    """The part of a classifier behind its last feature map, of any form."""

    def __init__(self, network: nn.Module, num_classes: int) -> None:
        """Hold the part, which maps a feature map to `num_classes` logits."""
        super().__init__()
        self.network = network
        self.num_classes = num_classes

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c"]:
        """Logits of a feature map."""
        return self.network(features)  # type: ignore[no-any-return]


class _Surface(fx.Tracer):
    """Writes down the calls of a network itself, each module it calls as a whole.

    Hooks on these modules and on all that lies in them keep firing in the parts.
    """

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """No module is looked into."""
        return True


class _Shapes(fx.Interpreter):
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


@torch.no_grad()
def cut(network: nn.Module, name: str, normalise: Normalisation, side_px: int) -> SplitClassifier:
    """Cut a single-label classifier behind its last feature map; logits stay what they were.

    The network's own `forward` is traced (`torch.fx`); the cut lies behind the last map that more
    than one position is left of, and before a pooling to a fixed size. A head that is global
    average pooling and one linear layer becomes a `LinearHead` with the same weights. The network
    is put into evaluation mode, its parameters need no gradients any more.

    Args:
        network: normalised images [B, 3, H, W] to logits [B, C].
        name: what errors call it, such as `timm:resnet50`.
        normalise: the statistics of the images it was trained on.
        side_px: side of the square images it was trained on.

    Raises:
        WsssError: the network has no such place, or it cannot be traced.
    """
    network.eval().requires_grad_(False)
    try:
        graph = _Surface().trace(network)
        shapes = _Shapes(fx.GraphModule(network, graph))
        logits = shapes.run(torch.zeros(1, 3, side_px, side_px))
    except Exception as error:
        raise user_error(
            name,
            f"the network cannot be followed from image to logits ({_first_line(error)})",
            "a forward pass without branches that depend on the image",
            _REMEDY,
        ) from error
    place = _last_map(network, graph, shapes.found, side_px)
    if place is None:
        raise user_error(
            name,
            "the network passes on tokens or vectors, and no feature map is left before its head",
            "a feature map [K, h, w] that the logits follow from",
            _REMEDY,
        )
    try:
        first, second = _parts(network, graph, place, _channels_last(shapes.found[place]))
    except KeyError as error:
        raise user_error(
            name,
            f"its head also takes `{error.args[0]}` from before the last feature map",
            "a head that sees nothing but the last feature map",
            _REMEDY,
        ) from error
    features = first(torch.zeros(1, 3, side_px, side_px))
    head = linear_head(second, features.shape[1:]) or CutHead(second, logits.shape[1])
    backbone = CutBackbone(name, first, normalise, side_px, features)
    model = SplitClassifier(backbone, head, multi_label=False).eval().requires_grad_(False)
    backbone.takes_any_size = _takes(model, side_px, side_px + 2 * backbone.output_stride)
    return model


def linear_head(head: nn.Module, size: tuple[int, int, int] | torch.Size) -> LinearHead | None:
    """The `LinearHead` that computes what `head` does, with its weights; None if there is none.

    Whether it does is found by computing: both see the same random features in float64.

    Args:
        head: feature maps to logits, in evaluation mode.
        size: K, h and w of the feature maps.
    """
    layers = [m for m in head.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    if len(layers) != 1 or layers[0].weight.flatten(1).shape[1] != size[0]:
        return None
    weight, bias = layers[0].weight.detach().flatten(1), layers[0].bias
    with torch.device("meta"):  # Without drawing weights.
        linear = LinearHead(weight.shape[1], weight.shape[0], bias is not None)
    state = {"linear.weight": weight} | ({} if bias is None else {"linear.bias": bias.detach()})
    linear.load_state_dict(state, assign=True)
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(2, *size, dtype=torch.float64, generator=generator)
    expected = copy.deepcopy(head).double()(probe)
    same = torch.allclose(copy.deepcopy(linear).double()(probe), expected, rtol=1e-9, atol=1e-12)
    return linear if same else None


def inner_names(network: nn.Module, side_px: int) -> tuple[str, ...]:
    """Names of the last modules at each resolution of a feature map, in the order they run.

    They are modules of the network itself (`layer3`) or steps of those (`features.7`). Modules
    that run several times, such as a shared ReLU, are left out: nobody could tell which of their
    outputs is meant.
    """
    calls: list[tuple[str, torch.Size]] = []
    with _noting_calls(network, calls):
        network(torch.zeros(1, 3, side_px, side_px))
    names = [name for name, _ in calls]
    last = {
        shape[2]: name
        for name, shape in calls
        if names.count(name) == 1 and _is_map(shape, side_px) and not _channels_last(shape)
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


def _last_map(
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
    height, width = shape[1:3] if _channels_last(shape) else shape[2:4]
    return 1 < height == width < side_px


def _takes(model: nn.Module, height_px: int, width_px: int) -> bool:
    """Whether a model works on images of a size; what it raises if not is its own affair."""
    try:
        model(torch.zeros(1, 3, height_px, width_px))
    except Exception:
        return False
    return True


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _channels_last(shape: torch.Size) -> bool:
    """Whether the square map of a square image is [B, h, w, K], as Swin transformers have it."""
    return shape[1] == shape[2] != shape[3]


def _parts(
    network: nn.Module, graph: fx.Graph, place: fx.Node, channels_last: bool
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
    if channels_last:
        features = first.call_method("permute", (features, 0, 3, 1, 2))
    first.output(features)
    second = fx.Graph()
    features = second.placeholder("features")
    if channels_last:
        features = second.call_method("permute", (features, 0, 2, 3, 1))
    copies = {place: features}
    for node in nodes[position + 1 :]:
        copies[node] = second.node_copy(node, copies.__getitem__)
    return fx.GraphModule(network, first, "Features"), fx.GraphModule(network, second, "Head")
