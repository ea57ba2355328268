"""The official client for Python against a server of the embedded pair, unchanged.

The server is found by OPENAI_BASE_URL and OPENAI_API_KEY; see ../serve.sh.
"""

import asyncio
import json
import unittest

import openai
from openai import OpenAI, AsyncOpenAI

MODEL = "embedded-reasoner"
QUESTION = "What is (12 + 7) * 3 - 8?"
MESSAGES = [{"role": "user", "content": QUESTION}]
PROMPT = "<|im_start|>user\n" + QUESTION + "<|im_end|>\n<|im_start|>assistant\n<think>\n"

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    },
}

client = OpenAI()


class Models(unittest.TestCase):
    def test_list(self):
        self.assertEqual([m.id for m in client.models.list()], [MODEL])

    def test_retrieve(self):
        self.assertEqual(client.models.retrieve(MODEL).object, "model")
        with self.assertRaises(openai.NotFoundError):
            client.models.retrieve("gpt-5")


class Chat(unittest.TestCase):
    def create(self, **more):
        return client.chat.completions.create(model=MODEL, messages=MESSAGES, **more)

    def test_answer(self):
        answer = self.create(temperature=0)
        self.assertIn("49", answer.choices[0].message.content)
        self.assertTrue(answer.choices[0].message.reasoning_content)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        usage = answer.usage
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    def test_stream(self):
        whole = self.create(n=2, seed=1, max_completion_tokens=60)
        said, ends, usage = {}, {}, None
        for chunk in self.create(n=2, seed=1, max_completion_tokens=60, stream=True, stream_options={"include_usage": True}):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                delta = choice.delta
                said[choice.index] = said.get(choice.index, "") + (getattr(delta, "reasoning_content", None) or "") + (delta.content or "")
                if choice.finish_reason:
                    self.assertNotIn(choice.index, ends)
                    ends[choice.index] = choice.finish_reason
        for choice in whole.choices:
            message = choice.message
            self.assertEqual(said[choice.index], (getattr(message, "reasoning_content", None) or "") + (message.content or ""))
            self.assertEqual(ends[choice.index], choice.finish_reason)
        self.assertEqual(usage.completion_tokens, whole.usage.completion_tokens)

    def test_stream_helper(self):
        with client.chat.completions.stream(model=MODEL, messages=MESSAGES, temperature=0) as stream:
            deltas = "".join(e.delta for e in stream if e.type == "content.delta")
            final = stream.get_final_completion()
        self.assertIn("49", deltas)
        self.assertEqual(final.choices[0].message.content, deltas)

    def test_logprobs(self):
        answer = self.create(logprobs=True, top_logprobs=3, max_completion_tokens=8)
        tokens = answer.choices[0].logprobs.content
        self.assertEqual(len(tokens), 8)
        for token in tokens:
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertEqual(bytes(token.bytes).decode(), token.token)
            self.assertLessEqual(token.logprob, 0)

    def test_stop(self):
        answer = self.create(temperature=0, stop=["</think>"])
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertFalse(answer.choices[0].message.content)

    def test_json_object(self):
        choice = self.create(response_format={"type": "json_object"}, seed=1).choices[0]
        # A model that was never taught JSON may go on to the end of its context.
        if choice.finish_reason == "stop":
            self.assertIsInstance(json.loads(choice.message.content), dict)
        else:
            self.assertTrue(choice.message.content.startswith("{"))

    def test_json_schema(self):
        answer = self.create(
            response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}},
            temperature=0,
        )
        value = json.loads(answer.choices[0].message.content)
        self.assertEqual(set(value), {"answer", "sure"})
        self.assertIsInstance(value["answer"], int)

    def test_tool(self):
        for choice in ("required", {"type": "function", "function": {"name": "add"}}):
            answer = self.create(tools=[TOOL], tool_choice=choice, temperature=0)
            self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
            call = answer.choices[0].message.tool_calls[0]
            self.assertEqual(call.function.name, "add")
            self.assertEqual(set(json.loads(call.function.arguments)), {"a", "b"})
            # And the answer of the tool goes back.
            after = MESSAGES + [
                answer.choices[0].message.to_dict(),
                {"role": "tool", "tool_call_id": call.id, "content": "49"},
            ]
            self.assertTrue(client.chat.completions.create(model=MODEL, messages=after, tools=[TOOL], max_completion_tokens=5).choices)

    def test_tool_stream(self):
        with client.chat.completions.stream(model=MODEL, messages=MESSAGES, tools=[TOOL], tool_choice="required", temperature=0) as stream:
            for _ in stream:
                pass
            call = stream.get_final_completion().choices[0].message.tool_calls[0]
        self.assertEqual(set(json.loads(call.function.arguments)), {"a", "b"})

    def test_group(self):
        answer = self.create(seed=1, extra_body={"deepprune": {"policy": "deepprune", "traces": 16}})
        self.assertEqual(len(answer.choices), 1)
        self.assertIn("49", answer.choices[0].message.content)
        self.assertEqual(answer.deepprune["answer"], "49")
        self.assertEqual(answer.deepprune["k"], 16)
        self.assertEqual(answer.usage.completion_tokens, answer.deepprune["usage"]["generated_tokens"])

    def test_pruned(self):
        answer = self.create(n=8, seed=1, extra_body={"deepprune": {"policy": "random", "survivors": 2}})
        ends = [(c.finish_reason, c.stop_reason) for c in answer.choices]
        self.assertIn(("length", "pruned"), ends)

    def test_errors(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(temperature=7)
        self.assertEqual(caught.exception.param, "temperature")
        with self.assertRaises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="gpt-5", messages=MESSAGES)
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.AuthenticationError):
            OpenAI(api_key="sk-nobody-nobody-nobody").models.list()

    def test_many(self):
        async def ask():
            async with AsyncOpenAI() as many:
                return await asyncio.gather(*[
                    many.chat.completions.create(model=MODEL, messages=MESSAGES, seed=i, max_completion_tokens=20)
                    for i in range(16)
                ])
        self.assertEqual(len(asyncio.run(ask())), 16)


class Completions(unittest.TestCase):
    def create(self, prompt=PROMPT, **more):
        return client.completions.create(model=MODEL, prompt=prompt, temperature=0, **more)

    def test_text(self):
        self.assertIn("49", self.create(max_tokens=400).choices[0].text)

    def test_stream(self):
        whole = self.create(max_tokens=30).choices[0].text
        self.assertEqual("".join(c.choices[0].text for c in self.create(max_tokens=30, stream=True)), whole)

    def test_prompts(self):
        answer = self.create([PROMPT, PROMPT], n=2, max_tokens=3)
        self.assertEqual([c.index for c in answer.choices], [0, 1, 2, 3])
        self.assertEqual(len({c.text for c in answer.choices}), 1)

    def test_echo(self):
        answer = self.create(echo=True, logprobs=2, max_tokens=1)
        choice = answer.choices[0]
        self.assertTrue(choice.text.startswith(PROMPT))
        logprobs = choice.logprobs
        self.assertEqual(len(logprobs.tokens), answer.usage.prompt_tokens + 1)
        self.assertIsNone(logprobs.token_logprobs[0])
        for token, offset in zip(logprobs.tokens, logprobs.text_offset):
            self.assertTrue(choice.text[offset:].startswith(token))


if __name__ == "__main__":
    unittest.main()
