"""Makes tests/golden/questions: what Transformers makes of questions and contexts.

    .peers-venv/bin/python benchmarks/make_golden_questions.py

Features as its tokenizers give them, labels by the rule of its `run_qa.py`, and a tiny random
`RobertaForQuestionAnswering` with its logits and losses.
"""

import argparse
import json
import pathlib
import shutil

import numpy as np
import torch
import transformers
from make_golden import GOLDEN, made_by, perturb

CONTEXTS = [
    "The cat sat on the mat.  Über the catalogs, the cat isn't there; 日本 is 👍🏽 far.",
    "Hello world, two cats.",
    "the\n\nmat the mat\tthe mat the mat the mat the mat",
]
QUESTIONS = [  # number of the context, question, answer or None
    (0, "Who sat?", "The cat"),
    (0, "Where?", "on the mat"),
    (0, "What is far?", "日本"),
    (0, "How far?", "👍🏽 far"),
    (0, "What else?", "atalogs, the cat isn't ther"),  # cuts words
    (0, "Who is <mask>?", None),
    (1, "Who?", "Hello world, two cats."),
    (2, "", "mat"),
]
CALLS = [
    {"max_length": 40, "stride": 8},
    {"max_length": 32, "stride": 0},
    {"max_length": 384, "stride": 128},
]


def labels(features, row, answer):
    """The first and the last token of an answer, as `run_qa.py` finds them."""
    ids, offsets = features["input_ids"][row], features["offset_mapping"][row]
    sides, nothing = features.sequence_ids(row), ids.index(0)
    if answer is None:
        return nothing, nothing
    begin, end = answer
    first = sides.index(1)
    last = len(sides) - 1 - sides[::-1].index(1)
    if not (offsets[first][0] <= begin and offsets[last][1] >= end):
        return nothing, nothing
    while first < len(offsets) and offsets[first][0] <= begin:
        first += 1
    while offsets[last][1] >= end:
        last -= 1
    return first - 1, last + 1


def features_of(tokenizer, questions, call):
    """The rows of some questions with ids, offsets and labels.

    Args:
        questions: (context, question, answer), an answer as SQuAD has it, or None.
        call: max_length and stride.
    """
    contexts, asked, answers = zip(*questions, strict=True)
    features = tokenizer(
        list(asked),
        list(contexts),
        truncation="only_second",
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        **call,
    )
    rows = []
    for row, sample in enumerate(features["overflow_to_sample_mapping"]):
        answer = answers[sample]
        begin = answer and answer["answer_start"]
        sides = features.sequence_ids(row)
        offsets = zip(features["offset_mapping"][row], sides, strict=True)
        rows.append(
            {
                "question": sample,
                "token_ids": features["input_ids"][row],
                "offsets": [list(place) if side == 1 else [0, 0] for place, side in offsets],
                "labels": labels(features, row, answer and (begin, begin + len(answer["text"]))),
            }
        )
    return rows


def golden_questions():
    """Those above, as `features_of` takes them."""
    for number, question, text in QUESTIONS:
        start = text and CONTEXTS[number].index(text)
        yield CONTEXTS[number], question, text and {"text": text, "answer_start": start}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=GOLDEN / "questions")
    output = parser.parse_args().output
    shutil.rmtree(output, ignore_errors=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(GOLDEN / "tiny-tokenizer")
    torch.manual_seed(5)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=130,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        num_labels=2,
    )
    model = transformers.RobertaForQuestionAnswering(config).eval()
    perturb(model)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(output)
    calls = [
        {"call": call, "rows": features_of(tokenizer, list(golden_questions()), call)}
        for call in CALLS
    ]
    rows = calls[0]["rows"]
    logits, losses = [], []
    with torch.no_grad():
        for row in rows:
            start, end = (torch.tensor([place]) for place in row["labels"])
            ids = torch.tensor([row["token_ids"]])
            found = model(ids, start_positions=start, end_positions=end)
            logits.append(torch.stack([found.start_logits[0], found.end_logits[0]], -1).numpy())
            losses.append(float(found.loss))
    np.savez_compressed(output / "outputs.npz", logits=np.concatenate(logits), losses=losses)
    content = {"made_by": made_by(), "contexts": CONTEXTS, "questions": QUESTIONS, "calls": calls}
    text = json.dumps(content, ensure_ascii=False)
    (output / "features.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
