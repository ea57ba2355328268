"""Trains the judge: first on the teacher's prefixes, then on sampled ones.

    python train_judge.py --minutes 20                         # from scratch
    python train_judge.py --init build/judge.pt --traces build/judge-traces.jsonl --minutes 8
    python train_judge.py --question-only --steps 600          # a control that sees no trace

The loss is the focal loss of the paper, with different-answer pairs counted
twice; both can be turned off to measure what they bring (combinations.py).
"""

import argparse

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from checkpoints import load
from focal import focal_terms
from judge_pairs import Format, question_rows, sampled_rows, teacher_rows
from loop import add_flags, launch, train
from qwen3 import Config, Qwen3

SIZE = dict(hidden_size=96, num_hidden_layers=4, num_attention_heads=3, num_key_value_heads=1,
            head_dim=32, intermediate_size=224, max_position_embeddings=512)


def star_attention(form, count):
    """Attention of a row: A is causal, every B sees A and itself only."""
    a, b = form.a_length, form.b_length
    mask_a = torch.full((a, a), float("-inf")).triu(1)
    mask_b = torch.full((b, b), float("-inf")).triu(1)

    def attend(q, k, v):
        rows, heads, _, dim = q.shape
        scale = dim ** -0.5
        (qa, qb), (ka, kb), (va, vb) = ((x[:, :, :a], x[:, :, a:]) for x in (q, k, v))
        ya = ((qa @ ka.mT) * scale + mask_a.to(q.dtype)).softmax(-1) @ va
        to_a = (qb @ ka.mT * scale).view(rows, heads, count, b, a)
        qb, kb, vb = (x.reshape(rows, heads, count, b, dim) for x in (qb, kb, vb))
        to_b = (qb @ kb.mT) * scale + mask_b.to(q.dtype)
        weights = torch.cat([to_a, to_b], dim=-1).softmax(-1)
        from_a = weights[..., :a].reshape(rows, heads, count * b, a) @ va
        yb = from_a + (weights[..., a:] @ vb).reshape(rows, heads, count * b, dim)
        return torch.cat([ya, yb], dim=2)

    return attend


def last_logits(model, form, tokens, count, attend, positions):
    """Logits after the last token of every pair: (rows, count, vocabulary)."""
    hidden = model.hidden(tokens, positions=positions, attend=attend)
    at = form.a_length + form.b_length * torch.arange(1, count + 1) - 1
    return model.logits(hidden[:, at])


def pair_batches(form, args, seed):
    """Endless batches (tokens, labels) of rows of one prefix A and many B."""
    rows = (sampled_rows(form, args.traces, args.fan, seed) if args.traces
            else teacher_rows(form, args.fan, seed))
    while True:
        yield [next(rows) for _ in range(args.rows)]


def loss_of(logits, same, form, gamma, oversample):
    """The focal loss of the right word over the vocabulary, with
    different-answer pairs weighted by `oversample`."""
    words = torch.where(same, form.same, form.different)
    log_p = F.log_softmax(logits.float(), dim=-1).gather(-1, words[..., None])[..., 0]
    weight = torch.where(same, 1.0, oversample)
    return (weight * focal_terms(log_p, gamma)).sum() / weight.sum()


def work(rank, args):
    tokenizer = Tokenizer.from_file(args.tokenizer)
    model = load(args.init).train() if args.init else Qwen3(Config(vocab_size=tokenizer.get_vocab_size(), **SIZE))
    form = Format(tokenizer, args.checkpoint)
    attend, positions = star_attention(form, args.fan), form.positions(args.fan)
    seed = f"{args.seed} {rank}"
    batches = question_rows(form, args.fan, args.rows, seed) if args.question_only else pair_batches(form, args, seed)
    if rank == 0:
        print(f"{model.parameter_count()} parameters, pair of {form.a_length} + {form.b_length} tokens", flush=True)

    def measured(batch):
        tokens = torch.tensor([t for t, _ in batch])
        same = torch.tensor([l for _, l in batch]) == 1
        with torch.autocast("cpu", torch.bfloat16):
            if args.question_only:
                logits = model.logits(model.hidden(tokens)[:, -1:]).expand(-1, args.fan, -1)
            else:
                logits = last_logits(model, form, tokens, args.fan, attend, positions)
        says_same = logits[..., form.same] > logits[..., form.different]
        return loss_of(logits, same, form, 2.0 if args.focal else 0.0, args.oversample), same.numel(), {
            "right": (says_same == same).float().mean().item(),
            "different taken for same": ((says_same & ~same).sum() / (~same).sum().clamp(min=1)).item(),
            "share same": same.float().mean().item()}

    train(model, batches, measured, args, rank)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_flags(parser, out="build/judge.pt", minutes=20, port=29512)
    parser.add_argument("--traces", nargs="*", help="files of sampled traces; none: the teacher's")
    parser.add_argument("--checkpoint", type=int, default=36, help="tokens of a prefix")
    parser.add_argument("--question-only", action="store_true", help="show the question in place of both prefixes")
    parser.add_argument("--rows", type=int, default=16, help="rows of a batch, for each worker")
    parser.add_argument("--fan", type=int, default=8, help="prefixes B for each A")
    parser.add_argument("--focal", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--oversample", type=float, default=2.0)
    launch(work, parser.parse_args())


if __name__ == "__main__":
    main()
