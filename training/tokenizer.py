"""Trains the byte-level BPE tokenizer that both models use, and the chat format.

The pieces are split as Qwen2's tokenizer splits them: digits one by one, a
word with its leading space together. Any text can be encoded; text like the
training questions is encoded well.
"""

import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n<think>\\n' }}{%- endif -%}"
)
END = "<|im_end|>"


def prompt(question):
    """What the chat template makes of one user message."""
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n<think>\n"


def train(texts, vocab_size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL[:3]])
    tokenizer.add_tokens([AddedToken(s, special=False, normalized=False) for s in SPECIAL[3:]])
    return tokenizer


def corpus(count, seed):
    """Text to train the tokenizer on, with the words that the judge answers in."""
    from questions import draw_plan, draw_question
    from traces import trace
    rng = random.Random(seed)
    for _ in range(count):
        question = draw_question(rng)
        first, rest = trace(draw_plan(question, rng), rng)
        yield question.text
        yield first + rest.replace("</think>", "")
        yield "A: B: user assistant\nSame answer? yes no yes no"


if __name__ == "__main__":
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="build/tokenizer.json")
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--vocab", type=int, default=720)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    made = train(corpus(args.count, args.seed), args.vocab)
    made.save(args.out)
    print("vocabulary", made.get_vocab_size())
