"""Records of options: defaults, checks, nesting, JSON."""

import dataclasses
import json
import pathlib
import pickle

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.options import OptionError, Options, all_options, nested, option


@dataclasses.dataclass(frozen=True)
class Inner(Options):
    names: tuple[str, ...] = option(("a",), "Names.", choices=("a", "b", "c"))
    size: int = option(4, "Size.", at_least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer(Options):
    path: pathlib.Path | None = option(None, "A path.")
    rate: float = option(0.5, "A rate.", at_least=0, below=1)
    peak: float = option(1.0, "A positive number.", above=0)
    inner: Inner = nested(Inner, size=8)
    weights: dict[str, float] = option({}, "Factors.")
    ramp: tuple[tuple[float, int], ...] = option((), "A ramp.")
    lengths: tuple[int, ...] | None = option(None, "Lengths.", at_least=3)
    kind: str = option("plain", "Kind.", choices=lambda: ("plain", "fancy"))
    loud: bool = option(False, "Loud.")
    share: float = option(0.5, "Neither nothing nor all.", above=0, below=1)

    def check(self):
        if self.loud and self.kind == "plain":
            raise OptionError(("loud", "kind"), f"{self.kind}: do not go together")


def test_defaults_and_nesting():
    assert Outer().inner == Inner(size=8) and Inner().size == 4
    made = Outer.from_flat({"names": ("a", "b"), "rate": 0})
    assert made == Outer(inner=Inner(("a", "b"), 8), rate=0)
    names = [named.name for named in all_options(Outer)]
    assert names[:5] == ["path", "rate", "peak", "names", "size"]
    assert {named.name: named.default for named in all_options(Outer)}["size"] == 8
    first, second = Outer(), Outer()
    assert first.weights is not second.weights


def test_texts_are_read_after_the_type():
    made = Outer.from_flat(
        {
            "names": "a, b",
            "weights": "mlm:1, sop:0.5",
            "ramp": "0:64,0.5:128",
            "lengths": "32,64",
            "path": "x/y",
        }
    )
    assert made.inner.names == ("a", "b") and made.weights == {"mlm": 1.0, "sop": 0.5}
    assert made.ramp == ((0.0, 64), (0.5, 128)) and made.lengths == (32, 64)
    assert made.path == pathlib.Path("x/y")
    assert Outer(inner=Inner(size=np.int64(3))).inner.size == 3


def test_json_and_back():
    made = Outer.from_flat({"names": "c,b", "ramp": "0:1", "weights": "x:2", "path": "p"})
    values = json.loads(json.dumps(made.to_dict()))
    assert values["inner"] == {"names": ["c", "b"], "size": 8} and values["path"] == "p"
    assert Outer.from_dict(values) == made
    assert Outer.from_dict({"inner": {"names": ["b"]}}).inner == Inner(("b",), 8)
    assert made.changed() == {
        "path": "p",
        "names": ["c", "b"],
        "weights": {"x": 2.0},
        "ramp": [[0.0, 1]],
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 1.0}, r"rate must be in \[0, 1\); got 1.0"),
        ({"rate": float("nan")}, "rate must be in"),
        ({"peak": 0}, "peak must be positive; got 0"),
        ({"peak": float("inf")}, "peak must be a number; got inf"),
        ({"share": 1.5}, "share must be between 0 and 1; got 1.5"),
        ({"share": 0}, "share must be between 0 and 1; got 0"),
        ({"rate": "fast"}, "rate must be a number; got 'fast'"),
        ({"size": 0}, "size must be a whole number from 1; got 0"),
        ({"size": 2.5}, "size must be a whole number; got 2.5"),
        ({"size": True}, "size must be a whole number; got True"),
        ({"size": None}, "size must be a whole number; got None"),
        ({"loud": 1}, "loud must be True or False; got 1"),
        ({"kind": "fance"}, "kind 'fance': expected one of plain, fancy; did you mean fancy?"),
        ({"names": "a,x"}, "names 'x': expected one of a, b, c"),
        ({"lengths": "32,x"}, "lengths '32,x': give whole numbers such as"),
        ({"lengths": (2, 32)}, "lengths must be a whole number from 3; got 2"),
        ({"ramp": "0:64,x"}, "ramp '0:64,x': give pairs such as"),
        ({"weights": "mlm"}, "weights 'mlm': give pairs such as"),
        ({"weights": 3}, "weights 3: give pairs such as"),
        ({"loud": True}, "loud and kind plain: do not go together"),
        ({"rat": 0.1}, "rat is no option here; did you mean rate"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    with pytest.raises(OptionError, match=message) as caught:
        Outer.from_flat(values)
    assert isinstance(caught.value, InputError) and "\n" not in str(caught.value)


def test_unknown_names_in_json():
    for values in ({"inner": {"sizes": 1}}, {"inners": {}}):
        with pytest.raises(OptionError, match="is no option here; did you mean"):
            Outer.from_dict(values)


def test_errors_come_whole_from_another_process():
    error = pickle.loads(pickle.dumps(OptionError(("size", "rate"), ": give one")))
    assert (error.names, error.problem) == (("size", "rate"), ": give one")
    assert str(error) == "size and rate: give one"
