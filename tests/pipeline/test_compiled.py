"""`segment.compiled=true`: the segmenter's steps as programs by torch.compile."""

import shutil

import pytest
import torch

from wsss.errors import WsssError
from wsss.models import Segmenter
from wsss.models.saved_networks import load_segmenter

WORDS = ("stages=[segment]", "segment.compiled=true")


@pytest.fixture
def before_segment(finished, tmp_path):
    """A work folder with the finished stages before the segmenter's."""
    for stage in ("classify", "localize", "refine"):
        folder = finished[stage].folder
        shutil.copytree(folder, tmp_path / stage / folder.name)
    return tmp_path


def test_it_is_compiled_before_it_is_trained_and_changes_no_fingerprint(
    run, finished, before_segment, monkeypatch
):
    compiled = []
    monkeypatch.setattr(Segmenter, "compile", lambda network: compiled.append(network))
    outcome = run(before_segment, *WORDS)["segment"]
    assert [type(one) for one in compiled] == [Segmenter]
    assert outcome.folder.name == finished["segment"].folder.name
    name = "segmenter.safetensors"
    expected = (finished["segment"].folder / name).read_bytes()
    assert (outcome.folder / name).read_bytes() == expected


def test_without_a_compiler_it_is_refused(run, before_segment, monkeypatch):
    monkeypatch.setattr("wsss.machine.compilers.shutil.which", lambda name: None)
    with pytest.raises(WsssError, match=r"segment\.compiled=true.*no C\+\+ compiler"):
        run(before_segment, *WORDS)


@pytest.mark.minutes
@pytest.mark.filterwarnings("ignore")  # Torch's own, of what it compiles.
def test_a_compiled_network_computes_the_same(finished):
    network, _ = load_segmenter(finished["segment"].folder)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images)
        network.compile()
        found = network(images)
    scale = expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * scale)
