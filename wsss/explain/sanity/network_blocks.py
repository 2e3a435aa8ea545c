"""A classifier's blocks, from its head to its input."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.models.classifier import SplitClassifier

HEAD = "head"
FEATURES = "features"


@dataclass(frozen=True, slots=True)
class Block:
    """Modules whose weights are drawn anew in one step."""

    title: str
    modules: tuple[str, ...]
    """Names of modules in the classifier that hold parameters themselves, each in one block."""


@torch.no_grad()
def blocks_of(model: SplitClassifier, image: Float[Tensor, "1 3 H W"]) -> tuple[Block, ...]:
    """The blocks of a classifier in the order of a cascade: the head first, the input last.

    Below the head a block is a part of the network; a part that is a list of parts is taken part by
    part. Their order is that in which they see the image. A normalisation joins the part before it.
    What holds parameters and sees nothing, or stands beside the parts as position embeddings do,
    joins the last block, so that all parameters are in one. Of networks side by side, the blocks at
    the same distance from the head are one.

    Args:
        model: in evaluation mode.
        image: RGB in [0, 1], to see the order by.
    """
    names = {module: name for name, module in model.named_modules()}
    holders = [name for name, module in model.named_modules() if _own(module)]
    order = _order(model, image, names)
    columns = [_blocks(names[one], model, order) for one in model.networks]
    rows = zip_longest(*(column[::-1] for column in columns))  # Aligned at the head.
    found = []
    for row in rows:
        parts = [part for part in row if part is not None]
        titles = dict.fromkeys(title for title, _ in parts)
        found.append(Block(" + ".join(titles), tuple(n for _, inner in parts for n in inner)))
    taken = {name for block in found for name in block.modules}
    rest = [name for name in holders if name not in taken]
    of_features = [name for name in rest if name.split(".")[0] == FEATURES]
    of_head = tuple(name for name in rest if name.split(".")[0] != FEATURES)
    if not found:
        found = [Block(FEATURES, ())]
    found[-1] = Block(found[-1].title, (*found[-1].modules, *of_features))
    return (Block(HEAD, of_head), *found)


def _own(module: nn.Module) -> list[nn.Parameter]:
    return [*module.parameters(recurse=False)]


def _order(model: SplitClassifier, image: Tensor, names: Mapping[nn.Module, str]) -> dict[str, int]:
    """When each module that holds parameters is called for the first time."""
    called: dict[str, int] = {}

    def note(module: nn.Module, *_: object) -> None:
        called.setdefault(names[module], len(called))

    handles = [one.register_forward_pre_hook(note) for one in model.modules() if _own(one)]
    try:
        model(image)
    finally:
        for handle in handles:
            handle.remove()
    return called


def _blocks(
    name: str, model: nn.Module, order: Mapping[str, int]
) -> list[tuple[str, tuple[str, ...]]]:
    """Titles and modules of a network's blocks, the first that sees the image first."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    root = _root(name, model)
    for part in _parts(root, model):
        inner = [n for n in _holders(part, model) if n in order]
        if inner:
            title = part.removeprefix(f"{root}.")
            found.append((min(order[n] for n in inner), title, tuple(inner)))
    blocks: list[tuple[str, tuple[str, ...]]] = []
    for _, title, own in sorted(found):
        widest = max(p.ndim for n in own for p in _own(model.get_submodule(n)))
        if blocks and widest < 2:
            blocks[-1] = (blocks[-1][0], (*blocks[-1][1], *own))
        else:
            blocks.append((title, own))
    return blocks


def _root(name: str, model: nn.Module) -> str:
    """The module that has several parts: wrappers of a single one are looked through."""
    module = model.get_submodule(name)
    inner = _with_parameters(name, module)
    return _root(inner[0], model) if len(inner) == 1 and not _own(module) else name


def _parts(root: str, model: nn.Module) -> Iterator[str]:
    """The parts of a network; lists of parts are opened once."""
    own = _with_parameters(root, model.get_submodule(root))
    for name in own or [root]:
        module = model.get_submodule(name)
        inner = _with_parameters(name, module)
        # `nn.Sequential`, `nn.ModuleList`, and what is left of them where a network was traced.
        is_list = all(child.isdigit() for child, _ in module.named_children())
        yield from inner if inner and is_list else [name]


def _with_parameters(name: str, module: nn.Module) -> list[str]:
    """Names of the children that hold parameters, in themselves or further inside."""
    children = module.named_children()
    return [f"{name}.{own}" for own, child in children if any(True for _ in child.parameters())]


def _holders(name: str, model: nn.Module) -> Sequence[str]:
    """Names of the modules inside that hold parameters themselves."""
    inner = model.get_submodule(name).named_modules(prefix=name)
    return [own for own, module in inner if _own(module)]
