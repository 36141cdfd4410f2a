"""The package itself: it does not import tensorbridge."""

import torch


def first_half(array):
    """Return the first half of an array's rows as a tensor over the same memory."""
    return torch.from_numpy(array)[: len(array) // 2]
