"""What the two trainings from nothing share: workers, rate, log, saves."""

import time

import torch
import torch.distributed as dist

from checkpoints import save
from muon import Both


def add_flags(parser, out, minutes, port):
    parser.add_argument("--tokenizer", default="build/tokenizer.json")
    parser.add_argument("--out", default=out)
    parser.add_argument("--init", help="weights to start from")
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--steps", type=int, help="train so many steps instead of minutes, whatever else the machine does")
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=0.004)
    parser.add_argument("--hold", type=float, default=0.5, help="share of the training before the rate falls")
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--seed", type=int, default=1)


def launch(work, args):
    """Calls work(rank, args) in every worker: a process with a whole copy of the
    model on one thread. Two of these are faster than two threads in one, which
    wait for each other at every operation."""
    if args.workers == 1:
        start(0, work, args)
    else:
        torch.multiprocessing.spawn(start, (work, args), args.workers)


def start(rank, work, args):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    if args.workers > 1:
        dist.init_process_group("gloo", f"tcp://127.0.0.1:{args.port}", rank=rank, world_size=args.workers)
    work(rank, args)


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


def train(model, batches, loss_of, args, rank):
    """Trains until the minutes or steps are over.

    loss_of(batch) gives the loss, how much the batch holds and the figures to
    show, by name; their running means are shown."""
    optimiser = Both(model, args.muon_lr, args.adam_lr, hold=args.hold)
    begun, saved, seen, running = time.time(), 0, 0, {}
    for step, batch in enumerate(batches, 1):
        loss, size, figures = loss_of(batch)
        loss.backward()
        minutes = average_gradients(model, (time.time() - begun) / 60, args.workers)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        progress = step / args.steps if args.steps else minutes / args.minutes
        optimiser.step(progress)
        seen += size * args.workers
        for name, value in figures.items():
            running[name] = running.get(name, value) + 0.03 * (value - running.get(name, value))
        done = progress >= 1
        if rank == 0 and (step % 100 == 0 or done):
            print(f"step {step}, {minutes:.1f} min, {seen / 1e6:.2f}M seen, "
                  + ", ".join(f"{name} {value:.4f}" for name, value in sorted(running.items())), flush=True)
        if rank == 0 and (minutes - saved > args.save_minutes or done):
            saved = minutes
            save(model, args.out)
        if done:
            break
