import collections

import pytest

from keras_roberta.demo import docstrings
from keras_roberta.errors import InputError


@pytest.fixture
def site_packages(tmp_path):
    """Two packages with a hundred documented functions each."""
    directory = tmp_path / "site-packages"
    for library in ("numpy", "matplotlib"):
        package = directory / library
        (package / "tests").mkdir(parents=True)
        lines = ['"""A module of this library, which is documented."""']
        for i in range(100):
            doc = (
                f"Does {library} thing number {i} to the {library}.thing and gives {i} back to it."
            )
            lines.append(f'def f{i}():\n    """{doc}\n\n    >>> f{i}()\n    """\n')
        (package / "things.py").write_text("\n".join(lines))
        (package / "broken.py").write_text("def (:")
        (package / "tests" / "test_things.py").write_text('"""A test, which is not read."""')
    return directory


def test_docstrings_of_a_file(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        '"""Module."""\nraise SystemExit\nclass A:\n    """Class."""\n    def f(self):\n'
        '        """Method."""\n        def g():\n            """Inner."""\nif True:\n'
        '    def h():\n        """Conditional."""\n    x = """not one"""\n'
    )
    expected = {"Module.", "Class.", "Method.", "Inner.", "Conditional."}
    assert set(docstrings.docstrings(path)) == expected


def test_collect_reads_and_caches(site_packages, tmp_path):
    found = docstrings.collect(site_packages, cache=tmp_path / "cache")
    assert collections.Counter(library for library, _ in found) == {"numpy": 101, "matplotlib": 101}
    (site_packages / "numpy" / "things.py").unlink()
    assert docstrings.collect(site_packages, cache=tmp_path / "cache") == found


def test_damaged_cache_is_read_anew(site_packages, tmp_path):
    found = docstrings.collect(site_packages, cache=tmp_path / "cache")
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:40])
    assert docstrings.collect(site_packages, cache=tmp_path / "cache") == found


def test_labelled_set_hides_names_and_shares_no_text(site_packages, tmp_path):
    found = docstrings.collect(site_packages, cache=tmp_path / "cache")
    found += [(library, text + " Once more.") for library, text in found]
    # The texts of the two libraries differ in the names alone, and names are hidden.
    with pytest.raises(InputError, match="too few docstrings"):
        docstrings.library_of_docstring(found)
    found = [
        (library, text.replace("thing", "array" if library == "numpy" else "figure"))
        for library, text in found
    ]
    data = docstrings.library_of_docstring(found)
    assert data.labels == ("matplotlib", "numpy")
    assert not set(data.train[0]) & set(data.test[0])
    assert len(data.train[0]) > len(data.test[0]) > 10
    for text in data.train[0] + data.test[0]:
        assert "numpy" not in text and "matplotlib" not in text and ">>>" not in text
    assert data == docstrings.library_of_docstring(found)
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
    hide = docstrings._name_remover(["numpy", "keras", "sklearn", "tensorflow"])
    assert hide(text) == hidden
