"""python -m unittest test_finetune"""

import argparse
import contextlib
import dataclasses
import io
import json
import math
import pathlib
import random
import tempfile
import unittest
from unittest import mock

import numpy as np
import torch

import finetune_judge
from export import export
from finetune_judge import Judge, fine_tune, gradients, loss_of, run, scores_of
from judge_spec import Prompt, Spec
from measures import auroc, separation, threshold, tnr
from pair_files import Pair, batches, epoch, packs, read_pairs, split, whole_questions
from qwen3 import Config, Qwen3

EMBEDDED = pathlib.Path(__file__).parent.parent / "weights/embedded/judge"
PROMPTS = pathlib.Path(__file__).parent / "testdata/judge_prompts.json"


def flags(**changed):
    """The flags of finetune_judge.py for a quick run on a small model."""
    return argparse.Namespace(**dict(
        checkpoint=EMBEDDED, spec=None, chat=False, validation=None, share=0.3, validation_pairs=20, resume=False,
        prefix_tokens=None, prefix_words=None, fnr=0.2, classifier=False, gamma=2.0, alpha=0.5, oversample=2.0,
        lora_rank=4, lora_alpha=8, lora_dropout=0.0, epochs=1, steps=4, batch=6, pack_tokens=200, recompute=False,
        lr=1e-3, warmup=0.03, hold=0.1, weight_decay=0.01, evaluate_every=2, patience=5, precision="fp32",
        device="cpu", threads=None, seed=1) | changed)


def some_pairs(count, questions=9):
    """Pairs that end in the same answer if they begin with the same letter."""
    rng = random.Random(1)
    pairs = []
    for i in range(count):
        a, b = (rng.choice("xyz") + " = " + " + ".join(str(rng.randint(1, 99)) for _ in range(rng.randint(2, 9))) for _ in "ab")
        pairs.append(Pair(f"q{i % questions}", a, b, a[0] == b[0]))
    return pairs


def quietly(function, *args):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        function(*args)
    return out.getvalue()


class Loss(unittest.TestCase):
    def test_it_is_the_formula_pair_by_pair(self):
        logits = torch.randn(20, 2, generator=torch.Generator().manual_seed(1)) * 3
        same = torch.arange(20) % 3 > 0
        for gamma, alpha in ((0.0, 0.5), (2.0, 0.25), (0.5, 0.75)):
            want = 0.0
            for (different, is_same), y in zip(logits.double().tolist(), same.tolist()):
                p = 1 / (1 + math.exp(different - is_same))
                p_t, alpha_t = (p, alpha) if y else (1 - p, 1 - alpha)
                want -= alpha_t * (1 - p_t) ** gamma * math.log(p_t)
            self.assertAlmostEqual(loss_of(logits, same, gamma, alpha).item(), want, places=4)

    def test_a_pair_that_is_certain_has_a_finite_gradient(self):
        logits = torch.tensor([[-200.0, 200.0], [200.0, -200.0]], requires_grad=True)
        loss_of(logits, torch.tensor([True, True]), 0.5, 0.5).backward()
        self.assertTrue(logits.grad.isfinite().all())
        self.assertLess(logits.grad[1, 1], 0)

    def test_gradients_do_not_depend_on_the_packs(self):
        pairs = some_pairs(7)
        prompt = Prompt(Spec.read(EMBEDDED / "judge.json"), EMBEDDED / "tokenizer.json", 512)
        found = []
        for pack_tokens in (1, 130, 10_000):
            judge = Judge.load(EMBEDDED, prompt.words, torch.float32)
            loss = gradients(judge, [prompt(p.a, p.b) for p in pairs], [p.same for p in pairs], flags(pack_tokens=pack_tokens))
            found.append((loss, judge.model.model.layers[0].mlp.up_proj.weight.grad))
        for loss, grad in found[1:]:
            self.assertAlmostEqual(loss, found[0][0], places=6)
            torch.testing.assert_close(grad, found[0][1], atol=1e-6, rtol=1e-3)


class Pairs(unittest.TestCase):
    def test_the_rarer_kind_is_shown_as_often_as_asked(self):
        for rare in (True, False):
            pairs = [Pair(str(i), "", "", (i % 5 == 0) == rare) for i in range(1000)]
            for oversample, want in ((1, 200), (2, 400), (2.5, 500)):
                order = epoch(pairs, oversample, 1)
                shown = sum(pairs[i].same == rare for i in order)
                self.assertEqual(len(order) - shown, 800)
                self.assertEqual(set(order), set(range(1000)))
                self.assertLess(abs(shown - want), 40 if oversample % 1 else 1)

    def test_batches_run_through_one_epoch_after_another(self):
        pairs = some_pairs(50)
        stream, first = batches(pairs, 7, 1, 3), []
        while len(first) < 2 * len(pairs):
            first += next(stream)
        self.assertEqual(sorted(first[:50]), list(range(50)))
        self.assertEqual(sorted(first[50:100]), list(range(50)))
        self.assertNotEqual(first[:50], first[50:100])

    def test_no_question_is_on_both_sides(self):
        pairs = some_pairs(3000, questions=300)
        for seed in (1, 2):
            kept, apart = split(pairs, 0.2, seed)
            self.assertFalse({p.question for p in kept} & {p.question for p in apart})
            self.assertEqual(len(kept) + len(apart), 3000)
            self.assertTrue(30 < len({p.question for p in apart}) < 90)
        few = whole_questions(apart, 100, 1)
        self.assertTrue(100 <= len(few) < 110)
        self.assertEqual(len(few), sum(p.question in {q.question for q in few} for p in apart))

    def test_both_formats_are_read(self):
        spec = Spec(head="H ", mid=" M ", tail=" T")
        lines = [{"id": "7", "question": "1+1", "a": "one", "b": "two", "same": False},
                 {"question": "1+1", "a": "one", "b": "two", "same": True},
                 {"messages": [{"role": "user", "content": "H one M two T"}, {"role": "assistant", "content": "yes"}]}]
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "pairs.jsonl"
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))
            self.assertEqual(read_pairs(file, spec), [
                Pair("7", "one", "two", False), Pair("1+1", "one", "two", True), Pair(None, "one", "two", True)])
            with self.assertRaisesRegex(ValueError, "format pairs"):
                split(read_pairs(file, spec), 0.1, 1)
            for bad in ("H one T", "H one M two M three T", "one M two T"):
                lines[2]["messages"][0]["content"] = bad
                file.write_text(json.dumps(lines[2]))
                with self.assertRaisesRegex(ValueError, "line 1"):
                    read_pairs(file, spec)

    def test_packs_hold_everything_once_within_the_budget(self):
        rng = random.Random(1)
        for _ in range(50):
            lengths = [rng.randint(1, 60) for _ in range(rng.randint(0, 40))]
            found = packs(lengths, 100)
            self.assertEqual(sorted(i for pack in found for i in pack), list(range(len(lengths))))
            for pack in found:
                self.assertTrue(len(pack) == 1 or len(pack) * max(lengths[i] for i in pack) <= 100)


class Prompts(unittest.TestCase):
    """The engine's tests hold it to the same file (engine/judge_prompts_test.go)."""

    def test_tokens_are_those_that_the_engine_asks(self):
        known = json.loads(PROMPTS.read_text())
        tokens = Prompt(Spec(**known["spec"]), EMBEDDED / "tokenizer.json", 512)
        self.assertEqual(tokens.words, [known["different"], known["same"]])
        for example in known["pairs"]:
            self.assertEqual(tokens(example["a"], example["b"]), example["tokens"], example)

    def test_a_chat_template_goes_around_the_message(self):
        spec = Spec(head="Same?\nA: ", mid="\nB: ", tail="\n")
        chat = spec.in_chat(lambda text: f"<|im_start|>user\n{text.strip()}<|im_end|>\n<|im_start|>assistant\n")
        self.assertEqual((chat.head, chat.mid, chat.tail, chat.same), (
            "<|im_start|>user\nSame?\nA: ", "\nB: ", "<|im_end|>\n<|im_start|>assistant\n", "yes"))
        with self.assertRaises(ValueError):
            spec.in_chat(lambda text: "hello")

    def test_a_spec_of_a_chat_keeps_its_words(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "judge.json"
            Spec(head="H", mid=" M ", tail=" T", same=" yes", different=" no", chat=True).write(file)
            spec = Spec.read(file)
        with self.assertRaisesRegex(ValueError, "in_chat"):
            Prompt(spec, EMBEDDED / "tokenizer.json", 512)
        asked = spec.in_chat(lambda text: f"<{text}>")
        self.assertEqual((asked.head, asked.tail, asked.same, asked.chat), ("<H", " T>", " yes", False))
        Prompt(asked, EMBEDDED / "tokenizer.json", 512)

    def test_a_word_must_be_one_token(self):
        with self.assertRaisesRegex(ValueError, "not one"):
            Prompt(Spec(same=" perhaps not"), EMBEDDED / "tokenizer.json", 512)


class Measures(unittest.TestCase):
    def test_against_counting(self):
        rng = np.random.default_rng(1)
        for _ in range(20):
            scores, same = rng.integers(0, 9, 40) / 8, rng.random(40) < 0.6
            if threshold(scores, same) == 0:
                continue  # even the lowest score misses too many
            pairs = [(s > d) + 0.5 * (s == d) for s in scores[same] for d in scores[~same]]
            self.assertAlmostEqual(auroc(scores, same), np.mean(pairs))
            at = threshold(scores, same, 0.2)
            self.assertLessEqual((scores[same] <= at).mean(), 0.2 + 1e-9)
            higher = scores[scores > at].min()
            self.assertGreater((scores[same] <= higher).mean(), 0.2)
            self.assertLessEqual((scores[~same] <= at).mean(), tnr(scores, same) + 1e-9)

    def test_within_a_question(self):
        scores = np.array([0.9, 0.1, 0.2, 0.3, 0.5])
        same = np.array([True, False, True, False, True])
        figures = separation(scores, same, ["a", "a", "b", "b", "c"])
        self.assertEqual(figures["within_auroc"], 0.5)
        self.assertAlmostEqual(figures["auroc"], 5 / 6)
        self.assertIsNone(separation(scores, same)["within_auroc"])


class FineTuning(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.pairs = self.folder / "pairs.jsonl"
        self.pairs.write_text("".join(json.dumps(dataclasses.asdict(p)) + "\n" for p in some_pairs(50)))

    def flags(self, name, **changed):
        return flags(pairs=self.pairs, out=self.folder / name, **changed)

    def weights(self, name):
        from safetensors.torch import load_file
        return load_file(self.folder / name / "model.safetensors")

    def test_it_learns_from_nothing(self):
        tiny = self.folder / "tiny"
        torch.manual_seed(1)
        export(Qwen3(Config(vocab_size=720, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
                            num_key_value_heads=1, intermediate_size=96)), EMBEDDED / "tokenizer.json", tiny)
        prompt = Prompt(Spec(head="A: ", mid="\nB: ", tail="\nSame answer?"), tiny / "tokenizer.json", 512)
        judge = Judge.load(tiny, prompt.words, torch.float32)
        pairs = [Pair("q", a, b, a == b) for a in "xyz" for b in "xyz"]
        prompts = lambda p: prompt(p.a, p.b)
        args = self.flags("judge", steps=60, batch=12, evaluate_every=20, lr=5e-3, patience=9)
        state = self.folder / "state"
        state.mkdir()
        quietly(fine_tune, judge, prompts, pairs, ([prompts(p) for p in pairs], pairs), args, state)
        scores = scores_of(judge, [prompts(p) for p in pairs], 999)
        self.assertGreater(auroc(scores, np.array([p.same for p in pairs])), 0.95)

    def test_a_run_that_was_cut_goes_on_to_the_same_weights(self):
        for kind in ({"lora_dropout": 0.1}, {"lora_rank": 0}):
            quietly(run, self.flags("whole", **kind))
            real, calls = finetune_judge.validate, []

            def cut(*args):
                calls.append(args)
                if len(calls) == 3:  # before, after 2 steps, and now after 4
                    raise KeyboardInterrupt
                return real(*args)

            with mock.patch.object(finetune_judge, "validate", cut), self.assertRaises(KeyboardInterrupt):
                quietly(run, self.flags("cut", **kind))
            with self.assertRaisesRegex(SystemExit, "another gamma"):
                quietly(run, self.flags("cut", resume=True, gamma=1, **kind))
            said = quietly(run, self.flags("cut", resume=True, **kind))
            self.assertIn("step 2 of 4", said)
            whole = self.weights("whole")
            for name, weight in self.weights("cut").items():
                self.assertTrue(torch.equal(weight, whole[name]), name)

    def test_a_classifier_starts_as_the_two_words(self):
        pairs = some_pairs(5)
        prompt = Prompt(Spec.read(EMBEDDED / "judge.json"), EMBEDDED / "tokenizer.json", 512)
        prompts = [prompt(p.a, p.b) for p in pairs]
        judge = Judge.load(EMBEDDED, prompt.words, torch.float32)
        want = scores_of(judge, prompts, 999)
        np.testing.assert_allclose(scores_of(judge.classifier(["no", "yes"]), prompts, 999), want, atol=1e-6)

    def test_what_is_saved_is_a_checkpoint_with_judge_json(self):
        for name, kind in (("words", {"precision": "bf16"}), ("labels", {"classifier": True}),
                           ("all", {"lora_rank": 0, "recompute": True})):
            quietly(run, self.flags(name, steps=1, prefix_tokens=20, **kind))
            spec = Spec.read(self.folder / name / "judge.json")
            self.assertEqual((spec.head, spec.checkpoint), ("A: ", {"tokens": 20}))
            self.assertTrue(0 < spec.threshold < 1)
            self.assertEqual((self.folder / name / "tokenizer.json").read_bytes(), (EMBEDDED / "tokenizer.json").read_bytes())
            config = json.loads((self.folder / name / "config.json").read_text())
            self.assertEqual("score.weight" in self.weights(name), "classifier" in kind)
            self.assertEqual(config.get("id2label", {}).get("1") == "yes", "classifier" in kind)


if __name__ == "__main__":
    unittest.main()
