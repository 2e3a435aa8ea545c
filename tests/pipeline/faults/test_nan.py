"""A loss that is no number."""

import pytest


@pytest.mark.minutes
@pytest.mark.parametrize("stage", ["classify", "affinity", "segment"])
def test_the_images_of_the_batch_are_named_and_a_lower_rate_goes_through(
    start, whole, copied, of_affinity, kept, told_once, said, results, tmp_path, stage
):
    copied(whole, tmp_path, until=stage)
    before = kept(tmp_path)
    words = [*of_affinity, f"stages=[{stage}]"]
    process = start(tmp_path, *words, f"{stage}.lr=1e25")
    told_once(process, "is NaN or infinite", f"Lower {stage}.lr")
    text = said(process)
    assert f"╮{stage},epoch" in text
    assert "(imagestrain_" in text
    assert kept(tmp_path) == before
    again = start(tmp_path, *words)
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert results(tmp_path, stage) == results(whole, stage)
