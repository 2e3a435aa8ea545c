import os
import subprocess
import sys

import pytest

from wsss.machine.cores import usable_cores

WITHOUT_AFFINITY = """
import os, sys
del os.sched_getaffinity
from wsss.cli.main import main

for command in ("check", "run"):
    sys.argv = ["wsss", command, *words]
    main()
"""


def test_all_cores_count_where_the_system_tells_no_share(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores() == os.cpu_count()


@pytest.mark.slow
def test_the_commands_work_where_there_is_no_affinity(tmp_path):
    words = [
        "data.num_train=4",
        "data.num_val=2",
        "data.size_px=64",
        "stages=[classify,localize,refine]",
        "classify.max_epochs=1",
        "classify.feature_windows=0",
        "localize.scales.factors=[1.0]",
        f"work_dir={tmp_path}",
    ]
    code = WITHOUT_AFFINITY.replace("*words", f"*{words!r}")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("refine/*/masks/*.png"))) == 4
