"""A compact Qwen3 decoder for training.

It has the arithmetic and the tensor names of Hugging Face's Qwen3ForCausalLM
(RMSNorm, per-head query/key norm, half-split rotary positions, grouped-query
attention, SwiGLU, tied embeddings), so that an exported checkpoint needs no
renaming, and it leaves out all else: on two CPU cores every avoided pass over
the activations is training time. `export.py` checks the logits against
transformers.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    vocab_size: int
    hidden_size: int = 192
    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    head_dim: int = 32
    intermediate_size: int = 448
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 2048

    def to_dict(self):
        return asdict(self)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rotary_tables(config, positions):
    """cos and sin of shape (..., positions, head_dim) in the half-split layout."""
    half = torch.arange(0, config.head_dim, 2, dtype=torch.float32)
    inverse = config.rope_theta ** (-half / config.head_dim)
    angle = positions.float()[..., None] * inverse
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return x * cos + turned * sin


def causal_attention(q, k, v, block=128):
    """Causal attention as plain matrix products, a block of queries at a time.

    On a CPU with bfloat16 products this is three to five times as fast as
    torch's fused attention, forward and backward together.
    """
    rows, heads, length, dim = q.shape
    q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
    parts = []
    for i in range(0, length, block):
        end = min(i + block, length)
        bias = torch.full((end - i, end), float("-inf"), dtype=q.dtype).triu(1 + i)
        scores = torch.baddbmm(bias.expand(rows * heads, -1, -1), q[:, i:end], k[:, :end].mT, alpha=dim ** -0.5)
        parts.append(scores.softmax(-1) @ v[:, :end])
    return torch.cat(parts, dim=1).view(rows, heads, length, dim)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        self.dim = config.head_dim
        hidden = config.hidden_size
        self.q_proj = nn.Linear(hidden, self.heads * self.dim, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.dim, bias=False)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.dim, hidden, bias=False)
        self.q_norm = RMSNorm(self.dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(self.dim, config.rms_norm_eps)

    def forward(self, x, cos, sin, attend=None, cache=None):
        """attend: another attention than the causal one. cache: (keys, values,
        start), buffers written in place."""
        batch, length, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(batch, length, self.heads, self.dim))
        k = self.k_norm(self.k_proj(x).view(batch, length, self.kv_heads, self.dim))
        v = self.v_proj(x).view(batch, length, self.kv_heads, self.dim)
        q = rotate(q.transpose(1, 2), cos, sin).to(v.dtype)
        k = rotate(k.transpose(1, 2), cos, sin).to(v.dtype)
        v = v.transpose(1, 2)
        if cache is not None:
            keys, values, start = cache
            keys[:, :, start:start + length] = k
            values[:, :, start:start + length] = v
            k, v = keys[:, :, :start + length], values[:, :, :start + length]
        group = self.heads // self.kv_heads
        if length == 1:  # decoding: read the cache where it lies
            q = q.view(batch, self.kv_heads, group, self.dim)
            weights = (q @ k.mT * self.dim ** -0.5).softmax(-1).to(v.dtype)
            return self.o_proj((weights @ v).view(batch, 1, -1))
        k = k.repeat_interleave(group, dim=1)
        v = v.repeat_interleave(group, dim=1)
        if attend is not None:
            y = attend(q, k, v)
        elif self.training and cache is None:
            y = causal_attention(q, k, v)
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, -1))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x, cos, sin, attend=None, cache=None):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, attend, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Qwen3(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.model = Body(config)
        for name, weight in self.named_parameters():
            if weight.dim() < 2:
                continue
            std = 0.02 if "embed" in name else 0.6 * weight.shape[1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                std /= (2 * config.num_hidden_layers) ** 0.5
            nn.init.normal_(weight, std=std)

    def hidden(self, tokens, positions=None, attend=None, cache=None):
        """Final normed states. `cache` is a list of per-layer (keys, values, start)."""
        if positions is None:
            start = cache[0][2] if cache is not None else 0
            positions = torch.arange(start, start + tokens.shape[1])
        cos, sin = rotary_tables(self.config, positions)
        if torch.is_autocast_enabled("cpu"):
            cos, sin = cos.bfloat16(), sin.bfloat16()
        if cos.dim() == 3:  # per-row positions: room for the heads
            cos, sin = cos[:, None], sin[:, None]
        x = self.model.embed_tokens(tokens)
        for i, layer in enumerate(self.model.layers):
            x = layer(x, cos, sin, attend, None if cache is None else cache[i])
        return self.model.norm(x)

    def logits(self, hidden):
        return F.linear(hidden, self.model.embed_tokens.weight)

    def parameter_count(self):
        return sum(p.numel() for p in self.parameters())
