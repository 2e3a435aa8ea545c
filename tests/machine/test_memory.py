"""What is freed is kept, and given back when asked for; in a process of its own."""

import subprocess
import sys

import pytest

CODE = """
import numpy as np
from wsss.machine.memory import keep_freed_memory, return_freed_memory

def resident_mb():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * 4096 / 2**20

keep_freed_memory()
before = resident_mb()
blocks = [np.ones(2**22) for _ in range(8)]  # 256 MB
held = resident_mb()
kept = np.ones(1)  # above the blocks: what is below can only be given back from inside
del blocks
freed = resident_mb()
return_freed_memory()
print(held - before, freed - before, resident_mb() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_freed_memory_is_kept_until_it_is_returned():
    answer = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    held, freed, returned = (float(word) for word in answer.stdout.split())
    assert held > 240
    assert freed > 240
    assert returned < 40
