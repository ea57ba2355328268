"""The text of a trace: a short set-up that fixes the plan, then the work-out.

The set-up is written in one of many equal ways, so that two traces with the
same plan seldom begin with the same tokens: telling them apart takes a judge,
not a string comparison. The work-out follows the set-up whatever it says, in
columns of digits, each step checked by the opposite operation; a small model
can carry it out without slips, and so the set-up decides the answer.
"""

import re

from plans import Ref, from_infix, to_infix, values

PLACES = ["ones", "tens", "hundreds", "thousands"]
WORDS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
LETTERS = ["abcd", "xyzw", "pqrs"]


def swap_pairs(plan, rng):
    """Turns some sums and products round."""
    return [(op, y, x) if op in "+*" and rng.random() < 0.4 else (op, x, y) for op, x, y in plan]


def reorder(plan, rng):
    """Exchanges two neighbouring steps that do not need each other."""
    if len(plan) < 3 or rng.random() < 0.5:
        return plan
    i = 0
    if any(isinstance(x, Ref) for x in plan[1][1:]):
        if len(plan) < 4 or Ref(1) in plan[2][1:]:
            return plan
        i = 1
    move = {i: i + 1, i + 1: i}
    order = list(plan)
    order[i], order[i + 1] = order[i + 1], order[i]
    return [(op, *(Ref(move.get(x.step, x.step)) if isinstance(x, Ref) else x for x in pair))
            for op, *pair in order]


def is_chain(plan):
    """Every step takes the one before it, first or as a commuting operand, and
    a number."""
    for i, (op, x, y) in enumerate(plan):
        refs = [z for z in (x, y) if isinstance(z, Ref)]
        if refs != ([] if i == 0 else [Ref(i - 1)]):
            return False
        if i and isinstance(y, Ref) and op in "-/":
            return False
    return True


def setup(plan, rng):
    """(text, the plan in the order in which the text is worked out)"""
    style = rng.random()
    if style < 0.25:
        infix = to_infix(plan, rng)
        if infix is not None:
            return rng.choice(["So it is {}.", "That is {}.", "I need {}."]).format(infix), plan
    if style < 0.55 and is_chain(plan):
        (op, x, y), *rest = swap_pairs(plan[:1], rng) + plan[1:]
        in_words = style < 0.40
        name = WORDS.get if in_words else {c: c for c in "+-*/"}.get
        parts = [f"{x} {name(op)} {y}"]
        for op, x, y in rest:
            parts.append(f"then {name(op)} {x if isinstance(y, Ref) else y}")
        return rng.choice(["First ", "Start with "]) + ", ".join(parts) + ".", plan
    plan = swap_pairs(reorder(plan, rng), rng)
    letters = rng.choice(LETTERS)
    show = lambda x: letters[x.step] if isinstance(x, Ref) else str(x)
    parts = [f"{letters[i]} = {show(x)} {op} {show(y)}" for i, (op, x, y) in enumerate(plan)]
    return rng.choice(["Let ", "Plan: "]) + ", ".join(parts) + ".", plan


def read_setup(text):
    """The plan that a set-up states, or None: the inverse of `setup`, used to
    measure how often a sampled trace follows its own plan."""
    text = text.split("\n")[0].strip().rstrip(".")
    found = re.match(r"(So it is|That is|I need|First|Start with|Let|Plan:) (.*)$", text)
    if not found:
        return None
    body = found[2]
    for op, word in WORDS.items():
        body = body.replace(f" {word} ", f" {op} ")
    try:
        if "=" not in body:  # a chain, or one infix expression
            first, *rest = body.split(", then ")
            for part in rest:
                first = f"({first}) {part}"
            names = {}
            first = re.sub(r"\d+", lambda m: names.setdefault(m[0], f"n{len(names)}"), first)
            return from_infix(first, {name: int(number) for number, name in names.items()})
        plan, steps = [], {}
        for part in body.split(", "):
            letter, left, op, right = re.fullmatch(r"([a-z]) = (\w+) ([-+*/]) (\w+)", part).groups()
            plan.append((op, *(int(x) if x.isdigit() else steps[x] for x in (left, right))))
            steps[letter] = Ref(len(plan) - 1)
        return plan
    except (AttributeError, KeyError, SyntaxError, ValueError):
        return None


def add(a, b):
    parts, carry, place = [], 0, 0
    while a or b:
        x, y = a % 10, b % 10
        total = x + y + carry
        text = f"{PLACES[place]} {x} + {y}{' + 1' if carry else ''} = {total}"
        carry = total // 10
        parts.append(text + (f", write {total % 10}, carry 1" if carry else ""))
        a, b, place = a // 10, b // 10, place + 1
    if carry:
        parts.append(f"{PLACES[place]} 1")
    return "; ".join(parts)


def subtract(a, b):
    parts, borrow, place = [], 0, 0
    while a:
        x, y = a % 10, b % 10
        less = " - 1" if borrow else ""
        text = f"{PLACES[place]} {x} - {y}{less}"
        if x - y - borrow < 0:
            text += f", borrow, {x + 10} - {y}{less}"
        digit = (x - y - borrow) % 10
        borrow = int(x - y - borrow < 0)
        parts.append(f"{text} = {digit}")
        a, b, place = a // 10, b // 10, place + 1
    return "; ".join(parts)


def multiply(a, m):
    parts, carry, place = [], 0, 0
    while a:
        x = a % 10
        text = f"{PLACES[place]} {x} * {m} = {x * m}"
        total = x * m + carry
        if carry:
            text += f", {x * m} + {carry} = {total}"
        carry = total // 10
        parts.append(text + (f", write {total % 10}, carry {carry}" if carry else ""))
        a, place = a // 10, place + 1
    if carry:
        parts.append(f"{PLACES[place]} {carry}")
    return "; ".join(parts)


def divide(a, m):
    parts, rest = [], 0
    for i, digit in enumerate(str(a)):
        part = rest * 10 + int(digit)
        if i == 0 and part < m:
            rest = part
            continue
        parts.append(f"{part} / {m} = {part // m} rest {part % m}")
        rest = part % m
    return "; ".join(parts)


def narrate(op, x, y):
    if op == "*" and x < y:
        x, y = y, x
    if op == "+" and x < y:
        x, y = y, x
    return {"+": add, "-": subtract, "*": multiply, "/": divide}[op](x, y)


def inverse(op, x, y, result):
    """The operation that checks x op y = result, and what it must give."""
    if op == "+":
        return "-", result, y, x
    if op == "-":
        return "+", result, y, x
    if op == "*":
        m = min(x, y)
        return "/", result, m, max(x, y)
    return "*", result, y, x


def workout(plan, rng):
    result = values(plan)
    lines = []
    for i, (op, x, y) in enumerate(plan):
        x = result[x.step] if isinstance(x, Ref) else x
        y = result[y.step] if isinstance(y, Ref) else y
        z = result[i]
        opening = "First" if i == 0 else "Last" if i == len(plan) - 1 else "Next"
        lines.append(f"{opening}, {x} {op} {y}. Since {narrate(op, x, y)}, it is {z}.")
        back, u, v, w = inverse(op, x, y, z)
        doubt = rng.choice(["Wait, let me check", "Let me check that", "Hmm, check"])
        lines.append(f"{doubt}: {u} {back} {v}. {narrate(back, u, v).capitalize()}, so {w}. "
                     f"Right, thus {x} {op} {y} = {z}.")
    again = ", ".join(f"{show(plan, result, i)} = {result[i]}" for i in range(len(plan)))
    lines.append(f"{rng.choice(['Once more', 'All steps again', 'To sum up'])}: {again}.")
    return "\n".join(lines)


def show(plan, result, i):
    """Step i in numbers."""
    op, *pair = plan[i]
    x, y = (result[z.step] if isinstance(z, Ref) else z for z in pair)
    return f"{x} {op} {y}"


def trace(plan, rng):
    """(set-up, rest of the assistant's text), the rest without the end mark."""
    text, ordered = setup(plan, rng)
    final = values(ordered)[-1]
    rest = (f"\n{workout(ordered, rng)}\nSo the answer is {final}.\n</think>\n\n"
            f"The answer is \\boxed{{{final}}}.")
    return text, rest
