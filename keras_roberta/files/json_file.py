"""Reads JSON files that others wrote."""

import json
import os
from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of


def read_json_object(path: str | os.PathLike, *, hint: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: the file.
        hint: what to do, or to ask oneself, where there is no such file.

    Raises:
        InputError: names the file and what is wrong with it.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {hint}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not JSON (it is not UTF-8 text)") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({reason_of(error)})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found a {type(content).__name__}")
    return content
