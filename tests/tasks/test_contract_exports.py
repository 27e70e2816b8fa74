"""Every task on the command line and in exported files; `task_cases.py` holds what differs."""

import json

import numpy as np
import pytest
from contract import every_task, every_task_but, made

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.tasks.registry import TASKS

pytestmark = pytest.mark.slow
WITH_COMMAND = {entry.class_name: entry.command for entry in TASKS if entry.command}


def plain_rows(values):
    """The rows of an array, or of a list of arrays, as nested lists."""
    return [np.asarray(row).tolist() for row in values]


def assert_same_values(found, expected):
    """Nested plain values are the same, floating-point numbers nearly."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same_values(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4)
    else:
        assert found == expected


def assert_answers_as(runner, task, case):
    """In float32, what a file gives is what the task gives."""
    found, expected = runner.predict(case.asked), task.named_outputs(case.asked)
    # What a file may pad with is cut off: as many masks as the rows have.
    for output in set(found) & set(expected):
        assert_same_values(*(plain_rows(outputs[output]) for outputs in (found, expected)))
    more = case.asked_besides
    assert bool(more) == bool(task.schema.asked_besides)
    answers = runner.answers(case.asked, **more), task.answers(case.asked, **more)
    for answer, other in zip(*answers, strict=True):
        assert set(answer) <= set(other)
        assert_same_values(answer, {key: other[key] for key in answer})
    with pytest.raises(InputError, match="no argument 'no_such'"):
        runner.answers(case.asked, no_such=1)


EXPORTS = {
    "float32.tflite": dict(quantization="none", sequence_lengths=(16,)),
    "saved": {},
}


# Of those left out a SavedModel and a float32 file answer as the task in tests/export, in
# test_text_embedder.py and in test_token_classifier.py. All are exported as int8 below.
@every_task_but(
    *("RobertaTextClassifier", "RobertaTextRegressor", "RobertaMaskedLM"),
    *("RobertaTextEmbedder", "RobertaTokenClassifier"),
)
@pytest.mark.parametrize("name", EXPORTS)
def test_export_and_back(case, name, tokenizer, tmp_path):
    task, path = made(case, tokenizer), tmp_path / name
    write = export.to_tflite if name.endswith(".tflite") else export.to_saved_model
    if not case.exports:
        with pytest.raises(InputError, match="cannot be exported"):
            write(task, path, **EXPORTS[name])
        assert not path.exists()
        return
    write(task, path, **EXPORTS[name])
    with pytest.raises(InputError, match="exists"):
        write(task, path, **EXPORTS[name])
    with pytest.raises((InputError, TypeError), match="no_such_option"):
        write(task, tmp_path / f"other-{name}", **EXPORTS[name], no_such_option=1)
    assert_answers_as(export.load(path), task, case)


@every_task
def test_on_the_command_line(case, tokenizer, tmp_path, run):
    task, file = made(case, tokenizer), tmp_path / "int8.tflite"
    task.save_to_preset(tmp_path / "preset")
    preset = tmp_path / "preset" if case.table is None else tmp_path / "out"
    if case.table is None:
        code, _, error = run("finetune", "--task", case.class_name, "--preset", preset,
                             "--train", tmp_path / "t.tsv", "--out", tmp_path / "out")  # fmt: skip
        assert code == 2 and "\n" not in error.strip()
    else:
        table = case.write_table(tmp_path)
        command = WITH_COMMAND[case.class_name]
        code, _, error = run(
            "finetune", "--task", command, "--preset", tmp_path / "preset", "--train", table,
            "--dev", table, "--out", preset, "--epochs", "2",
        )  # fmt: skip
        assert code == 0, error
        metrics = json.loads((preset / "metrics.json").read_text())
        of_preset = evaluated(run, preset, table)
        main_score = task.schema_cls.main_score
        assert of_preset[main_score] == pytest.approx(metrics[main_score], abs=1e-5)
        code, printed, error = run("predict", "--model", preset, *case.asked_there)
        assert code == 0, error
        assert printed.strip().endswith(case.asked_there[-1])
    if not case.exports:
        return
    code, _, error = run("export", "--preset", preset, "--out", file, "--sequence-lengths", "16")
    assert code == 0, error
    tuned, runner = kr.open_task(preset), export.load(file)
    assert type(tuned) is type(task)
    found, expected = runner.predict(case.asked), tuned.named_outputs(case.asked)
    assert tuned.schema.compare(found, expected).largest_change < 0.05
    for answer, other in zip(runner.answers(case.asked), tuned.answers(case.asked), strict=True):
        assert set(answer) <= set(other)
    if case.table is not None:
        assert set(evaluated(run, file, table)) == set(of_preset)


def evaluated(run, model, table):
    code, printed, error = run("evaluate", "--model", model, "--data", table, "--json")
    assert code == 0, error
    return json.loads(printed)
