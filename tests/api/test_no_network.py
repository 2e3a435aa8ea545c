"""What no weights of a hub are needed for asks nobody outside this machine."""

import os
import subprocess
import sys

import pytest

GUARD = """
import os, pathlib, socket

def guarded(owner, name, host_of):
    call = getattr(owner, name)
    def ask(*arguments, **options):
        host = host_of(*arguments)
        if host in (None, "", "localhost", "127.0.0.1", "::1", socket.gethostname()):
            return call(*arguments, **options)
        path = pathlib.Path(os.environ["ASKED_HOSTS"], str(os.getpid()))
        with path.open("a", encoding="utf-8") as note:
            note.write(f"{name} {host}\\n")
        raise OSError("no network")
    setattr(owner, name, ask)

def connected(_, address):
    return address[0] if isinstance(address, tuple) else None  # else a pipe of this machine

guarded(socket, "getaddrinfo", lambda host, *_: host)
guarded(socket, "gethostbyname", lambda host: host)
guarded(socket.socket, "connect", connected)
guarded(socket.socket, "connect_ex", connected)
"""
"""Of every process: notes the hosts that it asks, and does not reach them."""

PROGRAM = """
import os, socket, sys
import wsss
from wsss.cli.main import main

picture, root, *words = sys.argv[1:]
run = wsss.run(words)
assert run.segmenter
assert "albumentations" in sys.modules
for method in ("cam", "gradcam", "recipro_cam"):
    wsss.cam(run.classifier, picture, 0, method=method)
network = ["model=timm:tf_efficientnet_lite0", "weights=package"]
for command in (
    ["check", "data=folder", f"data.root={root}", "workers=1"],
    ["explain", picture, *network, "classes=top1", "cam=cam"],
    ["explain", "--list"],
):
    sys.argv = ["wsss", *command]
    try:
        main()
    except SystemExit as end:
        assert not end.code, command
assert not os.listdir(os.environ["ASKED_HOSTS"])
try:
    socket.getaddrinfo("example.org", 443)
except OSError:
    pass
"""


@pytest.mark.slow
def test_a_run_a_map_and_the_commands_ask_nobody(tmp_path, tiny_run, write_folder):
    asked, guard, root = tmp_path / "asked", tmp_path / "guard", write_folder(masks=True)
    asked.mkdir()
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    unset = {"NO_ALBUMENTATIONS_UPDATE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "WANDB_MODE"}
    environment = {
        **{name: value for name, value in os.environ.items() if name not in unset},
        "PYTHONPATH": os.pathsep.join([str(guard), *filter(None, sys.path)]),
        "ASKED_HOSTS": str(asked),
    }
    stages = "stages=[classify,localize,refine,segment]"
    words = ["data.num_train=6", "data.num_val=1", "data.size_px=64", *tiny_run, stages]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root / "images" / "cat_0.jpg"), str(root), *words],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    notes = "".join(path.read_text(encoding="utf-8") for path in asked.iterdir())
    assert notes == "getaddrinfo example.org\n", done.stderr  # which shows that they are noted
    assert done.returncode == 0, done.stderr
