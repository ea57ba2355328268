"""Rows for the judge: one prefix A and several prefixes B of the same question.

The judge sees "A: <prefix>\\nB: <prefix>\\nSame answer?" and answers yes or no.
A pair's prompt is made of pieces that are tokenised apart, so that A's part is
the same tokens for every B and is computed once; training uses that too.
"""

import json
import random

import torch

from plans import answer
from questions import draw_plan, draw_question
from traces import trace

HEAD, MID, TAIL, SAME, DIFFERENT = "A: ", "\nB: ", "\nSame answer?", " yes", " no"


class Format:
    """The judge prompt in tokens, for prefixes of exactly `length` tokens."""

    def __init__(self, tokenizer, length):
        self.tokenizer, self.length = tokenizer, length
        self.head, self.mid, self.tail = (tokenizer.encode(x).ids for x in (HEAD, MID, TAIL))
        (self.same,), (self.different,) = (tokenizer.encode(x).ids for x in (SAME, DIFFERENT))
        self.a_length = len(self.head) + length
        self.b_length = len(self.mid) + length + len(self.tail)

    def cut(self, texts):
        """The first `length` tokens of each text; None where there are fewer."""
        encoded = self.tokenizer.encode_batch_fast([t[:8 * self.length] for t in texts])
        return [e.ids[:self.length] if len(e.ids) >= self.length else None for e in encoded]

    def a(self, prefix):
        return self.head + prefix

    def b(self, prefix):
        return self.mid + prefix + self.tail

    def positions(self, count):
        """Position ids of a row: every B starts right after A."""
        a, b = torch.arange(self.a_length), torch.arange(self.b_length)
        return torch.cat([a, (b + self.a_length).repeat(count)])


def row(form, prefixes, answers, count, rng):
    """(tokens, labels) with a random member as A and `count` others as B, or
    None if there are not enough."""
    order = [i for i, p in enumerate(prefixes) if p is not None]
    if len(order) < count + 1:
        return None
    a, *others = rng.sample(order, count + 1)
    tokens = form.a(prefixes[a])
    for b in others:
        tokens = tokens + form.b(prefixes[b])
    return tokens, [int(answers[b] == answers[a]) for b in others]


def teacher_rows(form, count, seed):
    """Endless rows from the noisy teacher, for the first part of the training."""
    rng = random.Random(seed)
    while True:
        question = draw_question(rng)
        plans = [draw_plan(question, rng) for _ in range(count + 1)]
        answers = [answer(p) for p in plans]
        if len(set(answers)) == 1 and rng.random() < 0.7:
            continue  # nothing to tell apart
        prefixes = form.cut(["".join(trace(p, rng)) for p in plans])
        made = row(form, prefixes, answers, count, rng)
        if made:
            yield made


def question_rows(form, count, size, seed):
    """Endless batches of `size` rows for a judge that is shown the question in
    place of both prefixes: (tokens, labels) as `row` makes them, with one prompt
    for all `count` labels. Rows of a batch have prompts of one length."""
    rng, waiting = random.Random(seed), {}
    while True:
        question = draw_question(rng)
        first, *others = (answer(draw_plan(question, rng)) for _ in range(count + 1))
        asked = form.tokenizer.encode(question.text).ids
        prompt = form.a(asked) + form.b(asked)
        rows = waiting.setdefault(len(prompt), [])
        rows.append((prompt, [int(a == first) for a in others]))
        if len(rows) == size:
            yield waiting.pop(len(prompt))


def read_traces(paths):
    """Sampled traces: JSON lines with "question", "answer" and "traces"."""
    for path in paths:
        with open(path) as file:
            yield from map(json.loads, file)


def sampled_rows(form, paths, count, seed):
    """Endless rows from traces that the reasoner really sampled, one for every
    row of the teacher's, so that few questions are enough."""
    rng, teacher = random.Random(seed), teacher_rows(form, count, seed)
    groups = []
    for group in read_traces(paths):
        kept = [t for t in group["traces"] if t["answer"] is not None]
        groups.append((form.cut([t["text"] for t in kept]), [t["answer"] for t in kept]))
    while True:
        rng.shuffle(groups)
        for prefixes, answers in groups:
            made = row(form, prefixes, answers, count, rng)
            if made and (len(set(answers)) > 1 or rng.random() < 0.3):
                yield made
                yield next(teacher)
