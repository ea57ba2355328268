"""Muon for the layers' matrices; AdamW for everything else.

Muon's orthogonalised momentum needs far fewer steps than AdamW here, and steps
are what two CPU cores have too few of.
"""

import torch

from schedule import rate


def orthogonalise(g, steps=5):
    """Newton-Schulz iteration towards the nearest orthogonal matrix; g: (n, rows, columns)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = g.shape[-2] > g.shape[-1]
    x = (g.mT if wide else g).bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return (x.mT if wide else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Matrices of one shape are updated together, as a stack."""

    def __init__(self, matrices, lr=0.02, momentum=0.95, weight_decay=0.0):
        shapes = {}
        for matrix in matrices:
            shapes.setdefault(tuple(matrix.shape), []).append(matrix)
        super().__init__([{"params": group} for group in shapes.values()],
                         dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            stack = torch.stack([p.grad for p in group["params"]])
            state = self.state[group["params"][0]]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(stack)
            momentum = state["momentum"]
            momentum.lerp_(stack, 1 - group["momentum"])
            update = orthogonalise(stack.lerp(momentum, group["momentum"]))
            scale = max(1, stack.shape[-2] / stack.shape[-1]) ** 0.5
            for p, u in zip(group["params"], update):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(u, alpha=-group["lr"] * scale)


class Both:
    """The two optimisers under one schedule: lr = peak * rate(progress)."""

    def __init__(self, model, muon_lr, adam_lr, hold=0.5, weight_decay=0.01):
        matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
        others = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
        self.parts = [(Muon(matrices, weight_decay=weight_decay), muon_lr),
                      (torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0), adam_lr)]
        self.hold = hold

    def step(self, progress):
        for optimiser, peak in self.parts:
            for group in optimiser.param_groups:
                group["lr"] = peak * rate(progress, self.hold)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
