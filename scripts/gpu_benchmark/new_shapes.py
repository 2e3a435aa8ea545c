"""What the first pass of a shape costs a network, by how it computes and by kind of layer."""

import random
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gpu_benchmark.parts import Found, table
from gpu_benchmark.run_settings import BF16, FLOAT32, TF32, Composed
from gpu_benchmark.waiting import middle, seconds_of, synchronise
from wsss.machine.numerics import numerics_kept, set_numerics

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Setting:
    """How a network computes; the first below is the project's own on a GPU."""

    channels_last: bool = False
    deterministic: bool = True
    precision: str = FLOAT32
    cudnn: bool = True

    @property
    def name(self) -> str:
        """What it is called in tables."""
        words = ["channels last" if self.channels_last else "contiguous", self.precision]
        words.append("deterministic" if self.deterministic else "any algorithm")
        return ", ".join([*words, *(() if self.cudnn else ("no cuDNN",))])


SETTINGS = [
    Setting(channels_last, **more)
    for channels_last in (False, True)
    for more in (
        {},
        {"deterministic": False},
        {"precision": TF32},
        {"precision": BF16},
        {"cudnn": False},
    )
]
BATCH = 12
"""More than batches of the pipeline, whose shapes this process may know from another part."""
KINDS = DEPTHWISE, POINTWISE, CONVOLUTIONS, OTHERS = (
    "depthwise", "pointwise", "convolutions", "others",
)  # fmt: skip
CELLS = range(14, 36)
CELL_PX = 16
WARM_UP, BY_LAYER = 1, 1
"""Shapes that start libraries, and those on which each layer is waited for."""


def new_shapes_part(
    found: Found,
    composed: Composed,
    device: torch.device,
    seconds: float,
    batch: int = BATCH,
    cells: Sequence[int] = CELLS,
) -> None:
    """Pass images of ever new shapes through the classifier's backbone.

    Args:
        found: takes milliseconds of first and later passes.
        composed: the run whose backbone is measured.
        device: where it computes.
        seconds: how long a setting is measured.
        batch: images of a pass.
        cells: heights and widths of the images, in units of 16 px.
    """
    sizes = [(CELL_PX * height, CELL_PX * width) for height in cells for width in cells]
    random.Random(0).shuffle(sizes)
    share = len(sizes) // len(SETTINGS)
    results = found.numbers["settings"] = {}
    found.numbers["cudnn"] = torch.backends.cudnn.version()
    rows = []
    for number, setting in enumerate(SETTINGS):
        own = sizes[number * share : (number + 1) * share]  # No shape comes twice.
        one = results[setting.name] = measured(composed, setting, own, batch, device, seconds)
        layers = one["by_layer_ms"]
        extra = [layers[kind]["first"] - layers[kind]["again"] for kind in KINDS if kind in layers]
        rows.append(
            [setting.name, str(one["shapes"]), _ms(one["first_ms"]), _ms(one["worst_ms"]),
             _ms(one["again_ms"]), *map(_ms, extra)]
        )  # fmt: skip
    head = ["ms of a pass", "shapes", "first", "worst", "again", *layers]
    title = f"New shapes, {batch} images; by kind of layer the first pass less a later one"
    found.tables.append(table(title, head, rows))


def measured(
    composed: Composed,
    setting: Setting,
    sizes: Sequence[Size],
    batch: int,
    device: torch.device,
    seconds: float,
) -> dict[str, Any]:
    """Medians of the first and a later pass of each shape, in milliseconds, and layer by layer."""
    form = torch.channels_last if setting.channels_last else torch.contiguous_format
    first, again = [], []
    with computing_so(setting, device):
        network = composed.stage("classify").keywords["backbone"](freeze="backbone")
        network = network.to(device, memory_format=form).eval()

        def drawn(size: Size) -> Tensor:
            images = torch.rand(batch, 3, *size, device=device)
            return images.contiguous(memory_format=form)

        end = time.perf_counter() + seconds
        for number, size in enumerate(sizes[:-BY_LAYER]):
            images = drawn(size)
            passes = [seconds_of(partial(network, images), device) for _ in range(3)]
            if number >= WARM_UP:
                first.append(1e3 * passes[0])
                again.append(1e3 * min(passes[1:]))
            if time.perf_counter() > end and first:
                break
        layers = by_layer(network, drawn(sizes[-1]), device)
    return {
        "shapes": len(first),
        "first_ms": middle(first),
        "worst_ms": max(first, default=None),
        "again_ms": middle(again),
        "by_layer_ms": layers,
    }


@contextmanager
def computing_so(setting: Setting, device: torch.device) -> Iterator[None]:
    """Compute in the block as a setting says, without gradients and without warnings."""
    enabled = torch.backends.cudnn.enabled
    lower = torch.autocast(device.type, torch.bfloat16) if setting.precision == BF16 else None
    with numerics_kept(), warnings.catch_warnings(), torch.no_grad(), lower or nullcontext():
        warnings.simplefilter("ignore")
        set_numerics(setting.deterministic, True, False, setting.precision == TF32)
        torch.backends.cudnn.enabled = setting.cudnn
        try:
            yield
        finally:
            torch.backends.cudnn.enabled = enabled


def by_layer(
    network: nn.Module, images: Tensor, device: torch.device
) -> dict[str, dict[str, float]]:
    """Milliseconds of a first and of a later pass in each kind of layer, each waited for."""
    passes: list[dict[str, float]] = []
    for _ in range(3):
        spent: dict[str, float] = defaultdict(float)
        with layers_timed(network, spent, device):
            network(images)
        passes.append(spent)
    return {
        kind: {"first": passes[0][kind], "again": min(passes[1][kind], passes[2][kind])}
        for kind in KINDS
        if kind in passes[0]
    }


@contextmanager
def layers_timed(
    network: nn.Module, spent: dict[str, float], device: torch.device
) -> Iterator[None]:
    """Add the milliseconds of every layer of the network to those of its kind in `spent`."""
    starts: dict[nn.Module, float] = {}

    def before(layer: nn.Module, _: Any) -> None:
        synchronise(device)
        starts[layer] = time.perf_counter()

    def after(layer: nn.Module, *_: Any) -> None:
        synchronise(device)
        spent[kind_of(layer)] += 1e3 * (time.perf_counter() - starts[layer])

    leaves = [module for module in network.modules() if not any(module.children())]
    handles = [leaf.register_forward_pre_hook(before) for leaf in leaves]
    handles += [leaf.register_forward_hook(after) for leaf in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def kind_of(layer: nn.Module) -> str:
    """Depthwise, pointwise or another convolution, or no convolution."""
    if not isinstance(layer, nn.Conv2d):
        return OTHERS
    if layer.groups > 1:
        return DEPTHWISE
    return POINTWISE if layer.kernel_size == (1, 1) else CONVOLUTIONS


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
