"""XLM-R's tokenizer against sentencepiece, and the `tokenizers` library against it, text by text.

    python benchmarks/unigram_parity.py --data DIR

DIR holds `xlmr-small/` (`sentencepiece.bpe.model`, `tokenizer.json`) and the corpora. Every line of
text in them is tokenized by sentencepiece itself, on the host, in a graph, and by the library; then
strings that nobody writes: pieces, normalization rules and random characters side by side. How
many texts differ from sentencepiece is printed.
"""

import argparse
import os
import pathlib
import random

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ("lingua_sentences", "debian_handbook", "xquad", "sst2", "sick", "csqa", "english_text")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--every", type=int, default=1, help="take every so many lines")
    parser.add_argument("--hostile", type=int, default=30_000, help="strings that nobody writes")
    options = parser.parse_args()

    import sentencepiece
    from tokenizers import Tokenizer

    from keras_roberta.tokenizers import open_tokenizer

    directory = options.data / "xlmr-small"
    tokenizer = open_tokenizer(directory)
    graph = tokenizer.batched_in_graph()
    library = Tokenizer.from_file(str(directory / "tokenizer.json"))
    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(directory / "sentencepiece.bpe.model")
    )
    contestants = {
        "host": lambda texts: tokenizer(texts, add_special_tokens=False),
        "graph": lambda texts: graph.tokenize(texts).to_list(),
        "tokenizers": lambda texts: [
            e.ids for e in library.encode_batch(texts, add_special_tokens=False)
        ],
    }
    special = [token.content for token in tokenizer.added_tokens]
    sets = {}
    for folder in FOLDERS:
        paths = sorted(path for path in (options.data / folder).rglob("*") if path.is_file())
        lines = [line for path in paths for line in path.read_text("utf-8").splitlines()]
        sets[folder] = lines[:: options.every]
    sets["hostile strings"] = hostile_strings(processor, options.hostile)
    print(f"{'texts that differ':24}{'texts':>9}" + "".join(f"{n:>12}" for n in contestants))
    for name, texts in sets.items():
        # sentencepiece knows of no special tokens in texts, and others keep NULs to themselves.
        texts = [text for text in texts if text and not any(token in text for token in special)]
        counts = dict.fromkeys(contestants, 0)
        for begin in range(0, len(texts), 2000):
            batch = texts[begin : begin + 2000]
            expected = [
                [index + 1 if index else 3 for index in row] for row in processor.encode(batch)
            ]
            for contestant, run in contestants.items():
                pairs = zip(run(batch), expected, strict=True)
                counts[contestant] += sum(found != right for found, right in pairs)
        print(
            f"{name:24}{len(texts):9,}" + "".join(f"{n:12,}" for n in counts.values()), flush=True
        )


def hostile_strings(processor, count):
    chance = random.Random(0)
    pieces = [processor.id_to_piece(i) for i in range(3, len(processor))]
    rules = [source for source, _ in rules_of(processor)]
    planes = ((0x20, 0x3000), (0x3000, 0xD800), (0xE000, 0x110000))
    kinds = (
        lambda: chance.choice(pieces).replace("\u2581", chance.choice((" ", "", "  "))),
        lambda: chance.choice(rules),
        lambda: chr(chance.randrange(*chance.choice(planes))),
        lambda: chance.choice("aeio st"),
    )
    found = []
    for i in range(count):
        make = kinds[i % len(kinds)]
        found.append("".join(make() for _ in range(chance.randrange(1, 24))))
    return found


def rules_of(processor):
    import sentencepiece

    proto = processor.serialized_model_proto()
    return sentencepiece.SentencePieceNormalizer(model_proto=proto).decompile()


if __name__ == "__main__":
    main()
