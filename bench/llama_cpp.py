#!/usr/bin/env python3
"""Compare deepprune with llama.cpp on the same workload, by turns.

Both decode k continuations of one shared prompt on the same threads, first the
one, then the other, several times over; medians and their ratio are printed.

    bench/llama_cpp.py --batched-bench ~/llama.cpp/build/bin/llama-batched-bench \\
        --gguf qwen3-0.6b-bf16.gguf --model random:qwen3-0.6b --dtype bf16 \\
        -k 1,8,64 --prompt 512 --new 128 --threads 2 --repeat 3

The file for llama.cpp is one of the shape and the format that --model and --dtype
give; without --model deepprune reads the same file. A unified KV cache and a shared
prompt (-kvu -pps) are what llama.cpp offers for this. Needs Python alone.
"""

import argparse
import json
import statistics
import subprocess
import sys


def counts(text):
    return [int(k) for k in text.split(",")]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--batched-bench", required=True, metavar="FILE", help="llama-batched-bench of a build of llama.cpp")
    p.add_argument("--gguf", required=True, metavar="FILE", help="the model for llama.cpp")
    p.add_argument("--deepprune", default="bin/deepprune", metavar="FILE", help="the binary that make build makes")
    p.add_argument("--model", metavar="NAME", help="the model for deepprune, if it is not the same file")
    p.add_argument("--dtype", default="bf16", help="how deepprune keeps the weights: that of the file")
    p.add_argument("-k", type=counts, default=[1, 2, 4, 8, 16, 32, 64], help="numbers of continuations")
    p.add_argument("--prompt", type=int, default=512)
    p.add_argument("--new", type=int, default=128)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--json", action="store_true", help="print one JSON object")
    return p.parse_args()


def output(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as e:
        sys.exit(f"{command[0]}: {e.strerror}")
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def llama_cpp(a, k):
    """Tokens per second of the prompt and of k continuations."""
    size = a.prompt + k * a.new
    lines = output([
        a.batched_bench, "-m", a.gguf, "-c", str(size + 64), "-b", "2048", "-ub", "512", "-kvu", "-pps",
        "-t", str(a.threads), "-tb", str(a.threads), "-ngl", "0",
        "-npp", str(a.prompt), "-ntg", str(a.new), "-npl", str(k), "--output-format", "jsonl",
    ]).splitlines()
    for line in lines:
        if line.startswith("{"):
            row = json.loads(line)
            if row["pl"] == k:
                return {"prefill": row["speed_pp"], "decode": row["speed_tg"]}
    sys.exit(f"{a.batched_bench}: no line of JSON for {k} sequences")


def deepprune(a, k):
    report = json.loads(output([
        a.deepprune, "bench", "speed", "--model", a.model or a.gguf, "--dtype", a.dtype, "-k", str(k),
        "--prompt", str(a.prompt), "--new", str(a.new), "--threads", str(a.threads), "--json",
    ]))
    return {"prefill": report["prefill"]["tokens_s"], "decode": report["decode"][0]["tokens_s"]}


def main():
    a = arguments()
    engines = {"llama.cpp": llama_cpp, "deepprune": deepprune}
    rows = []
    for k in a.k:
        runs = {name: [] for name in engines}
        for _ in range(a.repeat):
            for name, run in engines.items():
                runs[name].append(run(a, k))
        row = {"k": k}
        for what in ("prefill", "decode"):
            median = {name: statistics.median(run[what] for run in runs[name]) for name in engines}
            row[what] = {**median, "ratio": median["deepprune"] / median["llama.cpp"]}
        rows.append(row)
        if not a.json:
            if len(rows) == 1:
                print(f"{'k':>4}  {'decode':>9} {'llama.cpp':>9} {'ratio':>6}  {'prefill':>9} {'llama.cpp':>9} {'ratio':>6}  tokens/s")
            cells = [f"{row[w]['deepprune']:9.1f} {row[w]['llama.cpp']:9.1f} {row[w]['ratio']:6.2f}" for w in ("decode", "prefill")]
            print(f"{k:4}  {'  '.join(cells)}", flush=True)
    if a.json:
        settings = {name: getattr(a, name) for name in ("gguf", "model", "dtype", "prompt", "new", "threads", "repeat")}
        print(json.dumps({"schema": 1, **settings, "rows": rows}))


if __name__ == "__main__":
    main()
