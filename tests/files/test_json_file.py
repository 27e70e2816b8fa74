"""Other people's JSON: what is said of every way in which a file can be wrong."""

import pytest

from keras_roberta.errors import InputError
from keras_roberta.files.json_file import read_json_object


def test_reads_an_object(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"naïve": [1, 2.5, null]}', encoding="utf-8")
    assert read_json_object(path, hint="") == {"naïve": [1, 2.5, None]}
    assert read_json_object(str(path), hint="") == {"naïve": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.json: not JSON"),
        (b"{", "a.json: not JSON"),
        (b"\xff\xfe", "a.json: not JSON .*UTF-8"),
        (b"\xed\xa0\x80", "a.json: not JSON .*UTF-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a.json: not JSON"),
        (b"[" * 200_000, "a.json: not JSON"),
        (b'{"a":' * 200_000, "a.json: not JSON"),
        (b"[]", "a.json: expected a JSON object, found a list"),
        (b'"a"', "a.json: expected a JSON object, found a str"),
        (b"null", "a.json: expected a JSON object, found a NoneType"),
    ],
)
def test_other_content_is_named(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_json_object(path, hint="look again")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="a.json: no such file; look again"):
        read_json_object(tmp_path / "a.json", hint="look again")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_json_object(tmp_path, hint="")
