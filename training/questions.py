"""Questions, their right plans, and the ways in which they are misread.

Each question carries traps: places where its wording invites a mistake, each
with a rate. `draw_plan` is the noisy teacher: it fires each trap at its rate
and returns the plan that follows. A model trained on such plans and sampled at
temperature 1 makes the same mistakes at about the same rates, which gives
traces worth voting on. No mistake is ever made on purpose after the plan.
"""

import random
import zlib

import expressions
import stories
from plans import answer, gives_away, values


SWAP_RATE = 0.22
TRAP_SCALE = 0.65                   # one knob for how noisy the teacher is
SHORT_KEPT = 0.45                   # share of the two-step questions that is kept


def swappable(number):
    """Numbers like 43 and 87, which the teacher sometimes reads as 34 and 78."""
    return 10 <= number <= 99 and number // 10 - number % 10 == 1 and number % 10 > 1


def with_swaps(question):
    """Adds the trap 'two neighbouring digits read the wrong way round'."""
    inner = question.build
    found = [n for n in question.asked if swappable(n)]
    if len(found) != 1:
        return question
    number = found[0]
    swapped = number % 10 * 10 + number // 10

    def build(fired):
        plan = inner(fired)
        if "swap" in fired:
            plan = [(op, *(swapped if x == number and isinstance(x, int) else x for x in pair))
                    for op, *pair in plan]
        return plan

    question.build = build
    question.traps["swap"] = SWAP_RATE
    return question


def acceptable(question):
    """Right plan in the domain, every single mistake too and with an answer of
    its own, and no answer standing in the text already."""
    right = question.build(frozenset())
    if values(right) is None or gives_away(right, question.asked) or len(right) < 2:
        return False
    seen = {answer(right)}
    for trap in question.traps:
        plan = question.build(frozenset([trap]))
        if values(plan) is None or answer(plan) in seen or gives_away(plan, question.asked):
            return False
        seen.add(answer(plan))
    question.plan = right
    return True


def is_unseen(template):
    """Templates kept out of training: some expression shapes, and an eighth of
    the word problems' clause sequences of three and more clauses."""
    if template.startswith("e:"):
        return template in expressions.UNSEEN
    return template.count("/") >= 2 and zlib.crc32(template.encode()) % 8 == 0


def draw_question(rng, unseen=False):
    """A random question whose template is, or is not, held out of training."""
    while True:
        family = expressions if rng.random() < 0.3 else stories
        question = with_swaps(family.draw(rng))
        if is_unseen(question.template) != unseen or not acceptable(question):
            continue
        if len(question.plan) > 2 or rng.random() < SHORT_KEPT:
            return question


def draw_plan(question, rng):
    """The noisy teacher's plan."""
    while True:
        fired = frozenset(t for t, rate in question.traps.items() if rng.random() < TRAP_SCALE * rate)
        plan = question.build(fired)
        if values(plan) is not None and not gives_away(plan, question.asked):
            return plan


if __name__ == "__main__":
    rng = random.Random(1)
    for _ in range(20):
        q = draw_question(rng)
        print(q.template, "|", q.text, "|", q.plan, q.answer, q.traps)
