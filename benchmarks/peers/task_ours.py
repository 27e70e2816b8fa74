"""Fine-tunes a task with this library, for benchmarks/tasks.py."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import time

import keras_roberta as kr  # before TensorFlow: it turns oneDNN's products on

# isort: split
import keras
import numpy as np
import tensorflow as tf
from task_recipes import (
    BETA_2,
    CLIP_NORM,
    EPSILON,
    MAX_ANSWER_LENGTH,
    RECIPES,
    WARM_UP,
    WEIGHT_DECAY,
    columns,
    parse_options,
    read_rows,
    say,
)

from keras_roberta.training import keep_freed_memory
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer


class Sentiment:
    def make(self, preset, rows, recipe):
        labels = sorted({row["label"] for row in rows})
        return kr.RobertaTextClassifier.from_preset(
            preset, labels=labels, sequence_length=recipe.max_length
        )

    def examples(self, rows):
        return columns(rows, "text", "label")

    def asked(self, rows):
        return self.examples(rows)[0]

    def predict(self, task, rows):
        return [answer["label"] for answer in task.answers(self.asked(rows))]


class Entailment(Sentiment):
    def examples(self, rows):
        text, pair, label = columns(rows, "text", "text_pair", "label")
        return (text, pair), label


class Relatedness(Entailment):
    def make(self, preset, rows, recipe):
        return kr.RobertaTextRegressor.from_preset(preset, sequence_length=recipe.max_length)

    def examples(self, rows):
        text, pair, score = columns(rows, "text", "text_pair", "score")
        return (text, pair), np.array(score, "float32")

    def predict(self, task, rows):
        return [answer["score"] for answer in task.answers(self.asked(rows))]


class Choice(Sentiment):
    def make(self, preset, rows, recipe):
        return kr.RobertaMultipleChoice.from_preset(preset, sequence_length=recipe.max_length)

    def examples(self, rows):
        question, options, label = columns(rows, "question", "options", "label")
        return (question, options), label


class Answers(Sentiment):
    def make(self, preset, rows, recipe):
        return kr.RobertaQuestionAnswerer.from_preset(
            preset,
            sequence_length=recipe.max_length,
            stride=recipe.stride,
            max_answer_length=MAX_ANSWER_LENGTH,
        )

    def examples(self, rows):
        question, context, text, start = columns(
            rows, "question", "context", "answer", "answer_start"
        )
        answers = [{"text": t, "answer_start": s} for t, s in zip(text, start, strict=True)]
        return (question, context), answers

    def predict(self, task, rows):
        return [answer["text"] for answer in task.answers(self.asked(rows))]


class Entities(Sentiment):
    def make(self, preset, rows, recipe):
        labels = sorted({tag for row in rows for tag in row["tags"]})
        return kr.RobertaTokenClassifier.from_preset(
            preset, labels=labels, sequence_length=recipe.max_length, labelled_pieces="first"
        )

    def examples(self, rows):
        return columns(rows, "tokens", "tags")

    def predict(self, task, rows):
        """The tags of entities, which are known by their places in the words, one space apart."""
        predictions = []
        for row, answer in zip(rows, task.answers(self.asked(rows)), strict=True):
            tags = ["O"] * len(row["tokens"])
            begins = np.cumsum([0, *(len(word) + 1 for word in row["tokens"])])
            for entity in answer["entities"]:
                first, behind = np.searchsorted(begins, (entity["start"], entity["end"]))
                tags[first] = "B-" + entity["label"]
                tags[first + 1 : behind] = ["I-" + entity["label"]] * (behind - first - 1)
            predictions.append(tags)
        return predictions


KINDS = {
    "sentiment": Sentiment,
    "entities": Entities,
    "answers": Answers,
    "choice": Choice,
    "relatedness": Relatedness,
    "entailment": Entailment,
}


def main():
    options = parse_options(__doc__)
    recipe, kind = RECIPES[options.task], KINDS[options.task]()
    keep_freed_memory()  # as `keras-roberta finetune` does
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)
    rows, measured = read_rows(options)
    task = kind.make(options.preset, rows, recipe)
    task.compile(
        finetuning_optimizer(
            recipe.learning_rate,
            warmup=WARM_UP,
            weight_decay=WEIGHT_DECAY,
            beta_2=BETA_2,
            epsilon=EPSILON,
            clip_norm=CLIP_NORM,
        )
    )
    x, y = kind.examples(rows)
    start = time.perf_counter()
    task.fit(x, y, batch_size=recipe.batch_size, epochs=recipe.epochs, verbose=2)
    seconds = time.perf_counter() - start
    if options.save:
        task.save_to_preset(options.save)
    say(options, seconds, {name: kind.predict(task, asked) for name, asked in measured.items()})


if __name__ == "__main__":
    main()
