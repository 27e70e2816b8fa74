import pytest


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
