"""Evaluating a caller's network without side effects on it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def unchanged(network: nn.Module) -> Iterator[None]:
    """Evaluation mode without parameter gradients in the block; then the state is restored.

    Restored are the training mode of every module, `requires_grad`, the buffers (statistics of
    BatchNorm, counters), and the states of torch's random generators.
    """
    modes = [(module, module.training) for module in network.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in network.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    gpus = {p.device.index for p in network.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(sorted(gpus)):
        network.eval()
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training  # `train` would also set the modules within.
            for parameter, needs_gradient in flags:
                parameter.requires_grad_(needs_gradient)
            for module, name, buffer, content in buffers:
                module._buffers[name] = buffer
                # Even a write of equal values would invalidate a graph before its `backward`.
                if not torch.equal(buffer, content):
                    with torch.no_grad():
                        buffer.copy_(content)
