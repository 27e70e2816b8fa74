"""Checks of what callers pass to the exporters."""

from keras_roberta.errors import InputError
from keras_roberta.tasks.masked_lm import RobertaMaskedLM

INPUTS = ("text", "tokens")


def check_inputs(task, inputs, pairs):
    """Raises an InputError where the task cannot take what it is to take."""
    check_choice("inputs", inputs, INPUTS)
    if inputs == "tokens" and pairs:
        raise InputError("pairs: goes with inputs='text'; token ids hold both texts already")
    if pairs and isinstance(task, RobertaMaskedLM):
        raise InputError("pairs: a masked language model takes single texts")
    if inputs == "text" and getattr(task.preprocessor, "tokenizer", None) is None:
        raise InputError(
            "inputs: the task has no preprocessor to take the tokenizer from; give it one, or "
            "export with inputs='tokens'"
        )


def check_in_graph(tokenizer, in_graph):
    """The in-graph form of a tokenizer; an InputError where its kind has none (None)."""
    if in_graph is None:
        raise InputError(
            f"inputs: a tokenizer of the kind {tokenizer.kind_name} cannot go into the model; "
            "export with inputs='tokens'"
        )
    return in_graph


def check_lengths(lengths, longest, name="sequence_lengths", shortest=3):
    """The lengths in ascending order, each once; an InputError names the one that does not fit.

    Args:
        lengths: numbers of tokens.
        longest: the model's `max_sequence_length`, or None where longer ones do no harm.
        name: of the argument, for the message.
        shortest: the least that is allowed.
    """
    try:
        whole = sorted({int(length) for length in lengths})
        is_whole = whole == sorted({float(length) for length in lengths})
    except (TypeError, ValueError):
        whole, is_whole = [], False
    if not whole or not is_whole:
        raise InputError(f"{name}: expected whole numbers such as (32, 128); got {lengths!r}")
    for length in whole:
        if length < shortest or length > (longest or length):
            end = f"{longest}, the model's max_sequence_length" if longest else ""
            raise InputError(f"{name}: {length} is outside {shortest}..{end}")
    return whole


def check_choice(name, value, choices):
    """Raises an InputError that lists the choices unless `value` is among them."""
    if value not in choices:
        raise InputError(f"{name}: expected one of {', '.join(choices)}; got {value!r}")
