"""Compares the scores of a judge in the engine with those computed here.

    python check_judge.py --judge judge --pairs held-out.jsonl --deepprune ../bin/deepprune

Prints the largest difference, and fails if it is above --most. The engine adds up
in another order, so the last digits differ; a wrong token or weight shows at once.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import AutoConfig

from finetune_judge import Judge, chat_of, scores_of, shown
from judge_spec import Prompt, Spec
from measures import separation
from pair_files import read_pairs, whole_questions


def engine_scores(deepprune, judge, pairs):
    """What `judge eval` gives each pair."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = pathlib.Path(folder) / "pairs.jsonl", pathlib.Path(folder) / "scores.jsonl"
        asked.write_text("".join(json.dumps({"question": p.question or "", "a": p.a, "b": p.b, "same": p.same}) + "\n"
                                 for p in pairs))
        subprocess.run([deepprune, "judge", "eval", "--judge", judge, "--pairs", asked, "--scores", answered],
                       check=True, stdout=subprocess.DEVNULL)
        return np.array([json.loads(line)["score"] for line in answered.read_text().splitlines()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", type=pathlib.Path, required=True, help="checkpoint folder with judge.json")
    parser.add_argument("--pairs", required=True, help="file of judge pairs")
    parser.add_argument("--deepprune", default="../bin/deepprune")
    parser.add_argument("--limit", type=int, default=500, help="about so many pairs")
    parser.add_argument("--most", type=float, default=0.001, help="difference to put up with")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    config = AutoConfig.from_pretrained(args.judge)
    words = config.architectures[0].endswith("ForCausalLM")
    spec = Spec.read(args.judge / "judge.json")
    asked = spec.in_chat(chat_of(args.judge)) if spec.chat else spec
    prompt = Prompt(asked, args.judge / "tokenizer.json", config.max_position_embeddings, words)
    pairs = whole_questions(read_pairs(args.pairs, spec), args.limit, seed=1)
    judge = Judge.load(args.judge, prompt.words, torch.float32).to(args.device)
    here = scores_of(judge, [prompt(p.a, p.b) for p in pairs], 16384)
    there = engine_scores(args.deepprune, args.judge, pairs)
    same, questions = np.array([p.same for p in pairs]), [p.question for p in pairs]
    for name, scores in (("here", here), ("engine", there)):
        print(f"{name}: {shown(separation(scores, same, questions))}")
    difference = np.abs(here - there).max()
    print(f"{len(pairs)} pairs, largest difference of scores {difference:.2e}")
    if difference > args.most:
        sys.exit("the engine does not compute what was trained")


if __name__ == "__main__":
    main()
