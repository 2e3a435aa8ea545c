"""Scripts without a guard, run as a user would run them."""

import subprocess
import sys

import pytest

POOL = """
from concurrent.futures import ProcessPoolExecutor
from wsss.machine.processes import Spawn

print("script")
with ProcessPoolExecutor(2, Spawn()) as pool:
    print(sum(pool.map(len, ["a", "bb"])))
"""
LOADER = """
import multiprocessing
multiprocessing.set_start_method("spawn")  # as on macOS and Windows

from torch.utils.data import DataLoader
from wsss.machine.processes import loader_context

print("script")
print(sum(map(len, DataLoader(range(6), batch_size=3, num_workers=1,
                              multiprocessing_context=loader_context(1)))))
"""

OWN_METHOD = """
import multiprocessing, multiprocessing.context
from concurrent.futures import ProcessPoolExecutor
from wsss.machine.processes import Spawn

class Own(multiprocessing.context.SpawnContext):  # known in this process only, as joblib's loky
    _name = "own"

multiprocessing.context._concrete_contexts["own"] = Own()
multiprocessing.set_start_method("own")
with ProcessPoolExecutor(1, Spawn()) as pool:
    print(sum(pool.map(len, ["a", "bb"])), multiprocessing.get_start_method())
"""


def test_processes_start_below_a_library_with_a_start_method_of_its_own(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(OWN_METHOD)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "own"]


@pytest.mark.parametrize(("script", "result"), [(POOL, "3"), (LOADER, "6")], ids=["pool", "loader"])
def test_a_script_without_a_guard_is_run_once(tmp_path, script, result):
    path = tmp_path / "script.py"
    path.write_text(script)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["script", result]
