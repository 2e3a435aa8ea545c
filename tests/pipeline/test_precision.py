"""Settings of precision: they reach every stage, and its fingerprint."""

import numpy as np
import pytest


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


def test_tf32_is_another_result(run, tmp_path):
    words = ("stages=[classify]",)
    plain = run(tmp_path, *words)["classify"]
    rounded = run(tmp_path, *words, "tf32=true")["classify"]
    assert not rounded.cached
    assert rounded.manifest.basis["tf32"] is True
    assert "tf32" not in plain.manifest.basis
    assert rounded.manifest.numbers == plain.manifest.numbers  # A CPU has none.
