"""Training state on disk: one .pt file with the config and the float32 weights."""

import torch

from qwen3 import Config, Qwen3


def save(model, path):
    torch.save({"config": model.config.to_dict(), "model": model.state_dict()}, path)


def load(path):
    """The training model kept in a .pt file."""
    kept = torch.load(path)
    model = Qwen3(Config(**kept["config"]))
    model.load_state_dict(kept["model"])
    return model.eval()
