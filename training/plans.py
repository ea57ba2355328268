"""Plans: the short list of operations that answers a question.

A plan is a list of steps (op, left, right). An operand is an int (a number of
the question) or a Ref to an earlier step; the last step is the answer. Both
the question generator (what is right, what goes wrong) and the trace writer
work on plans.
"""

import ast
from dataclasses import dataclass, field
from typing import Callable, NamedTuple

OPS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
LARGEST = 999
MOST_STEPS = 4


class Ref(NamedTuple):
    step: int


def values(plan):
    """The value of every step, or None where a step leaves the domain.

    Values are positive whole numbers up to LARGEST; a product has a one-digit
    factor and a quotient a one-digit divisor, so that the work-out stays in
    one column of digits.
    """
    if not 1 <= len(plan) <= MOST_STEPS:
        return None
    result = []
    for op, left, right in plan:
        x = result[left.step] if isinstance(left, Ref) else left
        y = result[right.step] if isinstance(right, Ref) else right
        if op == "+":
            value = x + y
        elif op == "-":
            value = x - y
        elif op == "*":
            if min(x, y) > 9 or min(x, y) < 2:
                return None
            value = x * y
        else:
            if not 2 <= y <= 9 or x % y or x // y < 2:
                return None
            value = x // y
        if not 2 <= value <= LARGEST:
            return None
        result.append(value)
    return result


def numbers(plan):
    return [x for _, *pair in plan for x in pair if not isinstance(x, Ref)]


def answer(plan):
    return values(plan)[-1]


def gives_away(plan, asked):
    """True when the answer already stands in the question, in the numbers of
    the plan, or in the first step's result (`asked`: the question's numbers)."""
    result = values(plan)
    early = set(asked) | set(numbers(plan))
    if len(plan) > 1:
        early.add(result[0])
    return result[-1] in early


def from_infix(text, bindings):
    """Plan of an expression over letters, such as "(a+b)*c"."""
    plan = []

    def visit(node):
        if isinstance(node, ast.Name):
            return bindings[node.id]
        left, right = visit(node.left), visit(node.right)
        plan.append((OPS[type(node.op)], left, right))
        return Ref(len(plan) - 1)

    visit(ast.parse(text, mode="eval").body)
    return plan


def to_infix(plan, rng=None):
    """Infix text with the fewest brackets; with rng, sums and products may be
    turned round. None if a step is used twice and is not a plain number."""
    used = [x.step for _, *pair in plan for x in pair if isinstance(x, Ref)]
    if len(used) != len(set(used)):
        return None

    def visit(operand):
        if not isinstance(operand, Ref):
            return str(operand), 3
        op, left, right = plan[operand.step]
        if rng is not None and op in "+*" and rng.random() < 0.4:
            left, right = right, left
        (x, level_x), (y, level_y) = visit(left), visit(right)
        level = 1 if op in "+-" else 2
        if level_x < level:
            x = f"({x})"
        if level_y < level or (level_y == level and (op in "-/" or level == 2)):
            y = f"({y})"
        return f"{x} {op} {y}", level

    return visit(Ref(len(plan) - 1))[0]


@dataclass
class Question:
    text: str
    template: str
    asked: list                     # the numbers in its text
    traps: dict                     # trap -> rate
    build: Callable                 # set of fired traps -> plan
    plan: list = field(default=None)

    @property
    def answer(self):
        return answer(self.plan)
