"""What exported files of every task are calibrated on: the rows that the task itself computes."""

import pytest
from contract import every_task, made, tasks

from keras_roberta import export
from keras_roberta.data.examples.columns import Columns
from keras_roberta.errors import InputError
from keras_roberta.export import samples
from keras_roberta.export.tflite import PhoneModule
from keras_roberta.jobs.export import ExportData
from keras_roberta.jobs.options.export import ExportOptions

LENGTHS = (8, 16, 24)  # the last is the preprocessors'


def rows_of_task(task, x):
    ids = task.make_examples(x).token_ids
    return sorted(ids.row(i).tolist() for i in range(len(ids)))


def rows_of_samples(module, texts):
    """Each row is in the shortest signature that holds it, with padding behind it."""
    found = []
    for name, inputs in module.samples(texts)():
        ids, mask = (inputs[key][0].tolist() for key in ("token_ids", "padding_mask"))
        count = sum(mask)
        assert mask == [1] * count + [0] * (len(mask) - count)
        assert name == f"tokens_{next(n for n in LENGTHS if n >= count)}"
        assert set(ids[count:]) <= {module.pad_token_id} and len(ids) in LENGTHS
        found.append(ids[:count])
    return sorted(found)


@every_task
def test_rows_are_the_tasks(case, tokenizer, tmp_path):
    """From memory as from a table, whose labels are passed over."""
    if not case.exports:
        return
    task = made(case, tokenizer)
    module = PhoneModule(task, inputs="tokens", sequence_lengths=LENGTHS)
    expected = rows_of_task(task, case.rows)
    assert rows_of_samples(module, case.rows) == expected
    if case.table is None:
        return
    options = ExportOptions(inputs="tokens", calibration=str(case.write_table(tmp_path)))
    data = ExportData.read(tmp_path, options, Columns())
    assert rows_of_samples(module, data.texts(data.calibration, task, options)) == expected


PAIRS = (["a film", "dull"], ["a warm film", "lovely"])
SINGLE = "RobertaTextClassifier", "RobertaMaskedLM"


@tasks(*SINGLE)
def test_pairs_where_they_are_taken(case, tokenizer):
    task = made(case, tokenizer)
    modules = {
        (inputs, pairs): PhoneModule(task, inputs=inputs, pairs=pairs, sequence_lengths=LENGTHS)
        for inputs, pairs in [("tokens", False), ("text", False), ("text", True)]
        if task.schema.takes_pairs or not pairs
    }
    if not task.schema.takes_pairs:
        for module in modules.values():
            with pytest.raises(InputError, match="calibration: has pairs .* takes single texts"):
                module.samples(PAIRS)
        return
    for place in [("tokens", False), ("text", True)]:
        assert rows_of_samples(modules[place], PAIRS) == rows_of_task(task, PAIRS)
    with pytest.raises(InputError, match="pairs: calibration has pairs of texts; give pairs"):
        modules["text", False].samples(PAIRS)
    with pytest.raises(InputError, match="calibration: has no second texts"):
        modules["text", True].samples(PAIRS[0])


@tasks("RobertaMultipleChoice")
def test_of_many_rows_some_are_taken(case, tokenizer, monkeypatch):
    """Whichever option they are of."""
    monkeypatch.setattr(samples, "MOST_SAMPLES", 40)
    module = PhoneModule(made(case, tokenizer), inputs="tokens", sequence_lengths=LENGTHS)
    rows = rows_of_samples(module, [("film", ["a fine", "dull", "cold and"])] * 40)
    assert len(rows) == 40 and len(set(map(tuple, rows))) == 3


@tasks("RobertaQuestionAnswerer")
def test_texts_that_no_row_holds(case, tokenizer, tmp_path):
    """Nothing is converted before that is found."""
    task = made(case, tokenizer)
    message = "calibration: row 1: the question has .* tokens"
    asked = (["film", "film " * 40], ["a film", "dull"])
    with pytest.raises(InputError, match=message):
        PhoneModule(task, inputs="tokens", sequence_lengths=LENGTHS).samples(asked)
    with pytest.raises(InputError, match="needs 16 texts or more .* got 2"):
        export.to_tflite(task, tmp_path / "a.tflite", "int8-static", "tokens", calibration=asked)
    task = case.make(tokenizer)
    task.preprocessor = None
    with pytest.raises(InputError, match="calibration: the task has no preprocessor"):
        PhoneModule(task, inputs="tokens", sequence_lengths=LENGTHS).samples(asked)
