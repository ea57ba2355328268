#!/bin/sh
# Runs every command of the README at a tiny scale, in a folder of its own: shows in
# a minute or two that the recipe still runs, not that it still trains well.
#
#     PYTHON=python3 sh smoke.sh [deepprune]
set -eu
cd "$(dirname "$0")"
deepprune=$(realpath "${1:-../bin/deepprune}")
python=${PYTHON:-python3}
embedded=$(realpath ../weights/embedded)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1

step() {
    echo "== $*"
    "$@"
}

# The embedded pair.
step "$python" tokenizer.py --count 300 --out "$out/tokenizer.json"
step "$python" make_questions.py --out "$out/questions.jsonl" --count 8
step "$python" words.py --questions 200 --out "$out/words.txt"
step "$python" train_reasoner.py --tokenizer "$out/tokenizer.json" --steps 2 --batch-tokens 1024 --out "$out/phase1.pt"
step "$python" train_reasoner.py --tokenizer "$out/tokenizer.json" --init "$out/phase1.pt" --minutes 0.01 \
    --batch-tokens 1024 --workers 1 --out "$out/reasoner.pt"
step "$python" export.py --model "$out/reasoner.pt" --tokenizer "$out/tokenizer.json" --out "$out/reasoner"
step "$python" train_judge.py --tokenizer "$out/tokenizer.json" --steps 2 --rows 2 --out "$out/teacher.pt"
for seed in 1 2; do
    step "$deepprune" judge sample --dataset "$out/questions.jsonl" -k 10 --seed $seed --judge none --prefix-tokens 36 --full \
        --model "$embedded/reasoner" --out "$out/traces-$seed.jsonl"
done
step "$python" train_judge.py --tokenizer "$out/tokenizer.json" --init "$out/teacher.pt" --traces "$out/traces-1.jsonl" \
    --steps 2 --rows 2 --workers 1 --out "$out/judge.pt"
step "$python" export.py --model "$out/judge.pt" --tokenizer "$out/tokenizer.json" --out "$out/judge"
cp "$embedded/judge/judge.json" "$out/judge/"
step "$deepprune" judge eval --judge "$out/judge" --traces "$out/traces-2.jsonl"
step "$python" sample.py --model "$out/reasoner.pt" --tokenizer "$out/tokenizer.json" --questions "$out/questions.jsonl" \
    --count 1 --traces 2 --most 20 --out "$out/plain.jsonl"
step "$python" evaluate.py --traces "$out/traces-2.jsonl" --tokenizer "$out/tokenizer.json" --judge "$out/judge.pt"
step "$python" combinations.py --traces "$out/traces-1.jsonl" --check "$out/traces-2.jsonl" --tokenizer "$out/tokenizer.json" \
    --deepprune "$deepprune" --only 'cross entropy' --steps 1 --tune-steps 1 --out "$out/combinations"

# A judge for a real reasoner.
step "$deepprune" judge pairs --traces "$out/traces-1.jsonl" --most 20 --out "$out/pairs.jsonl" --held-out "$out/dev.jsonl" --share 0.4
# In a chat the words begin a turn, and the small tokenizer has only letters for that.
printf '%s\n' '{"head": "A: ", "mid": "\nB: ", "tail": "\ny or n?", "same": "y", "different": "n"}' > "$out/letters.json"
for kind in "" "--chat --spec $out/letters.json" "--classifier" "--lora-rank 0"; do
    step "$python" finetune_judge.py --checkpoint "$embedded/judge" --pairs "$out/pairs.jsonl" --validation "$out/dev.jsonl" \
        --steps 2 --evaluate-every 1 --out "$out/tuned" $kind
    step "$python" check_judge.py --judge "$out/tuned" --pairs "$out/dev.jsonl" --deepprune "$deepprune" --limit 60
    rm -r "$out/tuned" "$out/tuned.state"
done
echo "all commands ran"
