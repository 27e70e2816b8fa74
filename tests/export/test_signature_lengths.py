"""Signatures that suit the lengths of texts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export.signature_lengths import encoder_work, lengths_of_least_work
from keras_roberta.jobs.export import export as export_preset
from keras_roberta.jobs.options.export import ExportOptions

CONFIG = kr.RobertaConfig(
    vocabulary_size=320,
    num_layers=1,
    num_heads=2,
    hidden_dim=16,
    intermediate_dim=32,
    max_sequence_length=64,
)


def mean_work(counts, lengths):
    """Written out: each row in the shortest length that holds it, or in the last one."""
    fitting = (next((n for n in lengths if n >= count), lengths[-1]) for count in counts)
    return np.mean([encoder_work(n, CONFIG) for n in fitting])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(2, 80), min_size=1, max_size=30), st.integers(1, 4))
def test_no_other_set_of_lengths_is_better(counts, number):
    found = lengths_of_least_work(counts, number, 64, CONFIG)
    assert list(found) == sorted(set(found)) and len(found) <= number
    assert max(found) >= min(max(counts), 64)
    grid = range(8, 65, 8)
    others = (
        lengths
        for size in range(1, number + 1)
        for lengths in itertools.combinations(grid, size)
        if lengths[-1] >= min(max(counts), 64)
    )
    assert mean_work(counts, found) <= min(mean_work(counts, n) for n in others) + 1e-9


@pytest.fixture
def task(tokenizer):
    return kr.RobertaTextClassifier(
        kr.RobertaBackbone(CONFIG), 2, kr.RobertaPreprocessor(tokenizer, 40, labels=["a", "b"])
    )


SHORT, LONG = "film", "a warm and lovely film , " * 20


def test_of_a_task(task):
    assert export.best_lengths(task, [SHORT] * 5 + [LONG]) == (8, 40)
    assert export.best_lengths(task, [SHORT] * 5 + [LONG], number=1) == (40,)
    for number in (0, 1.5):
        with pytest.raises(InputError, match="number: expected a whole number"):
            export.best_lengths(task, [SHORT], number=number)
    with pytest.raises(InputError, match="no texts"):
        export.best_lengths(task, [])


def test_on_the_command_line(task, tmp_path, run):
    task.save_to_preset(tmp_path / "preset")
    (tmp_path / "texts.tsv").write_text("label\ttext\n" + f"a\t{SHORT}\n" * 5 + f"b\t{LONG}\n")
    code, _, error = run(
        "export", "--preset", tmp_path / "preset", "--lengths-from", tmp_path / "texts.tsv",
        "--sequence-lengths", "auto", "--num-lengths", "2", "--out", tmp_path / "model.tflite",
    )  # fmt: skip
    assert code == 0, error
    assert export.read_metadata(tmp_path / "model.tflite")["sequence_lengths"] == [8, 40]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            dict(sequence_lengths=(8,), lengths_from="t.tsv"),
            "lengths_from and sequence_lengths.*give one",
        ),
        (dict(lengths_from="t.tsv", prefix="a "), "lengths_from and prefix do not go together"),
        (
            dict(sequence_lengths="auto", prefix="a "),
            "sequence_lengths and prefix do not go together",
        ),
        (dict(num_lengths=2), "num_lengths.*give lengths_from"),
        (dict(format="saved-model", lengths_from="t.tsv"), "lengths_from.*is for TFLite"),
    ],
)
def test_options_that_contradict(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        export_preset(tmp_path, tmp_path / "m.tflite", ExportOptions(**options))
