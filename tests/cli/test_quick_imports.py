"""timm imported without torch's compiler, in a fresh process each."""

import subprocess
import sys

IMPORTED = """
from wsss.cli.quick_imports import import_timm
import_timm()
import sys, timm, torch
"""


def test_a_program_finds_everything_it_asks_for_afterwards():
    claims = """
assert not {"torch._dynamo", "torch._dynamo.utils", "wandb"} & {*sys.modules}
assert timm.layers._fx.has_fx_feature_extraction
# torchvision's question is answered by torch, whose compiler comes when it is needed, whole.
answer = sys.modules["torchvision.ops.roi_align"].is_compile_supported("cpu")
assert answer == torch._dynamo.utils.is_compile_supported("cpu")
assert torch._dynamo.__file__ and torch._dynamo.utils.counters is not None
assert torch.compile(lambda x: 2 * x, backend="eager")(torch.ones(1)).item() == 2
import wandb
assert wandb.__file__
"""
    subprocess.run([sys.executable, "-c", IMPORTED + claims], check=True)


def test_a_library_that_asks_more_of_the_compiler_gets_the_compiler():
    program = """
import sys, torch
from wsss.cli import quick_imports
class Curious:  # stands for a timm that wants a part of the compiler
    def find_spec(self, name, *_):
        if name == "timm":
            from torch._dynamo.eval_frame import innermost_fn
            import torch._dynamo
            assert torch._dynamo.disable is torch._dynamo.decorators.disable
            sys.meta_path.remove(self)
sys.meta_path.insert(0, Curious())
quick_imports.import_timm()
assert not isinstance(sys.modules["torch._dynamo"], quick_imports.Postponed)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_network_and_its_map_are_those_of_a_usual_import():
    program = """
import torch, timm
torch.manual_seed(0)
network = timm.create_model("tf_efficientnet_lite0", num_classes=3).eval()
with torch.inference_mode():
    print(network(torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)).tolist())
"""
    quick, usual = (
        subprocess.run([sys.executable, "-c", f"{first}{program}"], check=True, capture_output=True)
        for first in (IMPORTED, "")
    )
    assert quick.stdout == usual.stdout
