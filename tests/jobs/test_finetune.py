import json

import pytest

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.jobs.evaluate import evaluate
from keras_roberta.jobs.finetune import finetune
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.predict import predict


def test_fine_tuning_leaves_a_report(config, tokenizer, sentiment, tmp_path, caplog, capsys):
    kr.RobertaMaskedLM(
        kr.RobertaBackbone(config.replace(num_layers=1)),
        preprocessor=kr.RobertaMaskedLM.preprocessor_cls(tokenizer, 32),
    ).save_to_preset(tmp_path / "preset")
    table = tmp_path / "table.tsv"
    stars = {0: "1", 1: "5"}
    rows = "".join(f"{text}\t{stars[label]}\n" for text, label in zip(*sentiment, strict=True))
    table.write_text("text\tlabel\n" + rows)
    (tmp_path / "out").mkdir()
    for name in ("runs.json", "notes.txt"):  # of an older command, and somebody's own
        (tmp_path / "out" / name).write_text("{}")
    places = tmp_path / "preset", table, table, tmp_path / "out"
    _, metrics = finetune(*places, FinetuneOptions(epochs=2), overwrite=True)
    assert "classes: 0 = 1, 1 = 5\n" in capsys.readouterr().err
    # A new head is what it was asked for.
    assert not [record for record in caplog.records if "starts random" in record.message]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"evaluation.json", "confusion.png", "classes.png", "reliability.png"} <= names
    assert "notes.txt" in names and not {"runs.json", "unfinished"} & names
    assert metrics["best_epoch"] in (1, 2) and metrics["epochs"] == 2
    history = (tmp_path / "out" / "history.csv").read_text().splitlines()
    assert "val_macro_f1" in history[0] and len(history) == 3
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    (row,) = report["models"]
    assert (row["name"], row["scores"]["accuracy"]) == ("out", metrics["accuracy"])
    loss = next(curve for curve in report["curves"] if curve["title"] == "loss")
    assert [epoch for epoch, _ in loss["lines"]["dev"]] == [1, 2]
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["pooling", "prefix", "corpus_prefix"])
def test_settings_that_a_task_has_not(tmp_path, name):
    (tmp_path / "t.tsv").write_text("text\tlabel\na\t0\nb\t1\n")
    options = FinetuneOptions(**{name: "cls"})
    with pytest.raises(InputError, match=f"{name}: --task classify has no such setting"):
        finetune(tmp_path / "preset", tmp_path / "t.tsv", None, tmp_path / "out", options)


def test_an_embedder_from_an_encoder(config, tokenizer, sentiment, tmp_path):
    """Settings of the command, a scale of scores out of the table, and what an embedder had."""
    backbone = kr.RobertaBackbone(config.replace(num_layers=1))
    backbone.save_to_preset(tmp_path / "preset")
    tokenizer.save(tmp_path / "preset/assets/tokenizer")
    texts, table = sentiment[0][:8], tmp_path / "pairs.tsv"
    rows = "".join(
        f"{a}\t{b}\t{score}\n"
        for a, b, score in zip(texts, texts[1:], [1, 3, 5, 2, 4, 1, 5], strict=False)
    )
    table.write_text("text\ttext_pair\tscore\n" + rows)
    options = FinetuneOptions(task="embed", pooling="cls", prefix="a ", batch_size=4)
    task, metrics = finetune(tmp_path / "preset", table, table, tmp_path / "out", options)
    assert (task.pooler.pooling, task.schema.prefix, task.score_range) == ("cls", "a ", (1, 5))
    assert -1 <= metrics["spearman"] <= 1
    scored = table.rename(tmp_path / "scored.tsv")
    table.write_text("text\ttext_pair\n" + "".join(f"{t}\t{t} .\n" for t in texts))
    options = FinetuneOptions(task="embed", batch_size=4)
    task, metrics = finetune(tmp_path / "out", table, scored, tmp_path / "again", options)
    assert (task.pooler.pooling, task.schema.prefix) == ("cls", "a ")
    found = evaluate(tmp_path / "again", scored)["spearman"]
    assert found == pytest.approx(metrics["spearman"], abs=1e-5)
    measured = evaluate(tmp_path / "again", table)
    assert 0 < measured["recall_at_1"] <= measured["mrr"] <= 1
    (answer, *_) = predict(tmp_path / "again", data=table)
    assert list(answer) == ["score", "text", "text_pair"]
