"""Stages that were interrupted and have damaged checkpoints, or items that are half written."""

import pytest

pytestmark = pytest.mark.minutes


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("how", ["cut", "flipped"])
@pytest.mark.parametrize("stage", ["classify", "affinity", "segment"])
def test_a_damaged_checkpoint(
    start, whole, copied, of_affinity, flip, kept, said, results, tmp_path, stage, how
):
    copied(whole, tmp_path, until=stage)
    before = kept(tmp_path)
    copied(whole, tmp_path)
    (checkpoint,) = tmp_path.glob(f"{stage}/*/checkpoints/*.ckpt")
    for name in ("manifest.json", "checksums.b2sum", "metrics.json"):
        (checkpoint.parents[1] / name).unlink()
    for exported in checkpoint.parents[1].glob("*.safetensors"):
        exported.unlink()
    {"cut": cut, "flipped": flip}[how](checkpoint)
    process = start(tmp_path, *of_affinity, f"stages=[{stage}]")
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")
    text = said(process)
    assert text.count(said(f"{checkpoint}: the file is damaged")) == 1
    assert said("It is removed; its epochs are trained again") in text
    assert results(tmp_path, stage) == results(whole, stage)
    now = kept(tmp_path)
    assert {path: now[path] for path in before} == before


@pytest.mark.parametrize(
    ("stage", "file", "reader"),
    [
        ("localize", "seeds/train_0003.npz", "affinity"),
        ("propagate", "seeds/train_0003.npz", "refine"),
        ("refine", "masks/train_0003.png", "segment"),
    ],
)
def test_a_half_written_item(
    start, whole, copied, of_affinity, said, results, tmp_path, stage, file, reader
):
    """Cut by the disk, and left under the temporary name of a process that was killed."""
    copied(whole, tmp_path, until=reader)
    (path,) = tmp_path.glob(f"{stage}/*/{file}")
    for name in ("manifest.json", "checksums.b2sum", "metrics.json"):
        (path.parents[1] / name).unlink()
    left = path.with_name(f".4711.tmp~{path.name.replace('3', '4')}")
    left.write_bytes(path.read_bytes()[:100])
    cut(path)
    process = start(tmp_path, *of_affinity, f"stages=[{stage},{reader}]")
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")
    assert said(process).count(said(f"{path} is damaged: `{stage}` computes it anew")) == 1
    assert not left.exists()
    assert results(tmp_path, stage, reader) == results(whole, stage, reader)
