"""The focal loss, which both judges are trained with."""

import torch


def focal_terms(log_p, gamma):
    """-(1 - p)^gamma log p for log-probabilities of the right answers
    (arXiv 1708.02002, without its alpha). With gamma 0 it is the cross entropy."""
    return -(-torch.expm1(log_p)).clamp(min=1e-12) ** gamma * log_p
