"""Fine-tunes a task with Transformers and PyTorch, for benchmarks/tasks.py.

Rows are tokenised as Transformers' own example scripts do it; batches are shuffled and padded to
their longest row.
"""

import time

import torch
import transformers
from task_recipes import (
    BETA_2,
    CLIP_NORM,
    EPSILON,
    MAX_ANSWER_LENGTH,
    RECIPES,
    WARM_UP,
    WEIGHT_DECAY,
    parse_options,
    read_rows,
    say,
)

BATCH_TO_PREDICT = 32


class Sentences:
    """Texts or pairs of them, with a label."""

    head = transformers.AutoModelForSequenceClassification
    tokenizer_settings = {}

    def __init__(self, tokenizer, recipe, rows):
        self.tokenizer, self.recipe = tokenizer, recipe
        self.labels = sorted({row["label"] for row in rows})
        self.settings = {"num_labels": len(self.labels)}

    def target(self, row):
        return self.labels.index(row["label"])

    def features(self, row):
        return self.tokenizer(
            row["text"],
            row.get("text_pair"),
            truncation=True,
            max_length=self.recipe.max_length,
        )

    def training(self, rows):
        """Features with their `labels`."""
        return [{**self.features(row), "labels": self.target(row)} for row in rows]

    def batch(self, examples):
        inputs = [{"input_ids": example["input_ids"]} for example in examples]
        batch = self.tokenizer.pad(inputs, return_tensors="pt")
        if "labels" in examples[0]:
            batch["labels"] = torch.tensor([example["labels"] for example in examples])
        return batch

    def outputs(self, model, examples):
        """The logits of each example, in batches."""
        for first in range(0, len(examples), BATCH_TO_PREDICT):
            yield from model(**self.batch(examples[first : first + BATCH_TO_PREDICT])).logits

    def predict(self, model, rows):
        logits = self.outputs(model, [dict(self.features(row)) for row in rows])
        return [self.labels[int(row.argmax())] for row in logits]


class Relatedness(Sentences):
    def __init__(self, tokenizer, recipe, rows):
        self.tokenizer, self.recipe = tokenizer, recipe
        self.settings = {"num_labels": 1, "problem_type": "regression"}

    def target(self, row):
        return float(row["score"])

    def predict(self, model, rows):
        logits = self.outputs(model, [dict(self.features(row)) for row in rows])
        return [float(row[0]) for row in logits]


class Entities(Sentences):
    """Labels of words stand at their first pieces, as in `run_ner.py`."""

    head = transformers.AutoModelForTokenClassification
    tokenizer_settings = {"add_prefix_space": True}  # it takes no words without

    def __init__(self, tokenizer, recipe, rows):
        self.tokenizer, self.recipe = tokenizer, recipe
        self.labels = sorted({tag for row in rows for tag in row["tags"]})
        self.settings = {"num_labels": len(self.labels)}

    def features(self, row):
        return self.tokenizer(
            row["tokens"],
            is_split_into_words=True,
            truncation=True,
            max_length=self.recipe.max_length,
        )

    def training(self, rows):
        examples = []
        for row in rows:
            features, labels, before = self.features(row), [], None
            for word in features.word_ids():
                first = word is not None and word != before
                labels.append(self.labels.index(row["tags"][word]) if first else -100)
                before = word
            examples.append({"input_ids": features["input_ids"], "labels": labels})
        return examples

    def batch(self, examples):
        labels = [example["labels"] for example in examples if "labels" in example]
        batch = super().batch([{"input_ids": example["input_ids"]} for example in examples])
        length = batch["input_ids"].shape[1]
        if labels:
            padded = [row + [-100] * (length - len(row)) for row in labels]
            batch["labels"] = torch.tensor(padded)
        return batch

    def predict(self, model, rows):
        features = [self.features(row) for row in rows]
        predictions = []
        for row, feature, logits in zip(
            rows, features, self.outputs(model, list(map(dict, features))), strict=True
        ):
            tags, before = ["O"] * len(row["tokens"]), None
            for word, found in zip(feature.word_ids(), logits.argmax(-1).tolist(), strict=False):
                if word is not None and word != before:
                    tags[word] = self.labels[found]
                before = word
            predictions.append(tags)
        return predictions


class Choice(Sentences):
    head = transformers.AutoModelForMultipleChoice

    def __init__(self, tokenizer, recipe, rows):
        self.tokenizer, self.recipe = tokenizer, recipe
        self.settings = {}

    def target(self, row):
        return int(row["label"])

    def features(self, row):
        options = row["options"]
        return self.tokenizer(
            [row["question"]] * len(options),
            options,
            truncation=True,
            max_length=self.recipe.max_length,
        )

    def batch(self, examples):
        options = [ids for example in examples for ids in example["input_ids"]]
        padded = self.tokenizer.pad({"input_ids": options}, return_tensors="pt")
        batch = {name: rows.view(len(examples), -1, rows.shape[1]) for name, rows in padded.items()}
        if "labels" in examples[0]:
            batch["labels"] = torch.tensor([example["labels"] for example in examples])
        return batch

    def predict(self, model, rows):
        logits = self.outputs(model, [dict(self.features(row)) for row in rows])
        return [int(row.argmax()) for row in logits]


class Answers(Sentences):
    """Windows, labels and the choice of a span as in `run_qa.py`."""

    head = transformers.AutoModelForQuestionAnswering

    def __init__(self, tokenizer, recipe, rows):
        self.tokenizer, self.recipe = tokenizer, recipe
        self.settings = {}

    def windows(self, row):
        """(token ids, places in the context or None) of each window."""
        features = self.tokenizer(
            row["question"],
            row["context"],
            truncation="only_second",
            max_length=self.recipe.max_length,
            stride=self.recipe.stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        for window, ids in enumerate(features["input_ids"]):
            sides = features.sequence_ids(window)
            places = zip(features["offset_mapping"][window], sides, strict=True)
            yield ids, [place if side == 1 else None for place, side in places]

    def training(self, rows):
        examples = []
        for row in rows:
            begin, end = row["answer_start"], row["answer_start"] + len(row["answer"])
            for ids, places in self.windows(row):
                inside = [
                    n for n, place in enumerate(places)
                    if place and place[0] < end and place[1] > begin
                ]  # fmt: skip
                shown = [place for place in places if place]
                whole = shown and shown[0][0] <= begin and shown[-1][1] >= end
                span = (inside[0], inside[-1]) if whole and inside else (0, 0)
                examples.append({"input_ids": ids, "span": span})
        return examples

    def batch(self, examples):
        batch = super().batch([{"input_ids": example["input_ids"]} for example in examples])
        if "span" in examples[0]:
            begins, ends = zip(*(example["span"] for example in examples), strict=True)
            batch["start_positions"] = torch.tensor(begins)
            batch["end_positions"] = torch.tensor(ends)
        return batch

    def predict(self, model, rows):
        windows = [(n, ids, places) for n, row in enumerate(rows) for ids, places in
                   self.windows(row)]  # fmt: skip
        best = [(float("-inf"), "")] * len(rows)
        for first in range(0, len(windows), BATCH_TO_PREDICT):
            part = windows[first : first + BATCH_TO_PREDICT]
            found = model(**self.batch([{"input_ids": ids} for _, ids, _ in part]))
            for (n, _, places), starts, ends in zip(
                part, found.start_logits, found.end_logits, strict=True
            ):
                best[n] = max(best[n], self.best_span(places, starts, ends, rows[n]["context"]))
        return [text for _, text in best]

    def best_span(self, places, starts, ends, context):
        """(sum of logits, text) of the best span of a window."""
        best = float("-inf"), ""
        for begin in torch.topk(starts, min(20, len(starts))).indices.tolist():
            for end in torch.topk(ends, min(20, len(ends))).indices.tolist():
                if not begin <= end < min(begin + MAX_ANSWER_LENGTH, len(places)):
                    continue
                if places[begin] and places[end]:
                    text = context[places[begin][0] : places[end][1]]
                    best = max(best, (float(starts[begin] + ends[end]), text))
        return best


KINDS = {
    "sentiment": Sentences,
    "entities": Entities,
    "answers": Answers,
    "choice": Choice,
    "relatedness": Relatedness,
    "entailment": Sentences,
}


def make_kind(task, preset, rows, recipe):
    kind = KINDS[task]
    tokenizer = transformers.AutoTokenizer.from_pretrained(preset, **kind.tokenizer_settings)
    return kind(tokenizer, recipe, rows)


def main():
    options = parse_options(__doc__)
    recipe = RECIPES[options.task]
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    transformers.logging.set_verbosity_error()
    rows, measured = read_rows(options)
    kind = make_kind(options.task, options.preset, rows, recipe)
    model = kind.head.from_pretrained(options.preset, dtype=torch.float32, **kind.settings)
    start = time.perf_counter()
    train(model, kind, rows, recipe)
    seconds = time.perf_counter() - start
    model.eval()
    with torch.inference_mode():
        predictions = {name: kind.predict(model, asked) for name, asked in measured.items()}
    say(options, seconds, predictions)


def train(model, kind, rows, recipe):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]  # biases and layer norms
    optimizer = torch.optim.AdamW(
        [dict(params=decayed, weight_decay=WEIGHT_DECAY), dict(params=others, weight_decay=0.0)],
        lr=recipe.learning_rate,
        betas=(0.9, BETA_2),
        eps=EPSILON,
        fused=True,
    )
    examples = kind.training(rows)
    batches = -(-len(examples) // recipe.batch_size)
    steps = batches * recipe.epochs
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, round(WARM_UP * steps), steps
    )
    model.train()
    for _ in range(recipe.epochs):
        order = torch.randperm(len(examples)).tolist()
        for first in range(0, len(examples), recipe.batch_size):
            chosen = [examples[n] for n in order[first : first + recipe.batch_size]]
            model(**kind.batch(chosen)).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


if __name__ == "__main__":
    main()
