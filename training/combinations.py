"""Trains a judge for each combination of focal loss and oversampling, and one
that sees the question alone, all for the same steps; prints what each reaches.

    python combinations.py --traces build/judge-traces.jsonl --check build/judge-check.jsonl

The traces to train on and to check with are of different questions, both from
`deepprune judge sample --full`; the binary measures.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

EMBEDDED = pathlib.Path(__file__).parent.parent / "weights/embedded/judge"
KINDS = {
    "focal loss, different counted twice": ["--focal", "--oversample", "2"],
    "focal loss": ["--focal", "--oversample", "1"],
    "cross entropy, different counted twice": ["--no-focal", "--oversample", "2"],
    "cross entropy": ["--no-focal", "--oversample", "1"],
    "the question alone": ["--no-focal", "--oversample", "1", "--question-only"],
}
TUNE = ["--muon-lr", "0.004", "--adam-lr", "0.0008", "--hold", "0.1", "--seed", "3"]


def python(*words):
    subprocess.run([sys.executable, *map(str, words)], check=True)


def train(flags, args, folder):
    """A checkpoint folder of a judge that was trained with these flags."""
    folder.mkdir(parents=True, exist_ok=True)
    taught, tuned = folder / "taught.pt", folder / "tuned.pt"
    rest = ["--tokenizer", args.tokenizer, "--port", args.port, *flags]
    if not taught.exists():
        python("train_judge.py", "--steps", args.steps, "--out", taught, *rest)
    if "--question-only" in flags:
        tuned = taught  # the teacher's answers are all there is to learn from
    elif not tuned.exists():
        python("train_judge.py", "--init", taught, "--traces", args.traces, "--steps", args.tune_steps,
               "--out", tuned, *TUNE, *rest)
    python("export.py", "--model", tuned, "--tokenizer", args.tokenizer, "--out", folder / "judge")
    shutil.copy(EMBEDDED / "judge.json", folder / "judge")  # how it is asked
    return folder / "judge"


def measure(judge, flags, args):
    only = [f for f in flags if f == "--question-only"]
    done = subprocess.run([args.deepprune, "judge", "eval", "--judge", judge, "--traces", args.check,
                           "--most", "120", "--json", *only], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["prefixes"][0]["judge"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", required=True)
    parser.add_argument("--check", required=True)
    parser.add_argument("--tokenizer", default="build/tokenizer.json")
    parser.add_argument("--deepprune", default="../bin/deepprune")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/combinations"))
    parser.add_argument("--steps", type=int, default=1500, help="on the teacher's prefixes")
    parser.add_argument("--tune-steps", type=int, default=300, help="on sampled prefixes")
    parser.add_argument("--only", choices=KINDS, help="one of them alone")
    parser.add_argument("--port", type=int, default=29513)
    args = parser.parse_args()
    print("| | AUROC | TNR at FNR 0.2 | AUROC within | TNR within | at 0.5: FNR | TNR | ECE |\n|---|---|---|---|---|---|---|---|")
    for name, flags in KINDS.items():
        if args.only and name != args.only:
            continue
        folder = args.out / name.replace(", ", "-").replace(" ", "-")
        r = measure(train(flags, args, folder), flags, args)
        within, at = r["within_question"], r["at_threshold"]
        figures = [r["auroc"], r["tnr_at_fnr_0.2"], within["auroc"]["mean"], within["tnr_at_fnr_0.2"]["mean"],
                   at["fnr"], at["tnr"], r["ece"]]
        print(f"| {name} | " + " | ".join(f"{x:.3f}" for x in figures) + " |", flush=True)


if __name__ == "__main__":
    main()
