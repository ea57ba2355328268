"""Trains the reasoner on traces of the noisy teacher, drawn as it goes.

Half of the batches hold whole traces, half hold questions with the set-up
only: reading a question is the hard part and a set-up is a tenth of a trace,
so this shows the model several times as many questions for the same work.
"""

import argparse
import random
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from tokenizers import Tokenizer

from checkpoints import save
from muon import Both
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


def average_gradients(model, minutes, workers):
    """Means over the workers, of the gradients and of the minutes that set the
    learning rate, so that all stay in step."""
    if workers == 1:
        return minutes
    grads = [p.grad for p in model.parameters()]
    flat = torch.cat([g.flatten() for g in grads] + [torch.tensor([minutes])]) / workers
    dist.all_reduce(flat)
    at = 0
    for g in grads:
        g.copy_(flat[at:at + g.numel()].view_as(g))
        at += g.numel()
    return flat[-1].item()


def work(rank, args):
    """One worker: a whole copy of the model on one thread. Two of these are
    faster than two threads in one, which wait for each other at every operation."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    if args.workers > 1:
        dist.init_process_group("gloo", f"tcp://127.0.0.1:{args.port}", rank=rank, world_size=args.workers)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    model = Qwen3(Config(vocab_size=tokenizer.get_vocab_size()))
    if args.init:
        model.load_state_dict(torch.load(args.init)["model"])
    optimiser = Both(model, args.muon_lr, args.adam_lr, hold=args.hold)
    if rank == 0:
        print(f"{model.parameter_count()} parameters", flush=True)
    begun, seen, step, saved, running = time.time(), 0, 0, 0, {}
    for inputs, labels in batches(f"{args.seed} {rank}", tokenizer, args.batch_tokens, args.setup_share):
        loss = loss_of(model, inputs, labels)
        loss.backward()
        minutes = average_gradients(model, (time.time() - begun) / 60, args.workers)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step(minutes / args.minutes)
        kind = "whole" if inputs.shape[1] > 150 else "set-up"
        running[kind] = 0.95 * running.get(kind, loss.item()) + 0.05 * loss.item()
        seen += inputs.numel() * args.workers
        step += 1
        done = minutes > args.minutes
        if rank == 0 and (step % 100 == 0 or done):
            print(f"step {step}, {minutes:.1f} min, {seen / 1e6:.2f}M tokens, {seen / minutes / 60:.0f}/s, "
                  + ", ".join(f"{k} {v:.4f}" for k, v in sorted(running.items())), flush=True)
        if rank == 0 and (minutes - saved > args.save_minutes or done):
            saved = minutes
            save(model, args.out)
        if done:
            break


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", default="build/tokenizer.json")
    parser.add_argument("--out", default="build/reasoner.pt")
    parser.add_argument("--init")
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--batch-tokens", type=int, default=4096, help="for each worker")
    parser.add_argument("--setup-share", type=float, default=0.5)
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=0.004)
    parser.add_argument("--hold", type=float, default=0.5, help="share of the time before the rate falls")
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=29511)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.workers == 1:
        work(0, args)
    else:
        torch.multiprocessing.spawn(work, (args,), args.workers)


if __name__ == "__main__":
    main()
