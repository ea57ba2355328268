"""Writes questions as JSON lines with the right answer: held-out, dev, the judge's.

A fifth are from templates that training never shows. The seeds differ from
training's, and what repeats word for word is dropped.
"""

import argparse
import json
import random

from questions import draw_question


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="heldout.jsonl")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", default="held out")
    parser.add_argument("--unseen-every", type=int, default=5, help="0: no unseen templates")
    args = parser.parse_args()
    rng, seen = random.Random(args.seed), set()
    with open(args.out, "w") as file:
        while len(seen) < args.count:
            unseen = args.unseen_every > 0 and len(seen) % args.unseen_every == args.unseen_every - 1
            question = draw_question(rng, unseen=unseen)
            if question.text in seen:
                continue
            row = {"id": f"{args.seed.replace(' ', '')}-{len(seen):04d}", "question": question.text,
                   "answer": str(question.answer), "template": question.template, "unseen": unseen}
            seen.add(question.text)
            print(json.dumps(row, ensure_ascii=False), file=file)


if __name__ == "__main__":
    main()
