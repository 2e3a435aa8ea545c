from functools import partial
from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_dir

from wsss.artifacts import Manifest
from wsss.pipeline.device_choice import described, on_this_machine
from wsss.pipeline.execution import devices_of
from wsss.refine import ConfidentLabels, CrfRefinement, NumbaEngine, Threshold
from wsss.settings import crf_engine
from wsss.settings.config_dir import config_dir

NUMBA, TORCH = "NumbaEngine", "TorchEngine"


@pytest.fixture
def composed():
    def make(*words):
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose("run", overrides=list(words))

    return make


@pytest.fixture
def machine(monkeypatch):
    """Make this one with a GPU or without, with Triton or without."""

    def make(gpu, triton=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(crf_engine, "runs_triton", lambda device: gpu and triton)

    return make


@pytest.mark.parametrize(
    ("gpu", "triton", "words", "accelerator", "deterministic", "engine"),
    [
        (False, True, [], "cpu", True, NUMBA),
        (True, True, [], "gpu", "warn", TORCH),
        (True, False, [], "gpu", "warn", NUMBA),
        (True, True, ["trainer=cpu"], "cpu", True, NUMBA),
        (True, True, ["trainer=ddp_cpu"], "cpu", True, NUMBA),
        (True, True, ["trainer=gpu"], "gpu", "warn", TORCH),
        (True, True, ["trainer=ddp"], "gpu", "warn", TORCH),
        (True, True, ["trainer=cpu", "dense_crf.device=cuda:0"], "cpu", True, TORCH),
        (True, True, ["dense_crf.device=cpu"], "gpu", "warn", NUMBA),
        (True, True, ["refine/engine=numba"], "gpu", "warn", NUMBA),
        (False, True, ["refine/engine=torch"], "cpu", True, TORCH),
        (True, True, ["trainer.deterministic=false"], "gpu", False, TORCH),
        (False, True, ["trainer.deterministic=warn"], "cpu", "warn", NUMBA),
        (False, True, ["dense_crf.device=nonsense"], "cpu", True, NUMBA),
    ],
)
def test_the_rule(machine, composed, gpu, triton, words, accelerator, deterministic, engine):
    machine(gpu, triton)
    asked_for = composed("refine=affinity_crf", *words)
    before = asked_for.copy()
    cfg = on_this_machine(asked_for)
    assert asked_for == before
    assert cfg.trainer.accelerator == accelerator
    assert cfg.trainer.deterministic == deterministic
    for part in (cfg.refine.method.engine, cfg.affinity.labels.engine, cfg.evaluate.crf):
        assert part._target_.endswith(f".{engine}")


def test_the_first_line_says_what_computes_and_why(machine, composed, monkeypatch):
    machine(False)
    cpu = SimpleNamespace(device=torch.device("cpu"), world_size=1)
    cfg = composed()
    line = described(on_this_machine(cfg), cpu, cfg.trainer.accelerator)
    assert line.startswith("Computing on the CPU, since there is no GPU: ")
    assert line.endswith("dense CRF by NumbaEngine")
    assert "no GPU" not in described(on_this_machine(composed("trainer=cpu")), cpu, "cpu")
    machine(True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    gpu = SimpleNamespace(device=torch.device("cuda:0"), world_size=2)
    line = described(on_this_machine(cfg), gpu, "auto")
    assert line.startswith("Computing on 2 × NVIDIA H100 and ")
    assert line.endswith("; dense CRF by TorchEngine; `trainer=cpu` leaves it alone")
    assert "networks" not in line
    cfg = on_this_machine(composed("tf32=true", "trainer.precision=bf16"))
    line = described(cfg, gpu, "auto")
    assert "; networks in bf16-mixed and TF32; dense CRF by TorchEngine;" in line


class OnCard(NumbaEngine):
    """An engine that says it computes on a card."""

    def computes_on(self):
        return "NVIDIA H100"


@pytest.mark.parametrize(
    ("stage", "keywords", "devices"),
    [
        ("classify", {}, ["cuda"]),
        ("refine", {"method": CrfRefinement(NumbaEngine())}, ["cpu"]),
        ("refine", {"method": CrfRefinement(OnCard())}, ["NVIDIA H100"]),
        ("refine", {"method": Threshold()}, ["cpu"]),
        ("affinity", {"labels": ConfidentLabels(NumbaEngine())}, ["cuda", "cpu"]),
        ("evaluate", {"crf": OnCard()}, ["cuda", "NVIDIA H100"]),
        ("evaluate", {"crf": None}, ["cuda"]),
        ("report", {}, ["cpu"]),
    ],
)
def test_a_manifest_names_what_a_stage_computes_on(monkeypatch, stage, keywords, devices):
    monkeypatch.setattr("wsss.pipeline.execution.device_name", lambda device: device.type)
    run = partial(print, **keywords)
    assert devices_of(stage, run, torch.device("cuda:0")) == devices


def test_a_cached_stage_says_that_its_batches_were_halved(run, tmp_path, caplog):
    folder = run(tmp_path, "stages=[classify]")["classify"].folder
    manifest = Manifest.read(folder)
    manifest.halvings = 2
    manifest.seal(folder)
    assert run(tmp_path, "stages=[classify]")["classify"].cached
    assert "classify was computed with batches halved 2 times" in caplog.text
