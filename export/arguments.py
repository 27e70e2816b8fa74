"""Checks of what callers pass to the exporters."""

from keras_roberta.errors import InputError
from keras_roberta.export.recipes import is_static
from keras_roberta.options import OptionError

INPUTS = ("text", "tokens")
# Of a `.tflite` whose lengths are not named: as many as keep a short text cheap.
LENGTHS = (32, 64, 128)
SHORTEST = 3
# What only `to_tflite` takes: a SavedModel takes texts of any length, and none of its schemes
# needs sample texts.
OF_TFLITE = ("sequence_lengths", "calibration")


def check_inputs(task, inputs, pairs):
    """Raises an InputError where the task cannot take what it is to take."""
    check_choice("inputs", inputs, INPUTS)
    if inputs == "tokens" and pairs:
        raise OptionError("pairs", ": goes with inputs='text'; token ids hold both texts already")
    if pairs and not task.schema.takes_pairs:
        raise OptionError("pairs", f": a {type(task).__name__} takes single texts")
    if inputs == "text" and getattr(task.preprocessor, "tokenizer", None) is None:
        raise OptionError(
            "inputs",
            ": the task has no preprocessor to take the tokenizer from; give it one, or "
            "export with inputs='tokens'",
        )


def takes_pairs(task, inputs, pairs):
    """Whether a file takes two texts a row: where that is asked for, or the task always does."""
    schema_cls = getattr(task, "schema_cls", None)
    return pairs or (inputs == "text" and getattr(schema_cls, "needs_pairs", False))


def check_sides(schema, sides, inputs, pairs, what="calibration"):
    """Raises an InputError unless there are texts, or pairs of them, as a file takes.

    Args:
        schema: of the task.
        sides: as its `texts_of` gives them; returned.
        inputs, pairs: of the file. Rows of token ids may be of either.
        what: the texts are, for the message: an argument or a path.
    """
    if not sides[0]:
        raise InputError(f"{what}: there are no texts")
    are_pairs = sides[1] is not None
    if are_pairs and not schema.takes_pairs:
        raise InputError(f"{what}: has pairs of texts, and the task takes single texts")
    if inputs == "text" and are_pairs and not pairs:
        raise OptionError("pairs", f": {what} has pairs of texts; give pairs")
    if inputs == "text" and pairs and not are_pairs:
        raise InputError(f"{what}: has no second texts, and the file takes pairs")
    return sides


def check_in_graph(tokenizer, in_graph):
    """The in-graph form of a tokenizer; an InputError where it has none (None)."""
    if in_graph is None:
        raise OptionError(
            "inputs",
            f": a tokenizer of the kind {tokenizer.kind_name} cannot go into the model, since "
            f"graphs do not follow {tokenizer.not_in_graphs()}; export with inputs='tokens'",
        )
    return in_graph


def lengths_of_file(sequence_lengths, longest, of_texts=None):
    """The lengths of a `.tflite`: those that are asked for, or those of `LENGTHS` that fit.

    Args:
        sequence_lengths: numbers of tokens, ascending, or None.
        longest: the model's `max_sequence_length`.
        of_texts: the preprocessor's `sequence_length`, beyond which no default goes; None where
            there are no texts.

    Raises:
        InputError: names the length that does not fit, or they do not increase.

    >>> lengths_of_file(None, 514), lengths_of_file(None, 40), lengths_of_file(None, 514, 20)
    ([32, 64, 128], [32, 40], [20])
    """
    if sequence_lengths is None:
        longest = min(longest, of_texts or longest)
        return sorted({min(length, longest) for length in LENGTHS})
    lengths = check_lengths(sequence_lengths, longest=longest)
    if lengths != [int(length) for length in sequence_lengths]:
        raise OptionError(
            "sequence_lengths",
            f": {', '.join(map(str, sequence_lengths))} do not increase; give each once, such as "
            f"{','.join(map(str, lengths))}",
        )
    return lengths


def check_lengths(lengths, *, longest=None, name="sequence_lengths", shortest=SHORTEST):
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
        raise OptionError(name, f": expected whole numbers such as (32, 128); got {lengths!r}")
    for length in whole:
        if length < shortest or length > (longest or length):
            end = f"{longest}, the model's max_sequence_length" if longest else ""
            raise OptionError(name, f": {length} is outside {shortest}..{end}")
    return whole


def check_choice(name, value, choices):
    """Raises an InputError that lists the choices unless `value` is among them."""
    if value not in choices:
        raise OptionError(name, f": expected one of {', '.join(choices)}; got {value!r}")


def check_number_of_texts(scheme, count):
    """Raises an InputError if a scheme is given too few sample texts."""
    if count < scheme.least_texts:
        raise OptionError(
            "calibration",
            f": quantization {scheme.name!r} needs {scheme.least_texts} texts or more like those "
            f"that the model will see; got {count}",
        )


def check_calibration(scheme, calibration, learned=None, fingerprint=None):
    """Raises an InputError unless a scheme is given sample texts just where it needs them.

    Args:
        learned: the `ActivationRanges` of the encoder, in place of texts; or None.
        fingerprint: of the encoder's weights; None where they are not known yet.
    """
    if scheme.needs_calibration and calibration is None:
        why = None
        if learned is not None and any(map(is_static, scheme.recipe)):
            why = learned.unfit_for(scheme.name, fingerprint)
            if not why:
                return
        raise OptionError(
            "calibration",
            f": quantization {scheme.name!r} needs texts like those that the model will "
            f"see; give a hundred or more{f' ({why})' if why else ''}",
        )
    if calibration is not None and not scheme.needs_calibration:
        raise OptionError(
            "calibration", f": quantization {scheme.name!r} needs no sample texts; leave it out"
        )
