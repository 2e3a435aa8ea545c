"""What runs on a device."""

from importlib.util import find_spec

import pytest
import torch

from wsss.machine.devices import runs_triton


@pytest.mark.parametrize("interprets", [False, True])
def test_triton_runs_on_cuda_or_in_its_interpreter(monkeypatch, interprets):
    monkeypatch.setenv("TRITON_INTERPRET", str(int(interprets)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    installed = find_spec("triton") is not None
    assert runs_triton(torch.device("cuda")) == installed
    assert runs_triton(torch.device("cpu")) == (installed and interprets)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert runs_triton(torch.device("cuda")) == (installed and interprets)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    # ROCm calls its devices "cuda", too.
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert runs_triton(torch.device("cuda")) == (installed and interprets)
    monkeypatch.setattr("wsss.machine.devices.find_spec", lambda name: None)
    assert not runs_triton(torch.device("cuda"))
