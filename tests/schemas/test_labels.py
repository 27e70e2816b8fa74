"""What counts as a label, in Python and in tables."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.label_names import as_integer
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.schemas import (
    MaskedTokens,
    OneLabel,
    Value,
    register_schema,
    schema_from_dict,
)


def table(tmp_path, labels, suffix=".tsv"):
    path = tmp_path / f"t{suffix}"
    if suffix == ".tsv":
        rows = [f"{label}\ttext {i}" for i, label in enumerate(labels)]
        path.write_text("\n".join(["label\ttext", *rows]) + "\n")
    else:
        rows = [f'{{"label": {label}, "text": "a"}}' for label in labels]
        path.write_text("\n".join(rows) + "\n")
    return read_table(path)


@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        (["0", "1", "1"], 2, None),
        (["2", "0", "1"], 3, None),
        (["01", "02"], 2, ("01", "02")),
        (["1", "5", "3"], 3, ("1", "3", "5")),  # stars
        (["-1", "0", "1"], 3, ("-1", "0", "1")),
        (["0", "4"], 2, ("0", "4")),
        (["0", "5000"], 2, ("0", "5000")),
        (["10", "9", "11"], 3, ("9", "10", "11")),
        (["1_0", "1_1"], 2, ("1_0", "1_1")),
        (["011", "11"], 2, ("011", "11")),
        (["+1", "1"], 2, ("+1", "1")),
        ([" 1", "1"], 2, (" 1", "1")),
        (["1", "no"], 2, ("1", "no")),  # numbers only if all are
        (["1.0", "2.0"], 2, ("1.0", "2.0")),
        (["٣", "٤"], 2, ("٣", "٤")),  # digits, but not how numbers are written by default
    ],
)
def test_classes_of_a_column(tmp_path, labels, classes, names):
    schema = OneLabel.from_table(table(tmp_path, labels), Columns())
    assert (schema.num_classes, schema.labels) == (classes, names)
    targets = schema.read_targets(table(tmp_path, labels), Columns())
    shown = [schema.label_names[number] for number in targets]
    assert shown == labels


@given(st.text(max_size=6))
def test_only_canonical_numbers_are_numbers(label):
    number = as_integer(label)
    assert number is None or str(number) == label


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["0.5", "1.5"], "numbers such as '0.5', not classes; give --task regress"),
        (["1", "2", "2.5"], "numbers such as '2.5', not classes; give --task regress"),
        ([str(i) for i in range(1500)], "1500 different labels; .*--num-classes 1500 if you mean"),
        ([f"text {i}" for i in range(1500)], "1500 different labels; name another --label-column"),
        (["0", "0"], "a single label, '0'"),
        (["a", "a"], "a single label, 'a'"),
    ],
)
def test_columns_that_are_no_classes(tmp_path, labels, message):
    with pytest.raises(InputError, match=message):
        OneLabel.from_table(table(tmp_path, labels), Columns())


@pytest.mark.parametrize(
    ("schema", "labels", "message"),
    [
        (OneLabel(2), ["0", "2"], "line 3, column 'label': label 2 is outside 0..1"),
        (OneLabel(2, ("bad", "good")), ["bad", "fair"], "line 3, .*'fair' is none of bad, good"),
        # Names first: "1" is not the second of them.
        (OneLabel(2, ("1 star", "2 stars")), ["1 star", "1"], "line 3, .*'1' is none of 1 star"),
        (Value(), ["1.5", "x"], "line 3, .*expected a number, found 'x'"),
        (Value(), ["1.5", "nan"], "line 3, .*expected a number"),
        (Value(), ["1.5", "1_0"], "line 3, .*expected a number, found '1_0'"),
        (Value(), ["1.5", "\u0663"], "line 3, .*expected a number"),
    ],
)
def test_labels_of_a_table_that_do_not_fit(tmp_path, schema, labels, message):
    with pytest.raises(InputError, match=message) as error:
        schema.read_targets(table(tmp_path, labels), Columns())
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("labels", "names", "targets"),
    [
        (["true", "false"], ("false", "true"), [1, 0]),
        (["1.0", "0.0"], None, [1, 0]),
        (["1.0", "2.0"], ("1", "2"), [0, 1]),
        (["-1", "1.0"], ("-1", "1"), [0, 1]),
        (['"1"', "0"], None, [1, 0]),
        (["true", '"no"'], ("no", "true"), [1, 0]),
        (["1", "2", '"2"'], ("1", "2"), [0, 1, 1]),
    ],
)
def test_values_of_json_as_classes(tmp_path, labels, names, targets):
    rows = table(tmp_path, labels, ".jsonl")
    schema = OneLabel.from_table(rows, Columns())
    assert (schema.num_classes, schema.labels) == (2, names)
    assert schema.read_targets(rows, Columns()).tolist() == targets


@pytest.mark.parametrize("label", ["0.5", "null", "NaN", "[1]", '""', "{}"])
def test_values_of_json_that_are_no_classes(tmp_path, label):
    rows = table(tmp_path, ["0", "1", label], ".jsonl")
    with pytest.raises(InputError, match="line 3, column 'label': expected|numbers such as 0.5"):
        OneLabel.from_table(rows, Columns())


def test_a_number_of_classes_that_is_said(tmp_path):
    rows = table(tmp_path, ["1", "3"])
    schema = OneLabel.from_table(rows, Columns(), num_classes=5)
    assert schema == OneLabel(5) and schema.read_targets(rows, Columns()).tolist() == [1, 3]


@pytest.mark.parametrize(("schema", "label"), [(Value(), "true"), (Value(), "1" + "0" * 400)])
def test_values_of_json_that_do_not_fit(tmp_path, schema, label):
    with pytest.raises(InputError, match="line 2, column 'label': expected a"):
        schema.read_targets(table(tmp_path, ["1", label], ".jsonl"), Columns())


NAMED = OneLabel(2, ("bad", "good"))


@pytest.mark.parametrize(
    ("schema", "labels", "expected"),
    [
        (OneLabel(3), [0, 2, 1], [0, 2, 1]),
        (OneLabel(3), np.array([0, 2]), [0, 2]),
        (OneLabel(3), np.array([0.0, 2.0]), [0, 2]),
        (OneLabel(3), np.array([[0], [2]]), [0, 2]),
        (OneLabel(3), np.array([0, np.int64(2)], object), [0, 2]),
        (OneLabel(3), ["0", "2"], [0, 2]),
        (NAMED, ["good", "bad"], [1, 0]),
        (NAMED, np.array([b"good", b"bad"]), [1, 0]),
        (NAMED, np.array(["good", "bad"], object), [1, 0]),
        (NAMED, [1, 0], [1, 0]),
        (OneLabel(2), [True, False], [1, 0]),
        (OneLabel(2), np.array([True, False]), [1, 0]),
        (OneLabel(2, ("1", "2")), [1, 1, 2], [0, 0, 1]),  # a number that is a name is the name
        (OneLabel(2, ("1", "2")), ["2", "1"], [1, 0]),
        (OneLabel(2, ("1", "2")), np.array([1.0, 2.0]), [0, 1]),
        (OneLabel(2, ("LABEL_0", "LABEL_1")), [1, 0], [1, 0]),
        (OneLabel(2, ("false", "true")), [True, False], [1, 0]),
        (OneLabel(2, ("true", "false")), np.array([True, False]), [0, 1]),
        (OneLabel(2), [[0.25, 0.75], [1, 0]], [[0.25, 0.75], [1.0, 0.0]]),
        (NAMED, "good", [1]),
        (NAMED, 0, [0]),
        (Value(), np.array([True, False]), [1.0, 0.0]),
        (Value(), [1, 2.5], [1.0, 2.5]),
        (Value(), np.array([[1.0], [2.0]]), [1.0, 2.0]),
        (Value(), np.array([1, 2.5], object), [1.0, 2.5]),
    ],
)
def test_labels_in_python(schema, labels, expected):
    assert schema.targets(labels).tolist() == expected


@pytest.mark.parametrize(
    ("schema", "labels", "message"),
    [
        (OneLabel(2), [0, 1, 7, 9], "label 7 is outside 0..1"),
        (OneLabel(2), np.array([0, -1]), "label -1 is outside"),
        (OneLabel(2), np.array([0.0, 0.5]), "a regression learns others.; got 0.5$"),
        (OneLabel(2), [0, None], "row 1: .*got None$"),
        (
            OneLabel(5, ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")),
            [0, 1],
            "row 1: label 1 could mean class 1, '2 stars', or '1 star'; give the name",
        ),
        (OneLabel(3), [1, 2, 3], "row 2: label 3 is outside 0..2 .*or give their names"),
        (OneLabel(2), [[0.25, float("nan")]], "row 0: expected a probability"),
        (OneLabel(2), [[1, 0], [5.0, -3.0]], r"row 1: expected a probability in \[0, 1\]"),
        (OneLabel(2), np.array([[0, 2], [1, 0]]), r"row 0: expected a probability in \[0, 1\]"),
        (NAMED, ["good", "fine"], "label 'fine' is none of bad, good"),
        (NAMED, np.array([b"fine"]), "label 'fine' is none"),
        (Value(), [1.0, float("nan")], "row 1: .*finite numbers; got nan"),
        (Value(), [1.0, 1e39], "row 1: .*finite numbers; got 1e.39"),  # of float32
        (Value(), [1.0, "2"], "row 1: .*got '2'"),
        (Value(), [1.0, None], "row 1: .*got None"),
        (Value(), [10**400], "row 0: .*finite numbers"),
    ],
)
def test_labels_in_python_that_do_not_fit(schema, labels, message):
    with pytest.raises(InputError, match=message):
        schema.targets(labels)


@pytest.mark.parametrize(
    "content", ["text\tlabel\na\t1\n\t0\n", "text\tlabel\na\t1\n  \t0\n",
                "text\ttext_pair\tlabel\na\tb\t1\nb\t\t0\n"],
)  # fmt: skip
def test_a_label_without_a_text(tmp_path, content):
    path = tmp_path / "t.tsv"
    path.write_text(content)
    table = read_table(path)
    OneLabel(2).read_inputs(table, Columns())  # where it is only asked for, it is a text
    with pytest.raises(InputError, match="t.tsv, line 3: there is a label but no text"):
        OneLabel(2).read_targets(table, Columns())


def test_digits_of_other_scripts_are_no_measurements(tmp_path):
    schema = OneLabel.from_table(table(tmp_path, ["1_0.5", "2_0.5"]), Columns())
    assert schema.labels == ("1_0.5", "2_0.5")


def test_what_a_schema_refuses_it_refuses_in_tables(tmp_path):
    class Stars(Value):
        def targets(self, labels):
            stars = super().targets(labels)
            if stars.max() > 5:
                raise InputError("stars go to 5")
            return stars

    assert Stars().read_targets(table(tmp_path, ["2", "5"]), Columns()).tolist() == [2.0, 5.0]
    with pytest.raises(InputError, match="line 3, column 'label': stars go to 5"):
        Stars().read_targets(table(tmp_path, ["2", "6"]), Columns())


def test_a_file_of_another_version_is_refused():
    with pytest.raises(InputError, match="written by another version of keras_roberta"):
        schema_from_dict({"name": "value", "unit": "m"})
    with pytest.raises(InputError, match="written by another version of keras_roberta"):
        schema_from_dict({"name": "one-label"})


def test_a_name_belongs_to_one_schema():
    class Other(Value):
        name = "value"

    register_schema(Value)
    with pytest.raises(InputError, match="'value' is taken by Value"):
        register_schema(Other)
    assert schema_from_dict({"name": "value"}) == Value()


def test_candidates_are_compared_by_id():
    """Two that are near one another trade places: nothing else is different."""
    one = {
        "token_ids": np.array([[[7, 8, 9]]]),
        "scores": np.array([[[0.5, 0.2, 0.1]]]),
        "num_masks": np.array([1]),
    }
    other = {**one, "token_ids": np.array([[[7, 9, 5]]]), "scores": np.array([[[0.45, 0.3, 0.1]]])}
    comparison = MaskedTokens(4).compare(one, other)
    assert comparison.agreement == 1.0
    assert comparison.largest_change == pytest.approx(0.2)  # of 9, from 0.3 to 0.1


def test_candidates_that_only_one_has_are_a_change():
    one = {
        "token_ids": np.array([[[7, 8]]]),
        "scores": np.array([[[0.5, 0.2]]]),
        "num_masks": np.array([1]),
    }
    other = {**one, "token_ids": np.array([[[5, 6]]]), "scores": np.array([[[0.4, 0.3]]])}
    # 7 is at most 0.3 there, as the last that is told.
    for found, expected in ((one, other), (other, one)):
        comparison = MaskedTokens(4).compare(found, expected)
        assert comparison.agreement == 0.0
        assert comparison.largest_change == pytest.approx(0.2)


def test_names_are_distinct_and_as_many_as_classes():
    with pytest.raises(InputError, match="num_classes is 3, but 2 labels"):
        OneLabel(3, ("a", "b"))
    with pytest.raises(InputError, match="'a' is named twice"):
        OneLabel(2, ("a", "a"))


def test_scores_and_comparisons():
    outputs = OneLabel(2).outputs(np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]))
    np.testing.assert_allclose(outputs["score"], [0.880797, 0.731059, 0.952574], atol=1e-6)
    scores = OneLabel(2).scores(outputs, [0, 1, 1])
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx(2 / 3)
    other = OneLabel(2).outputs(np.array([[2.0, 0.0], [1.0, 0.0], [3.0, 0.0]]))
    comparison = OneLabel(2).compare(other, outputs)
    assert comparison.agreement == pytest.approx(2 / 3)
    assert comparison.largest_change == pytest.approx(2 * 0.731059 - 1, abs=1e-5)
    values = Value().outputs(np.array([[0.001], [0.002]]))
    changed = Value().compare(Value().outputs(np.array([[0.002], [0.002]])), values)
    assert changed.agreement is None and changed.largest_change == pytest.approx(0.001)
    large = Value().compare({"value": np.array([99.0])}, {"value": np.array([100.0])})
    assert large.largest_change == pytest.approx(0.01)
    assert Value().compare({"value": np.array([np.nan])}, values).largest_change == np.inf
    assert Value().scores(values, [1.0, 2.0])["pearson"] == pytest.approx(1.0)
    assert Value().scores(values, [1.0, 1.0])["pearson"] is None
