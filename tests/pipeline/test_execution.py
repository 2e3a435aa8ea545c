from functools import partial

import pytest

from wsss.artifacts import INPUTS, read_json
from wsss.pipeline.execution import run_stage
from wsss.refine import CrfRefinement, NumbaEngine
from wsss.stage_tools.context import Context


@pytest.mark.parametrize("compiles", [True, False])
def test_a_compilation_is_announced(tmp_path, monkeypatch, caplog, compiles):
    caplog.set_level("INFO")
    monkeypatch.setattr(NumbaEngine, "compiles_first", lambda _: compiles)
    context = Context(source=None, folder=tmp_path / "refine" / "0123")
    stage = partial(lambda _context, method: {"images": 1.0}, method=CrfRefinement(NumbaEngine()))
    assert not run_stage("refine", stage, context, {}, {}).cached
    assert ("refine: the dense CRF is compiled first" in caplog.text) == compiles
    caplog.clear()
    assert run_stage("refine", stage, context, {}, {}).cached
    assert "compiled" not in caplog.text


def test_a_stage_notes_what_it_is_computed_from_before_it_begins(tmp_path):
    context = Context(source=None, folder=tmp_path / "refine" / "0123")
    stage = partial(lambda own: {"classify": len(read_json(own.folder / INPUTS)["classify"])})
    done = run_stage("refine", stage, context, {}, {"inputs": {"classify": "89ab"}})
    assert done.manifest.numbers == {"classify": 4}
