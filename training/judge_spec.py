"""How a judge is asked: judge.json, and the tokens that the engine makes of it.

What is trained here is what the engine asks, token for token (engine/judge.go):
head, the keeper's prefix, mid, the other prefix and tail are tokenised one by
one; special tokens are found in head, mid and tail alone, and spelled out where
a prefix has them; a prefix is cut so that two fit the context.
testdata/judge_prompts.json holds examples that both sides are tested with.
"""

import dataclasses
import json
import pathlib

from tokenizers import Tokenizer

LONGEST_CONTEXT = 32768  # the engine's, of a model that is loaded without saying more


@dataclasses.dataclass
class Spec:
    """judge.json; the defaults are the engine's for a folder without one."""
    head: str = ("Two unfinished solutions of the same problem follow. Will they end in the same answer?"
                 "\n\nSolution 1:\n")
    mid: str = "\n\nSolution 2:\n"
    tail: str = "\n\nSame answer (yes or no):"
    same: str = " yes"
    different: str = " no"
    chat: bool = False  # the engine puts its chat template around the prompt
    checkpoint: dict = dataclasses.field(default_factory=lambda: {"words": 25})
    threshold: float = 0.5

    @classmethod
    def read(cls, path):
        """A field that the file lacks is empty, and one that is not known is
        ignored, as by the engine."""
        empty = dict(head="", mid="", tail="", same="", different="", chat=False, checkpoint={}, threshold=0.0)
        said = json.loads(pathlib.Path(path).read_text())
        return cls(**{field: said.get(field, value) for field, value in empty.items()})

    def write(self, path):
        text = json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False)
        pathlib.Path(path).write_text(text + "\n")

    def in_chat(self, render):
        """The spec with what a chat template puts around a message. render makes
        the whole prompt of a message's text. An answer begins the assistant's
        turn, so the words lose the space before them, unless the spec is of a
        chat already and means them as they are."""
        prefix = "\uE000"  # stands for a prefix: a character that no template has
        parts = render(prefix.join((self.head, self.mid, self.tail))).split(prefix)
        if len(parts) != 3:
            raise ValueError("the chat template does not show a message as it is")
        same, different = (word if self.chat else word.strip() for word in (self.same, self.different))
        return dataclasses.replace(self, head=parts[0], mid=parts[1], tail=parts[2], same=same, different=different, chat=False)


class Prompt:
    """The tokens of a pair's prompt.

    words: the ids of (different, same), or None with words=False, for a judge
    that classifies."""

    def __init__(self, spec, tokenizer_file, context, words=True):
        if spec.chat:
            raise ValueError("the spec is to be asked in_chat")
        description = json.loads(pathlib.Path(tokenizer_file).read_text())
        # Templates, truncation and padding are not the prompt's.
        description |= {"post_processor": None, "truncation": None, "padding": None}
        self.trusted = Tokenizer.from_str(json.dumps(description))
        # Without added tokens what is written like one is text.
        self.verbatim = Tokenizer.from_str(json.dumps(description | {"added_tokens": []}))
        self.head, self.mid, self.tail = (self.trusted.encode(text).ids for text in (spec.head, spec.mid, spec.tail))
        self.words = [self.word(text) for text in (spec.different, spec.same)] if words else None
        self.longest = (min(context, LONGEST_CONTEXT) - len(self.head) - len(self.mid) - len(self.tail)) // 2
        if self.longest < 1:
            raise ValueError(f"head, mid and tail leave no room in a context of {context}")
        self.known = {}

    def word(self, text):
        ids = self.trusted.encode(text).ids
        if len(ids) != 1:
            raise ValueError(f"the judge's word {text!r} is {len(ids)} tokens, not one")
        return ids[0]

    def quote(self, prefix):
        """The tokens of what a trace wrote."""
        if prefix not in self.known:
            self.known[prefix] = self.verbatim.encode(prefix).ids[:self.longest]
        return self.known[prefix]

    def __call__(self, a, b):
        return self.head + self.quote(a) + self.mid + self.quote(b) + self.tail
