#!/usr/bin/env python3
"""Compare deepprune with llama.cpp on the same workload, by turns.

Both decode k continuations of one shared prompt on the same threads, first the
one, then the other, several times over; medians and their ratios are printed, of
tokens per second of the prompt and of all continuations, and of peak memory.

    bench/llama_cpp.py --batched-bench ~/llama.cpp/build/bin/llama-batched-bench \\
        --gguf qwen3-0.6b-bf16.gguf --model random:qwen3-0.6b --dtype bf16 \\
        -k 1,8,64 --prompt 512 --new 128 --threads 2 --repeat 3

The file for llama.cpp is one of the shape and the format that --model and --dtype
give; without --model deepprune reads the same file. A unified KV cache and a shared
prompt (-kvu -pps) are what llama.cpp offers for this; --llama-options adds to them
("-fa off"). Both tell the mean over all steps; llama-batched-bench samples nothing,
deepprune every token. Needs Python alone, on Linux.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile


def counts(text):
    return [int(k) for k in text.split(",")]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--batched-bench", required=True, metavar="FILE", help="llama-batched-bench of a build of llama.cpp")
    p.add_argument("--gguf", required=True, metavar="FILE", help="the model for llama.cpp")
    p.add_argument("--llama-options", default=[], type=shlex.split, metavar="OPTIONS", help="more options of llama-batched-bench")
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
    """What a command writes, and the peak of its memory in GiB."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        try:
            process = subprocess.Popen(command, stdout=out, stderr=err)
        except OSError as e:
            sys.exit(f"{command[0]}: {e.strerror}")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{err.read()[-2000:]}")
        return out.read(), usage.ru_maxrss / (1 << 20)


def llama_cpp(a, k):
    """Tokens per second of the prompt and of k continuations, and GiB."""
    size = a.prompt + k * a.new
    text, memory = output([
        a.batched_bench, "-m", a.gguf, "-c", str(size + 64), "-b", "2048", "-ub", "512", "-kvu", "-pps",
        "-t", str(a.threads), "-tb", str(a.threads), "-ngl", "0",
        "-npp", str(a.prompt), "-ntg", str(a.new), "-npl", str(k), "--output-format", "jsonl",
        *a.llama_options,
    ])
    for line in text.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            if row["pl"] == k:
                return {"prefill": row["speed_pp"], "decode": row["speed_tg"], "memory": memory}
    sys.exit(f"{a.batched_bench}: no line of JSON for {k} sequences")


def deepprune(a, k):
    text, _ = output([
        a.deepprune, "bench", "speed", "--model", a.model or a.gguf, "--dtype", a.dtype, "-k", str(k),
        "--prompt", str(a.prompt), "--new", str(a.new), "--threads", str(a.threads), "--json",
    ])
    report = json.loads(text)
    row = report["decode"][0]
    # The process goes on to other measurements; its memory is that after this one.
    return {"prefill": report["prefill"]["tokens_s"], "decode": 1e3 * k / row["mean_step_ms"], "memory": row["peak_memory_bytes"] / (1 << 30)}


def main():
    a = arguments()
    engines = {"deepprune": deepprune, "llama.cpp": llama_cpp}
    columns = {"decode": ("tokens/s", 1), "prefill": ("tokens/s", 1), "memory": ("GiB", 2)}
    rows = []
    for k in a.k:
        runs = {name: [] for name in engines}
        for _ in range(a.repeat):
            for name, run in engines.items():
                runs[name].append(run(a, k))
        row = {"k": k}
        for what in columns:
            all_runs = {name: [run[what] for run in runs[name]] for name in engines}
            median = {name: statistics.median(values) for name, values in all_runs.items()}
            row[what] = {**median, "ratio": median["deepprune"] / median["llama.cpp"], "runs": all_runs}
        rows.append(row)
        if not a.json:
            if len(rows) == 1:
                print("     ", *(f"{what + ', ' + unit:^27}" for what, (unit, _) in columns.items()), sep="  ")
                print(f"{'k':>5}", *(f"{'deepprune':>9} {'llama.cpp':>9} {'ratio':>7}" for _ in columns), sep="  ")
            cells = (f"{row[w]['deepprune']:9.{d}f} {row[w]['llama.cpp']:9.{d}f} {row[w]['ratio']:7.2f}" for w, (_, d) in columns.items())
            print(f"{k:5}", *cells, sep="  ", flush=True)
    if a.json:
        settings = {name: getattr(a, name) for name in ("gguf", "llama_options", "model", "dtype", "prompt", "new", "threads", "repeat")}
        print(json.dumps({"schema": 1, **settings, "rows": rows}))


if __name__ == "__main__":
    main()
