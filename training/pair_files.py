"""Pairs that `deepprune judge pairs` wrote: reading, splitting, oversampling."""

import dataclasses
import hashlib
import json
import random


@dataclasses.dataclass(frozen=True)
class Pair:
    question: str | None  # what tells questions apart; None where the file does not say
    a: str                # the keeper's prefix
    b: str
    same: bool


def read_pairs(path, spec):
    """The pairs of a file in either format. spec has the words that the messages
    were made with."""
    pairs = []
    with open(path) as file:
        for number, line in enumerate(file, 1):
            try:
                value = json.loads(line)
                pairs.append(from_messages(value["messages"], spec) if "messages" in value else
                             Pair(value.get("id") or value["question"], value["a"], value["b"], bool(value["same"])))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}, line {number}: not a pair: {error!r}") from error
    if not pairs:
        raise ValueError(f"{path}: no pairs in it")
    return pairs


def from_messages(messages, spec):
    """The pair that an instruction was made of."""
    asked, answered = (m["content"] for m in messages)
    if not (asked.startswith(spec.head) and asked.endswith(spec.tail)):
        raise ValueError("the message is not in the words of the spec")
    parts = asked[len(spec.head):len(asked) - len(spec.tail)].split(spec.mid)
    if len(parts) != 2:
        raise ValueError(f"mid stands in the message {len(parts) - 1} times")
    words = {spec.same.strip(): True, spec.different.strip(): False}
    if answered not in words:
        raise ValueError(f"{answered!r} is not one of the two words")
    return Pair(None, *parts, words[answered])


def in_share(question, share, seed):
    """Whether a question belongs to a share of a data set, drawn by its name."""
    drawn = hashlib.sha256(f"{seed}/{question}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") < share * 2 ** 64


def split(pairs, share, seed):
    """(training, validation): all pairs of a question are on one side."""
    if any(p.question is None for p in pairs):
        raise ValueError("the file does not say which pairs are of one question: "
                         "write it with --format pairs, or a second one with --held-out")
    kept = [p for p in pairs if not in_share(p.question, share, seed)]
    apart = [p for p in pairs if in_share(p.question, share, seed)]
    return kept, apart


def whole_questions(pairs, most, seed):
    """About `most` pairs: those of questions drawn at random, or single pairs
    where the questions are not known. All if there are no more."""
    if len(pairs) <= most:
        return pairs
    order = sorted({p.question for p in pairs if p.question is not None})
    random.Random(seed).shuffle(order)
    if not order:
        return random.Random(seed).sample(pairs, most)
    rank = {question: i for i, question in enumerate(order)}
    by_rank = sorted(pairs, key=lambda p: rank[p.question])  # stable
    last = rank[by_rank[most - 1].question]
    return [p for p in by_rank if rank[p.question] <= last]


def epoch(pairs, oversample, seed):
    """A random order of the indices of pairs. Those of the rarer kind are in it
    `oversample` times, the fraction of it by chance."""
    rng = random.Random(seed)
    rare = 2 * sum(p.same for p in pairs) < len(pairs)  # whether it is the same
    order = list(range(len(pairs)))
    for i, p in enumerate(pairs):
        if p.same == rare:
            extra = oversample - 1
            order += [i] * (int(extra) + (rng.random() < extra % 1))
    rng.shuffle(order)
    return order


def batches(pairs, size, oversample, seed):
    """Endless lists of `size` indices, one epoch after another."""
    number, waiting = 0, []
    while True:
        while len(waiting) < size:
            waiting += epoch(pairs, oversample, f"{seed} {number}")
            number += 1
        yield waiting[:size]
        waiting = waiting[size:]


def packs(lengths, budget):
    """Indices in lists that fit a budget of tokens when all of a list are padded
    to its longest. A single one may be longer than the budget."""
    pack, found = [], []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if pack and (len(pack) + 1) * lengths[pack[0]] > budget:
            found.append(pack)
            pack = []
        pack.append(i)
    return found + [pack] if pack else found
