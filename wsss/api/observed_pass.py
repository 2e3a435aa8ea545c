"""One forward pass of a network over an image, at a size that the network takes."""

import re

from jaxtyping import Float
from torch import Tensor, nn

from wsss.api.network_input import Input, sizes_to_try
from wsss.data.pyramids import Size
from wsss.errors import WsssError, user_error
from wsss.machine.memory import out_of_memory
from wsss.models.last_feature_map import LayerCall, noting_calls
from wsss.models.split_by_hooks import logits_of

ABOUT_SIZE = re.compile(
    r"siz|shape|dimension|height|width|pixel|resolution|divisible|spatial|length|mat1|broadcast"
    r"|normalized_shape|input\[",
    re.IGNORECASE,
)
"""Words of errors of networks that were given an image of a wrong size."""


def observed(
    network: nn.Module, given: Input, asked: int | Size | None
) -> tuple[Input, list[LayerCall], Float[Tensor, "1 c"]]:
    """The input at an accepted size, the calls of the network's modules, its logits.

    Raises:
        WsssError: the network takes none of the sizes that were tried, or gives no logits.
    """
    failure, tried = None, []
    for size in sizes_to_try(network, given.picture.shape[:2], asked):
        seen = given.resized(size)
        try:
            with noting_calls(network.named_modules()) as calls:
                output = network(seen.normalise(seen.image))
        except Exception as error:  # A network may refuse a size by any.
            failure = failure or error
            tried.append(f"{size[0]} × {size[1]}")
            continue
        return seen, calls, logits_of(output)
    raise _refusal(failure, f"{', '.join(tried)} px") from failure


def _refusal(failure: Exception | None, tried: str) -> WsssError:
    """The error of a network that fails at the input sizes that were tried."""
    reason = f"{type(failure).__name__}: {failure}".splitlines()[0]
    expected = "a network that takes RGB images [1, 3, height, width]"
    if failure is not None and out_of_memory(failure):
        return user_error(
            "size", f"no memory is left for the image at {tried}", "less than what the device has",
            "Set `size` smaller, such as `size=512`.",
        )  # fmt: skip
    by_size = isinstance(failure, RuntimeError | ValueError | AssertionError | IndexError)
    if by_size and ABOUT_SIZE.search(str(failure)):
        return user_error(
            "model", f"the network refuses the image at {tried} ({reason})", expected,
            "Set `size` to what it takes: `size=32`, or `size=(height, width)`.",
        )  # fmt: skip
    return user_error(
        "model", f"the network fails on the image ({reason})", expected,
        "Mend the network: the error is raised by its own `forward`, see the traceback.",
    )  # fmt: skip
