"""Examples whose rows are windows of texts."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_roberta.data.examples.examples import Examples
from keras_roberta.data.examples.windows import Windows


@dataclasses.dataclass
class WindowedExamples(Examples):
    """`Examples` that know which tokens of which texts their rows hold.

    Attributes:
        windows: `Windows`
        offsets: for each text int32 (tokens, 2), where in its UTF-8 they lie, none added.
    """

    windows: Windows | None = None
    offsets: list[np.ndarray] | None = None

    @classmethod
    def of(cls, preprocessor, windows: Windows, offsets: list[np.ndarray], **columns):
        """From windows, with columns as `Examples` has them."""
        return cls(
            preprocessor,
            windows.token_ids,
            rows_per_example=windows.rows_per_text,
            windows=windows,
            offsets=offsets,
            **columns,
        )
