"""Makes the GGUF files beside it of the tiny checkpoints.

    pip install gguf safetensors numpy transformers torch
    python gguf.py [models] [blocks]

NAME.gguf holds the weights of the checkpoint NAME as its floats are, named,
ordered and described as llama.cpp's converter does it; that of qwen3moe-bf16-sharded
is split in three, and that of gptoss-mxfp4 keeps the blocks of its experts. quantised.gguf holds those
of qwen2-f16-sharded in Q8_0 and Q4_0; quantised.safetensors has the logits that
transformers computes from the dequantised numbers. NAME-vocabulary.gguf holds the
tokenizer of NAME.json. blocks.gguf holds rows of every type that can be read, of
random blocks, and blocks.safetensors their numbers as the package gguf reads them;
both belong to package weights.
"""

import json
import os
import sys

# The package gguf, not this file.
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE]

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants
from safetensors import safe_open
from safetensors.numpy import save_file

LAYER = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
         "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
ARCH = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3", "Qwen3MoeForCausalLM": "qwen3moe",
        "Glm4MoeForCausalLM": "glm4moe", "GptOssForCausalLM": "gpt-oss"}
LAYER |= {"mlp.gate": "ffn_gate_inp", "mlp.router": "ffn_gate_inp", "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
          "mlp.shared_experts.up_proj": "ffn_up_shexp", "mlp.shared_experts.down_proj": "ffn_down_shexp"}


def renamed(name, arch):
    if name.endswith(".sinks"):
        return f"blk.{name.split('.')[2]}.attn_sinks.weight"
    if name.endswith("e_score_correction_bias"):
        return f"blk.{name.split('.')[2]}.exp_probs_b.bias"
    stem, suffix = name.rsplit(".", 1)
    top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    if stem in top:
        return top[stem] + "." + suffix
    _, _, layer, part = stem.split(".", 3)
    if part in ("eh_proj", "shared_head.norm"):
        return f"blk.{layer}.nextn.{part.replace('.', '_')}.{suffix}"
    if part == "post_attention_layernorm" and arch in ("glm4moe", "gpt-oss"):
        return f"blk.{layer}.post_attention_norm.{suffix}"
    return f"blk.{layer}.{LAYER[part]}.{suffix}"


def stacked(tensors):
    """The tensors of the experts of a layer become one."""
    rest, experts = {}, {}
    for key, x in tensors.items():
        before, found, after = key.partition(".experts.")
        if found and after[0].isdigit():
            number, part = after.split(".", 1)
            experts.setdefault(f"{before.replace('model.layers', 'blk').replace('.mlp', '')}.ffn_{part.replace('_proj', '_exps')}", {})[int(number)] = x
        else:
            rest[key] = x
    return rest, {key: np.stack([x for _, x in sorted(parts.items())]) for key, parts in experts.items()}


def unpacked(tensors):
    """The experts of gpt-oss: gate and up apart, and the halves of a block as GGUF has them."""
    rest, experts = {}, {}
    for key, x in tensors.items():
        before, found, part = key.partition(".mlp.experts.")
        if not found:
            rest[key] = x
            continue
        if part.endswith("_scales"):
            continue
        layer = before.replace("model.layers", "blk")
        if part.endswith("_bias"):
            suffix = "bias"
        else:
            suffix = "weight"
            numbers = np.stack([x & 15, x >> 4], -1).reshape(*x.shape[:-1], 32)
            blocks = numbers[..., :16] | numbers[..., 16:] << 4
            x = np.concatenate([tensors[key.replace("_blocks", "_scales")][..., None], blocks], -1).astype(np.uint8)
            x = x.reshape(*x.shape[:-2], -1)
        if part.startswith("gate_up"):
            experts[f"{layer}.ffn_gate_exps.{suffix}"], experts[f"{layer}.ffn_up_exps.{suffix}"] = x[:, ::2], x[:, 1::2]
        else:
            experts[f"{layer}.ffn_down_exps.{suffix}"] = x
    return rest, experts


def checkpoint(name):
    """config.json and the tensors, float32."""
    import torch  # for bfloat16
    folder = os.path.join(HERE, name)
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    tensors = {}
    for file in sorted(os.listdir(folder)):
        if file.startswith("model") and file.endswith(".safetensors"):
            with safe_open(os.path.join(folder, file), framework="pt") as f:
                for key in f.keys():
                    x = f.get_tensor(key)
                    tensors[key] = (x if x.dtype == torch.uint8 else x.to(torch.float32)).numpy()
    return folder, config, tensors


def permute(w, heads):
    """The order of a llama's rows of queries and keys in GGUF."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def rope_factors(config, rope, dim):
    """What transformers divides the frequencies by."""
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
    c = LlamaConfig(hidden_size=dim, num_attention_heads=1, head_dim=dim, max_position_embeddings=config["max_position_embeddings"], rope_parameters=dict(rope))
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](c)
    plain = 1.0 / rope["rope_theta"] ** (np.arange(0, dim, 2, dtype=np.float64) / dim)
    return (plain / scaled.numpy().astype(np.float64)).astype(np.float32)


def write(out, name, kind, quantised=lambda key, w: None, split=0):
    folder, config, tensors = checkpoint(name)
    arch = ARCH[config["architectures"][0]]
    w = gguf.GGUFWriter(os.path.join(HERE, out), arch, split_max_tensors=split)
    heads, kv = config["num_attention_heads"], config["num_key_value_heads"]
    dim = config.get("head_dim") or config["hidden_size"] // heads
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    rope["rope_type"] = rope.get("rope_type") or rope.pop("type", "default")
    rope.setdefault("rope_theta", config.get("rope_theta"))

    w.add_name(name)
    w.add_context_length(config["max_position_embeddings"])
    w.add_embedding_length(config["hidden_size"])
    w.add_block_count(config["num_hidden_layers"] + config.get("num_nextn_predict_layers", 0))
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(heads)
    w.add_head_count_kv(kv)
    experts = {}
    if arch in ("qwen3moe", "glm4moe", "gpt-oss"):
        w.add_expert_count(config.get("num_local_experts") or config.get("num_experts") or config["n_routed_experts"])
        w.add_expert_used_count(config["num_experts_per_tok"])
        w.add_expert_feed_forward_length(config.get("moe_intermediate_size", config["intermediate_size"]))
        tensors, experts = (unpacked if arch == "gpt-oss" else stacked)(tensors)
    if arch == "gpt-oss":
        w.add_sliding_window(config["sliding_window"])
    if arch == "glm4moe":
        w.add_expert_shared_count(config["n_shared_experts"])
        w.add_leading_dense_block_count(config["first_k_dense_replace"])
        w.add_nextn_predict_layers(config["num_nextn_predict_layers"])
        w.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
        w.add_expert_weights_scale(config["routed_scaling_factor"])
        w.add_expert_weights_norm(config["norm_topk_prob"])
        w.add_expert_group_count(config["n_group"])
        w.add_expert_group_used_count(config["topk_group"])
        w.add_rope_dimension_count(int(dim * rope["partial_rotary_factor"]))
    w.add_key_length(dim)
    w.add_value_length(dim)
    w.add_layer_norm_rms_eps(config["rms_norm_eps"])
    w.add_rope_freq_base(rope["rope_theta"])
    if arch == "llama":
        w.add_rope_dimension_count(dim)
    if rope["rope_type"] == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(rope["factor"])
        w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    elif rope["rope_type"] == "llama3":
        w.add_tensor("rope_freqs.weight", rope_factors(config, rope, dim))

    add_tokenizer(w, os.path.join(name, "tokenizer.json"), "gpt-2", config["vocab_size"])
    w.add_eos_token_id(config["eos_token_id"])
    w.add_chat_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")

    dequantised = {}
    for key, x in tensors.items():
        q = quantised(key, x) if x.ndim == 2 else None
        if q is None:
            q = kind if x.ndim == 2 else Type.F32
        stored = x
        if arch == "llama" and ".q_proj." in key:
            stored = permute(x, heads)
        if arch == "llama" and ".k_proj." in key:
            stored = permute(x, kv)
        data = quants.quantize(np.ascontiguousarray(stored), q)
        w.add_tensor(renamed(key, arch), data, raw_dtype=q)
        dequantised[key] = quants.dequantize(data, q).reshape(x.shape)
    for key, x in experts.items():
        if x.dtype == np.uint8:
            w.add_tensor(key, np.ascontiguousarray(x), raw_dtype=Type.MXFP4)
        else:
            q = Type.F32 if key.endswith("bias") else kind
            w.add_tensor(key, quants.quantize(np.ascontiguousarray(x), q), raw_dtype=q)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(out, "written")
    return folder, dequantised


def quantised():
    import torch
    from transformers import Qwen2ForCausalLM

    def kind(key, x):
        if x.shape[-1] % 32:
            return None
        return Type.Q4_0 if "up_proj" in key or "embed" in key else Type.Q8_0

    folder, weights = write("quantised.gguf", "qwen2-f16-sharded", Type.F16, kind)
    model = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(weights[name]))
        with open(os.path.join(folder, "golden.json")) as f:
            golden = json.load(f)
        logits = model(torch.tensor([golden["prompt"]])).logits[0]
    rows = [r for r in golden["rows"] if r < len(golden["prompt"])]
    save_file({"logits": np.ascontiguousarray(logits[rows].numpy())}, os.path.join(HERE, "quantised.safetensors"))


def add_tokenizer(w, file, pre, size):
    with open(os.path.join(HERE, file)) as f:
        tok = json.load(f)
    tokens = {i: t for t, i in tok["model"]["vocab"].items()} | {a["id"]: a["content"] for a in tok["added_tokens"]}
    special = {a["id"]: gguf.TokenType.CONTROL if a["special"] else gguf.TokenType.USER_DEFINED for a in tok["added_tokens"]}
    size = size or max(tokens) + 1
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(pre)
    w.add_token_list([tokens.get(i, f"[PAD{i}]") for i in range(size)])
    w.add_token_types([special.get(i, gguf.TokenType.NORMAL if i in tokens else gguf.TokenType.UNUSED) for i in range(size)])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tok["model"]["merges"]])
    return size


def vocabulary(name, pre):
    """A file of a tokenizer and as little else as can be opened."""
    w = gguf.GGUFWriter(os.path.join(HERE, f"{name}-vocabulary.gguf"), "qwen2")
    size = add_tokenizer(w, name + ".json", pre, 0)
    w.add_context_length(16)
    w.add_embedding_length(32)
    w.add_block_count(1)
    w.add_feed_forward_length(32)
    w.add_head_count(1)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_tensor("token_embd.weight", quants.quantize(np.zeros((size, 32), np.float32), Type.Q4_0), raw_dtype=Type.Q4_0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def blocks():
    out = os.path.join(HERE, "..", "..", "weights", "testdata")
    os.makedirs(out, exist_ok=True)
    rng = np.random.default_rng(1)
    w = gguf.GGUFWriter(os.path.join(out, "blocks.gguf"), "none")
    numbers = {}
    for kind, scales in [(Type.F32, None), (Type.F16, None), (Type.BF16, None), (Type.Q4_0, [0]), (Type.Q8_0, [0]), (Type.Q4_K, [0, 2]), (Type.Q6_K, [208]),
                         (Type.Q4_1, [0, 2]), (Type.Q5_0, [0]), (Type.Q5_1, [0, 2]), (Type.Q5_K, [0, 2]), (Type.MXFP4, [])]:
        size, width = gguf.GGML_QUANT_SIZES[kind]
        rows, cols = 3, 512
        if scales is None:
            data = quants.quantize(rng.standard_normal((rows, cols)).astype(np.float32), kind)
        else:
            data = rng.integers(0, 256, (rows, cols // size, width), dtype=np.uint8)
            for at in scales:
                data[:, :, at:at + 2] = (rng.standard_normal((rows, cols // size, 1)) / 64).astype(np.float16).view(np.uint8)
            data = data.reshape(rows, -1)
        w.add_tensor(kind.name, data, raw_dtype=kind)
        numbers[kind.name] = quants.dequantize(data, kind).astype(np.float32).reshape(rows, cols)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    save_file(numbers, os.path.join(out, "blocks.safetensors"))


if __name__ == "__main__":
    parts = sys.argv[1:] or ["models", "blocks"]
    if "blocks" in parts:
        blocks()
    if "models" not in parts:
        sys.exit()
    write("llama-f32-biases.gguf", "llama-f32-biases", Type.F32)
    write("llama-bf16-llama3.gguf", "llama-bf16-llama3", Type.BF16)
    write("qwen2-bf16-yarn.gguf", "qwen2-bf16-yarn", Type.BF16)
    write("qwen3-bf16-tied.gguf", "qwen3-bf16-tied", Type.BF16)
    write("qwen3moe-bf16-sharded.gguf", "qwen3moe-bf16-sharded", Type.BF16, split=15)
    write("glm4moe-bf16-groups.gguf", "glm4moe-bf16-groups", Type.BF16)
    write("gptoss-mxfp4.gguf", "gptoss-mxfp4", Type.BF16)
    quantised()
    vocabulary("qwen2", "qwen2")
    vocabulary("llama3", "llama-bpe")
    vocabulary("glm4", "glm4")
    vocabulary("o200k", "gpt-4o")
    vocabulary("deepseek3", "deepseek-v3")
