import collections

from keras_roberta.demo import docstring_reader


def test_docstrings_of_a_file(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        '"""Module."""\nraise SystemExit\nclass A:\n    """Class."""\n    def f(self):\n'
        '        """Method."""\n        def g():\n            """Inner."""\nif True:\n'
        '    def h():\n        """Conditional."""\n    x = """not one"""\n'
    )
    expected = {"Module.", "Class.", "Method.", "Inner.", "Conditional."}
    assert set(docstring_reader.docstrings(path)) == expected


def test_collect_reads_and_caches(site_packages, tmp_path):
    found = docstring_reader.collect(site_packages, cache=tmp_path / "cache")
    assert collections.Counter(library for library, _ in found) == {"numpy": 101, "matplotlib": 101}
    (site_packages / "numpy" / "things.py").unlink()
    assert docstring_reader.collect(site_packages, cache=tmp_path / "cache") == found


def test_damaged_cache_is_read_anew(site_packages, tmp_path):
    found = docstring_reader.collect(site_packages, cache=tmp_path / "cache")
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:40])
    assert docstring_reader.collect(site_packages, cache=tmp_path / "cache") == found
