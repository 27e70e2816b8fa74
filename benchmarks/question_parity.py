"""Are the features of questions and contexts those of Transformers' preprocessing?

    python benchmarks/question_parity.py --data DIR

The first 1,000 questions of XQuAD (English), with granite-30m's tokenizer: token ids, offsets and
labels of every window, against Transformers' tokenizer with truncation="only_second" and the
labels of its run_qa.py, in the environment of `make peers`. Exits with 1 if any differs. Labels are
compared by their places in the text: of a character in several pieces all of them count here.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROWS = 1000
CALLS = ({"max_length": 384, "stride": 128}, {"max_length": 128, "stride": 32})


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--peer", action="store_true", help="print what Transformers makes of it")
    options = parser.parse_args()
    if options.peer:
        print(json.dumps([of_transformers(options.data, call) for call in CALLS]))
        return
    python = os.environ.get("KERAS_ROBERTA_PEERS", ROOT / ".peers-venv" / "bin" / "python")
    command = [python, __file__, "--peer", "--data", options.data]
    peer = subprocess.run(command, capture_output=True, text=True, check=True)
    failed = False
    for call, expected in zip(CALLS, json.loads(peer.stdout), strict=True):
        found = of_ours(options.data, call)
        differ = sum(not same(ours, theirs) for ours, theirs in zip(found, expected, strict=False))
        failed |= bool(differ) or len(found) != len(expected)
        print(f"{call}: {len(found)} rows, of Transformers {len(expected)}; {differ} differ")
    sys.exit(failed)


def same(ours, theirs):
    first, last = ours["labels"]
    begin, end = theirs["labels"]
    places = ours["offsets"]
    return (
        all(ours[name] == theirs[name] for name in ("question", "token_ids", "offsets"))
        and places[first][0] == places[begin][0]
        and places[last][1] == places[end][1]
    )


def of_ours(data, call):
    from keras_roberta.data.examples.table_files import read_table
    from keras_roberta.schemas.answer_labels import references
    from keras_roberta.tasks.question_windows import question_windows, span_targets
    from keras_roberta.tokenizers import open_tokenizer

    table = read_table(data / "xquad" / "xquad.en.json").head(ROWS)
    contexts, answers = table.texts("context"), references(table.column("answers"))
    tokenizer = open_tokenizer(data / "granite-30m")
    windows, offsets = question_windows(tokenizer, table.texts("question"), contexts, **call)
    places = windows.spread(offsets)
    targets = span_targets(windows, offsets, contexts, answers)
    return [
        {
            "question": int(windows.texts[row]),
            "token_ids": windows.token_ids.row(row).tolist(),
            "offsets": places.row(row).tolist(),
            "labels": targets[row].tolist(),
        }
        for row in range(len(windows))
    ]


def of_transformers(data, call):
    import transformers
    from make_golden_questions import features_of

    document = json.loads((data / "xquad" / "xquad.en.json").read_text(encoding="utf-8"))
    rows = [
        (paragraph["context"], question["question"], question["answers"][0])
        for article in document["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ][:ROWS]
    tokenizer = transformers.AutoTokenizer.from_pretrained(data / "granite-30m")
    return features_of(tokenizer, rows, call)


if __name__ == "__main__":
    main()
