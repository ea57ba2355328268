"""lm-eval's local-completions against a server of the embedded pair.

evaluate.py TOKENIZER runs the two tasks of this folder, with the tokenizer of the
model, which lm-eval encodes the prompts with. The server is found by
OPENAI_BASE_URL and OPENAI_API_KEY; see ../serve.sh.
"""

import os
import sys
from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

tokenizer = Path(sys.argv[1]).resolve()
here = Path(__file__).parent
os.chdir(here)  # the tasks name their data from here
results = simple_evaluate(
    model="local-completions",
    model_args={
        "model": "embedded-reasoner",
        "base_url": os.environ["OPENAI_BASE_URL"] + "/completions",
        "tokenizer": str(tokenizer),
        "tokenizer_backend": "huggingface",
        "tokenized_requests": True,
        "num_concurrent": 4,
        "max_length": 2048,
        "max_retries": 1,
    },
    tasks=["deepprune_choices", "deepprune_solve"],
    task_manager=TaskManager(include_path=str(here), include_defaults=False),
    bootstrap_iters=0,
)["results"]
choices, solved = results["deepprune_choices"]["acc,none"], results["deepprune_solve"]["exact_match,boxed"]
print(f"choices {choices:.2f}, solved {solved:.2f}")
# The thoughts say which choice is right; of the questions a greedy trace misses some.
if choices < 0.99 or solved < 0.5:
    sys.exit("the figures are not those of this model")
