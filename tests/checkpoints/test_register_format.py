"""Checkpoint formats of users: registered once, again, and under a name that is taken."""

import pytest

from keras_roberta.checkpoints import format_names
from keras_roberta.checkpoints.formats import FORMATS, format_named, register_format
from keras_roberta.checkpoints.keras_preset import KerasPresetFormat
from keras_roberta.errors import InputError

NAMES = ("keras", "hugging-face", "fairseq", "keras-hub")


class ShelfFormat(KerasPresetFormat):
    name = "shelf"


class OtherShelfFormat(KerasPresetFormat):
    name = "shelf"


@pytest.fixture(autouse=True)
def lists_as_before():
    formats, names = list(FORMATS), list(format_names.NAMES)
    yield
    FORMATS[:], format_names.NAMES[:] = formats, names


def test_registered_again_it_takes_the_older_ones_place():
    register_format(ShelfFormat())
    newer = register_format(ShelfFormat())
    assert format_named("shelf") is newer
    assert [known.name for known in FORMATS] == [*NAMES, "shelf"]
    assert format_names.names() == (*NAMES, "shelf")


def test_a_name_that_is_taken():
    first = register_format(ShelfFormat())
    with pytest.raises(InputError, match="OtherShelfFormat: .*'shelf' is taken by ShelfFormat"):
        register_format(OtherShelfFormat())
    assert format_named("shelf") is first
