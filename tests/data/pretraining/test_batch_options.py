"""Options of batches: what goes together and what does not."""

import json

import pytest

from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.errors import InputError


@pytest.mark.parametrize(
    "values, message",
    [
        ({"objectives": ()}, "give one or more of mlm"),
        ({"objectives": ("mlm", "mlm")}, "each once"),
        ({"objectives": "mlm,xyz"}, "objectives mlm,xyz"),
        ({"packing": "tight"}, "packing 'tight': expected one of full-sentences"),
        ({"mask_units": "letter"}, "mask_units 'letter'"),
        ({"objectives": ("sop",), "packing": "full-sentences"}, "packing full-sentences makes non"),
        ({"objectives": ("choice", "nsp")}, "choice and nsp need different"),
        ({"objectives": ("choice",), "batch_size": 6}, "batch_size 6 does not divide"),
        (
            {"objectives": ("choice",), "num_choices": 1},
            "num_choices must be .* from 2",
        ),
        ({"objectives": ("choice", "sop")}, "choice and sop need different"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"sequence_length": 4}, "sequence_length must be a whole number from 8"),
        ({"mask_rate": 1.5}, "mask_rate must be between 0 and 1"),
        ({"mask_rate": 0}, "nothing to learn from"),
        ({"random_token_rate": 0.3}, "sum up to more than 1"),
        ({"language_alpha": -1}, "language_alpha must be"),
    ],
)
def test_options_that_do_not_go_together(values, message):
    with pytest.raises(InputError, match=message):
        BatchOptions(**values)


def test_options_that_an_objective_does_not_read():
    assert BatchOptions(("sop",), mask_rate=0).mask_rate == 0
    assert BatchOptions(("mlm",), num_choices=1, batch_size=6).num_choices == 1


def test_options_survive_json():
    kind = BatchOptions(("mlm", "sop"), batch_size=8, mask_units="span")
    assert BatchOptions(**json.loads(json.dumps(kind.to_dict()))) == kind
