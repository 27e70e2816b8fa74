"""The samples of each batch, before masking. They depend on shards, options and seed only."""

from collections.abc import Sequence

import numpy as np

from keras_roberta.data.corpus.language_sampling import language_shares
from keras_roberta.data.corpus.scripts import token_scripts
from keras_roberta.data.corpus.shards import NO_LABEL, Shards
from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.data.pretraining.packed_rows import Rows
from keras_roberta.data.pretraining.packing import PAIRS
from keras_roberta.data.pretraining.sample_order import Endless, Once
from keras_roberta.data.stateless import hash64, uniform
from keras_roberta.errors import InputError

_ORDER, _EXCHANGED, _SWAPPED, _MASK, _ENDING, _ANSWER = range(
    1, 7
)  # the purposes of random numbers
_TRIES = 16  # times `num_choices`: rows to look at for endings of other documents


class Samples:
    """Batches as dicts of NumPy arrays.

    Args:
        shards: the shards to read.
        options: sequence length, packing, objectives and so on.
        split: "train" or "heldout".
        seed: seed of order and masking.
        once: True gives every row once, for evaluation, and then empty samples. False samples
            languages by their shares, without an end.
        languages: names of the languages to use, or None for all.

    Attributes:
        languages: names of the languages that have rows.
        num_rows: {language: number of rows}
        shares: {language: share of the samples}
        num_batches: number of batches that contain all rows; only with `once`.
        padding: the expected share of padding.

    Raises:
        InputError: the shards do not have what the options need.
    """

    def __init__(
        self,
        shards: Shards,
        options: BatchOptions,
        split: str,
        seed: int,
        once: bool = False,
        languages: Sequence[str] | None = None,
    ):
        self._shards, self._options, self._seed = shards, options, seed
        self._rows = _rows_by_language(shards, options, split, languages or shards.languages)
        self.languages = tuple(self._rows)
        self.num_rows = {name: rows.num_rows for name, rows in self._rows.items()}
        if once:
            self.shares = language_shares(self.num_rows, 1)
            batch_size = options.batch_size // self._rows_a_sample
            self._order = Once(list(self.num_rows.values()), batch_size, hash64(seed, _ORDER))
            self.num_batches = self._order.num_batches
        else:
            tokens = {name: shards.counts[split][name]["tokens"] for name in self._rows}
            self.shares = language_shares(tokens, options.language_alpha)
            self._order = Endless(
                list(self.num_rows.values()), list(self.shares.values()), hash64(seed, _ORDER)
            )
        self.padding = sum(self.shares[name] * rows.padding for name, rows in self._rows.items())
        self._numbers = np.array([shards.languages.index(name) for name in self._rows])
        self._sources = list(self._rows.values())
        self._scripts = None
        if "tokens" in options.objectives and shards.token_label_source == "script":
            self._scripts = token_scripts(shards.tokenizer)

    def batch(self, first: int, count: int) -> dict[str, np.ndarray]:
        """The `count` samples from number `first` on.

        A sample is one row, or `num_choices` rows for the objective "choice".

        Returns:
            token_ids: int32 (rows, length).
            row_seeds: int64 (rows,), seeds for the masking.
            segment_ids: int32 (rows, length); only with block-diagonal packing.
            <objective>: int32, the targets of each objective except mlm: `sop` and `nsp` (rows,),
                `choice` (count,), `tokens` (rows, length).
            <objective>_weights: float32, of the shape of the targets.
        """
        samples = np.arange(first, first + count)
        languages, epochs, rows = self._order(samples)
        batch = self._empty(count)
        batch["row_seeds"] = self._row_seeds(samples, languages, rows)
        for language in np.unique(languages[languages >= 0]):
            here = np.flatnonzero(languages == language)
            self._fill(batch, here, samples[here], language, epochs[here], rows[here])
        return batch

    def _empty(self, count):
        options, tokenizer = self._options, self._shards.tokenizer
        rows, length = count * self._rows_a_sample, options.sequence_length
        batch = {"token_ids": np.full((rows, length), tokenizer.pad_token_id, np.int32)}
        batch["token_ids"][:, :2] = tokenizer.start_token_id, tokenizer.end_token_id
        if options.packing == "block-diagonal":
            batch["segment_ids"] = np.zeros((rows, length), np.int32)
            batch["segment_ids"][:, :2] = 1
        shapes = {"sop": (rows,), "nsp": (rows,), "choice": (count,), "tokens": (rows, length)}
        for name in options.objectives:
            if name != "mlm":
                batch[name] = np.zeros(shapes[name], np.int32)
                batch[f"{name}_weights"] = np.zeros(shapes[name], np.float32)
        return batch

    @property
    def _rows_a_sample(self):
        return self._options.num_choices if "choice" in self._options.objectives else 1

    def _row_seeds(self, samples, languages, rows):
        """Seeds for the masking: of the row with static masking, of the sample with dynamic."""
        of = (self._numbers[languages], rows) if self._options.static_masking else (samples,)
        of = [part[:, None] for part in of]
        seeds = hash64(self._seed, _MASK, *of, np.arange(self._rows_a_sample))
        return (seeds >> np.uint64(1)).astype(np.int64).reshape(-1)

    def _fill(self, batch, here, samples, language, epochs, rows):
        """Writes samples of one language into the batch, at the indices `here`."""
        source, number = self._sources[language], self._numbers[language]
        draw = (self._seed, number, epochs)
        if "choice" in self._options.objectives:
            for i, sample, row in zip(here.tolist(), samples, rows.tolist(), strict=True):
                self._fill_choice(batch, i, source, number, row, int(sample))
            return
        exchanged, partners = np.zeros(len(rows), bool), rows
        swapped = np.zeros(len(rows), bool)
        with_sop, with_nsp = "sop" in batch, "nsp" in batch
        if with_nsp:
            # Two rows exchange their second segments, so no segment is lost or used twice. With
            # sop, a third of the rows are exchanged, a third swapped and a third unchanged.
            partners = source.partners(rows)
            chance = uniform(*draw, _EXCHANGED, np.minimum(rows, partners))
            exchanged = chance < (1 / 3 if with_sop else 1 / 2)
        if with_sop:
            swapped = uniform(*draw, _SWAPPED, rows) < 0.5
        for j, i in enumerate(here.tolist()):
            segments = source.segments(int(rows[j]))
            is_pair = self._options.packing in PAIRS and len(segments) == 2
            usable = is_pair
            if with_nsp and is_pair:
                other = source.segments(int(partners[j]))
                usable = len(other) == 2 and other[0][:2] != segments[0][:2]
                exchange = usable and exchanged[j]
                if exchange:
                    segments = [segments[0], other[1]]
                batch["nsp"][i] = exchange
            else:
                exchange = False
            swap = with_sop and is_pair and not exchange and swapped[j]
            if swap:
                segments = segments[::-1]
                batch["sop"][i] = 1
            written = self._write(batch, i, source, number, segments)
            if with_sop:
                batch["sop_weights"][i] = written and is_pair and not exchange
            if with_nsp:
                batch["nsp_weights"][i] = written and usable and not swap

    def _fill_choice(self, batch, i, source, number, row, sample):
        """Writes a beginning with its own and other documents' endings, in a random order."""
        k = self._options.num_choices
        beginning, ending = source.segments(row)
        endings, documents = [], {beginning[:2]}
        candidates = hash64(self._seed, _ENDING, sample, np.arange(_TRIES * k))
        candidates %= np.uint64(source.num_rows)
        for candidate in candidates.tolist():
            if len(endings) == k - 1:
                break
            other = source.segments(int(candidate))[1]
            if other[:2] not in documents:
                endings.append(other)
                documents.add(other[:2])
        found = len(endings) == k - 1
        endings += [ending] * (k - 1 - len(endings))
        answer = int(hash64(self._seed, _ANSWER, sample) % np.uint64(k))
        endings.insert(answer, ending)
        written = [
            self._write(batch, i * k + j, source, number, [beginning, end])
            for j, end in enumerate(endings)
        ]
        batch["choice"][i] = answer
        batch["choice_weights"][i] = found and all(written)

    def _write(self, batch, row, source, number, segments):
        tokenizer, token_ids = self._shards.tokenizer, batch["token_ids"][row]
        token_ids[:2] = tokenizer.pad_token_id
        segment_ids = batch["segment_ids"][row] if "segment_ids" in batch else None
        if segment_ids is not None:
            segment_ids[:2] = 0
        labels = None
        if "tokens" in batch and self._shards.token_label_source == "corpus":
            labels = np.full(token_ids.shape, NO_LABEL, np.uint8)
        specials = (tokenizer.start_token_id, tokenizer.end_token_id)
        written = source.write(segments, specials, token_ids, segment_ids, labels)
        if "tokens" in batch:
            if self._scripts is not None:
                labels = self._scripts[token_ids]
            counts = ~np.isin(token_ids, tokenizer.special_token_ids)
            if labels is not None:
                counts &= labels != NO_LABEL
            batch["tokens"][row] = np.where(counts, number if labels is None else labels, 0)
            batch["tokens_weights"][row] = counts
        return written


def _rows_by_language(shards, options, split, languages):
    """{language: `Rows`} for the languages that have rows."""
    pairs_only = "choice" in options.objectives
    unknown = sorted(set(languages) - set(shards.languages))
    if unknown:
        raise InputError(
            f"{shards.directory}: no language {unknown[0]!r}; there are "
            f"{', '.join(shards.languages)}"
        )
    if "tokens" in options.objectives and len(shards.token_labels) < 2:
        raise InputError(
            f"{shards.directory}: the objective tokens needs two classes and the shards have "
            f"{len(shards.token_labels)}; prepare them with other token labels"
        )
    found, pairs = {}, 0
    for language in languages:
        rows = _planned(
            shards, split, language, options.packing, options.sequence_length, pairs_only
        )
        pairs += rows.num_pairs
        if rows.num_rows:
            found[language] = rows
    documents = max(shards.counts[split][name]["documents"] for name in languages)
    needed = {"nsp": 2, "choice": options.num_choices}
    for name in needed.keys() & set(options.objectives):
        if documents < needed[name]:
            raise InputError(
                f"{shards.directory}: the objective {name} needs {needed[name]} {split} documents "
                f"of a language, and there are {documents}"
            )
    of_pairs = {"sop", "nsp", "choice"}.intersection(options.objectives)
    if of_pairs and not pairs:
        raise InputError(
            f"{shards.directory}: no {split} document has two sentences, which the objective "
            f"{min(of_pairs)} needs"
        )
    if not found:
        raise InputError(f"{shards.directory}: there is no {split} text")
    return found


def _planned(shards, *plan):
    """The `Rows` for these arguments. They are planned once and kept with the opened shards."""
    if plan not in shards.plans:
        shards.plans[plan] = Rows(shards, *plan)
    return shards.plans[plan]
