"""What typer finds wrong with a command line, in our words and on one line."""

import re

from keras_roberta.unknown_arguments import nearest

_WORDS = {
    "Input should be a valid integer, unable to parse string as an integer": "not a whole number",
    "Input should be": "must be",
}
_KIND_OF_ERROR = re.compile(r": \w+ error, ")  # pydantic's, before typer's own words
_POSSIBLE = re.compile(r"(--?[\w-]+) \(Possible options: ([^)]+)\)")
_NONE_OF = re.compile(r"'([^']*)' is not one of ((?:'[^']+'(?:, )?)+)")
_COMMAND = re.compile(r"No such command '([^']*)'")


def usage_message(error) -> str:
    """The message of one of typer's errors; empty where help was shown instead."""
    message = " ".join(error.format_message().split()).rstrip(".")
    message = _KIND_OF_ERROR.sub(": ", message)
    for typers, ours in _WORDS.items():
        message = message.replace(typers, ours)
    message = _POSSIBLE.sub(lambda m: m[1] + nearest(m[1], m[2].split(", ")), message)
    message = _NONE_OF.sub(_with_nearest, message)
    found = _COMMAND.search(message)
    if found:
        known = getattr(getattr(getattr(error, "ctx", None), "command", None), "commands", {})
        return f"{found[0]}{nearest(found[1], known)}"
    return message


def _with_nearest(match):
    choices = re.findall(r"'([^']+)'", match[2])
    return f"'{match[1]}': expected one of {', '.join(choices)}{nearest(match[1], choices)}"
