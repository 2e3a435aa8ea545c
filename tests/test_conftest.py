"""What fixtures of all tests promise."""

import torch


def flags():
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32


DEFAULT = flags()


def test_single_precision_is_exact_and_repeats_in_a_test_with_a_device(device):
    assert flags() == (False, True, False, False)


def test_other_tests_see_the_defaults():
    assert DEFAULT != (False, True, False, False)
    assert flags() == DEFAULT
