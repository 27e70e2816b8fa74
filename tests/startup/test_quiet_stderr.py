"""What is kept off the error output, and what is not."""

import os
import re

import pytest

from keras_roberta.startup.quiet_stderr import stderr_without

NOISE = re.compile(rb"INFO: .*\n")


def write_past_python(text):
    os.write(2, text)


def test_only_what_matches_is_dropped(capfd):
    with stderr_without(NOISE):
        write_past_python(b"before\nINFO: noise\nafter\n")
    write_past_python(b"INFO: later\n")
    assert capfd.readouterr().err == "before\nafter\nINFO: later\n"


def test_an_error_shows_all(capfd):
    with pytest.raises(ValueError), stderr_without(NOISE):
        write_past_python(b"INFO: why\n")
        raise ValueError
    assert capfd.readouterr().err == "INFO: why\n"
