"""The learning rate over a training."""


def rate(progress, hold, warmup=0.01):
    """The share of the peak rate when `progress` of the training is done: it
    warms up, holds until `hold` and then falls linearly to nearly nothing."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return min(1.0, 0.01 + max(0.0, 1 - progress) / (1 - hold))
