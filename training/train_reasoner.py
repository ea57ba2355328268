"""Trains the reasoner on traces of the noisy teacher, drawn as it goes.

Half of the batches hold whole traces, half hold questions with the set-up
only: reading a question is the hard part and a set-up is a tenth of a trace,
so this shows the model several times as many questions for the same work.
"""

import argparse
import random

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from checkpoints import load
from loop import add_flags, launch, train
from qwen3 import Config, Qwen3
from questions import draw_plan, draw_question
from tokenizer import END, prompt
from traces import trace


def draw_rows(rng, tokenizer, count, whole):
    """`count` rows of (tokens, length of the prompt)."""
    prompts, texts = [], []
    for _ in range(count):
        question = draw_question(rng)
        first, rest = trace(draw_plan(question, rng), rng)
        prompts.append(prompt(question.text))
        texts.append(first + rest + END if whole else first + "\n")
    heads = tokenizer.encode_batch_fast(prompts)
    tails = tokenizer.encode_batch_fast(texts)
    return [(h.ids + t.ids, len(h.ids)) for h, t in zip(heads, tails)]


def batches(seed, tokenizer, tokens, setup_share):
    """Endless batches (tokens, labels) of rows of nearly equal length."""
    rng = random.Random(seed)
    while True:
        pool = []
        for whole, share in ((True, 1 - setup_share), (False, setup_share)):
            length = 510 if whole else 90
            count = int(16 * share * tokens / length)
            rows = sorted(draw_rows(rng, tokenizer, count, whole), key=lambda r: len(r[0]))
            while rows:
                size = max(1, tokens // len(rows[-1][0]))
                pool.append(rows[-size:])
                del rows[-size:]
        rng.shuffle(pool)
        for rows in pool:
            width = max(len(ids) for ids, _ in rows)
            inputs = torch.zeros(len(rows), width, dtype=torch.long)
            labels = torch.full((len(rows), width), -100)
            for i, (ids, head) in enumerate(rows):
                inputs[i, :len(ids)] = torch.tensor(ids)
                labels[i, head - 1:len(ids) - 1] = inputs[i, head:len(ids)]
            yield inputs, labels


def loss_of(model, inputs, labels):
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.hidden(inputs)
        kept = labels != -100
        logits = model.logits(hidden[kept])
    return F.cross_entropy(logits.float(), labels[kept])


def work(rank, args):
    tokenizer = Tokenizer.from_file(args.tokenizer)
    model = load(args.init).train() if args.init else Qwen3(Config(vocab_size=tokenizer.get_vocab_size()))
    if rank == 0:
        print(f"{model.parameter_count()} parameters", flush=True)

    def measured(batch):
        inputs, labels = batch
        loss = loss_of(model, inputs, labels)
        return loss, inputs.numel(), {"whole" if inputs.shape[1] > 150 else "set-up": loss.item()}

    train(model, batches(f"{args.seed} {rank}", tokenizer, args.batch_tokens, args.setup_share), measured, args, rank)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_flags(parser, out="build/reasoner.pt", minutes=50, port=29511)
    parser.add_argument("--batch-tokens", type=int, default=4096, help="for each worker")
    parser.add_argument("--setup-share", type=float, default=0.5)
    launch(work, parser.parse_args())


if __name__ == "__main__":
    main()
