from keras_roberta.reports.contents import Row
from keras_roberta.reports.training_curves import finetuning_report, pretraining_report


def test_finetuning():
    history = [
        {"epoch": 1, "loss": 0.7, "accuracy": 0.5, "val_loss": 0.6, "val_accuracy": 0.6},
        {"epoch": 2, "loss": 0.4, "accuracy": 0.8, "val_loss": 0.5, "val_accuracy": 0.7},
    ]
    for row in history:
        row["val_macro_f1"] = 0.5
    report = finetuning_report(
        history,
        {"accuracy": 0.7, "macro_f1": 0.6},
        name="sst2",
        title="train.tsv",
        facts={"train_rows": 9},
    )
    assert report.title == "train.tsv"
    assert report.rows == [Row("sst2", {"accuracy": 0.7, "macro_f1": 0.6})]
    loss, accuracy, f1 = report.curves
    assert (f1.title, list(f1.lines)) == ("macro F1, dev", ["dev"])
    assert (loss.title, loss.x) == ("loss", "epoch")
    assert loss.lines == {"training": [(1, 0.7), (2, 0.4)], "dev": [(1, 0.6), (2, 0.5)]}
    assert accuracy.lines["dev"] == [(1, 0.6), (2, 0.7)]
    assert report.facts == {"train_rows": 9}


def test_finetuning_without_dev_data():
    report = finetuning_report([{"epoch": 1, "loss": 0.7}])
    assert report.rows == []
    assert [curve.lines for curve in report.curves] == [{"training": [(1, 0.7)]}]


def test_pretraining():
    log = [
        {"step": "20", "loss": "9.5", "learning_rate": "1e-4"},
        {"step": "40", "loss": "8.5", "learning_rate": "2e-4"},
    ]
    evaluations = [
        {"step": "40", "language": "de", "loss": "8.0"},
        {"step": "40", "language": "ja", "loss": "8.25"},
    ]
    loss, rate = pretraining_report(log, evaluations).curves
    assert loss.lines == {
        "training": [(20, 9.5), (40, 8.5)],
        "held out, de": [(40, 8.0)],
        "held out, ja": [(40, 8.25)],
    }
    assert rate.lines == {"learning rate": [(20, 1e-4), (40, 2e-4)]}
