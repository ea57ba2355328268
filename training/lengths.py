"""Are wrong traces shorter than right ones of the same question?

    python lengths.py --traces heldout64.jsonl --limit 500

A policy that prefers short traces, knowingly or not, then prefers wrong ones.
"""

import argparse
import itertools

import numpy as np

from judge_pairs import read_traces


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", nargs="+", required=True)
    parser.add_argument("--limit", type=int, help="no more questions than this")
    parser.add_argument("--end", type=int, default=6, help="so many shortest and longest traces")
    args = parser.parse_args()
    shorter, ends = [], []
    for group in itertools.islice(read_traces(args.traces), args.limit):
        traces = sorted((t["tokens"], t["answer"] == group["answer"]) for t in group["traces"])
        right, wrong = ([n for n, ok in traces if ok is kind] for kind in (True, False))
        if min(len(right), len(wrong)) > 3:
            shorter.append(np.mean(right) - np.mean(wrong))
        ends.append([np.mean([ok for _, ok in some]) for some in (traces[:args.end], traces[-args.end:], traces)])
    print(f"wrong traces are {np.mean(shorter):.0f} tokens shorter ({len(shorter)} questions with enough of both)")
    print("right, of the shortest, the longest, all: " + ", ".join(f"{x:.1%}" for x in np.mean(ends, axis=0)))


if __name__ == "__main__":
    main()
