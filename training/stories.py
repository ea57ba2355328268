"""Word problems: a start, up to two events, and what is asked.

Each part is a Clause: its text, its traps with their rates, and how it goes
on with the plan. The template of a question is the sequence of its clauses'
kinds.
"""

from dataclasses import dataclass, field
from typing import Callable

from plans import Question, Ref

SHE = ["Ann", "Mia", "Eva", "Lucy", "Sara", "Nina", "Rosa", "Kate"]
HE = ["Tom", "Ben", "Max", "Leo", "Sam", "Paul", "Omar", "Jack"]
THINGS = ["apples", "marbles", "books", "cards", "stickers", "coins", "pens", "eggs",
          "shells", "stamps", "cookies", "flowers", "balloons", "pencils", "beads", "toys"]


@dataclass
class Clause:
    kind: str
    text: str
    asked: list
    apply: Callable                 # (steps, current operand, fired traps) -> operand
    traps: dict = field(default_factory=dict)


def step(steps, op, left, right):
    steps.append((op, left, right))
    return Ref(len(steps) - 1)


def big(rng):
    return rng.randint(11, 99) if rng.random() < 0.9 else rng.randint(100, 250)


def small(rng):
    return rng.randint(2, 9)


def start(rng, w):
    kind = rng.choice(["has", "has", "two", "boxes", "daily"])
    if kind == "has":
        a = big(rng)
        text = rng.choice(["{N} has {a} {o}.", "{N} starts with {a} {o}.", "There are {a} {o} in {N}'s bag."])
        return Clause(kind, text.format(a=a, **w), [a], lambda s, c, f: a)
    if kind == "two":
        a, b = big(rng), big(rng)
        text = rng.choice(["{N} has {a} red {o} and {b} blue {o}.",
                           "{N} has {a} {o} at home and {b} {o} at school."])
        return Clause(kind, text.format(a=a, b=b, **w), [a, b],
                      lambda s, c, f: a if "one" in f else step(s, "+", a, b), {"one": 0.08})
    a, m = rng.randint(3, 40), small(rng)
    if kind == "boxes":
        text = rng.choice(["{N} buys {m} boxes with {a} {o} in each box.",
                           "{N} has {m} bags of {a} {o} each."])
    else:
        text = rng.choice(["{N} makes {a} {o} a day for {m} days.",
                           "Every day {N} collects {a} {o}. {He} does this for {m} days."])
    return Clause(kind, text.format(a=a, m=m, **w), [a, m],
                  lambda s, c, f: step(s, "+" if "plus" in f else "*", a, m), {"plus": 0.09})


def event(rng, w):
    kind = rng.choice(["gain", "lose", "each", "packs", "half", "multiply"])
    if kind in ("gain", "lose"):
        b = big(rng) if rng.random() < 0.7 else rng.randint(3, 30)
        if kind == "gain":
            text = rng.choice(["Then {he} gets {b} more.", "{M} gives {him} {b} more {o}.", "{He} buys {b} more {o}."])
        else:
            text = rng.choice(["{He} gives {b} of them to {M}.", "{He} loses {b} of them.", "Then {he} sells {b} {o}."])
        op = "+" if kind == "gain" else "-"
        return Clause(kind, text.format(b=b, **w), [b], lambda s, c, f: step(s, op, c, b))
    if kind in ("each", "packs"):
        m, b = small(rng), rng.randint(2, 30)
        if kind == "each":
            text = rng.choice(["{He} gives {b} {o} to each of {m} friends.",
                               "{He} gives {m} friends {b} {o} each."])
            rate = 0.12 if text.endswith("friends.") else 0.26
        else:
            text = rng.choice(["Then {he} buys {m} packs of {b} {o}.",
                               "{M} brings {m} bags with {b} {o} in each."])
            rate = 0.28 if "packs of" in text else 0.10
        op = "-" if kind == "each" else "+"

        def apply(s, c, f):
            part = b if kind in f else step(s, "*", m, b)
            return step(s, op, c, part)
        return Clause(kind, text.format(m=m, b=b, **w), [m, b], apply, {kind: rate})
    if kind == "half":
        text = rng.choice(["{He} gives away half of them.", "Half of them get lost."])
        return Clause(kind, text.format(**w), [], lambda s, c, f: step(s, "/", c, 2))
    m = rng.choice([2, 3])
    text = "Then the number of {o} {v}."
    return Clause(kind, text.format(v={2: "doubles", 3: "triples"}[m], **w), [], lambda s, c, f: step(s, "*", c, m))


def ending(rng, w):
    kind = rng.choice(["now", "now", "share", "sell", "times", "both", "differ", "sum", "inverse", "inverse"])
    if kind == "now":
        text = rng.choice(["How many {o} does {N} have now?", "How many {o} are there now?"])
        return Clause(kind, text.format(**w), [], lambda s, c, f: c)
    m = small(rng)
    if kind == "share":
        text = rng.choice(["{He} puts them into {m} equal groups. How many {o} are in each group?",
                           "{m} children share them equally. How many {o} does each child get?"])
        return Clause(kind, text.format(m=m, **w), [m], lambda s, c, f: step(s, "/", c, m))
    if kind == "sell":
        text = rng.choice(["{He} sells all of them for {m} dollars each. How many dollars does {he} get?",
                           "Each one costs {m} dollars. How much do they cost in all?"])
        return Clause(kind, text.format(m=m, **w), [m], lambda s, c, f: step(s, "*", c, m))
    if kind in ("times", "both"):
        m = rng.choice([2, 3, 4, 5])
        word = "twice as many" if m == 2 else f"{m} times as many"
        ask = "How many {o} does {M} have?" if kind == "times" else "How many {o} do they have together?"
        text = "{M} has " + word + " {o} as {N}. " + ask

        def apply(s, c, f):
            other = step(s, "*", c, m)
            return other if kind == "times" or "alone" in f else step(s, "+", c, other)
        return Clause(kind, text.format(**w), [m] if m > 2 else [], apply, {} if kind == "times" else {"alone": 0.30})
    d, more = rng.randint(3, 49), rng.random() < 0.5
    word = "more" if more else "fewer"
    if kind in ("differ", "sum"):
        ask = "How many {o} does {M} have?" if kind == "differ" else "How many {o} do they have together?"
        text = "{M} has {d} " + word + " {o} than {N}. " + ask
        right, wrong = ("+", "-") if more else ("-", "+")
        traps = {"turned": 0.07 if more else 0.14}
        if kind == "sum":
            traps["alone"] = 0.24

        def apply(s, c, f):
            other = step(s, wrong if "turned" in f else right, c, d)
            return other if kind == "differ" or "alone" in f else step(s, "+", c, other)
        return Clause(kind, text.format(d=d, **w), [d], apply, traps)
    text, rate = rng.choice([("That is {d} " + word + " than {M} has. How many {o} does {M} have?", 0.40),
                             ("{N} now has {d} {o} " + word + " than {M}. How many {o} does {M} have?", 0.28),
                             ("{N} has {d} " + word + " {o} now than {M} has. How many has {M}?", 0.56)])
    right, wrong = ("-", "+") if more else ("+", "-")
    return Clause(kind, text.format(d=d, **w), [d],
                  lambda s, c, f: step(s, wrong if "turned" in f else right, c, d), {"turned": rate})


ASIDES = ["{N} is {y} years old.", "The shop is {y} miles away.", "It is {y} degrees outside.", "{M} lives at number {y}."]


def draw(rng):
    pairs = [(n, "she", "her") for n in SHE] + [(n, "he", "him") for n in HE]
    name, he, him = rng.choice(pairs)
    other = rng.choice([n for n, *_ in pairs if n != name])
    w = {"N": name, "M": other, "he": he, "He": he.capitalize(), "him": him, "o": rng.choice(THINGS)}
    clauses = [start(rng, w)] + [event(rng, w) for _ in range(rng.choice([0, 1, 1, 2, 2]))] + [ending(rng, w)]
    sentences = [c.text for c in clauses]
    asked = [n for c in clauses for n in c.asked]
    traps = {}
    for i, clause in enumerate(clauses):
        traps |= {(i, trap): rate for trap, rate in clause.traps.items()}
    aside = None
    if rng.random() < 0.18:
        aside = rng.randint(5, 40)
        sentences.insert(rng.randint(1, len(sentences) - 1), rng.choice(ASIDES).format(y=aside, **w))
        asked.append(aside)
        traps["aside"] = 0.18

    def build(fired):
        steps = []
        current = None
        for i, clause in enumerate(clauses):
            if i == len(clauses) - 1 and "aside" in fired:
                current = step(steps, "+", current, aside)
            current = clause.apply(steps, current, {t[1] for t in fired if t[0] == i})
        return steps

    return Question(" ".join(sentences), "w:" + "/".join(c.kind for c in clauses), asked, traps, build)
