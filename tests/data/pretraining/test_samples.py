"""The samples of each batch, before masking."""

import collections
import re
import shutil

import numpy as np
import pytest

from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.corpus.shards import index_name, open_shards
from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.data.pretraining.samples import Samples
from keras_roberta.jobs.prepare.one_machine import prepare

_DOCUMENT = re.compile(r"[dж](\d+)s\d+")


def samples(shards, *objectives, seed=3, split="train", once=False, languages=None, **options):
    options = {"batch_size": 8, "sequence_length": 64, **options}
    return Samples(shards, BatchOptions(objectives, **options), split, seed, once, languages)


def rows_of_one_pass(samples, batch_size=8):
    batches = [samples.batch(i * batch_size, batch_size) for i in range(samples.num_batches)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def documents(shards, ids):
    """The documents that a row is of."""
    return {int(number) for number in _DOCUMENT.findall(shards.tokenizer.decode(ids.tolist()))}


def seeds_by_row(batch, shards):
    """{token ids of a row: the seeds that it is masked with}; without rows of no text."""
    found = collections.defaultdict(set)
    for ids, seed in zip(batch["token_ids"], batch["row_seeds"].tolist(), strict=True):
        if documents(shards, ids):
            found[ids.tobytes()].add(seed)
    return found


def test_seeds_of_static_masking_are_those_of_the_rows(shards):
    """A row of a language has its own, in each epoch and whatever else is read beside it."""
    static = {"packing": "doc-sentences", "static_masking": True, "language_alpha": 0.0}
    endless = samples(shards, "mlm", **static)
    count = 3 * max(endless.num_rows.values())
    seeds = seeds_by_row(endless.batch(0, count), shards)
    assert all(len(of_row) == 1 for of_row in seeds.values())
    assert len(set.union(*seeds.values())) == len(seeds) > sum(endless.num_rows.values()) / 2
    alone = samples(shards, "mlm", once=True, languages=["sv"], **static)
    alone = seeds_by_row(rows_of_one_pass(alone), shards)
    both = alone.keys() & seeds.keys()
    assert len(both) > len(alone) / 2 and all(alone[row] == seeds[row] for row in both)
    other = seeds_by_row(samples(shards, "mlm", seed=4, **static).batch(0, count), shards)
    assert all(other[row] != seeds[row] for row in other.keys() & seeds.keys())


def test_seeds_of_dynamic_masking_are_those_of_the_samples(shards):
    dynamic = samples(shards, "mlm", packing="doc-sentences", languages=["ru"])
    batch = dynamic.batch(0, 3 * dynamic.num_rows["ru"])
    assert len(set(batch["row_seeds"].tolist())) == len(batch["row_seeds"])
    assert all(len(of_row) == 3 for of_row in seeds_by_row(batch, shards).values())
    later = dynamic.batch(5, 2)["row_seeds"]
    np.testing.assert_array_equal(later, batch["row_seeds"][5:7])


@pytest.mark.parametrize("static", [False, True])
def test_each_ending_of_a_choice_has_a_seed_of_its_own(shards, static):
    batch = samples(shards, "mlm", "choice", num_choices=4, static_masking=static).batch(0, 2)
    assert len(set(batch["row_seeds"].tolist())) == 8


def test_a_pass_has_as_many_batches_as_its_samples_need(shards):
    for objective, samples_a_batch in (("mlm", 8), ("choice", 2)):
        once = samples(shards, objective, once=True, num_choices=4)
        rows = sum(once.num_rows.values())
        assert once.num_batches == -(-rows // samples_a_batch)


def test_padding_of_a_pass_is_that_of_its_rows(shards):
    once = samples(shards, "mlm", once=True, packing="doc-sentences", language_alpha=0.0)
    rows = rows_of_one_pass(once)["token_ids"]
    rows = [row for row in rows if documents(shards, row)]
    padding = np.mean(np.array(rows) == shards.tokenizer.pad_token_id)
    assert len(rows) == sum(once.num_rows.values())
    assert once.padding == pytest.approx(padding, abs=1e-9)


def test_what_is_swapped_does_not_depend_on_the_other_languages(shards):
    together = rows_of_one_pass(samples(shards, "sop", once=True))
    alone = rows_of_one_pass(samples(shards, "sop", once=True, languages=["sv"]))
    everywhere = {row.tobytes() for row in together["token_ids"]}
    assert alone["sop"].any() and all(row.tobytes() in everywhere for row in alone["token_ids"])


def test_what_is_swapped_changes_from_epoch_to_epoch(shards):
    endless = samples(shards, "sop", languages=["ru"])
    count = endless.num_rows["ru"]
    first, second = (endless.batch(epoch * count, count) for epoch in range(2))
    swapped = [int((batch["sop"] * batch["sop_weights"]).sum()) for batch in (first, second)]
    rows = [{row.tobytes() for row in batch["token_ids"]} for batch in (first, second)]
    assert min(swapped) > 0 and rows[0] != rows[1]


def test_rows_that_fill_up_a_pass_hold_no_text_and_one_block(shards):
    once = samples(shards, "tokens", once=True, packing="block-diagonal", batch_size=64)
    rows = rows_of_one_pass(once, 64)
    start, end = shards.tokenizer.start_token_id, shards.tokenizer.end_token_id
    is_text = rows["token_ids"] != shards.tokenizer.pad_token_id
    np.testing.assert_array_equal(rows["segment_ids"] > 0, is_text)
    empty = ~rows["tokens_weights"].any(axis=1)
    assert empty.any() and (is_text[empty].sum(axis=1) == 2).all()
    assert (rows["token_ids"][empty, :2] == (start, end)).all()


@pytest.fixture(scope="module")
def few(make_shards):
    """Four English documents of several sentences, a Swedish one of a single sentence."""
    english = [" ".join(f"d{i}s{j} a warm film." for j in range(8)) for i in range(4)]
    return make_shards({"en": "\n".join(english), "sv": "d9s0 varm film."}, heldout=0)


@pytest.mark.parametrize(("objective", "num_choices"), [("choice", 4), ("nsp", 4), ("sop", 4)])
def test_languages_with_too_few_documents_are_read_beside_others(few, objective, num_choices):
    found = samples(few, objective, num_choices=num_choices, sequence_length=24)
    assert set(found.languages) == ({"en"} if objective == "choice" else {"en", "sv"})


def test_endings_are_of_as_many_documents(few):
    found = samples(few, "choice", num_choices=4, sequence_length=24)
    batch = found.batch(0, 40)
    rows = batch["token_ids"].reshape(40, 4, -1)
    assert batch["choice_weights"].any()
    for choices in rows[batch["choice_weights"] > 0]:
        of_choices = [documents(few, choice) for choice in choices]
        assert set.union(*of_choices) == {0, 1, 2, 3}
        assert sorted(map(len, of_choices)) == [1, 2, 2, 2]


def test_a_choice_without_other_endings_counts_for_nothing(make_shards):
    """Only one document has a second sentence."""
    long = " ".join(f"d0s{j} a warm film." for j in range(20))
    single = "\n".join([long, *(f"d{i}s0 a dull film." for i in range(1, 4))])
    shards = make_shards({"en": single}, heldout=0)
    batch = samples(shards, "choice", num_choices=2, sequence_length=24).batch(0, 10)
    assert not batch["choice_weights"].any()


@pytest.mark.parametrize("objective", ["mlm", "sop", "nsp", "choice", "tokens"])
def test_damaged_documents_count_for_nothing(shards, tmp_path, objective):
    """Every record is altered."""
    shutil.copytree(shards.directory, tmp_path / "out")
    for language in shards.languages:
        for description in shards.descriptions("train", language):
            path = tmp_path / "out" / description["name"]
            data = bytearray(path.read_bytes())
            with np.load(tmp_path / "out" / index_name(path.name)) as index:
                for place in index["token_ids"]:
                    data[place] ^= 1
            path.write_bytes(data)
    damaged = open_shards(tmp_path / "out", on_corrupt="skip")
    kind = {"num_choices": 2, "packing": "block-diagonal" if objective == "tokens" else None}
    batch = samples(damaged, objective, **kind).batch(0, 12)
    tokenizer = shards.tokenizer
    empty = np.full(64, tokenizer.pad_token_id)
    empty[:2] = tokenizer.start_token_id, tokenizer.end_token_id
    assert (batch["token_ids"] == empty).all()
    if objective != "mlm":
        assert not batch[f"{objective}_weights"].any()
    if objective == "tokens":
        assert (batch["segment_ids"] == (empty != tokenizer.pad_token_id)).all()


def test_tokens_without_a_label_count_for_nothing(tmp_path, tokenizer):
    text = '{"text": "a fine film", "labels": [[2, 6, "X"], [7, 11, "Y"]]}'
    (tmp_path / "a.jsonl").write_text(text)
    made = PrepareOptions(heldout=0, token_labels=("X", "Y"))
    prepare(tmp_path / "a.jsonl", tokenizer, tmp_path / "out", made, processes=1)
    batch = samples(open_shards(tmp_path / "out"), "tokens").batch(0, 1)
    targets, counts = batch["tokens"][0], batch["tokens_weights"][0] > 0
    ids = batch["token_ids"][0]
    named = {label: tokenizer.decode(ids[counts & (targets == label)].tolist()) for label in (0, 1)}
    assert {label: text.strip() for label, text in named.items()} == {0: "fine", 1: "film"}
    assert not targets[~counts].any()
