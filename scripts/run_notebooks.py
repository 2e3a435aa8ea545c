#!/usr/bin/env python3
"""Run the notebooks of the documentation, and keep what a reader should see of them.

That is text, tables and pictures; progress bars, warnings and times are left out.
"""

import argparse
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"
TIMEOUT_S = 1200


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in a folder; raises where a cell does."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=TIMEOUT_S, kernel_name="python3", resources=where).execute()
    return notebook


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with results only: what was printed, and the value of each cell."""
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [
                one
                for one in cell.outputs
                if one.output_type == "execute_result" or one.get("name") == "stdout"
            ]
            for one in cell.outputs:
                if "image/png" in one.get("data", {}):
                    one.data = {"image/png": one.data["image/png"]}
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(tidy(execute(path, Path(folder))), path)
        print(path)


if __name__ == "__main__":
    main()
