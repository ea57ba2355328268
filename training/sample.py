"""A plain batched sampler with a KV cache, for evaluation without the engine."""

import argparse
import json
import re
import time

import torch
from tokenizers import Tokenizer

from checkpoints import load
from tokenizer import END, prompt

BOXED = re.compile(r"\\boxed\{([^{}]*)\}")


def boxed(text):
    """The last boxed answer, or None."""
    found = BOXED.findall(text)
    return found[-1] if found else None


def choose(logits, temperature, top_p, generator):
    """One token a row; top_p keeps the fewest tokens that reach that mass."""
    probabilities = torch.softmax(logits.float() / temperature, dim=-1)
    ranked, index = probabilities.sort(dim=-1, descending=True)
    ranked[ranked.cumsum(-1) - ranked >= top_p] = 0
    return index.gather(-1, torch.multinomial(ranked, 1, generator=generator))


@torch.no_grad()
def generate(model, prompts, end, most=900, temperature=1.0, top_p=0.95, seed=0):
    """Continues equally long prompts (rows x length); returns lists of tokens
    without the end token. Rows that have ended leave the batch."""
    config, (rows, length) = model.config, prompts.shape
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, config.num_key_value_heads, length + most, config.head_dim)
    buffers = [(torch.zeros(shape, dtype=torch.bfloat16), torch.zeros(shape, dtype=torch.bfloat16)) for _ in range(config.num_hidden_layers)]
    outputs = [[] for _ in range(rows)]
    owner = list(range(rows))       # whose row of the batch it is; None once ended
    tokens, start = prompts, 0
    for _ in range(most):
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.hidden(tokens, cache=[(k, v, start) for k, v in buffers])
            logits = model.logits(hidden[:, -1])
        start += tokens.shape[1]
        tokens = choose(logits, temperature, top_p, generator)
        for row, token in enumerate(tokens[:, 0].tolist()):
            if owner[row] is None:
                continue
            if token == end:
                owner[row] = None
            else:
                outputs[owner[row]].append(token)
        going = [row for row, who in enumerate(owner) if who is not None]
        if not going:
            break
        if len(going) < 0.8 * len(owner):
            buffers = [(k[going], v[going]) for k, v in buffers]
            tokens, owner = tokens[going], [owner[row] for row in going]
    return outputs


def draw(model, tokenizer, questions, count, most=900, batch=192, seed=0):
    """`count` traces of each question; yields (question, [texts], [token counts]).
    Questions whose prompts are equally long run together."""
    end = tokenizer.token_to_id(END)
    groups = {}
    for question in questions:
        ids = tokenizer.encode(prompt(question["question"])).ids
        groups.setdefault(len(ids), []).append((question, ids))
    for group in groups.values():
        step = max(1, batch // count)
        for i in range(0, len(group), step):
            some = group[i:i + step]
            ids = torch.tensor([ids for _, ids in some]).repeat_interleave(count, dim=0)
            seed += 1
            outputs = generate(model, ids, end, most, seed=seed)
            for j, (question, _) in enumerate(some):
                mine = outputs[j * count:(j + 1) * count]
                yield question, [tokenizer.decode(o, skip_special_tokens=False) for o in mine], [len(o) for o in mine]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="build/reasoner.pt")
    parser.add_argument("--tokenizer", default="build/tokenizer.json")
    parser.add_argument("--questions", default="heldout.jsonl")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100, help="questions")
    parser.add_argument("--traces", type=int, default=32)
    parser.add_argument("--most", type=int, default=900, help="tokens of a trace")
    parser.add_argument("--out", default="build/heldout-traces.jsonl")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, tokenizer = load(args.model), Tokenizer.from_file(args.tokenizer)
    with open(args.questions) as file:
        questions = [json.loads(line) for line in file][args.first:args.first + args.count]
    begun, tokens = time.time(), 0
    with open(args.out, "w") as file:
        for question, texts, lengths in draw(model, tokenizer, questions, args.traces, args.most, seed=args.seed):
            tokens += sum(lengths)
            rows = [{"text": t, "tokens": n, "answer": boxed(t)} for t, n in zip(texts, lengths)]
            print(json.dumps(question | {"traces": rows}, ensure_ascii=False), file=file, flush=True)
    print(f"{len(questions)} questions, {tokens} tokens, {tokens / (time.time() - begun):.0f}/s")


if __name__ == "__main__":
    main()
