"""Options as records: what a job can be told, with default, help and check of each in one place.

A record is a frozen dataclass whose fields are made by `option`. It checks itself when it is made,
in Python as on the command line, which is derived from it (`keras_roberta.cli.derived`):

    @dataclasses.dataclass(frozen=True)
    class FinetuneOptions(Options):
        epochs: int = option(1, "Times to go over the data.", at_least=1)

Nothing here imports TensorFlow or Keras.
"""

from keras_roberta.options.option import Option, OptionError
from keras_roberta.options.record import NamedOption, Options, all_options, nested, option

__all__ = ["NamedOption", "Option", "OptionError", "Options", "all_options", "nested", "option"]
