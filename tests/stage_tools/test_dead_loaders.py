"""Processes of loaders that die, where torch notices it."""

import os
import signal

import pytest
from torch.utils.data import DataLoader, Dataset

from wsss.errors import WsssError
from wsss.machine.ending import AskedToEnd
from wsss.stage_tools.dead_loaders import dead_loaders_told


class EndsIn(Dataset):
    """A data set whose reading the process does not survive."""

    def __init__(self, number):
        self.number = number

    def __len__(self):
        return 2

    def __getitem__(self, index):
        os.kill(os.getpid(), self.number)


def load(number):
    with dead_loaders_told("segment"):
        list(DataLoader(EndsIn(number), num_workers=1, multiprocessing_context="fork"))


def test_a_killed_process_is_named():
    with pytest.raises(WsssError) as told:
        load(signal.SIGKILL)
    (problem,) = told.value.problems
    assert problem.where == "segment"
    assert problem.came.startswith("the loader process ")
    assert "was killed" in problem.came
    assert "`workers=0` needs no such process" in problem.remedy


def test_one_that_is_asked_to_end_speaks_for_all():
    """As where SLURM asks all processes of a job, and torch notices this one's end first."""
    text = "DataLoader worker (pid 7) is killed by signal: Terminated. "
    with pytest.raises(AskedToEnd) as left, dead_loaders_told("segment"):
        raise RuntimeError(text)
    assert left.value.code == 143


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="of another kind"), dead_loaders_told("segment"):
        raise RuntimeError("of another kind")
