"""Writes the words that the questions are made of, one a line.

The binary warns about a question with a word that the embedded reasoner has
never seen. Held-out templates are included: they use the same words.
"""

import argparse
import pathlib
import random
import re

from questions import draw_question


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default="../weights/embedded/words.txt")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    words = set()
    for i in range(args.questions):
        words.update(re.findall(r"[^\W\d_]+", draw_question(rng, unseen=i % 5 == 0).text.lower()))
    args.out.write_text("".join(word + "\n" for word in sorted(words)))


if __name__ == "__main__":
    main()
