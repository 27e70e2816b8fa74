import pytest

from keras_roberta.demo.docstring_reader import collect
from keras_roberta.demo.library_of_docstring import _name_remover, library_of_docstring
from keras_roberta.errors import InputError


def test_labelled_set_hides_names_and_shares_no_text(site_packages, tmp_path):
    found = collect(site_packages, cache=tmp_path / "cache")
    found += [(library, text + " Once more.") for library, text in found]
    # The texts of the two libraries differ in the names alone, and names are hidden.
    with pytest.raises(InputError, match="too few docstrings"):
        library_of_docstring(found)
    found = [
        (library, text.replace("thing", "array" if library == "numpy" else "figure"))
        for library, text in found
    ]
    data = library_of_docstring(found)
    assert data.labels == ("matplotlib", "numpy")
    assert not set(data.train[0]) & set(data.test[0])
    assert len(data.train[0]) > len(data.test[0]) > 10
    for text in data.train[0] + data.test[0]:
        assert "numpy" not in text and "matplotlib" not in text and ">>>" not in text
    assert data == library_of_docstring(found)
    numpy_tests = [t for t, label in zip(*data.test, strict=True) if label == 1]
    for text in numpy_tests:
        number = text.split(" number ")[1].split()[0]
        assert not any(f"array number {number} " in docstring for docstring in data.corpus)


@pytest.mark.parametrize(
    "text, hidden",
    [
        ("Use np.asarray(x) here", "Use (x) here"),
        ("A KerasTensor is a tensor", "A is a tensor"),
        ("See scikit-learn's guide", "See 's guide"),
        ("tf.data and tensorflow_text", "and"),
        ("input and output", "input and output"),
    ],
)
def test_names_are_taken_out(text, hidden):
    hide = _name_remover(["numpy", "keras", "sklearn", "tensorflow"])
    assert hide(text) == hidden
