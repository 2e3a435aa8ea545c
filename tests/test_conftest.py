"""What fixtures of all tests promise."""

import torch


def flags():
    cudnn = torch.backends.cudnn
    return cudnn.deterministic, cudnn.allow_tf32


DEFAULT = flags()


def test_convolutions_are_exact_in_a_test_with_a_device(device):
    assert flags() == (True, False)


def test_other_tests_see_the_defaults():
    assert DEFAULT != (True, False)
    assert flags() == DEFAULT
