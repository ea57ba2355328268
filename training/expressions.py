"""Arithmetic expressions and how they are misread.

A shape is an infix pattern over letters; its misreadings are other patterns
over the same letters, each with a rate. Rates differ, so that some questions
are safe and some go wrong in nearly every second trace.
"""

from plans import Question, from_infix

SHAPES = {
    "a+b*c": [("(a+b)*c", 0.36)],
    "a*b+c": [("a*(b+c)", 0.14)],
    "a-b*c": [("(a-b)*c", 0.30)],
    "a*b-c": [("a*(b-c)", 0.10)],
    "(a+b)*c": [("a+b*c", 0.14)],
    "(a-b)*c": [("a-b*c", 0.12)],
    "a*(b+c)": [("a*b+c", 0.24)],
    "a*(b-c)": [("a*b-c", 0.20)],
    "a*b+c*d": [("(a*b+c)*d", 0.26)],
    "a*b-c*d": [("(a*b-c)*d", 0.22)],
    "a+b*c-d": [("(a+b)*c-d", 0.30)],
    "a+b*c+d": [("(a+b)*c+d", 0.24), ("a+b*(c+d)", 0.10)],
    "a-b+c": [("a-(b+c)", 0.26)],
    "a-b-c": [("a-(b-c)", 0.15)],
    "a-(b+c)": [("a-b+c", 0.34)],
    "a-(b-c)": [("a-b-c", 0.34)],
    "a-b+c*d": [("a-(b+c*d)", 0.14), ("(a-b+c)*d", 0.20)],
    "(a+b)*c-d": [("a+b*c-d", 0.16)],
    "(a+b)*c+d": [("a+b*c+d", 0.12), ("(a+b)*(c+d)", 0.10)],
    "(a-b)*c+d": [("a-b*c+d", 0.16)],
    "(a+b)/c": [("a+b/c", 0.24)],
    "a+b/c": [("(a+b)/c", 0.34)],
    "a/b+c": [("a/b-c", 0.08)],
    "a/b*c": [("a*b/c", 0.10)],
    "a/b+c*d": [("(a/b+c)*d", 0.26)],
    "(a+b)/c+d": [("a+b/c+d", 0.20)],
    "a+(b-c)*d": [("a+b-c*d", 0.15), ("(a+b-c)*d", 0.20)],
    "a*(b+c)-d": [("a*b+c-d", 0.20)],
    # kept out of training
    "a-b*c+d": [("(a-b)*c+d", 0.0)],
    "a+b+c*d": [("(a+b+c)*d", 0.0)],
    "a*(b-c)+d": [("a*b-c+d", 0.0)],
    "a/b-c": [("a/b+c", 0.0)],
    "(a-b)/c": [("a-b/c", 0.0)],
    "a-(b+c)*d": [("a-b+c*d", 0.0)],
}
UNSEEN = {f"e:{shape}" for shape, wrong in SHAPES.items() if wrong[0][1] == 0.0}

PHRASES = ["What is {}?", "Calculate {}.", "Work out {}.", "Compute {}.",
           "How much is {}?", "What does {} equal?", "{} = ?", "Find {}.", "{}"]


def draw(rng):
    shape = rng.choice(list(SHAPES))
    bindings = {}
    for i, letter in enumerate("abcd"):
        if letter not in shape:
            continue
        at = shape.index(letter)
        before, after = shape[at - 1:at], shape[at + 1:at + 2]
        if before == "/" or (before == "*" and rng.random() < 0.8) or (after == "*" and rng.random() < 0.4):
            bindings[letter] = rng.randint(2, 9)
        elif after == "/" or rng.random() < 0.15:
            bindings[letter] = rng.randint(10, 199)
        else:
            bindings[letter] = rng.randint(2, 99)
    times = rng.choice(["*", "*", "*", "x", "×"])
    over = rng.choice(["/", "/", "/", "÷"])
    space = rng.random() < 0.85
    text = "".join(
        str(bindings[c]) if c.isalpha() else
        c if c in "()" else
        f" {dict(zip('*/', (times, over))).get(c, c)} " if space else dict(zip("*/", (times, over))).get(c, c)
        for c in shape)

    def build(fired):
        for i, (pattern, _) in enumerate(SHAPES[shape]):
            if f"read{i}" in fired:
                return from_infix(pattern, bindings)
        return from_infix(shape, bindings)

    traps = {f"read{i}": rate for i, (_, rate) in enumerate(SHAPES[shape])}
    return Question(rng.choice(PHRASES).format(text), f"e:{shape}", list(bindings.values()), traps, build)
