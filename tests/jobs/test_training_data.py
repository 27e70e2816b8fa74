"""Tables as fine-tuning reads them, with what the options say of them."""

import json

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.jobs.finetune import TrainingData
from keras_roberta.jobs.options.finetune import FinetuneOptions

COLA = "gj04\t1\t\tOur friends.\ngj04\t0\t*\tThe more friends.\ncj99\t1\t\tWe left.\n"
OF_COLA = {"no_header": True, "text_column": "4", "label_column": "2"}
ARTICLE = {
    "article": "Sam lives in Nuuk.",
    "questions": ["Where does Sam live?", "Nuuk is _ ."],
    "options": [["Nuuk", "Bonn"], ["a song", "a town"]],
    "answers": ["A", "B"],
}


@pytest.fixture
def cola(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text(COLA)
    return path


def test_cola(cola):
    """GLUE's table, which has no header, with its own score."""
    options = FinetuneOptions.of_recipe("cola", **OF_COLA, metric="matthews_correlation")
    data = TrainingData.read(cola, cola, options)
    assert data.texts == ["Our friends.", "The more friends.", "We left."]
    assert data.targets.tolist() == [1, 0, 1] and data.train.lines == [1, 2, 3]
    assert data.deciding_score(options.metric) == "matthews_correlation"
    assert data.deciding_score(None) == "accuracy" and data.deciding_score("loss") is None


def test_labels_that_are_named(cola):
    options = FinetuneOptions(**OF_COLA, labels=("bad", "good"))
    data = TrainingData.read(cola, None, options)
    assert data.schema.labels == ("bad", "good") and data.targets.tolist() == [1, 0, 1]
    with pytest.raises(InputError, match=r"train.tsv, line 2, column '2': label '0' is none of"):
        TrainingData.read(cola, cola, FinetuneOptions(**OF_COLA, labels=("1", "2")))
    regression = FinetuneOptions(**OF_COLA, task="regress", labels=("bad", "good"))
    with pytest.raises(InputError, match="labels: the task has no numbered labels; leave it out"):
        TrainingData.read(cola, None, regression)


@pytest.mark.parametrize(
    ("options", "dev", "message"),
    [
        ({"metric": "f1"}, None, "metric: is decided by dev data; give a dev file"),
        ({"metric": "macrof1"}, True, "metric 'macrof1': expected one of accuracy, macro_f1, f1, "
         "matthews_correlation, loss; did you mean macro_f1"),
        ({"metric": "mse", "task": "regress"}, True, "'mse': expected one of pearson, spearman"),
        ({"text_column": "5"}, True, "no column '5'; there are 1, 2, 3, 4; name one with --text"),
        ({"no_header": False}, True, "no column '2'; there are gj04, 1, , Our friends"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_the_tables(cola, options, dev, message):
    with pytest.raises(InputError, match=message):
        TrainingData.read(cola, dev and cola, FinetuneOptions(**{**OF_COLA, **options}))


def test_a_file_that_has_no_header_in_any_case(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("Sam B-PER\n")
    with pytest.raises(InputError, match="no_header: a.conll is no .tsv or .csv; leave it out"):
        TrainingData.read(path, None, FinetuneOptions(task="ner", no_header=True))


def test_race_as_it_is_distributed(tmp_path):
    """A document a file, in `high/` and `middle/`."""
    for number, name in enumerate(("high/10.txt", "high/9.txt", "middle/1.txt")):
        path = tmp_path / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**ARTICLE, "id": str(number)}, indent=number))
    options = FinetuneOptions.of_recipe("race", task="choice")
    data = TrainingData.read(tmp_path / "train", path, options)
    assert data.train.lines == ["high/9.txt"] * 2 + ["high/10.txt"] * 2 + ["middle/1.txt"] * 2
    assert data.texts["question"] == ARTICLE["questions"] * 3
    np.testing.assert_array_equal(data.targets, [0, 1] * 3)
    np.testing.assert_array_equal(data.validation[1], [0, 1])
    path.write_text(json.dumps({**ARTICLE, "answers": ["A", "C"]}))
    with pytest.raises(InputError, match="train, file middle/1.txt, column 'answer': answer 'C'"):
        TrainingData.read(tmp_path / "train", None, options)
    path.with_name("._1.txt").write_bytes(b"\0\5\x16\7\xff")  # as macOS leaves them
    with pytest.raises(InputError, match="column 'answer': answer 'C'"):
        TrainingData.read(tmp_path / "train", None, options)
    path.write_text("Sam lives in Nuuk.")
    message = r"middle.1\.txt: expected a document of RACE.* move it out of the directory"
    with pytest.raises(InputError, match=message):
        TrainingData.read(tmp_path / "train", None, options)
    with pytest.raises(InputError, match=r"1\.txt: unknown kind of table"):
        TrainingData.read(path, None, options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: cannot be read \(Is a directory\)"):
        TrainingData.read(tmp_path / "empty", None, options)
