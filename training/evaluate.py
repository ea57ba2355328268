"""Measures the pair on sampled traces: voting, agreement, the judge, pruning.

    python sample.py --questions heldout.jsonl --count 200 --traces 32 --out build/heldout-traces.jsonl
    python evaluate.py --traces build/heldout-traces.jsonl --judge build/judge.pt --reasoner build/reasoner.pt
"""

import argparse
import collections
import json

import numpy as np
import torch
from tokenizers import Tokenizer

from checkpoints import load
from judge_pairs import Format, read_traces
from measures import separation, threshold
from plans import answer, values
from sample import boxed, generate
from tokenizer import END, prompt
from traces import read_setup
from train_judge import last_logits, star_attention


def vote(answers):
    """The most frequent answer, the first seen of equals; None is no vote."""
    counted = collections.Counter(a for a in answers if a is not None)
    return counted.most_common(1)[0][0] if counted else None


def agreement(answers):
    """Share of the pairs with the same answer."""
    n = len(answers)
    counted = collections.Counter(a if a is not None else object() for a in answers)
    return sum(c * (c - 1) for c in counted.values()) / (n * (n - 1))


def describe(groups, form):
    """Figures of the traces alone."""
    single, voted, agree, lengths, followed, given = [], [], [], [], [], []
    for group in groups:
        answers = [t["answer"] for t in group["traces"]]
        single.append(np.mean([a == group["answer"] for a in answers]))
        voted.append(vote(answers) == group["answer"])
        agree.append(agreement(answers))
        lengths += [t["tokens"] for t in group["traces"]]
        for trace, prefix in zip(group["traces"], form.cut([t["text"] for t in group["traces"]])):
            plan = read_setup(trace["text"])
            known = plan is not None and values(plan) is not None
            followed.append(known and str(answer(plan)) == trace["answer"])
            shown = form.tokenizer.decode(prefix) if prefix else trace["text"]
            numbers = "".join(c if c.isdigit() else " " for c in shown).split()
            given.append(trace["answer"] in numbers)
    return {"questions": len(groups), "traces_each": len(groups[0]["traces"]), "single": np.mean(single),
            "vote": np.mean(voted), "agreement": np.mean(agree), "median_tokens": np.median(lengths),
            "unfinished": np.mean([t["answer"] is None for g in groups for t in g["traces"]]),
            "answer_is_setup_value": np.mean(followed), "answer_in_prefix": np.mean(given)}


@torch.no_grad()
def pair_scores(judge, form, prefixes):
    """Matrix of P(same) with the row as A and the column as B."""
    count = len(prefixes)
    attend, positions = star_attention(form, count), form.positions(count)
    pieces = [t for p in prefixes for t in form.b(p)]
    rows = torch.tensor([form.a(p) + pieces for p in prefixes])
    logits = torch.cat([last_logits(judge, form, rows[i:i + 8], count, attend, positions)
                        for i in range(0, count, 8)]).float()
    return torch.sigmoid(logits[..., form.same] - logits[..., form.different]).numpy()


def prune(scores, threshold):
    """Greedy clustering in index order: a trace joins the most similar keeper
    at or above the threshold, otherwise it becomes a keeper. Returns keeper -> members."""
    clusters = {}
    for i in range(len(scores)):
        best = max(clusters, key=lambda k: scores[k, i], default=None)
        if best is not None and scores[best, i] >= threshold:
            clusters[best].append(i)
        else:
            clusters[i] = [i]
    return clusters


def judged(groups, judge, form):
    """Per question: (group, kept traces, score matrix)."""
    for group in groups:
        prefixes = form.cut([t["text"] for t in group["traces"]])
        kept = [i for i, p in enumerate(prefixes) if p is not None and group["traces"][i]["answer"] is not None]
        yield group, [group["traces"][i] for i in kept], pair_scores(judge, form, [prefixes[i] for i in kept])


def judge_figures(results):
    scores, same, questions = [], [], []
    for question, (_, kept, matrix) in enumerate(results):
        i, j = np.triu_indices(len(kept), 1)
        names = np.array([t["answer"] for t in kept])
        scores.append(matrix[i, j])
        same.append(names[i] == names[j])
        questions += [question] * len(i)
    scores, same = np.concatenate(scores), np.concatenate(same)
    return separation(scores, same, questions) | {
        f"threshold_fnr_{fnr}": threshold(scores, same, fnr) for fnr in (0.2, 0.05)}


def pruning_figures(results, threshold, length):
    """What pruning at the checkpoint would save, the judge's work aside."""
    right, full, tokens, whole, keepers = [], [], 0, 0, []
    for group, kept, matrix in results:
        clusters = prune(matrix, threshold)
        votes = collections.Counter()
        for keeper, members in clusters.items():
            votes[kept[keeper]["answer"]] += len(members)
        right.append(votes.most_common(1)[0][0] == group["answer"])
        full.append(vote([t["answer"] for t in kept]) == group["answer"])
        keepers.append(len(clusters))
        whole += sum(t["tokens"] for t in kept)
        tokens += sum(kept[k]["tokens"] for k in clusters) + length * (len(kept) - len(clusters))
    return {"threshold": threshold, "vote": np.mean(right), "full_vote": np.mean(full),
            "tokens_on_over_off": tokens / whole, "keepers": np.mean(keepers)}


def forced_vote(model, form, groups, seed=0):
    """Share right when every trace must answer at the checkpoint."""
    tokenizer, end = form.tokenizer, form.tokenizer.token_to_id(END)
    ending = tokenizer.encode("\n</think>\n\nThe answer is \\boxed{").ids
    right = []
    for n, group in enumerate(groups):
        head = tokenizer.encode(prompt(group["question"])).ids
        prefixes = [p for p in form.cut([t["text"] for t in group["traces"]]) if p]
        outputs = generate(model, torch.tensor([head + p + ending for p in prefixes]), end, 12, seed=seed + n)
        answers = [boxed("\\boxed{" + tokenizer.decode(o)) for o in outputs]
        right.append(vote(answers) == group["answer"])
    return np.mean(right)


def shown(figures):
    return json.dumps({k: None if v is None else round(float(v), 4) for k, v in figures.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", nargs="+", default=["build/heldout-traces.jsonl"])
    parser.add_argument("--tokenizer", default="build/tokenizer.json")
    parser.add_argument("--judge")
    parser.add_argument("--reasoner", help="also force answers at the checkpoint")
    parser.add_argument("--checkpoint", type=int, default=36)
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.3, 0.5, 0.7, 0.9])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    form = Format(Tokenizer.from_file(args.tokenizer), args.checkpoint)
    groups = list(read_traces(args.traces))
    judge = load(args.judge) if args.judge else None
    for name, some in (("all", groups), ("seen templates", [g for g in groups if not g.get("unseen")]),
                       ("unseen templates", [g for g in groups if g.get("unseen")])):
        if not some:
            continue
        print(name, "traces", shown(describe(some, form)))
        if judge is not None:
            results = list(judged(some, judge, form))
            print(name, "judge", shown(judge_figures(results)))
            for threshold in args.thresholds:
                print(name, "pruned", shown(pruning_figures(results, threshold, args.checkpoint)))
    if args.reasoner:
        print("vote of answers forced at the checkpoint", round(float(forced_vote(load(args.reasoner), form, groups)), 4))


if __name__ == "__main__":
    main()
