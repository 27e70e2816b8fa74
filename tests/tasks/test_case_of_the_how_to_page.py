"""The case that docs/how-to/add-a-task.md shows is one that `task_cases.py` takes."""

import pathlib
import re

import task_cases

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/how-to/add-a-task.md"


def test_the_case_that_is_shown():
    (shown,) = re.findall(
        r"^```text\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    case = eval(shown, vars(task_cases))
    assert isinstance(case, task_cases.TaskCase)
    assert case.class_name == "RobertaStarRater" and f"class {case.class_name}(" in PAGE.read_text()
    assert len(case.x) == len(case.y) == len(case.table) == 10
