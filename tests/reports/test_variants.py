"""Which of several exports is chosen, and what is said about it."""

import html.parser
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_roberta.reports.contents import Row
from keras_roberta.reports.variants import Budget, Search, Variant
from keras_roberta.reports.variants_page import page, write_search
from keras_roberta.reports.variants_table import variants_table


def variant(name, drop, megabytes, ms):
    scores = {"accuracy": 0.9 - drop / 100}
    row = Row(name, scores, agreement=0.99, megabytes=megabytes, median_ms=ms, p95_ms=ms)
    return Variant(name, f"what {name} does", row=row, drop=drop)


FOUR = variant("int4", 2.0, 16.0, 9.0)
EIGHT = variant("int8", 0.4, 31.0, 8.0)
HALF = variant("float16", 0.0, 60.0, 20.0)
NO_FILE = Variant("odd", "cannot be written", refused="needs <more> texts")

OPERATORS = [
    {"name": "ADD", "shape": [1, i], "count": 2, "milliseconds": ms}
    for i, ms in enumerate([5.0, *[0.25] * 19, None])
]


def search(variants=(FOUR, NO_FILE, EIGHT, HALF), **limits):
    reference = Row("Keras", {"accuracy": 0.9}, megabytes=120.0)
    return Search(
        "run on dev.tsv", "accuracy", 100.0, reference, list(variants), Budget(**limits),
        signatures={"tokens_32": 3.25}, operators=OPERATORS, facts={"rows": 100},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"max_drop": 0.5}, "int8"),
        ({"max_drop": 2.0}, "int4"),
        ({"max_drop": 0.0}, "float16"),
        ({"max_drop": 5, "max_ms": 8.5}, "int8"),
        ({"max_mb": 40.0}, "int8"),  # without a limit for the loss the best score counts
        ({"max_mb": 20.0}, "int4"),
        ({"max_ms": 100.0}, "float16"),
        ({"max_drop": 0.1, "max_mb": 40.0}, None),
    ],
)
def test_the_chosen_one(limits, name):
    chosen = search(**limits).chosen
    assert (chosen and chosen.name) == name


def test_a_better_file_has_lost_nothing():
    better = variant("better", -0.3, 10.0, 5.0)
    assert search([better], max_drop=0.0).chosen is better


def test_the_reason():
    assert search(max_drop=0.5).reason == (
        "int8 is the smallest file that loses at most 0.5 points of accuracy. int4 loses 2.00 "
        "points of accuracy."
    )
    assert search(max_drop=0.1, max_mb=10).reason == (
        "No file is within all limits. A file that loses at most 0.1 points of accuracy: float16. "
        "No file has at most 10 MB; the closest is int4, which has 16.00 MB."
    )


numbers = st.floats(0, 100)


@given(
    st.lists(st.tuples(st.floats(-1, 9), numbers, numbers), min_size=1, max_size=6),
    st.fixed_dictionaries({name: st.none() | numbers for name in ("max_drop", "max_mb", "max_ms")}),
)
def test_of_any_files(figures, limits):
    variants = [variant(f"v{i}", *values) for i, values in enumerate(figures)]
    found = search(variants, **limits)
    assert found.reason
    within = [
        one
        for one in variants
        if (limits["max_drop"] is None or one.drop <= limits["max_drop"])
        and (limits["max_mb"] is None or one.row.megabytes <= limits["max_mb"])
        and (limits["max_ms"] is None or one.row.median_ms <= limits["max_ms"])
    ]
    assert (found.chosen is None) == (not within)
    if within and limits["max_drop"] is not None:
        assert found.chosen.row.megabytes == min(one.row.megabytes for one in within)
    elif within:
        assert found.chosen.drop == min(one.drop for one in within)
    for one in found.frontier:
        assert not any(
            other.row.megabytes < one.row.megabytes and other.drop <= one.drop for other in variants
        )


def test_a_variant_as_json():
    for one in (EIGHT, NO_FILE):
        assert Variant.from_dict(json.loads(json.dumps(one.to_dict()))) == one


class _Page(html.parser.HTMLParser):
    """What a page shows, and what it would load."""

    def __init__(self):
        super().__init__()
        self.text, self.loads, self.chosen = [], [], []
        self._open = []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.loads += [value for name, value in attrs.items() if name in ("src", "href")]
        if attrs.get("class") == "chosen":
            self._open.append(len(self.text))

    def handle_endtag(self, tag):
        if tag == "tr" and self._open:
            self.chosen = self.text[self._open.pop() :]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page():
    seen = _Page()
    seen.feed(page(search(max_drop=0.5), b"\x89PNG"))
    assert all(place.startswith("data:image/png;base64,") for place in seen.loads)
    text = " ".join(seen.text)
    for part in (
        "run on dev.tsv",
        "int8 is the smallest",
        "needs <more> texts",
        "tokens_32",
        "3.25",
        *("1 × 0", "51%", "others", "18", "2.00"),
    ):
        assert part in text
    assert "int8" in seen.chosen and "0.40" in seen.chosen and "chosen" in seen.chosen


def test_the_table():
    table = variants_table(search(max_drop=0.5))
    assert [column.header for column in table.columns] == [
        "", "accuracy", "points lost", "agreement", "MB", "ms", "95% of ms", "",
    ]  # fmt: skip
    assert table.row_count == 5


def test_the_files(tmp_path):
    write_search(tmp_path / "out", search(max_drop=0.1, max_mb=40.0))
    values = json.loads((tmp_path / "out" / "report.json").read_text())
    assert values["chosen"] is None and values["rows"] == 100
    assert values["frontier"] == ["int4", "int8", "float16"]
    assert [one["refused"] for one in values["variants"]] == [
        None,
        "needs <more> texts",
        None,
        None,
    ]
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "<h1>run on dev.tsv</h1>" in (tmp_path / "out" / "report.html").read_text()
