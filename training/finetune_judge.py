"""Fine-tunes a judge from a Hugging Face checkpoint, for a real reasoner.

    deepprune judge pairs --traces traces.jsonl --out pairs.jsonl
    python finetune_judge.py --checkpoint Qwen3-4B-Instruct-2507 --pairs pairs.jsonl --chat --out judge

The result is an ordinary checkpoint folder with judge.json, for --judge. It is
asked for one of two words, or, with --classifier, it has a head of two labels.

The method is the paper's (arXiv 2510.08483): focal loss, and the rarer kind of
pair shown twice. Where it differs, and where the paper says nothing:
- p of the loss is that of the right word against the other, as the engine
  scores, not against the whole vocabulary.
- gamma is the usual 2. alpha, the weight of pairs with the same answer (the
  others have 1 - alpha), is 0.5, so that oversampling alone balances the kinds.
- The paper trains all weights. Here a LoRA is trained and merged unless
  --lora-rank is 0: that takes far less memory.
- Training stops when the validation does not improve, which is measured on
  questions of their own and within each question.
"""

import argparse
import contextlib
import dataclasses
import itertools
import math
import os
import pathlib
import shutil
import time

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from focal import focal_terms
from judge_spec import Prompt, Spec
from measures import separation, threshold
from pair_files import batches, epoch, packs, read_pairs, split, whole_questions
from schedule import rate

# What makes a tokenizer, beside tokenizer.json.
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                   "chat_template.jinja", "vocab.json", "merges.txt")
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Judge(nn.Module):
    """A checkpoint as a judge: two logits a pair, (different, same).

    model is a ...ForCausalLM, asked for two of its words, or a
    ...ForSequenceClassification, of which `score` is the head."""

    def __init__(self, model, words):
        super().__init__()
        self.model, self.words = model, words

    @classmethod
    def load(cls, folder, prompt_words, dtype):
        """prompt_words: (different, same), or None for a classifier."""
        kind = AutoModelForCausalLM if prompt_words else AutoModelForSequenceClassification
        return cls(kind.from_pretrained(folder, dtype=dtype), prompt_words)

    def classifier(self, names):
        """The same judge with a head of its own, which starts as the rows of the
        two words."""
        config = self.model.config
        config.id2label = dict(enumerate(names))
        config.label2id = {name: i for i, name in enumerate(names)}
        config.tie_word_embeddings = False
        with torch.device("meta"):
            made = AutoModelForSequenceClassification.from_config(config)
        rows = self.model.get_output_embeddings().weight[self.words].detach().clone()
        made.model, made.score = self.model.model, nn.Linear(rows.shape[1], 2, bias=False)
        made.score.weight.data = rows.float()
        return Judge(made, None)

    def forward(self, prompts):
        """Logits (pairs, 2) in float32 after the last token of every prompt.
        Padding stands at the end, where causal attention does not see it."""
        device = self.model.device
        last = torch.tensor([len(p) - 1 for p in prompts], device=device)
        tokens = torch.zeros(len(prompts), int(last.max()) + 1, dtype=torch.long)
        for row, p in zip(tokens, prompts):
            row[:len(p)] = torch.tensor(p)
        hidden = self.model.model(input_ids=tokens.to(device), use_cache=False).last_hidden_state
        hidden = hidden[torch.arange(len(prompts), device=device), last].float()
        with torch.autocast(device.type, enabled=False):
            head = self.model.score.weight if self.words is None else self.model.get_output_embeddings().weight[self.words]
            return F.linear(hidden, head.float())


def add_lora(judge, rank, alpha, dropout):
    """Freezes the judge but for a LoRA of its layers, and the head of a classifier."""
    from peft import LoraConfig, get_peft_model
    wrapped = get_peft_model(judge.model, LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=LAYERS))
    if judge.words is None:
        judge.model.score.weight.requires_grad_(True)
    return wrapped


def trained(judge):
    return {name: p for name, p in judge.named_parameters() if p.requires_grad}


def scores_of(judge, prompts, pack_tokens):
    """P(same) of every prompt."""
    scores = np.empty(len(prompts))
    judge.eval()
    with torch.no_grad():
        for pack in packs([len(p) for p in prompts], pack_tokens):
            logits = judge([prompts[i] for i in pack]).double()
            scores[pack] = torch.sigmoid(logits[:, 1] - logits[:, 0]).cpu().numpy()
    return scores


def loss_of(logits, same, gamma, alpha):
    """Sum over pairs of -alpha_t (1 - p_t)^gamma log p_t."""
    log_p = F.log_softmax(logits, dim=-1).gather(-1, same.long()[:, None])[:, 0]
    return (torch.where(same, alpha, 1 - alpha) * focal_terms(log_p, gamma)).sum()


def gradients(judge, prompts, same, args):
    """Adds up the gradients of the mean loss of a batch, a pack at a time;
    returns the loss."""
    total = 0.0
    for pack in packs([len(p) for p in prompts], args.pack_tokens):
        with precision(args):
            logits = judge([prompts[i] for i in pack])
        loss = loss_of(logits, torch.tensor([same[i] for i in pack], device=logits.device), args.gamma, args.alpha)
        (loss / len(prompts)).backward()
        total += loss.item() / len(prompts)
    return total


def precision(args):
    if args.precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(args.device).type, torch.bfloat16)


def validate(judge, prompts, pairs, args):
    """The figures of a validation set, and what training shall raise: AUROC
    within a question, where it is known."""
    with precision(args):
        scores = scores_of(judge, prompts, args.pack_tokens)
    known = pairs[0].question is not None
    figures = separation(scores, np.array([p.same for p in pairs]), [p.question for p in pairs] if known else None)
    aim = figures["auroc"] if figures["within_auroc"] is None else figures["within_auroc"]
    if aim is None:
        raise SystemExit("the validation pairs are all of one kind: keep more questions for them (--share)")
    return scores, figures, aim


def shown(figures):
    return ", ".join(f"{name} {value:.4f}" for name, value in
                     ((n, figures[k]) for n, k in (("AUROC", "auroc"), ("TNR", "tnr"), ("within a question AUROC", "within_auroc"),
                                                   ("TNR", "within_tnr"))) if value is not None)


def write(value, path):
    """torch.save that is all there or not at all."""
    torch.save(value, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def fine_tune(judge, prompts, pairs, checks, args, state):
    """Trains judge, keeps what a run that was cut needs in the folder `state`,
    and leaves judge with the weights that validated best.

    prompts, checks: of the pairs to train on, and (prompts, pairs) to validate."""
    parameters = trained(judge)
    optimiser = torch.optim.AdamW(parameters.values(), betas=(0.9, 0.99), weight_decay=args.weight_decay)
    steps = args.steps or math.ceil(args.epochs * len(epoch(pairs, args.oversample, args.seed)) / args.batch)
    step, best, stale = 0, -math.inf, 0
    flags = {k: str(v) for k, v in vars(args).items() if k not in ("resume", "device", "threads", "pack_tokens")}
    if args.resume and (state / "last.pt").exists():
        kept = torch.load(state / "last.pt", map_location=args.device)
        changed = [k for k in flags if kept["flags"].get(k) != flags[k]]
        if changed:
            raise SystemExit(f"--resume: the run in {state} had another {', '.join(changed)}")
        restore(parameters, kept["weights"])
        optimiser.load_state_dict(kept["optimiser"])
        step, best, stale = kept["step"], kept["best"], kept["stale"]
    print(f"{sum(p.numel() for p in parameters.values())} of {sum(p.numel() for p in judge.parameters())} parameters, "
          f"{len(pairs)} pairs, {len(checks[1])} to validate, step {step} of {steps}", flush=True)
    if step == 0:
        _, figures, best = validate(judge, *checks, args)
        write({n: p.detach().cpu() for n, p in parameters.items()}, state / "best.pt")
        print(f"before: {shown(figures)}", flush=True)
    begun, loss = time.time(), 0.0
    for batch in itertools.islice(batches(pairs, args.batch, args.oversample, args.seed), step, None):
        if step >= steps or stale >= args.patience:
            break
        torch.manual_seed(1_000_003 * args.seed + step)  # of the dropout
        judge.train()
        loss += gradients(judge, [prompts(pairs[i]) for i in batch], [pairs[i].same for i in batch], args)
        nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = args.lr * rate(step / steps, args.hold, args.warmup)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        if step % args.evaluate_every == 0 or step == steps:
            _, figures, aim = validate(judge, *checks, args)
            every = (step - 1) % args.evaluate_every + 1
            print(f"step {step}, {(time.time() - begun) / 60:.1f} min, loss {loss / every:.4f}: {shown(figures)}", flush=True)
            loss, stale = 0.0, stale + 1
            if aim > best:
                best, stale = aim, 0
                write({n: p.detach().cpu() for n, p in parameters.items()}, state / "best.pt")
            write({"weights": {n: p.detach() for n, p in parameters.items()}, "optimiser": optimiser.state_dict(),
                   "step": step, "best": best, "stale": stale, "flags": flags}, state / "last.pt")
    restore(parameters, torch.load(state / "best.pt", map_location=args.device))


@torch.no_grad()
def restore(parameters, kept):
    for name, p in parameters.items():
        p.copy_(kept[name])


def save(judge, wrapped, source, out):
    """Writes the merged judge as an ordinary checkpoint in bfloat16, with the
    tokenizer of the source as it is."""
    judge.cpu().float()  # to merge without rounding twice, where there is room
    if wrapped is not None:
        judge.model = wrapped.merge_and_unload()
    judge.to(torch.bfloat16)
    judge.model.config.dtype = torch.bfloat16
    judge.model.save_pretrained(out)
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copy(source / name, out / name)


def chat_of(folder, **switches):
    """The prompt that a checkpoint's chat template makes of a message's text."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return lambda text: tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True, **switches)


def spec_of(args):
    """(what the pairs' messages say, what the judge is asked)."""
    file = args.spec or args.checkpoint / "judge.json"
    spec = Spec.read(file) if args.spec or file.exists() else Spec()
    asked = dataclasses.replace(spec)
    if spec.chat:  # as the engine does it
        asked = spec.in_chat(chat_of(args.checkpoint))
    elif args.chat:
        asked = spec.in_chat(chat_of(args.checkpoint, enable_thinking=False))
    if args.prefix_tokens or args.prefix_words:
        asked.checkpoint = {k: v for k, v in (("tokens", args.prefix_tokens), ("words", args.prefix_words)) if v}
    return spec, asked


def run(args):
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    spec, asked = spec_of(args)
    pairs = read_pairs(args.pairs, spec)
    if args.validation:
        kept = read_pairs(args.validation, spec)
    else:
        pairs, kept = split(pairs, args.share, args.seed)
    if not pairs or not kept:
        raise SystemExit("no question is left to train on, or none to validate with")
    kept = whole_questions(kept, args.validation_pairs, args.seed)

    config = AutoConfig.from_pretrained(args.checkpoint)
    if not config.architectures[0].endswith("ForCausalLM"):
        raise SystemExit(f"--checkpoint: {config.architectures[0]} is not a language model")
    tokens = Prompt(asked, args.checkpoint / "tokenizer.json", config.max_position_embeddings)
    prompts = lambda p: tokens(p.a, p.b)
    checks = [prompts(p) for p in kept], kept
    # A LoRA leaves the weights as they are, so these may be rounded already.
    rounded = args.lora_rank > 0 and args.precision == "bf16"
    judge = Judge.load(args.checkpoint, tokens.words, torch.bfloat16 if rounded else torch.float32).to(args.device)
    if args.classifier:
        judge = judge.classifier([asked.different.strip(), asked.same.strip()])
    wrapped = add_lora(judge, args.lora_rank, args.lora_alpha, args.lora_dropout) if args.lora_rank else None
    if args.recompute:
        judge.model.activation_checkpointing_enable({"use_reentrant": False})

    state = args.out.with_name(args.out.name + ".state")
    for folder in (args.out, state):
        folder.mkdir(parents=True, exist_ok=True)
    fine_tune(judge, prompts, pairs, checks, args, state)

    save(judge, wrapped, args.checkpoint, args.out)
    # What counts is what was saved, so it is read again to be measured.
    judge = Judge.load(args.out, None if args.classifier else tokens.words, torch.float32).to(args.device)
    scores, figures, _ = validate(judge, *checks, argparse.Namespace(**vars(args) | {"precision": "fp32"}))
    asked.threshold = round(float(threshold(scores, np.array([p.same for p in kept]), args.fnr)), 4)
    asked.write(args.out / "judge.json")
    print(f"{args.out}: {shown(figures)}; threshold {asked.threshold} misses {args.fnr:.0%} of the pairs with the same answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--checkpoint", type=pathlib.Path, required=True, help="folder to start from")
    add("--pairs", required=True, help="file of judge pairs, in either format, without --repeat")
    add("--validation", help="its file of --held-out; without it, a share of the questions is kept apart")
    add("--share", type=float, default=0.1, help="that share")
    add("--validation-pairs", type=int, default=4000, help="validate with about so many pairs")
    add("--out", type=pathlib.Path, required=True, help="folder to write")
    add("--resume", action="store_true", help="go on where a run with the same flags was cut")
    add("--spec", type=pathlib.Path, help="judge.json that says how to ask; the checkpoint's, or else plain words")
    add("--chat", action="store_true", help="put the checkpoint's chat template around that")
    add("--prefix-tokens", type=int, help="where the prefixes are cut, for judge.json")
    add("--prefix-words", type=int)
    add("--fnr", type=float, default=0.2, help="pairs with the same answer that the threshold may miss")
    add("--classifier", action="store_true", help="a head of two labels instead of two words")
    add("--gamma", type=float, default=2.0, help="0 for cross entropy")
    add("--alpha", type=float, default=0.5, help="weight of pairs with the same answer")
    add("--oversample", type=float, default=2.0, help="how often an epoch shows pairs of the rarer kind")
    add("--lora-rank", type=int, default=32, help="0 trains all weights")
    add("--lora-alpha", type=float, default=64)
    add("--lora-dropout", type=float, default=0.0)
    add("--epochs", type=float, default=2)
    add("--steps", type=int, help="instead of epochs")
    add("--batch", type=int, default=32, help="pairs of a step")
    add("--pack-tokens", type=int, default=16384, help="tokens that are computed at once: bounds the memory")
    add("--recompute", action="store_true", help="compute activations twice instead of keeping them")
    add("--lr", type=float, help="peak rate: 2e-4 for a LoRA, 1e-5 for all weights")
    add("--warmup", type=float, default=0.03, help="share of the steps until then")
    add("--hold", type=float, default=0.1, help="share of the steps before the rate falls")
    add("--weight-decay", type=float, default=0.01)
    add("--evaluate-every", type=int, default=200, help="steps")
    add("--patience", type=int, default=5, help="validations in a row that may bring nothing")
    add("--precision", choices=("bf16", "fp32"), default="bf16")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--threads", type=int)
    add("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.lr is None:
        args.lr = 2e-4 if args.lora_rank else 1e-5
    run(args)


if __name__ == "__main__":
    main()
