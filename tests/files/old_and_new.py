"""A directory of old files, the new ones that take their place, and what is there."""

from keras_roberta.files.atomic_write import atomic_directory

OLD = {"config.json": "old", "weights": "old", "head": "old", "sub/a": "old"}
NEW = {"config.json": "new", "weights": "new", "sub/a": "new", "sub/b": "new"}


def content(directory):
    """{name: text} of the files, without those that are hidden."""
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and not path.relative_to(directory).parts[0].startswith(".")
    }


def fill(directory, texts):
    for name, text in texts.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def write_new(out, texts=NEW, **arguments):
    with atomic_directory(out, **arguments) as new:
        fill(new, texts)
