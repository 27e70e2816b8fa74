"""TensorFlow without the lines that it prints before the script's own first one.

Its C++ log is set to errors that end the process; what goes wrong else reaches Python as an
exception. Three of its libraries log before they read that setting, each time they are loaded, so
those lines are taken out of the error output while the packages are imported.
"""

import importlib.abc
import importlib.machinery
import os
import re
import sys

from keras_roberta.startup.quiet_stderr import stderr_without

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_QUIET = "3"
DEBUG_VARIABLE = "KERAS_ROBERTA_DEBUG"
_NOISY = ("tensorflow", "tensorflow_text")  # the second brings another copy of the libraries
_LINES = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE]\d{4} [\d:.]+ +\d+ \w+\.cc:\d+\]"
    rb"|To enable the following instructions:).*\n",
    re.MULTILINE,
)


def import_tensorflow_quietly() -> None:
    """Makes the first import of TensorFlow in this process print nothing.

    Does nothing where TensorFlow is there already, or where the environment asks for lines: by
    `TF_CPP_MIN_LOG_LEVEL` (0 for all of them), or by `KERAS_ROBERTA_DEBUG`.
    """
    if "tensorflow" in sys.modules or os.environ.get(DEBUG_VARIABLE):
        return
    if os.environ.setdefault(LOG_LEVEL, _QUIET) == _QUIET:  # a child process finds it set so
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds the noisy packages as Python does, and loads them quietly."""

    def find_spec(self, name, path=None, target=None):
        if name not in _NOISY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(importlib.abc.Loader):
    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):  # what else a loader has: `get_data`, `is_package`, …
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader
        with stderr_without(_LINES):
            self._loader.exec_module(module)
