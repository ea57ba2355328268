"""Writes a trained model as an ordinary Hugging Face checkpoint folder."""

import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file

from checkpoints import load
from qwen3 import Qwen3
from tokenizer import CHAT_TEMPLATE, END


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def export(model, tokenizer_file, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = json.loads(pathlib.Path(tokenizer_file).read_text())["added_tokens"]
    ids = {token["content"]: token["id"] for token in vocabulary}
    shutil.copyfile(tokenizer_file, folder / "tokenizer.json")
    write_json(folder / "config.json", {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids[END],
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "model_type": "qwen3",
        "rope_scaling": None,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
    } | model.config.to_dict())
    write_json(folder / "generation_config.json", {
        "do_sample": True,
        "eos_token_id": [ids[END], ids["<|endoftext|>"]],
        "pad_token_id": ids["<|endoftext|>"],
        "temperature": 1.0,
        "top_p": 0.95,
    })
    write_json(folder / "tokenizer_config.json", {
        "add_bos_token": False,
        "added_tokens_decoder": {str(t["id"]): {k: t[k] for k in
                                 ("content", "lstrip", "normalized", "rstrip", "single_word", "special")}
                                 for t in vocabulary},
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": END,
        "model_max_length": model.config.max_position_embeddings,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer",
    })
    tensors = {name: w.detach().to(torch.bfloat16).contiguous() for name, w in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@torch.no_grad()
def compare(model, folder, length=200):
    """Largest difference of the logits from transformers' on the same rounded weights."""
    from transformers import Qwen3ForCausalLM
    other = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rounded = Qwen3(model.config)
    rounded.load_state_dict({n: w.to(torch.bfloat16).float() for n, w in model.state_dict().items()})
    tokens = torch.randint(0, model.config.vocab_size, (2, length), generator=torch.Generator().manual_seed(1))
    return (rounded.logits(rounded.hidden(tokens)) - other(tokens).logits).abs().max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="build/reasoner.pt")
    parser.add_argument("--tokenizer", default="build/tokenizer.json")
    parser.add_argument("--out", default="../weights/embedded/reasoner")
    args = parser.parse_args()
    model = load(args.model)
    export(model, args.tokenizer, args.out)
    print("largest difference of logits:", compare(model, args.out))


if __name__ == "__main__":
    main()
