"""The dense CRF of the stage `evaluate`."""

import torch

from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.settings.build import build, told_by_setting
from wsss.settings.compose import compose
from wsss.settings.crf_engine import choose_crf_engine


def evaluation_crf(device: str) -> tuple[DenseCrfEngine, dict[str, object]]:
    """The engine with the settings of `configs/evaluate/default.yaml`, and these.

    Args:
        device: of the segmenter; on a GPU the CRF is solved there, too.

    Raises:
        WsssError: it cannot be built or used here.
    """
    cfg = compose("run", [])
    on_gpu = torch.device(device).type == "cuda"
    cfg.dense_crf.device = device if on_gpu and ":" in device else None
    choose_crf_engine(cfg, on_gpu)
    with told_by_setting(cfg, "evaluate"):
        engine: DenseCrfEngine = build(cfg.evaluate.crf)
        engine.check()
    settings = {
        str(key): value
        for key, value in cfg.evaluate.crf.items()
        if key not in ("_target_", "device")
    }
    return engine, settings
