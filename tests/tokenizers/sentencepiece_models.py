"""Small Unigram models that sentencepiece itself trains, as XLM-R's was made, with few rules."""

import io
import json
import random

import numpy as np
import sentencepiece

from keras_roberta.tokenizers import open_tokenizer

# Runs of spaces, other white space, letters that become several or none, compositions of one to
# four characters, and one beginning that is no rule itself (a b c).
RULES = {
    "\u2581": " ",
    "\t": " ",
    "\n": " ",
    "\u3000": " ",
    "\x01": "",
    "\u200d": "",
    "\u00bd": "1\u20442",
    "\u00a8": " \u0308",
    "\ufb01": "fi",
    "\uff21": "A",
    "e\u0301": "\u00e9",
    "e\u0301\u0302": "\u1ebf",
    "a\u0300\u0301\u0302": "\u00e0",
    "\u1ebf\u0301": "x",
}
TEXTS = [
    "the fox sees a dog. The dog sleeps!",
    "a lazy dog and a lazy fox, the laziest of all",
    "\u00c4rger \u00fcber den Fuchs, sagt er, \u00e9t\u00e9 \u00e0 la mer",
    "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0 \u65e5\u672c \u6587\u7ae0\u3067\u3059 1\u20442",
    "seeing is believing; sleeping dogs lie",
]
# Parts of texts that try every rule, and what no piece has.
PARTS = [
    *RULES,
    *("the", "fox", "dog", "lazy", "sees", "e", "a", "abc", "!", ".", "\u00e9", "\u0301", "\u0300"),
    *(" ", " ", "  ", "\u65e5\u672c", "\u6587\u7ae0", "\U00013000", "\U00013001", "\ufffd", "\0"),
    *("<mask>", "</s>", "<unk>", "<mas", "\u00e9\u0301", "\u0308", "1", "2"),
]


def trained_model(tmp_path, texts=TEXTS, **settings):
    """The bytes of a `.model`."""
    rules = tmp_path / "rules.tsv"
    rules.write_text(
        "".join(
            " ".join(f"{ord(c):X}" for c in source)
            + "\t"
            + " ".join(f"{ord(c):X}" for c in target)
            + "\n"
            for source, target in RULES.items()
        )
    )
    written = io.BytesIO()
    settings = {"vocab_size": 110, "normalization_rule_tsv": str(rules), **settings}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts * 4),
        model_writer=written,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **settings,
    )
    return written.getvalue()


def trained_tokenizer(tmp_path):
    """A directory with a `sentencepiece.bpe.model`, and its tokenizer."""
    directory = tmp_path / "checkpoint"
    directory.mkdir()
    (directory / "sentencepiece.bpe.model").write_bytes(trained_model(tmp_path))
    return directory, open_tokenizer(directory)


def generated_texts(count, seed):
    chance = random.Random(seed)
    return ["".join(chance.choices(PARTS, k=chance.randrange(25))) for _ in range(count)]


def nearly_tied(tokenizer, seed):
    """A tokenizer of pieces of a few letters, of which many rows are equally good but for rounding:
    scores are multiples of a sixteenth with the least of noise."""
    chance = random.Random(seed)
    content = json.loads(tokenizer._rust.to_str())
    specials = content["model"]["vocab"][:4]
    pieces = {"\u2581", *"abc", "\u2581a"}
    while len(pieces) < 60:
        pieces.add("".join(chance.choices("abc", k=chance.randrange(2, 6))))
    scores = [
        [piece, -len(piece) * 2 - chance.randrange(8) / 16 - chance.randrange(3) * 2.0**-20]
        for piece in sorted(pieces)
    ]
    content["model"]["vocab"] = [*specials, *scores, ["<mask>", 0.0]]
    content["added_tokens"][-1]["id"] = len(specials) + len(scores)
    return content


def float32_sums_matter(processor, texts):
    """Of how many texts the ids would be others if sums were exact."""
    pieces = {processor.id_to_piece(i): processor.get_score(i) for i in range(len(processor))}
    longest = max(map(len, pieces))

    def exact(text):
        best = [(0.0, 0)]
        for end in range(1, len(text) + 1):
            found = [
                (best[end - n][0] + pieces[text[end - n : end]], n)
                for n in range(1, min(end, longest) + 1)
                if text[end - n : end] in pieces
            ]
            best.append(max(found, key=lambda pair: (np.float64(pair[0]), pair[1])))
        parts, end = [], len(text)
        while end:
            parts.append(text[end - best[end][1] : end])
            end -= best[end][1]
        return parts[::-1]

    normalized = [processor.normalize(text) for text in texts]
    found = processor.encode(texts, out_type=str)
    return sum(exact(n) != parts for n, parts in zip(normalized, found, strict=True))
