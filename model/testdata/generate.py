"""Makes the golden files beside it from the reference implementation.

    pip install torch transformers tokenizers safetensors numpy jinja2
    python generate.py [checkpoints] [ropes] [tokenizers] [chats]

Checkpoints are tiny and random; they vary what config.json can vary. Each has
golden.json (a prompt, the greedy continuation, and the positions whose logits
are kept) and golden.safetensors (those logits, float32). Those with scaled rotary
positions are made by ropes, as is ropes.json: the frequencies of more configs,
of real size. Tokenizers are trained
on the spot, one for each pattern; NAME.cases.json.gz holds [text, ids] pairs.
chats.cases.json.gz holds [template, rendered] pairs of random templates in the
form that is supported, with the settings of Hugging Face.
"""

import gzip
import json
import os
import random
import shutil
import sys
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))

# Tokenizers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
QWEN2 = HEAD + r"\p{N}" + TAIL
LLAMA3 = HEAD + r"\p{N}{1,3}" + TAIL

WORDS = """the of and to in is it you that he was for on are with as his they be at one have this from or had by
not but what all were when we there can an your which their said if do will each about how up out them then she many
some so these would other into has more her two like him see time could no make than first been its who now people my
made over did down only way find use may water long little very after words called just where most know get through
back much before go good new write our used me man too any day same right look think also around another came come
work three word must because does part even place well such here take why things help put years different away again
off went old number answer therefore total apples boxes each costs dollars Anna Ben hence wait actually""".split()
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'lL", "'D", "'x", "'\u017f", "''", "'r", "'l", "'"]
SPACES = [" ", "  ", "   ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\u1680",
          " \n", "\n ", " \t ", "\u200b", "\ufeff", "\u180e", "\x1c", "\x00"]
NUMBERS = ["0", "7", "42", "123", "2026", "3.14159", "1,000,000", "12345678901234567890", "\u0663\u0664\u0665\u0666", "\u096a\u0968", "\u00b2\u00b3\u00bd",
           "\u2167", "\u4e09\u5341", "\U0001d7ce\U0001d7cf", "\u2460\u2461", "1st", "x2", "\u1369"]
LETTERS = ["caf\u00e9", "cafe\u0301", "na\u00efve", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "\u212b", "\u2126", "\ufb01ne", "stra\u00dfe", "\u0130\u0131", "\u017f", "\u01c5",
           "\u0391\u03b8\u03ae\u03bd\u03b1", "\u041c\u043e\u0441\u043a\u0432\u0430", "\u05e9\u05dc\u05d5\u05dd", "\u0633\u0644\u0627\u0645", "\u0628\u0650\u0633\u0652\u0645\u0650", "\u0939\u093f\u0928\u094d\u0926\u0940",
           "\u0e44\u0e17\u0e22", "\u0e01\u0e33", "\u4f60\u597d\u4e16\u754c", "\u65e5\u672c\u8a9e", "\u306b\u307b\u3093", "\u30ab\u3099", "\uff76\uff9e", "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab", "\u1100\u1161",
           "\U00020000\U0002f804", "\u1ec7", "e\u0323\u0302", "e\u0302\u0323", "\u0915\u093c", "\u0958", "\u09cb", "\u09c7\u09be", "\u0344", "\u1e9b\u0323"]
SYMBOLS = ["!", "?", "...", "--", "==", "+=", "->", "()", "[]", "{}", "//", "/*", "*/", "#", "$", "%", "@", "\\", "\"", "`", "~", "^", "|", "\u2014", "\u2026", "\u201c", "\u201d", "\u2192",
           "\u2211", "\u20ac", "\u00a9", "\u0301", "\u0308\u0323", "\u20dd", "\ufe0f", "\u200d", "\u2603", "\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea",
           "1\ufe0f\u20e3", "\U0001f3f4\u200d\u2620\ufe0f", "\ufffd", "\ue000", "\x7f", "\x1b", "\U000e0041", "\u037e", "\u0340", "\u0374"]
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool>", "<tool>x", " <left>", "<left>", "<right>", "<both>", "WORD", "<cafe\u0301>", "<caf\u00e9>"]
# The parts of added tokens, and spellings that are none.
NEAR = ["<|im_", "start|>", "<|", "|>", "<think", "think>", "< |im_end| >", "<|im_end|", "WORDS", "aWORD", "<tool"]


def any_character(rng):
    """A character that every Unicode version since 14 has."""
    while True:
        c = chr(rng.choice([rng.randrange(0x250), rng.randrange(0x3000), rng.randrange(0x10000), rng.randrange(0x30000)]))
        if unicodedata.category(c) not in ("Cn", "Cs"):
            return c


def case(rng):
    parts = []
    for _ in range(rng.choice([1, 2, 3, 4, 6, 9, 14])):
        kind = rng.randrange(17)
        if kind < 3:
            word = rng.choice(WORDS)
            parts.append(rng.choice([word, " " + word, word.upper(), word.capitalize()]))
        elif kind < 5:
            parts.append(rng.choice(CONTRACTIONS))
        elif kind < 7:
            parts.append(rng.choice(SPACES) * rng.choice([1, 1, 1, 2, 5]))
        elif kind < 9:
            parts.append(rng.choice(NUMBERS))
        elif kind < 11:
            parts.append(rng.choice(LETTERS))
        elif kind < 13:
            parts.append(rng.choice(SYMBOLS))
        elif kind == 13:
            parts.append(rng.choice(ADDED))
        elif kind == 14:
            parts.append(rng.choice(NEAR))
        else:
            parts.append("".join(any_character(rng) for _ in range(rng.choice([1, 2, 3]))))
    return "".join(parts)


def cases(rng, count):
    yield from ["", " ", "  ", "\n", "a", "'", "'s", " 's", "a\n", "\n a", "hello world", "a" * 100, "ab" * 300, " " * 70 + "x", "1" * 40]
    # More marks on a letter than a stream-safe normaliser lets pass, out of order.
    yield "Z" + "\u0301\u0323\u0308" * 20 + "e" + "\u0302" * 40 + "\u0323 end"
    yield "e" + "\u0315" * 31 + "\u0323\u0301\u1100" + "\u0345" * 9 + "\u1161\u11a8"
    # Every added token between words, spaces and other added tokens.
    for a in ADDED:
        for before in ["", "x", " ", "x ", " \n", "\u00e9", "_", "<think>"]:
            for after in ["", "y", " ", " y", "\t\n", "\u0301", "9", "<think>"]:
                yield before + a + after
    for _ in range(count):
        yield case(rng)


def train(name, pattern, nfc, prefix_space, drop_merges, string_merges, vocab=700):
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    rng = random.Random(name)
    tok = Tokenizer(models.BPE())
    if nfc:
        tok.normalizer = normalizers.NFC()
    if pattern is None:
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=True)
    else:
        tok.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    corpus = [" ".join(rng.choice(WORDS) for _ in range(12)) for _ in range(400)]
    corpus += [case(rng).replace("<|", "").replace("|>", "") for _ in range(1500)] + ["a" * 64, " " * 32] * 20
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=vocab, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    for content in ADDED:
        tok.add_tokens([AddedToken(
            content, special=content.startswith("<|"), normalized="caf" in content,
            lstrip=content in ("<left>", "<both>"), rstrip=content in ("<right>", "<both>"), single_word=content == "WORD")])

    path = os.path.join(HERE, name + ".json")
    file = json.loads(tok.to_str())
    merges = file["model"]["merges"]
    if drop_merges:
        # Words that stay in the vocabulary, but that no merge makes any more.
        file["model"]["ignore_merges"] = True
        file["model"]["merges"] = [m for i, m in enumerate(merges) if i < 200 or i % 5]
    if string_merges:
        file["model"]["merges"] = [" ".join(m) for m in merges]
    with open(path, "w") as f:
        json.dump(file, f, ensure_ascii=False, indent=None, separators=(",", ":"))

    tok = Tokenizer.from_file(path)
    lines = [json.dumps([text, tok.encode(text, add_special_tokens=False).ids], separators=(",", ":")) for text in cases(rng, 1200)]
    with gzip.GzipFile(os.path.join(HERE, name + ".cases.json.gz"), "wb", mtime=0) as f:
        f.write(("\n".join(lines) + "\n").encode())
    print(name, tok.get_vocab_size(), "tokens,", len(lines), "cases")


def tokenizers():
    train("gpt2", None, nfc=False, prefix_space=False, drop_merges=False, string_merges=True)
    train("gpt2-space", None, nfc=True, prefix_space=True, drop_merges=False, string_merges=False)
    train("qwen2", QWEN2, nfc=True, prefix_space=False, drop_merges=False, string_merges=False)
    train("llama3", LLAMA3, nfc=False, prefix_space=False, drop_merges=True, string_merges=False)


# Checkpoints

BASE = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=288,
            max_position_embeddings=512, rms_norm_eps=1e-5, eos_token_id=0, bos_token_id=None, pad_token_id=None)
PROMPT, GREEDY = 150, 32


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


def checkpoint(name, *args, **kwargs):
    """Writes a checkpoint with the first seed whose greedy tokens are beyond doubt."""
    seed = 1
    while not write_checkpoint(name, seed, *args, **kwargs):
        seed += 1


def write_checkpoint(name, seed, config, model_class, dtype, shard_size="1GB", edit=lambda config: config, context=0):
    import torch
    from safetensors.torch import save_file
    out = os.path.join(HERE, name)
    shutil.rmtree(out, ignore_errors=True)
    torch.manual_seed(seed)
    model = model_class(config).to(torch.float32).eval()
    with torch.no_grad():
        for p_name, p in model.named_parameters():
            if "norm" in p_name:
                p.copy_(1 + 0.3 * torch.randn_like(p))
            elif p_name.endswith("bias"):
                p.copy_(0.3 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * (1.5 / p.shape[-1] ** 0.5))
    model.to(dtype).save_pretrained(out, max_shard_size=shard_size)
    model = model_class.from_pretrained(out, dtype=torch.float32).eval()
    config_path = os.path.join(out, "config.json")
    with open(config_path) as f:
        stored = edit(json.load(f))
    with open(config_path, "w") as f:
        json.dump(stored, f, indent=1)
    tiny_tokenizer(os.path.join(out, "tokenizer.json"))

    generator = torch.Generator().manual_seed(7)
    tokens = torch.randint(1, BASE["vocab_size"], (PROMPT,), generator=generator).tolist()

    def forward():
        # Where the frequencies depend on the length, all passes have that of the context.
        padded = tokens + [1] * (context - len(tokens))
        return model(torch.tensor([padded])).logits[0, :len(tokens)]

    with torch.no_grad():
        for _ in range(GREEDY):
            last = forward()[-1]
            top = torch.topk(last, 2)
            if top.values[0] - top.values[1] < 1e-3:
                return False
            tokens.append(int(top.indices[0]))
        logits = forward()
    rows = list(range(0, PROMPT - 1, 7)) + list(range(PROMPT - 1, PROMPT + GREEDY - 1, 3))
    with open(os.path.join(out, "golden.json"), "w") as f:
        json.dump({"prompt": tokens[:PROMPT], "greedy": tokens[PROMPT:], "rows": rows} | ({"context": context} if context else {}), f)
    save_file({"logits": logits[rows].to(torch.float32).contiguous()}, os.path.join(out, "golden.safetensors"))
    print(name, sum(p.numel() for p in model.parameters()), "parameters, seed", seed)
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
    parts = {"checkpoints": checkpoints, "ropes": ropes, "tokenizers": tokenizers, "chats": chats}
    for part in sys.argv[1:] or parts:
        parts[part]()
