"""Several runs: one was interrupted, the others are not made again, and the best is kept."""

import json

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.jobs import train_and_keep_best
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.options.sweep import SweepOptions
from keras_roberta.jobs.sweep import best_of, finetune_all


def test_an_interrupted_sweep_goes_on(config, tokenizer, sentiment, tmp_path, monkeypatch):
    config = config.replace(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32)
    preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=16)
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor=preprocessor)
    task.save_to_preset(tmp_path / "preset")
    table, out = tmp_path / "table.tsv", tmp_path / "out"
    rows = "".join(f"{label}\t{text}\n" for text, label in zip(*sentiment, strict=True))
    table.write_text("label\tsentence\n" + rows)
    sweep = SweepOptions(learning_rates=(1e-6, 1e-2))
    arguments = (
        tmp_path / "preset",
        table,
        table,
        out,
        FinetuneOptions(epochs=2, batch_size=16, metric="f1"),
    )

    train, tried = train_and_keep_best.train_and_keep_best, []

    def interrupted(preset, data, options, *args, **kwargs):
        tried.append(options.learning_rate)
        if len(tried) == 2:
            raise KeyboardInterrupt
        return train(preset, data, options, *args, **kwargs)

    monkeypatch.setattr(train_and_keep_best, "train_and_keep_best", interrupted)
    with pytest.raises(KeyboardInterrupt):
        finetune_all(*arguments, sweep)
    assert {path.name for path in out.iterdir()} == {"unfinished"}
    with pytest.raises(InputError, match="a run with learning_rates .*, not"):
        finetune_all(*arguments, SweepOptions(learning_rates=(1e-6,)))
    runs = finetune_all(*arguments, sweep)
    assert tried == [1e-6, 1e-2, 1e-2]  # the first run is not made again
    assert [run.learning_rate for run in runs] == [1e-6, 1e-2]
    best = best_of(runs)
    assert best.score == max(run.score for run in runs)
    values = json.loads((out / "runs.json").read_text())
    assert values["score"] == "f1"
    assert [run["score"] for run in values["runs"]] == [run.score for run in runs]
    assert {"runs.tsv", "runs.png", "metrics.json", "evaluation.json", "confusion.png"} <= {
        path.name for path in out.iterdir()
    }
    assert not (out / "unfinished").exists()
    answers = kr.open_task(out).predict(sentiment[0], verbose=0).argmax(axis=1)
    labels = np.array(sentiment[1])
    f1 = 2 * np.sum(answers * labels) / (np.sum(answers) + np.sum(labels))
    assert f1 == pytest.approx(best.score)


def test_without_a_dev_file_there_is_no_best_run(tmp_path):
    with pytest.raises(InputError, match="seeds: the best run is chosen by dev data"):
        finetune_all(
            tmp_path, tmp_path / "a.tsv", None, tmp_path / "out", None, SweepOptions(seeds=(1, 2))
        )
