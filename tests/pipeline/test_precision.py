"""Settings of precision: they reach every stage, and its fingerprint."""

import numpy as np
import pytest

from wsss.pipeline.fingerprints import common_basis


@pytest.mark.slow
def test_mixed_precision_reaches_every_stage_and_changes_seeds_a_little(
    run, tiny_methods, tmp_path
):
    words = (*tiny_methods["affinity"], "stages=[classify,localize,affinity,propagate,refine]")
    exact = run(tmp_path, *words)
    mixed = run(tmp_path, *words, "trainer.precision=bf16-mixed")
    for stage, outcome in mixed.items():
        assert not outcome.cached
        assert outcome.folder != exact[stage].folder
        assert outcome.manifest.basis["precision"] == "bf16-mixed"
    for stage in ("localize", "propagate"):
        differences = []
        for path in sorted((exact[stage].folder / "seeds").iterdir()):
            with np.load(path) as ours, np.load(mixed[stage].folder / "seeds" / path.name) as other:
                differences.append(abs(ours["maps"].astype(float) - other["maps"]).mean())
        assert 0 < np.mean(differences) < 0.1


def test_what_changes_no_byte_on_a_cpu_renews_nothing(run, tmp_path):
    """A CPU has no TF32, and Lightning several words for a precision."""
    run(tmp_path, "stages=[classify]")
    for word in ("tf32=true", "trainer.precision=32", "trainer.precision='32'"):
        assert run(tmp_path, "stages=[classify]", word)["classify"].cached


def test_tf32_is_in_fingerprints_on_a_gpu():
    assert common_basis(0, {}, (), tf32=True)["tf32"] is True
    assert "tf32" not in common_basis(0, {}, (), tf32=False)
