import io

from rich.console import Console

from keras_roberta.demo import stages as module
from keras_roberta.demo.stages import Stages


def test_stages_are_timed(monkeypatch):
    seconds = iter([0.0, 3.0, 10.0, 11.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
    stages = Stages()
    with stages("read"):
        pass
    with stages("write"):
        pass
    assert stages.seconds == {"read": 3.0, "write": 1.0}
    console = Console(width=60, file=io.StringIO())
    console.print(stages.table())
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert lines[1:] == [["read", "3.0", "75%"], ["write", "1.0", "25%"], ["all", "4.0", "100%"]]
