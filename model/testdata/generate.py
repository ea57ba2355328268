"""Makes the golden files beside it from the reference implementation, of one part
or of all, and of the checkpoints of given names or of all.

    pip install torch transformers tokenizers safetensors numpy jinja2
    python generate.py [checkpoints] [ropes] [experts] [classifiers] [fp8] [mxfp4] [embedded] [chats] [NAME]...

Checkpoints are tiny and random; they vary what config.json can vary. Each has
golden.json (a prompt, the greedy continuation, the positions whose logits are kept,
and how far those in bfloat16 are from those in float32, at most and on average) and
golden.safetensors (those logits in float32, and the hidden states after each layer
at every sixth of the positions). Those with scaled rotary positions are made by
ropes, as is ropes.json: the frequencies of more configs, of real size. Those of
experts are mixtures. Those of classifiers have the logits of the labels; those of
fp8 and mxfp4 have what the quantised numbers give in float32. embedded.safetensors
has what the pair in weights/embedded computes.

chats.cases.json.gz holds [template, rendered] pairs of random ChatML templates,
with the settings of Hugging Face. What Jinja itself does is in ../jinja/testdata.
"""

import gzip
import json
import os
import random
import shutil
import sys

from tokenizer_cases import WORDS

HERE = os.path.dirname(os.path.abspath(__file__))

# Checkpoints

BASE = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=288,
            max_position_embeddings=512, rms_norm_eps=1e-5, eos_token_id=0, bos_token_id=None, pad_token_id=None)
PROMPT, GREEDY = 150, 64
EVERY = 6  # row of logits has hidden states, too
ONLY = []  # the checkpoints to make; all if empty
PLAIN = dict(attn_implementation="eager", experts_implementation="eager")  # as the papers have it


def tiny_tokenizer(path):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator([" ".join(WORDS)] * 3, trainers.BpeTrainer(
        vocab_size=280, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"]))
    with open(path, "w") as f:
        json.dump(json.loads(tok.to_str()), f, ensure_ascii=False, separators=(",", ":"))


def checkpoint(name, *args, seed=1, **kwargs):
    """Writes a checkpoint with the first seed, from the given one on, whose greedy tokens are beyond doubt."""
    if ONLY and name not in ONLY:
        return
    while not write_checkpoint(name, seed, *args, **kwargs):
        seed += 1


def randomise(model):
    import torch
    with torch.no_grad():
        for name, p in [*model.named_parameters(), *model.named_buffers()]:
            if "norm" in name:
                p.copy_(1 + 0.3 * torch.randn_like(p))
            elif name.endswith("bias"):
                p.copy_(0.3 * torch.randn_like(p))
            elif "inv_freq" not in name:
                p.copy_(torch.randn_like(p) * (1.5 / p.shape[-1] ** 0.5))


def write_checkpoint(name, seed, config, model_class, dtype, shard_size="1GB", edit=lambda config: config, context=0, more=None):
    import torch
    out = os.path.join(HERE, name)
    shutil.rmtree(out, ignore_errors=True)
    torch.manual_seed(seed)
    model = model_class(config).to(torch.float32).eval()
    randomise(model)
    model.to(dtype).save_pretrained(out, max_shard_size=shard_size)
    model = model_class.from_pretrained(out, dtype=torch.float32, **PLAIN).eval()
    half = model_class.from_pretrained(out, dtype=torch.bfloat16, **PLAIN).eval()
    config_path = os.path.join(out, "config.json")
    with open(config_path) as f:
        stored = edit(json.load(f))
    with open(config_path, "w") as f:
        json.dump(stored, f, indent=1)
    tiny_tokenizer(os.path.join(out, "tokenizer.json"))
    if more:
        more(out)
    return golden(name, model, half, context, f"seed {seed}")


def golden(name, model, half, context=0, note=""):
    """Writes what the model computes, in float32 and in bfloat16, unless a greedy token is in doubt."""
    import torch
    from safetensors.torch import save_file
    generator = torch.Generator().manual_seed(7)
    tokens = torch.randint(1, BASE["vocab_size"], (PROMPT,), generator=generator).tolist()
    states = []
    for layer in model.model.layers:
        layer.register_forward_hook(lambda _module, _in, out: states.append(out[0] if isinstance(out, tuple) else out))

    def forward(model):
        # Where the frequencies depend on the length, all passes have that of the context.
        states.clear()
        padded = tokens + [1] * (context - len(tokens))
        return model(torch.tensor([padded])).logits[0, :len(tokens)].to(torch.float32)

    with torch.no_grad():
        for _ in range(GREEDY):
            last = forward(model)[-1]
            top = torch.topk(last, 2)
            if top.values[0] - top.values[1] < 1e-3:
                return False
            tokens.append(int(top.indices[0]))
        logits = forward(model)
        hidden = torch.stack([s.reshape(-1, s.shape[-1]) for s in states])
        error = (forward(half) - logits).abs()
    rows = list(range(0, PROMPT - 1, 11)) + list(range(PROMPT - 1, PROMPT + GREEDY - 1, 7))
    out = os.path.join(HERE, name)
    with open(os.path.join(out, "golden.json"), "w") as f:
        json.dump({"prompt": tokens[:PROMPT], "greedy": tokens[PROMPT:], "rows": rows,
                   "bf16": {"max": float(error[rows].max()), "mean": float(error[rows].mean())}} | ({"context": context} if context else {}), f)
    save_file({"logits": logits[rows].contiguous(), "hidden": hidden[:, rows[::EVERY]].contiguous()}, os.path.join(out, "golden.safetensors"))
    size = sum(os.path.getsize(os.path.join(out, f)) for f in os.listdir(out))
    print(name, sum(p.numel() for p in model.parameters()), "parameters,", size, "bytes,", note)
    return True


def old_style(config):
    """config.json as it was written before rope_parameters."""
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["torch_dtype"] = config.pop("dtype")
    config["rope_scaling"] = None
    config.pop("layer_types", None)
    return config


def checkpoints():
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM
    rope = lambda theta: {"rope_type": "default", "rope_theta": theta}
    # One KV head, heads wider than hidden_size/heads, tied.
    checkpoint("qwen3-bf16-tied", Qwen3Config(**{**BASE, "num_hidden_layers": 3}, num_key_value_heads=1, head_dim=16,
               tie_word_embeddings=True, rope_parameters=rope(1e6)), Qwen3ForCausalLM, torch.bfloat16)
    # Biases of queries, keys and values; shards; the older config.json.
    checkpoint("qwen2-f16-sharded", Qwen2Config(**{**BASE, "hidden_size": 64}, num_key_value_heads=2, tie_word_embeddings=False,
               rope_parameters=rope(1e4)), Qwen2ForCausalLM, torch.float16, shard_size="50KB", edit=old_style)
    # Every bias there is, sizes that no vector width divides.
    checkpoint("llama-f32-biases", LlamaConfig(**{**BASE, "hidden_size": 30, "intermediate_size": 37, "num_attention_heads": 3},
               num_key_value_heads=3, head_dim=16, attention_bias=True, mlp_bias=True, tie_word_embeddings=False,
               rope_parameters=rope(5e5)), LlamaForCausalLM, torch.float32)
    # As plain as can be, tied, the older config.json, no head_dim.
    def plain(config):
        config.pop("head_dim")
        return old_style(config)
    checkpoint("llama-bf16-plain", LlamaConfig(**{**BASE, "num_attention_heads": 2}, num_key_value_heads=1, tie_word_embeddings=True,
               rope_parameters=rope(1e4)), LlamaForCausalLM, torch.bfloat16, edit=plain)


# Rotary positions

LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=5e5, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)


def older_rope(config):
    """config.json with rope_theta and rope_scaling."""
    scaling = config.pop("rope_parameters")
    config["rope_theta"] = scaling.pop("rope_theta")
    config["rope_scaling"] = scaling
    return config


def oldest_rope(config):
    config = older_rope(config)
    config["rope_scaling"]["type"] = config["rope_scaling"].pop("rope_type")
    return config


def ropes():
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
    # The prompt reaches past each original context.
    checkpoint("llama-bf16-llama3", LlamaConfig(**{**BASE, "num_attention_heads": 2}, num_key_value_heads=1, head_dim=32, tie_word_embeddings=True,
               rope_parameters={**LLAMA3_ROPE, "original_max_position_embeddings": 64}), LlamaForCausalLM, torch.bfloat16, edit=older_rope)
    checkpoint("qwen2-bf16-yarn", Qwen2Config(**{**BASE, "num_attention_heads": 2}, num_key_value_heads=2, tie_word_embeddings=True,
               rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=64)),
               Qwen2ForCausalLM, torch.bfloat16, edit=oldest_rope)
    checkpoint("qwen3-bf16-dynamic", Qwen3Config(**{**BASE, "num_attention_heads": 2, "max_position_embeddings": 96}, num_key_value_heads=1, head_dim=16,
               tie_word_embeddings=True, rope_parameters=dict(rope_type="dynamic", rope_theta=1e4, factor=5.0)),
               Qwen3ForCausalLM, torch.bfloat16, context=480)

    yarn = dict(rope_type="yarn", rope_theta=1e6, factor=4.0, original_max_position_embeddings=32768)
    lines = []
    for positions, head_dim, rope, context in [
        (131072, 128, {**LLAMA3_ROPE, "original_max_position_embeddings": 8192}, 0),   # Llama 3.1
        (131072, 64, {**LLAMA3_ROPE, "factor": 32.0, "original_max_position_embeddings": 8192}, 0),  # Llama 3.2
        (40960, 128, yarn, 0),  # Qwen3
        (131072, 128, dict(rope_type="yarn", rope_theta=1e6, factor=4.0), 0),  # without the original
        (131072, 128, {**yarn, "mscale": 1.0, "mscale_all_dim": 0.707, "beta_fast": 64, "beta_slow": 2}, 0),
        (131072, 64, {**yarn, "rope_theta": 150000.0, "factor": 32.0, "original_max_position_embeddings": 4096, "truncate": False}, 0),  # gpt-oss
        (131072, 80, {**yarn, "attention_factor": 1.25, "original_max_position_embeddings": 10}, 0),
        (4096, 128, dict(rope_type="linear", rope_theta=1e4, factor=2.5), 0),
        (4096, 96, dict(rope_type="dynamic", rope_theta=1e4, factor=2.0), 100),
        (4096, 96, dict(rope_type="dynamic", rope_theta=1e4, factor=2.0), 4097),
        (4096, 96, dict(rope_type="dynamic", rope_theta=1e4, factor=2.0), 8192),
    ]:
        config = LlamaConfig(hidden_size=head_dim * 2, num_attention_heads=2, head_dim=head_dim, max_position_embeddings=positions, rope_parameters=dict(rope))
        rotary = LlamaRotaryEmbedding(config)
        rotary(torch.zeros(1), torch.tensor([[max(context, 1) - 1]]))
        lines.append(json.dumps({"config": {
            "architectures": ["LlamaForCausalLM"], "hidden_size": head_dim * 2, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "head_dim": head_dim, "vocab_size": 16, "max_position_embeddings": positions, "rope_parameters": rope},
            "context": context, "frequencies": rotary.inv_freq.tolist(), "magnitude": rotary.attention_scaling}))
    with open(os.path.join(HERE, "ropes.json"), "w") as f:
        f.write("[" + ",\n".join(lines) + "]\n")
    print(len(lines), "scalings")


# Classifiers

def classifiers():
    import torch
    from safetensors.torch import save_file
    from transformers import LlamaConfig, LlamaForSequenceClassification, Qwen3Config, Qwen3ForSequenceClassification
    for name, config, model_class in [
        ("qwen3-classifier", Qwen3Config(**{**BASE, "num_attention_heads": 2, "vocab_size": 280}, num_key_value_heads=1, head_dim=16, tie_word_embeddings=True,
                                         num_labels=1), Qwen3ForSequenceClassification),
        ("llama-classifier", LlamaConfig(**{**BASE, "num_attention_heads": 2, "vocab_size": 280}, num_key_value_heads=1, tie_word_embeddings=False,
                                         id2label={0: "same", 1: "different"}, label2id={"same": 0, "different": 1}), LlamaForSequenceClassification),
    ]:
        out = os.path.join(HERE, name)
        shutil.rmtree(out, ignore_errors=True)
        torch.manual_seed(1)
        model = model_class(config)
        with torch.no_grad():
            for p_name, p in model.named_parameters():
                p.copy_(1 + 0.3 * torch.randn_like(p) if "norm" in p_name else torch.randn_like(p) * (1.5 / p.shape[-1] ** 0.5))
        model.to(torch.bfloat16).save_pretrained(out)
        model = model_class.from_pretrained(out, dtype=torch.float32).eval()
        tiny_tokenizer(os.path.join(out, "tokenizer.json"))
        tokens = torch.randint(1, 280, (PROMPT,), generator=torch.Generator().manual_seed(7)).tolist()
        rows = [0, 1, 50, PROMPT - 1]
        with torch.no_grad():
            # The reference gives the logits of the last token.
            logits = torch.cat([model(torch.tensor([tokens[:r + 1]])).logits for r in rows])
        with open(os.path.join(out, "golden.json"), "w") as f:
            json.dump({"prompt": tokens, "greedy": [], "rows": rows}, f)
        save_file({"logits": logits.contiguous()}, os.path.join(out, "golden.safetensors"))
        print(name, logits.tolist()[-1])


# Mixtures of experts

YARN = dict(rope_type="yarn", rope_theta=150000.0, factor=4.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
            original_max_position_embeddings=128)


def predicting_layer(layer, like):
    """Adds a layer of the kind that GLM keeps behind the others, which nobody reads."""
    def add(out):
        import torch
        from safetensors.torch import load_file, save_file
        path = os.path.join(out, "model.safetensors")
        tensors = load_file(path)
        for key in [k for k in tensors if k.startswith(f"model.layers.{like}.") and ".experts." not in k]:
            tensors[key.replace(f".{like}.", f".{layer}.")] = tensors[key].clone()
        tensors[f"model.layers.{layer}.eh_proj.weight"] = torch.zeros(4, 8)
        tensors[f"model.layers.{layer}.shared_head.norm.weight"] = torch.zeros(4)
        save_file(tensors, path, metadata={"format": "pt"})
    return add


def experts():
    import torch
    from transformers import (Glm4MoeConfig, Glm4MoeForCausalLM, GptOssConfig, GptOssForCausalLM,
                              Qwen3MoeConfig, Qwen3MoeForCausalLM)
    rope = lambda theta: {"rope_type": "default", "rope_theta": theta}
    # One KV head, heads wider than hidden_size/heads, shards.
    checkpoint("qwen3moe-bf16-sharded", Qwen3MoeConfig(**{**BASE, "num_hidden_layers": 3}, num_key_value_heads=1, head_dim=16,
               num_experts=8, num_experts_per_tok=2, moe_intermediate_size=16, norm_topk_prob=True,
               tie_word_embeddings=False, rope_parameters=rope(1e6)), Qwen3MoeForCausalLM, torch.bfloat16, shard_size="60KB")
    # Sizes that no vector width divides, biases, weights that are not normalised, a dense layer, windows.
    def older(config):
        config["num_experts"] = config.pop("num_local_experts")
        return old_style(config)
    checkpoint("qwen3moe-f32-windows", Qwen3MoeConfig(**{**BASE, "hidden_size": 30, "intermediate_size": 37, "num_attention_heads": 3},
               num_key_value_heads=3, head_dim=16, num_experts=5, num_experts_per_tok=3, moe_intermediate_size=13, mlp_only_layers=[0],
               norm_topk_prob=False, attention_bias=True, use_sliding_window=True, sliding_window=50, tie_word_embeddings=True, rope_parameters=rope(1e4)),
               Qwen3MoeForCausalLM, torch.float32, edit=older)
    # Groups, a shared expert, biases of queries, keys and values, half of a head rotated, a layer of no use.
    checkpoint("glm4moe-bf16-groups", Glm4MoeConfig(**{**BASE, "num_hidden_layers": 3}, num_key_value_heads=2, head_dim=16,
               n_routed_experts=8, num_experts_per_tok=2, moe_intermediate_size=16, n_group=4, topk_group=2, routed_scaling_factor=1.5,
               first_k_dense_replace=1, attention_bias=True, use_qk_norm=False, tie_word_embeddings=False,
               rope_parameters={**rope(1e6), "partial_rotary_factor": 0.5}), Glm4MoeForCausalLM, torch.bfloat16, more=predicting_layer(3, 2))
    # Normalised queries and keys, a quarter of a head rotated, two shared experts, the older config.json. With
    # the first seed an expert is within a rounding of another, and chosen or not depending on how one rounds.
    def oldest(config):
        config["partial_rotary_factor"] = config["rope_parameters"].pop("partial_rotary_factor")
        return old_style(config)
    checkpoint("glm4moe-f32-shared", Glm4MoeConfig(**{**BASE, "hidden_size": 30, "num_attention_heads": 2}, num_key_value_heads=1, head_dim=32,
               n_routed_experts=5, num_experts_per_tok=3, moe_intermediate_size=13, n_shared_experts=2, norm_topk_prob=False,
               first_k_dense_replace=0, use_qk_norm=True, tie_word_embeddings=True,
               rope_parameters={**rope(1e4), "partial_rotary_factor": 0.25}), Glm4MoeForCausalLM, torch.float32, edit=oldest, seed=2)
    # A window shorter than the prompt in every other layer, one KV head, the config.json as published.
    def published(config):
        config["num_experts"] = config["num_local_experts"]
        return older_rope(config)
    checkpoint("gptoss-bf16-transposed", GptOssConfig(**{**BASE, "num_hidden_layers": 3}, num_key_value_heads=1, head_dim=16,
               num_local_experts=4, num_experts_per_tok=2, sliding_window=40, rope_parameters=dict(YARN)),
               GptOssForCausalLM, torch.bfloat16, edit=published)


# Quantised weights

def fp8():
    """A checkpoint whose linear layers are FP8 in blocks, and what it computes from those numbers in float32."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import Qwen3Config, Qwen3ForCausalLM
    name, rows, cols = "qwen3-fp8", 16, 32
    def quantise(model, out):
        tensors = load_file(os.path.join(out, "model.safetensors"))
        parameters = dict(model.named_parameters())
        for key in [k for k in tensors if "proj" in k]:
            w = tensors[key].to(torch.float32)
            spread = lambda s: s.repeat_interleave(rows, 0)[:w.shape[0]].repeat_interleave(cols, 1)[:, :w.shape[1]]
            padded = torch.zeros(-(-w.shape[0] // rows) * rows, -(-w.shape[1] // cols) * cols)
            padded[:w.shape[0], :w.shape[1]] = w.abs()
            scale = padded.reshape(padded.shape[0] // rows, rows, -1, cols).amax((1, 3)) / 448
            tensors[key] = (w / spread(scale)).to(torch.float8_e4m3fn)
            tensors[key + "_scale_inv"] = scale
            with torch.no_grad():
                parameters[key].copy_(tensors[key].to(torch.float32) * spread(scale))
        save_file({k: t.contiguous() for k, t in tensors.items()}, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    quantised(name, Qwen3Config(**{**BASE, "num_attention_heads": 2}, num_key_value_heads=1, head_dim=16, tie_word_embeddings=True,
              rope_parameters=dict(rope_type="default", rope_theta=1e6)), Qwen3ForCausalLM, quantise,
              {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [rows, cols]})


def mxfp4():
    """A gpt-oss whose experts are MXFP4, read by the reference's own conversion."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import GptOssConfig, GptOssForCausalLM
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    def quantise(model, out):
        tensors = load_file(os.path.join(out, "model.safetensors"))
        parameters = dict(model.named_parameters())
        generator = torch.Generator().manual_seed(3)
        for key in [k for k in tensors if k.endswith("_proj") and "experts" in k]:
            n, inner, width = tensors.pop(key).shape
            blocks = torch.randint(0, 256, (n, width, inner // 32, 16), generator=generator, dtype=torch.uint8)
            scales = torch.randint(121, 126, (n, width, inner // 32), generator=generator, dtype=torch.uint8)
            tensors[key + "_blocks"], tensors[key + "_scales"] = blocks, scales
            with torch.no_grad():
                parameters[key].copy_(convert_moe_packed_tensors(blocks, scales, dtype=torch.float32))
        save_file({k: t.contiguous() for k, t in tensors.items()}, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    quantised("gptoss-mxfp4", GptOssConfig(**{**BASE, "hidden_size": 64, "intermediate_size": 32}, num_key_value_heads=2, head_dim=16,
              num_local_experts=4, num_experts_per_tok=2, sliding_window=32, rope_parameters=dict(YARN)), GptOssForCausalLM, quantise,
              {"modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"], "quant_method": "mxfp4"})


def quantised(name, config, model_class, quantise, field):
    """Writes a checkpoint whose weights quantise replaces, in the model and in its file."""
    import torch
    out = os.path.join(HERE, name)
    seed = 0
    while True:
        seed += 1
        if not write_checkpoint(name, seed, config, model_class, torch.bfloat16):
            continue
        model = model_class.from_pretrained(out, dtype=torch.float32, **PLAIN).eval()
        half = model_class.from_pretrained(out, dtype=torch.float32, **PLAIN).eval()
        quantise(model, out)
        half.load_state_dict(model.state_dict())
        with open(os.path.join(out, "config.json")) as f:
            stored = json.load(f)
        with open(os.path.join(out, "config.json"), "w") as f:
            json.dump(stored | {"quantization_config": field}, f, indent=1)
        if golden(name, model, half.to(torch.bfloat16), note=f"seed {seed}, quantised"):
            return


# The embedded pair

def embedded():
    """The logits of both models at some positions of random tokens."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM
    golden = {}
    for name in ["reasoner", "judge"]:
        model = AutoModelForCausalLM.from_pretrained(os.path.join(HERE, "..", "..", "weights", "embedded", name), dtype=torch.float32).eval()
        tokens = torch.randint(1, model.config.vocab_size, (200,), generator=torch.Generator().manual_seed(7))
        with torch.no_grad():
            logits = model(tokens[None]).logits[0]
        golden |= {name + ".tokens": tokens.to(torch.float32), name: logits[::40].contiguous()}
    save_file(golden, os.path.join(HERE, "embedded.safetensors"))
    print("embedded pair")


# Chat templates

def template(rng):
    space = lambda: rng.choice(["", "", " ", "\n", "\n\n", "  \n", "\n  ", " \t", "\r\n"])
    sign = lambda: rng.choice(["", "", "-", "-", "+"])
    text = lambda: space() + rng.choice(["", "", "<|im_start|>", "a b", "}", "{", "%}", "'", "- ", "x\n"]) + space()

    def tag(words):
        return "{%" + sign() + " " + words + " " + sign() + "%}"

    def output(terms):
        minus = lambda: rng.choice(["", "", "-"])
        return "{{" + minus() + rng.choice([" ", ""]) + rng.choice([" + ", "+"]).join(terms) + rng.choice([" ", ""]) + minus() + "}}"

    def literal():
        return rng.choice(["'<|im_end|>'", "'\\n'", '"\\n"', "'it\\'s'", '"}}"', "'%}'", "'a\\tb'", "' '", "''", "'{#'"])

    def comment():
        return rng.choice(["", "", "", "{#" + sign() + " 'it " + sign() + "#}"])

    role = rng.choice(["message['role']", 'message["role"]', "message.role"])
    content = rng.choice(["message['content']", 'message["content"]', "message.content"])
    inside = text() + comment() + output([literal(), role]) + text() + output([literal(), content, literal()]) + comment() + text()
    loop = tag("for message in messages") + inside + tag("endfor")
    prompt = tag("if add_generation_prompt") + text() + output([literal() for _ in range(rng.choice([1, 2]))]) + text() + tag("endif")
    return text() + comment() + loop + text() + prompt + text()


def chats():
    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    rng = random.Random("chats")
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    lines = []
    while len(lines) < 1000:
        t = template(rng)
        try:
            rendered = env.from_string(t).render(messages=[{"role": "user", "content": "QUESTION"}], add_generation_prompt=True)
        except TemplateSyntaxError:  # a brace before a tag
            continue
        lines.append(json.dumps([t, rendered]))
    with gzip.GzipFile(os.path.join(HERE, "chats.cases.json.gz"), "wb", mtime=0) as f:
        f.write(("\n".join(lines) + "\n").encode())
    print(len(lines), "chat templates")


if __name__ == "__main__":
    parts = {"checkpoints": checkpoints, "ropes": ropes, "experts": experts, "classifiers": classifiers, "fp8": fp8, "mxfp4": mxfp4, "embedded": embedded, "chats": chats}
    ONLY = [name for name in sys.argv[1:] if name not in parts]
    for part in [name for name in sys.argv[1:] if name in parts] or parts:
        parts[part]()
