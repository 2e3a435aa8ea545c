"""The engine of the dense CRF that a configuration leaves to the machine."""

from omegaconf import DictConfig

from wsss.machine.devices import runs_triton


def choose_crf_engine(cfg: DictConfig, on_gpu: bool) -> None:
    """Set the engine of a run's configuration, where it has one for GPUs.

    `dense_crf.gpu_target`, if it is set, is the engine on a GPU on which Triton's kernels run, and
    wherever `dense_crf.device` is a GPU. It leaves the cores to reading and writing, so that their
    number does not matter, nor does that of labels, with which all engines take longer.

    Args:
        cfg: the configuration, which is changed.
        on_gpu: whether networks are computed on a GPU.
    """
    import torch

    crf = cfg.dense_crf
    asked_for = crf.device is not None and crf.device.startswith("cuda")
    fits = crf.device is None and on_gpu and runs_triton(torch.device("cuda"))
    if crf.gpu_target and (asked_for or fits):
        crf._target_ = crf.gpu_target
