import pytest
from run_notebooks import NOTEBOOKS, execute


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    notebook = execute(path, tmp_path)
    programs = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in programs] == [*range(1, len(programs) + 1)]
    assert any("image/png" in one.get("data", {}) for cell in programs for one in cell.outputs)
