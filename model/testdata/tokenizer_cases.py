"""Makes tokenizers and the cases that they are tested with, by the reference library.

    pip install tokenizers regex
    python tokenizer_cases.py                         the golden files beside it
    python tokenizer_cases.py --large DIR [FILE ...]  many more cases, into DIR

There is one tokenizer for each family, trained on the spot with its pattern,
normalizer and kinds of added tokens. --large makes 12,000 cases and more for
each of them and for every FILE, a real tokenizer.json say, and copies these to
DIR. A case is a line [input, ids, decoded] of NAME.cases.json.gz: the input is
a text, {"hex": …} for bytes that are no UTF-8, or null where only decoding is
asked for; decoded is null where it is the input.
"""

import gzip
import json
import os
import random
import shutil
import sys

import regex

HERE = os.path.dirname(os.path.abspath(__file__))

TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
QWEN2 = HEAD + r"\p{N}" + TAIL
LLAMA3 = HEAD + r"\p{N}{1,3}" + TAIL
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+" + r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + "*" + r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
DEEPSEEK = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
            "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]

WORDS = """the of and to in is it you that he was for on are with as his they be at one have this from or had by
not but what all were when we there can an your which their said if do will each about how up out them then she many
some so these would other into has more her two like him see time could no make than first been its who now people my
made over did down only way find use may water long little very after words called just where most know get through
back much before go good new write our used me man too any day same right look think also around another came come
work three word must because does part even place well such here take why things help put years different away again
off went old number answer therefore total apples boxes each costs dollars Anna Ben hence wait actually""".split()
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'lL", "'D", "'x", "'\u017f", "''", "'r", "'l", "'", "\u2019s"]
SPACES = [" ", "  ", "   ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\u1680",
          " \n", "\n ", " \t ", "\u200b", "\ufeff", "\u180e", "\x1c", "\x00"]
NUMBERS = ["0", "7", "42", "123", "2026", "3.14159", "1,000,000", "12345678901234567890", "\u0663\u0664\u0665\u0666", "\u096a\u0968", "\u00b2\u00b3\u00bd",
           "\u2167", "\u4e09\u5341", "\U0001d7ce\U0001d7cf", "\u2460\u2461", "1st", "x2", "\u1369"]
LETTERS = ["caf\u00e9", "cafe\u0301", "na\u00efve", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "\u212b", "\u2126", "\ufb01ne", "stra\u00dfe", "\u0130\u0131", "\u017f", "\u01c5",
           "\u0391\u03b8\u03ae\u03bd\u03b1", "\u041c\u043e\u0441\u043a\u0432\u0430", "\u05e9\u05dc\u05d5\u05dd", "\u0633\u0644\u0627\u0645", "\u0628\u0650\u0633\u0652\u0645\u0650", "\u0939\u093f\u0928\u094d\u0926\u0940",
           "\u0e44\u0e17\u0e22", "\u0e01\u0e33", "\u4f60\u597d\u4e16\u754c", "\u65e5\u672c\u8a9e", "\u306b\u307b\u3093", "\u30ab\u3099", "\uff76\uff9e", "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab", "\u1100\u1161",
           "\U00020000\U0002f804", "\u1ec7", "e\u0323\u0302", "e\u0302\u0323", "\u0915\u093c", "\u0958", "\u09cb", "\u09c7\u09be", "\u0344", "\u1e9b\u0323",
           "camelCase", "HTTPServer", "iPhone", "XMLHttpRequest's", "ABC", "aB", "\u01c5a", "\u02b0A\u02b0", "\u0301A", "A\u0301B", "\u6f22A", "\u4dff\u4e00\u9fa5\u9fa6", "\u303f\u3040\u309f\u30a0\u30fb\u30ff\u3100"]
SYMBOLS = ["!", "?", "...", "--", "==", "+=", "->", "()", "[]", "{}", "//", "/*", "*/", "#", "$", "%", "@", "\\", "\"", "`", "~", "^", "|", "\u2014", "\u2026", "\u201c", "\u201d", "\u2192",
           "\u2211", "\u20ac", "\u00a9", "\u0301", "\u0308\u0323", "\u20dd", "\ufe0f", "\u200d", "\u2603", "\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea",
           "1\ufe0f\u20e3", "\U0001f3f4\u200d\u2620\ufe0f", "\ufffd", "\ue000", "\x7f", "\x1b", "\U000e0041", "\u037e", "\u0340", "\u0374", "/\n/", "\x01\x02", "\x02a", "\u00ad\u00ad\u0301", "\u0378"]
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool>", "<tool>x", " <left>", "<left>", "<right>", "<both>", "WORD", "<cafe\u0301>", "<caf\u00e9>"]
# The parts of added tokens, and spellings that are none.
NEAR = ["<|im_", "start|>", "<|", "|>", "<think", "think>", "< |im_end| >", "<|im_end|", "WORDS", "aWORD", "<tool"]
INVALID = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x28\xa1", b"\xf1\x80\x80\xe1\x80\xc2"]

NONE = regex.compile(r"[\p{Cn}\p{Cs}\p{Co}]")
# Han, Hangul and Tangut, of which the first are enough.
MANY = regex.compile(r"[\p{Han}\p{Hangul}\p{Tangut}]")
ASSIGNED = [chr(c) for c in range(0x110000) if not NONE.match(chr(c))]
RARE = [c for i, c in enumerate(ASSIGNED) if i % 64 == 0 or not MANY.match(c)]
DIGITS = [c for c in RARE if regex.match(r"\p{N}", c)]
MARKS = [c for c in RARE if regex.match(r"\p{M}", c)]


def any_character(rng):
    """Any character, assigned or not."""
    c = rng.choice([rng.randrange(0x250), rng.randrange(0x3000), rng.randrange(0x10000), rng.randrange(0x30000), ord(rng.choice(RARE)), ord(rng.choice(RARE))])
    return chr(c) if not 0xD800 <= c < 0xE000 else "\ufffd"


def piece(rng, added):
    kind = rng.randrange(20)
    if kind < 3:
        word = rng.choice(WORDS)
        return rng.choice([word, " " + word, word.upper(), word.capitalize(), word + word.capitalize()])
    if kind < 5:
        return rng.choice(CONTRACTIONS)
    if kind < 7:
        return rng.choice(SPACES) * rng.choice([1, 1, 1, 2, 5])
    if kind < 9:
        return rng.choice(NUMBERS)
    if kind < 11:
        return rng.choice(LETTERS)
    if kind < 13:
        return rng.choice(SYMBOLS)
    if kind == 13:
        return rng.choice(added)
    if kind == 14:
        return rng.choice(NEAR)
    if kind == 15:
        return "".join(rng.choice(DIGITS) for _ in range(rng.choice([1, 2, 3, 4, 7])))
    if kind == 16:
        return rng.choice(LETTERS)[-1] + "".join(rng.choice(MARKS) for _ in range(rng.choice([1, 2, 3, 5])))
    return "".join(any_character(rng) for _ in range(rng.choice([1, 2, 3])))


def case(rng, added):
    text = "".join(piece(rng, added) for _ in range(rng.choice([1, 2, 3, 4, 6, 9, 14])))
    if rng.randrange(300) == 0:
        text = (text[:12] or "a") * rng.randrange(20, 120)
    return text


def texts(rng, added, count):
    yield from ["", " ", "  ", "\n", "a", "'", "'s", " 's", "a\n", "\n a", "hello world", "a" * 100, "ab" * 300, " " * 70 + "x", "1" * 40, "\n" * 50, "aA" * 60]
    # More marks on a letter than a stream-safe normaliser lets pass, out of order.
    yield "Z" + "\u0301\u0323\u0308" * 20 + "e" + "\u0302" * 40 + "\u0323 end"
    yield "e" + "\u0315" * 31 + "\u0323\u0301\u1100" + "\u0345" * 9 + "\u1161\u11a8"
    # Marks and compositions that came after the normaliser.
    yield from ["a\u0345\u1df6", "e\u0345\u0898\u0323", "\U00011935\U00011930", "\U00011938", "\U000105d2\u0307", "\U00016d67\U00016d67", "a\U00010d24\u0323\u0301"]
    # Added tokens between words, spaces and other added tokens.
    for a in added[:16]:
        for before in ["", "x", " ", "x ", " \n", "\u00e9", "_", added[-1]]:
            for after in ["", "y", " ", " y", "\t\n", "\u0301", "9", added[0]]:
                yield before + a + after
    for _ in range(count):
        yield case(rng, added)


def every_character():
    """Every assigned character (of Han and the like some) in different company."""
    for begin in range(0, len(RARE), 6):
        yield "".join("x%sy %s%s1%s\n%s'%s " % (c, c, c, c, c, c) for c in RARE[begin:begin + 6])


def lines(tok, rng, added, count, every=False):
    def line(source, text, ids):
        decoded = tok.decode(ids, skip_special_tokens=False)
        return json.dumps([source, ids, None if decoded == text else decoded], separators=(",", ":"))

    all_texts = list(texts(rng, added, count)) + (list(every_character()) if every else [])
    for text, encoding in zip(all_texts, tok.encode_batch(all_texts, add_special_tokens=False)):
        yield line(text, text, encoding.ids)
    for _ in range(count // 20):
        raw = bytearray(case(rng, added).encode())
        for _ in range(rng.choice([1, 1, 2, 3])):
            at = rng.randrange(len(raw) + 1)
            raw[at:at] = rng.choice(INVALID)
        text = raw.decode(errors="replace")
        yield line({"hex": raw.hex()}, text, tok.encode(text, add_special_tokens=False).ids)
    # Tokens in any order: parts of characters that do not fit together.
    size = tok.get_vocab_size()
    short = sorted(tok.get_vocab().values())[:300]
    for _ in range(count // 10):
        yield line(None, None, [rng.choice([rng.randrange(size), rng.choice(short), rng.choice(short)]) for _ in range(rng.choice([1, 2, 3, 5, 8]))])


def write_lines(path, all_lines):
    all_lines = list(all_lines)
    with gzip.GzipFile(path, "wb", mtime=0) as f:
        f.write(("\n".join(all_lines) + "\n").encode())
    print(os.path.basename(path), len(all_lines), "cases", flush=True)


def train(name, patterns, nfc=False, prefix_space=False, drop_merges=False, string_merges=False, added=(), vocab=700):
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    rng = random.Random(name)
    added = ADDED + list(added)
    tok = Tokenizer(models.BPE())
    if nfc:
        tok.normalizer = normalizers.NFC()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=not patterns)
    tok.pre_tokenizer = byte_level if not patterns else pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(p), behavior="isolated") for p in patterns] + [byte_level])
    tok.decoder = decoders.ByteLevel()
    corpus = [" ".join(rng.choice(WORDS) for _ in range(12)) for _ in range(400)]
    corpus += [case(rng, added).replace("<|", "").replace("|>", "") for _ in range(1500)] + ["a" * 64, " " * 32] * 20
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=vocab, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    for content in added:
        tok.add_tokens([AddedToken(
            content, special=content.startswith(("<|", "<\uff5c", "[")), normalized="caf" in content,
            lstrip=content in ("<left>", "<both>"), rstrip=content in ("<right>", "<both>"), single_word=content == "WORD")])

    path = os.path.join(HERE, name + ".json")
    file = json.loads(tok.to_str())
    merges = file["model"]["merges"]
    if drop_merges:
        # Words that stay in the vocabulary, but that no merge makes any more.
        file["model"]["ignore_merges"] = True
        file["model"]["merges"] = [m for i, m in enumerate(merges) if i < 200 or i % 5]
    if string_merges:
        file["model"]["merges"] = [" ".join(m) for m in merges]
    with open(path, "w") as f:
        json.dump(file, f, ensure_ascii=False, indent=None, separators=(",", ":"))


FAMILIES = {
    "gpt2": dict(patterns=[], string_merges=True),
    "gpt2-space": dict(patterns=[], nfc=True, prefix_space=True),
    "qwen2": dict(patterns=[QWEN2], nfc=True),
    "llama3": dict(patterns=[LLAMA3], drop_merges=True, added=["<|begin_of_text|>", "<|eot_id|>"]),
    "deepseek3": dict(patterns=DEEPSEEK, string_merges=True, added=["<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>"]),
    "o200k": dict(patterns=[O200K], drop_merges=True, added=["<|start|>", "<|channel|>", "<|message|>", "<|return|>"]),
    "glm4": dict(patterns=[LLAMA3], drop_merges=True, added=["[gMASK]", "<sop>", "<|user|>", "<|assistant|>"]),
}


def cases_of(path, name, count, every=False):
    from tokenizers import Tokenizer
    tok = Tokenizer.from_file(path)
    with open(path) as f:
        added = [a["content"] for a in json.load(f)["added_tokens"]]
    return lines(tok, random.Random(name + " cases"), added, count, every)


def golden():
    for name, family in FAMILIES.items():
        train(name, **family)
        write_lines(os.path.join(HERE, name + ".cases.json.gz"), cases_of(os.path.join(HERE, name + ".json"), name, 1000))


def large(folder, files):
    os.makedirs(folder, exist_ok=True)
    named = {name: os.path.join(HERE, name + ".json") for name in FAMILIES}
    for path in files:
        name = os.path.basename(os.path.dirname(os.path.abspath(path))) + "-" + os.path.basename(path).removesuffix(".json")
        named[name] = path
    for name, path in named.items():
        shutil.copy(path, os.path.join(folder, name + ".json"))
        write_lines(os.path.join(folder, name + ".cases.json.gz"), cases_of(path, "large " + name, 12000, every=True))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--large"]:
        large(sys.argv[2], sys.argv[3:])
    else:
        golden()
