"""Trains the judge: first on the teacher's prefixes, then on sampled ones.

    python train_judge.py --minutes 20                         # from scratch
    python train_judge.py --init build/judge.pt --traces build/judge-traces.jsonl --minutes 8
    python train_judge.py --question-only --steps 600          # a control that sees no trace

The loss is the focal loss of the paper, with different-answer pairs counted
twice; both can be turned off to measure what they bring (combinations.py).
"""

import argparse
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from tokenizers import Tokenizer

from checkpoints import load, save
from judge_pairs import Format, question_rows, sampled_rows, teacher_rows
from muon import Both
from qwen3 import Config, Qwen3
from train_reasoner import average_gradients

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


def focal_loss(logits, labels, form, gamma, alpha, oversample):
    """-alpha_t (1 - p_t)^gamma log p_t of the right word over the vocabulary,
    with different-answer pairs weighted by `oversample`."""
    words = torch.where(labels == 1, form.same, form.different)
    log_p = F.log_softmax(logits.float(), dim=-1).gather(-1, words[..., None])[..., 0]
    weight = torch.where(labels == 1, alpha, 1 - alpha) * torch.where(labels == 1, 1.0, oversample)
    return -(weight * (1 - log_p.exp()) ** gamma * log_p).sum() / weight.sum()


def work(rank, args):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    if args.workers > 1:
        dist.init_process_group("gloo", f"tcp://127.0.0.1:{args.port}", rank=rank, world_size=args.workers)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    model = load(args.init).train() if args.init else Qwen3(Config(vocab_size=tokenizer.get_vocab_size(), **SIZE))
    form = Format(tokenizer, args.checkpoint)
    attend, positions = star_attention(form, args.fan), form.positions(args.fan)
    seed = f"{args.seed} {rank}"
    batches = question_rows(form, args.fan, args.rows, seed) if args.question_only else pair_batches(form, args, seed)
    optimiser = Both(model, args.muon_lr, args.adam_lr, hold=args.hold)
    if rank == 0:
        print(f"{model.parameter_count()} parameters, pair of {form.a_length} + {form.b_length} tokens", flush=True)
    gamma, alpha = (2.0, 0.5) if args.focal else (0.0, 0.5)
    begun, step, saved, running = time.time(), 0, 0, None
    for batch in batches:
        tokens = torch.tensor([t for t, _ in batch])
        labels = torch.tensor([l for _, l in batch])
        with torch.autocast("cpu", torch.bfloat16):
            if args.question_only:
                logits = model.logits(model.hidden(tokens)[:, -1:]).expand(-1, args.fan, -1)
            else:
                logits = last_logits(model, form, tokens, args.fan, attend, positions)
        focal_loss(logits, labels, form, gamma, alpha, args.oversample).backward()
        minutes = average_gradients(model, (time.time() - begun) / 60, args.workers)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        step += 1
        progress = step / args.steps if args.steps else minutes / args.minutes
        optimiser.step(progress)
        with torch.no_grad():
            says_same = logits[..., form.same] > logits[..., form.different]
            now = torch.stack([(says_same == (labels == 1)).float().mean(),
                               (says_same & (labels == 0)).sum() / (labels == 0).sum().clamp(min=1),
                               (labels == 1).float().mean()])
        running = now if running is None else running.lerp(now, 0.02)
        done = progress >= 1
        if rank == 0 and (step % 100 == 0 or done):
            right, false_same, same = running.tolist()
            print(f"step {step}, {minutes:.1f} min, {step * labels.numel() * args.workers / 1e3:.0f}k pairs, right "
                  f"{right:.4f}, different taken for same {false_same:.4f}, share same {same:.3f}", flush=True)
        if rank == 0 and (minutes - saved > 2 or done):
            saved = minutes
            save(model, args.out)
        if done:
            break


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="build/tokenizer.json")
    parser.add_argument("--out", default="build/judge.pt")
    parser.add_argument("--init")
    parser.add_argument("--traces", nargs="*", help="files of sampled traces; none: the teacher's")
    parser.add_argument("--checkpoint", type=int, default=36, help="tokens of a prefix")
    parser.add_argument("--question-only", action="store_true", help="show the question in place of both prefixes")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--steps", type=int, help="train so many steps instead of minutes, whatever else the machine does")
    parser.add_argument("--rows", type=int, default=16, help="rows of a batch, for each worker")
    parser.add_argument("--fan", type=int, default=8, help="prefixes B for each A")
    parser.add_argument("--focal", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--oversample", type=float, default=2.0)
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=0.004)
    parser.add_argument("--hold", type=float, default=0.5, help="share of the time before the rate falls")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=29512)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.workers == 1:
        work(0, args)
    else:
        torch.multiprocessing.spawn(work, (args,), args.workers)


if __name__ == "__main__":
    main()
