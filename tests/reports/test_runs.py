"""Runs by setting, and the files about them."""

import csv
import json
import statistics

import pytest

from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.options.sweep import SweepOptions
from keras_roberta.jobs.sweep import best_of
from keras_roberta.options import OptionError
from keras_roberta.reports.runs import FinishedRun, by_setting, write_runs


def run(rate, seed, score):
    return FinishedRun(rate, seed, score, best_epoch=2, seconds=1.5)


RUNS = [
    *(run(1e-5, 0, 0.5), run(1e-5, 1, 0.7), run(1e-5, 2, 0.6)),
    *(run(3e-5, 0, None), run(3e-5, 1, 0.7)),
]


def test_mean_and_spread_over_the_seeds():
    first, second = by_setting(RUNS)
    assert first.mean == pytest.approx(0.6)
    assert first.spread == pytest.approx(statistics.stdev([0.5, 0.7, 0.6]))
    assert (second.scores, second.mean, second.spread) == ((0.7,), 0.7, None)
    (none,) = by_setting([run(1e-5, 0, None)])
    assert (none.mean, none.spread) == (None, None)


def test_the_best_run_is_the_first_with_the_largest_score():
    assert best_of(RUNS) is RUNS[1]
    assert best_of(RUNS[3:4]) is RUNS[3]


def test_files(tmp_path):
    write_runs(tmp_path, RUNS, "accuracy", "a title")
    values = json.loads((tmp_path / "runs.json").read_text())
    assert values["score"] == "accuracy" and values["runs"][3]["score"] is None
    assert values["settings"][1] == {"learning_rate": 3e-5, "mean": 0.7, "spread": None}
    with open(tmp_path / "runs.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["seed"] for row in rows] == ["0", "1", "2", "0", "1"]
    assert (tmp_path / "runs.png").read_bytes().startswith(b"\x89PNG")


def test_every_rate_with_every_seed():
    sweep = SweepOptions(learning_rates="1e-5,3e-5", seeds="0,1")
    runs = sweep.runs(FinetuneOptions(epochs=3))
    assert [(r.learning_rate, r.seed) for r in runs] == [
        (1e-5, 0), (1e-5, 1), (3e-5, 0), (3e-5, 1)
    ]  # fmt: skip
    assert {r.epochs for r in runs} == {3}
    (alone,) = SweepOptions(learning_rates=(2e-5,)).runs(FinetuneOptions(seed=7))
    assert (alone.learning_rate, alone.seed) == (2e-5, 7)
    assert not SweepOptions().asked_for and sweep.asked_for


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"seeds": "0,1,0"}, "seeds: 0 is named twice"),
        ({"learning_rates": "1e-5,fast"}, "give numbers such as 1e-5,3e-5"),
        ({"learning_rates": "0"}, "learning_rates must be positive"),
        ({"seeds": "-1"}, "seeds must be"),
    ],
)
def test_what_cannot_be_tried(options, problem):
    with pytest.raises(OptionError, match=problem):
        SweepOptions(**options)
