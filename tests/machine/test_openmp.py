import os
import subprocess
import sys

import pytest

from wsss.machine.openmp import wait_briefly


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "10000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "passive"}, None),
    ],
)
def test_threads_wait_as_the_user_says_else_briefly(monkeypatch, given, expected):
    environment = dict(given)
    monkeypatch.setattr(os, "environ", environment)
    wait_briefly()
    assert environment.get("GOMP_SPINCOUNT") == expected


def test_a_command_says_so_before_torch_is_there():
    program = (
        "import os, sys, wsss.cli.main as cli\n"
        "assert 'torch' not in sys.modules\n"
        "try: cli.main(['--version'])\n"
        "except SystemExit: print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    plain = {
        key: value for key, value in os.environ.items() if not key.startswith(("GOMP_", "OMP_"))
    }
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, env=plain, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "10000 False"
