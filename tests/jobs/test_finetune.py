import json

import keras_roberta as kr
from keras_roberta.jobs.finetune import finetune
from keras_roberta.jobs.options.finetune import FinetuneOptions


def test_fine_tuning_leaves_a_report(config, tokenizer, sentiment, tmp_path, caplog, capsys):
    kr.RobertaMaskedLM(
        kr.RobertaBackbone(config.replace(num_layers=1)),
        preprocessor=kr.RobertaMaskedLM.preprocessor_cls(tokenizer, 32),
    ).save_to_preset(tmp_path / "preset")
    table = tmp_path / "table.tsv"
    stars = {0: "1", 1: "5"}
    rows = "".join(f"{text}\t{stars[label]}\n" for text, label in zip(*sentiment, strict=True))
    table.write_text("text\tlabel\n" + rows)
    _, metrics = finetune(
        tmp_path / "preset", table, table, tmp_path / "out", FinetuneOptions(epochs=2)
    )
    assert "classes: 0 = 1, 1 = 5\n" in capsys.readouterr().err
    # A new head is what it was asked for.
    assert not [record for record in caplog.records if "starts random" in record.message]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    (row,) = report["models"]
    assert (row["name"], row["scores"]["accuracy"]) == ("out", metrics["accuracy"])
    loss = next(curve for curve in report["curves"] if curve["title"] == "loss")
    assert [epoch for epoch, _ in loss["lines"]["dev"]] == [1, 2]
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")
