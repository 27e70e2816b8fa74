"""The likeliest tokens for each `<mask>` of a text."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.errors import InputError
from keras_roberta.options import Option, OptionError
from keras_roberta.options.values import checked
from keras_roberta.schemas.comparison import Comparison, changed_by
from keras_roberta.schemas.schema import Schema

_BY_MASK = ("token_ids", "scores", "logits", "tokens")  # outputs (rows, masks, top_k)
# What they hold where a text has no such mask: no token has the id.
NOTHING = {"token_ids": -1, "scores": 0.0, "logits": 0.0}


@dataclasses.dataclass(frozen=True)
class MaskedTokens(Schema):
    """Candidates for hidden tokens; there are no labels but the texts themselves.

    Attributes:
        mask_token_id: of `<mask>`.
        top_k: candidates for each mask, the best first.
        max_masks: masks of a text that are answered; None for all.
        mask_token: how a text spells `<mask>`.
    """

    mask_token_id: int
    top_k: int = 5
    max_masks: int | None = None
    mask_token: str = "<mask>"

    name: ClassVar[str] = "masked-tokens"
    takes_pairs: ClassVar[bool] = False
    has_targets: ClassVar[bool] = False
    training_options: ClassVar[frozenset[str]] = frozenset({"r_drop", "confidence_penalty"})
    asked_besides: ClassVar[frozenset[str]] = frozenset({"top_k", "candidates"})

    def targets(self, labels):
        raise InputError("masked language modelling learns from texts alone; leave out labels")

    def as_asked(self, *, top_k=None, candidates=None):
        """With fewer candidates than the file gives; words to choose from it does not know."""
        if candidates is not None:
            raise OptionError(
                "candidates",
                f": the file takes none, it gives the {self.top_k} likeliest tokens; ask the "
                "preset that it came from",
            )
        if top_k is None:
            return self
        top_k = checked("top_k", int, Option("", at_least=1), top_k)
        if top_k > self.top_k:
            raise OptionError(
                "top_k",
                f": the file gives {self.top_k} tokens for each mask; export it with top_k={top_k}",
            )
        return dataclasses.replace(self, top_k=top_k)

    def finish(self, outputs):
        """Cut to the most masks of a row and to `top_k`; candidates as strings where the file
        spells them."""
        outputs = dict(outputs)
        besides = ("input_ids", "num_tokens", "tokens_bytes")
        if "token_utf8" in outputs:
            utf8, sizes = outputs.pop("token_utf8"), outputs.pop("token_num_bytes")
            rows = zip(utf8.reshape(-1, utf8.shape[-1]), sizes.reshape(-1), strict=True)
            tokens = [row[:size].tobytes() for row, size in rows]
            outputs["tokens"] = np.array(tokens, object).reshape(sizes.shape)
        masks = int(outputs["num_masks"].max(initial=0))
        for name in _BY_MASK:
            if name in outputs:
                outputs[name] = stacked(outputs[name])[:, :masks, : self.top_k]
        for name in ("tokens", "filled"):
            if name in outputs:
                texts = [_as_text(text) for text in outputs[name].reshape(-1)]
                outputs[name] = np.array(texts, object).reshape(outputs[name].shape)
        return {k: v for k, v in outputs.items() if k not in besides}

    def spell(self, outputs, tokenizer):
        """Adds `tokens`, the spelling of each candidate, empty behind the masks of a row."""
        if "tokens" in outputs:
            return outputs
        ids = stacked(outputs["token_ids"])  # (rows, masks, top_k)
        known = np.maximum(ids, 0).reshape(-1, 1)
        spelt = tokenizer.decode_batch(known, skip_special_tokens=False)
        there = np.arange(ids.shape[1]) < np.asarray(outputs["num_masks"])[:, None]
        tokens = np.array(spelt, object).reshape(ids.shape)
        return {**outputs, "tokens": np.where(there[..., None], tokens, "")}

    def check_answered(self, asked, outputs):
        """Every text has to have a mask, and all of them an answer."""
        texts = None
        if asked is not None and not (isinstance(asked, dict) and "token_ids" in asked):
            texts, _ = texts_and_pairs(asked)
        most = np.inf if self.max_masks is None else self.max_masks
        for row, found in enumerate(np.asarray(outputs["num_masks"]).tolist()):
            written = found if texts is None else max(found, texts[row].count(self.mask_token))
            if not written:
                raise InputError(
                    f"row {row}: there is no {self.mask_token} in what the model reads of it; "
                    "write one where a word is missing"
                )
            if found < written:
                raise InputError(
                    f"row {row}: of its {written} {self.mask_token} the model reads {found}, and "
                    "the others lie behind its longest row; shorten the text"
                )
            if found > most:
                raise InputError(
                    f"row {row}: has {found} {self.mask_token}, and the file answers {most} a "
                    f"text; export it with max_masks={found}, or ask for fewer"
                )

    def answers(self, outputs):
        if "tokens" not in outputs:
            raise InputError("the candidates have no spelling: give the model's tokenizer")
        rows = []
        for row, count in enumerate(np.asarray(outputs["num_masks"]).tolist()):
            answer = {"tokens": [list(mask) for mask in outputs["tokens"][row][:count]]}
            answer["scores"] = [mask.tolist() for mask in outputs["scores"][row][:count]]
            if "filled" in outputs:
                answer["filled"] = outputs["filled"][row]
            rows.append(answer)
        return rows

    def compare(self, found, expected):
        """How often the first candidates agree, and how far the probabilities are apart.

        A candidate of both models is compared by its id, whatever its rank. Of a candidate that
        only one model names, the other model's probability is not known, but it is at most that
        of the last candidate there; what lies above that counts as its change.
        """
        found_ids, expected_ids = stacked(found["token_ids"]), stacked(expected["token_ids"])
        masks = min(found_ids.shape[1], expected_ids.shape[1])
        counts = np.minimum(np.asarray(expected["num_masks"]), masks)
        there = np.arange(masks) < counts[:, None]  # (rows, masks)
        if not there.any():
            return Comparison(1.0, 0.0)
        found_ids, expected_ids = found_ids[:, :masks][there], expected_ids[:, :masks][there]
        found_scores = stacked(found["scores"])[:, :masks][there]  # (masks, top_k)
        expected_scores = stacked(expected["scores"])[:, :masks][there]
        same = found_ids[:, 0] == expected_ids[:, 0]
        # By id: two candidates that are about as likely easily change ranks.
        shared = found_ids[:, :, None] == expected_ids[:, None, :]  # (masks, top_k, top_k)
        mask, one, other = np.nonzero(shared)
        change = changed_by(found_scores[mask, one], expected_scores[mask, other])
        above = found_scores - expected_scores[:, -1:], expected_scores - found_scores[:, -1:]
        for axis, excess in zip((2, 1), above, strict=True):
            alone = ~shared.any(axis=axis)
            change = max(change, float(np.max(excess[alone], initial=0.0)))
        return Comparison(float(same.mean()), change)


def stacked(rows) -> np.ndarray:
    """Arrays (masks, top_k) of one shape as one array."""
    return rows if isinstance(rows, np.ndarray) else np.stack(rows)


def _as_text(text):
    return text.decode(errors="replace") if isinstance(text, bytes) else text
