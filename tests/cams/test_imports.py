import subprocess
import sys

IMPORT_ALL = """
import importlib, pkgutil, sys
import wsss.cams

for module in pkgutil.walk_packages(wsss.cams.__path__, "wsss.cams."):
    importlib.import_module(module.name)
print(*sorted({"scipy", "sklearn", "torchmetrics"} & set(sys.modules)))
"""


def test_methods_load_slow_libraries_only_when_they_use_them():
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
