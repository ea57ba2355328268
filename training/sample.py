"""A plain batched sampler with a KV cache, for evaluation without the engine."""

import re

import torch

from tokenizer import END, prompt

BOXED = re.compile(r"\\boxed\{([^{}]*)\}")


def boxed(text):
    """The last boxed answer, or None."""
    found = BOXED.findall(text)
    return found[-1] if found else None


def choose(logits, temperature, top_p, generator):
    """One token a row; top_p keeps the fewest tokens that reach that mass."""
    probabilities = torch.softmax(logits.float() / temperature, dim=-1)
    ranked, index = probabilities.sort(dim=-1, descending=True)
    ranked[ranked.cumsum(-1) - ranked >= top_p] = 0
    return index.gather(-1, torch.multinomial(ranked, 1, generator=generator))


@torch.no_grad()
def generate(model, prompts, end, most=900, temperature=1.0, top_p=0.95, seed=0):
    """Continues equally long prompts (rows x length); returns lists of tokens
    without the end token. Rows that have ended leave the batch."""
    config, (rows, length) = model.config, prompts.shape
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, config.num_key_value_heads, length + most, config.head_dim)
    buffers = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(config.num_hidden_layers)]
    outputs = [[] for _ in range(rows)]
    alive = torch.arange(rows)
    tokens, start = prompts, 0
    for _ in range(most):
        hidden = model.hidden(tokens, cache=[(k, v, start) for k, v in buffers])
        start += tokens.shape[1]
        tokens = choose(model.logits(hidden[:, -1]), temperature, top_p, generator)
        for row, token in zip(alive.tolist(), tokens[:, 0].tolist()):
            if token != end:
                outputs[row].append(token)
        going = (tokens[:, 0] != end).nonzero()[:, 0]
        if len(going) == 0:
            break
        if len(going) < len(alive) * 0.8:
            buffers = [(k[going], v[going]) for k, v in buffers]
            alive, tokens = alive[going], tokens[going]
        else:  # finished rows run on, unheard, until a fifth of the batch is done
            for row in set(range(len(alive))) - set(going.tolist()):
                alive[row] = rows
            outputs += [[]] if len(outputs) == rows else []
    return outputs[:rows]


def traces_of(model, tokenizer, text, count, **options):
    """`count` traces of one question, as token lists."""
    ids = torch.tensor([tokenizer.encode(prompt(text)).ids]).expand(count, -1)
    return generate(model, ids, tokenizer.token_to_id(END), **options)
