"""python -m unittest test_training"""

import random
import unittest

import torch

from evaluate import prune
from judge_pairs import Format
from measures import auroc, tnr
from plans import answer, gives_away, numbers, values
from qwen3 import Config, Qwen3
from questions import draw_plan, draw_question, is_unseen
from tokenizer import corpus, train
from traces import read_setup, trace
from train_judge import last_logits, star_attention

import numpy as np


class Questions(unittest.TestCase):
    def test_plans_stay_in_the_domain_and_give_nothing_away(self):
        rng = random.Random(1)
        for i in range(500):
            question = draw_question(rng, unseen=i % 2 == 0)
            self.assertEqual(is_unseen(question.template), i % 2 == 0)
            plan = draw_plan(question, rng)
            self.assertIsNotNone(values(plan))
            self.assertFalse(gives_away(plan, question.asked))
            self.assertLessEqual(set(numbers(question.plan)) - {2, 3}, set(question.asked))

    def test_a_trace_states_its_plan_and_ends_in_its_answer(self):
        rng = random.Random(2)
        for _ in range(500):
            plan = draw_plan(draw_question(rng), rng)
            setup, rest = trace(plan, rng)
            self.assertEqual(answer(read_setup(setup)), answer(plan))
            self.assertTrue(rest.endswith(f"\\boxed{{{answer(plan)}}}."))


class Models(unittest.TestCase):
    def test_a_row_of_many_pairs_scores_as_each_pair_alone(self):
        tokenizer = train(corpus(200, 1), 600)
        form = Format(tokenizer, 20)
        torch.manual_seed(1)
        model = Qwen3(Config(vocab_size=600, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
                             num_key_value_heads=1, intermediate_size=96)).eval()
        prefixes = torch.randint(0, 590, (4, 20)).tolist()
        row = form.a(prefixes[0]) + sum((form.b(p) for p in prefixes[1:]), [])
        with torch.no_grad():
            many = last_logits(model, form, torch.tensor([row]), 3, star_attention(form, 3), form.positions(3))[0]
            for i in range(3):
                alone = torch.tensor([form.a(prefixes[0]) + form.b(prefixes[i + 1])])
                self.assertLess((model.logits(model.hidden(alone))[0, -1] - many[i]).abs().max(), 1e-4)

    def test_decoding_with_a_cache_gives_the_same_logits(self):
        torch.manual_seed(2)
        config = Config(vocab_size=50, hidden_size=64, num_hidden_layers=2, num_attention_heads=4)
        model = Qwen3(config).eval()
        tokens = torch.randint(0, 50, (3, 12))
        cache = [(torch.zeros(3, 2, 12, 32), torch.zeros(3, 2, 12, 32)) for _ in range(2)]
        with torch.no_grad():
            whole = model.logits(model.hidden(tokens))
            model.hidden(tokens[:, :8], cache=[(k, v, 0) for k, v in cache])
            for i in range(8, 12):
                one = model.logits(model.hidden(tokens[:, i:i + 1], cache=[(k, v, i) for k, v in cache]))
                self.assertLess((one[:, 0] - whole[:, i]).abs().max(), 1e-4)


class Measures(unittest.TestCase):
    def test_auroc_and_tnr(self):
        scores, same = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
        self.assertEqual(auroc(scores, same), 0.75)
        self.assertEqual(tnr(scores, same, 0.0), 0.5)

    def test_pruning_joins_the_most_similar_keeper(self):
        scores = np.array([[1, 0.2, 0.6, 0.1], [0, 1, 0.9, 0.1], [0, 0, 1, 0.9], [0, 0, 0, 1]])
        self.assertEqual(prune(scores, 0.5), {0: [0], 1: [1, 2], 3: [3]})


if __name__ == "__main__":
    unittest.main()
