"""What Transformers' RobertaTokenizerFast answers to calls, for tests/tokenizers.

Writes tests/golden/tokenizer_calls.json for the byte-level BPE in tests/golden/tiny-tokenizer. Run
it where Transformers is installed (`make peers`):

    .peers-venv/bin/python benchmarks/freeze_tokenizer_calls.py
"""

import json
import pathlib

import transformers

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "tests" / "golden"

A, B, C = "The cat sat on the mat.", "a  <mask> über catalogs, isn't it?", ""
P = ["Hello world", "two", "x y z w v u"]
WORDS = [["Hello", "cat", "<mask>", "über"], ["x"]]
WINDOWS = {"truncation": True, "return_overflowing_tokens": True}
CALLS = {
    "one text": ([B], {"return_attention_mask": True}),
    "padded": (
        [[A, B, C]],
        {
            "padding": True,
            "return_offsets_mapping": True,
            "return_special_tokens_mask": True,
            "return_length": True,
        },
    ),
    "arrays": ([[A, B]], {"padding": "longest", "return_tensors": "np"}),
    "one text as arrays": ([A], {"return_tensors": "np"}),
    "cut": ([[A, B]], {"truncation": True, "max_length": 9}),
    "max_length alone": ([A], {"max_length": 6, "return_attention_mask": False}),
    "padding wins over max_length": ([[A, B]], {"padding": True, "max_length": 6}),
    "padded to a length": ([[A, C]], {"padding": "max_length", "max_length": 12}),
    "to the model's length": ([[A, C]], {"padding": "max_length", "truncation": True}),
    "padded in front": (
        [[A, C]],
        {
            "padding": True,
            "pad_to_multiple_of": 8,
            "padding_side": "left",
            "return_special_tokens_mask": True,
        },
    ),
    "pairs": (
        [[A, B, C], P],
        {
            "padding": True,
            "truncation": True,
            "max_length": 14,
            "return_offsets_mapping": True,
            "return_token_type_ids": True,
        },
    ),
    "only the first": ([[A, B], P[:2]], {"truncation": "only_first", "max_length": 30}),
    "only the second": ([P[:2], [A, B]], {"truncation": "only_second", "max_length": 30}),
    "windows": (
        [[A, B]],
        {**WINDOWS, "max_length": 8, "stride": 2, "return_offsets_mapping": True, "padding": True},
    ),
    "windows of the second": (
        [P[:2], [A, B]],
        {**WINDOWS, "truncation": "only_second", "max_length": 24, "stride": 3},
    ),
    "windows of both": ([[A], [B]], {**WINDOWS, "max_length": 30, "stride": 1}),
    "windows of one text": ([A], {**WINDOWS, "max_length": 8}),
    "bare": ([[A, B]], {"add_special_tokens": False, "return_special_tokens_mask": True}),
    "words": ([WORDS], {"is_split_into_words": True, "return_offsets_mapping": True}),
    "a pair of words": ([["Hello", "cat"], ["the", "mat"]], {"is_split_into_words": True}),
}
# Expressions of `tok`. The last ones add tokens to it.
EXPRESSIONS = [
    "tok.tokenize('The cat sat')",
    "tok.tokenize('The cat', 'sat', add_special_tokens=True)",
    "tok.encode('The cat', 'sat')",
    "tok.encode('The cat', add_special_tokens=False)",
    "tok.encode('The cat sat', max_length=6, truncation=True)",
    "tok.decode(tok.encode('The cat <mask>'), skip_special_tokens=True)",
    "tok.decode(tok.encode('The cat <mask>'), skip_special_tokens=False)",
    "tok.batch_decode([[0, 2], [0, 5, 2]], skip_special_tokens=True)",
    "tok.convert_tokens_to_ids('<mask>')",
    "tok.convert_tokens_to_ids(['a', 'no such token', '</s>'])",
    "tok.convert_ids_to_tokens(2)",
    "tok.convert_ids_to_tokens([0, 6, 2], skip_special_tokens=True)",
    "tok.convert_tokens_to_string(tok.tokenize('The cat, über'))",
    "[tok.num_special_tokens_to_add(), tok.num_special_tokens_to_add(pair=True)]",
    "[tok.bos_token, tok.eos_token, tok.unk_token, tok.sep_token, tok.pad_token]",
    "[tok.cls_token, tok.mask_token, tok.bos_token_id, tok.eos_token_id, tok.unk_token_id]",
    "[tok.sep_token_id, tok.pad_token_id, tok.cls_token_id, tok.mask_token_id]",
    "list(tok.all_special_tokens)",
    "list(tok.all_special_ids)",
    "dict(tok.special_tokens_map)",
    "[len(tok), tok.vocab_size, len(tok.get_vocab()), tok.model_max_length]",
    "tok.get_added_vocab()",
    "tok.add_tokens(['<ent>', 'cat', '<ent>'])",
    "[len(tok), tok.vocab_size, tok.encode('The cat <ent>sat'), tok.add_tokens('<ent>')]",
    "tok.add_special_tokens({'additional_special_tokens': ['<x>']})",
    "[tok.convert_tokens_to_ids('<x>'), tok.decode(tok.encode('a <x> b'), True)]",
]


def answers(tok):
    calls = []
    for name, (texts, options) in CALLS.items():
        encoded = tok(*texts, **options)
        expected = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in encoded.items()}
        rows = range(len(encoded.encodings))
        methods = {
            # Not `tokens()`, which shows the white space that a token takes along.
            "tokens": [tok.convert_ids_to_tokens(encoded.encodings[i].ids) for i in rows],
            "word_ids": [encoded.word_ids(i) for i in rows],
            "sequence_ids": [encoded.sequence_ids(i) for i in rows],
        }
        calls.append(
            {"name": name, "texts": texts, "options": options, "gives": expected, **methods}
        )
    expressions = [[text, eval(text, {"tok": tok})] for text in EXPRESSIONS]
    return {"transformers": transformers.__version__, "calls": calls, "expressions": expressions}


if __name__ == "__main__":
    found = answers(transformers.AutoTokenizer.from_pretrained(GOLDEN / "tiny-tokenizer"))
    path = GOLDEN / "tokenizer_calls.json"
    path.write_text(json.dumps(found, ensure_ascii=False, indent=None) + "\n", encoding="utf-8")
    print(path)
