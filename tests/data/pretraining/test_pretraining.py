"""Batches for pre-training: what is in them, and that nothing else decides it than their number."""

import collections
import dataclasses
import itertools
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.data.pretraining.batches import (
    BatchOptions,
    batch_statistics,
    evaluation_batches,
    input_errors,
    pretraining_batches,
)
from keras_roberta.errors import InputError
from keras_roberta.jobs.prepare.one_machine import prepare

_NAME = re.compile(r"[dж](\d+)s(\d+)")


def options(*objectives, **values):
    return BatchOptions(
        objectives or ("mlm",), **{"batch_size": 8, "sequence_length": 128} | values
    )


def take(dataset, count):
    return [tf.nest.map_structure(np.array, batch) for batch in dataset.take(count)]


def assert_equal(first, second):
    tf.nest.assert_same_structure(first, second)
    for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True):
        np.testing.assert_array_equal(a, b)


EVERY_KIND = [
    options("mlm"),
    options("mlm", packing="doc-sentences", mask_units="whole-word", static_masking=True),
    options("mlm", "tokens", packing="block-diagonal", mask_units="span"),
    options("mlm", "sop", "nsp"),
    options("mlm", "choice", num_choices=2, packing="sentence-pair"),
]


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda o: ",".join(o.objectives) + o.packing)
def test_a_batch_is_a_function_of_its_number(shards, kind):
    batches = take(pretraining_batches(shards, kind, seed=5), 6)
    assert_equal(batches[4:], take(pretraining_batches(shards, kind, seed=5, start_step=4), 2))
    other = take(pretraining_batches(shards, kind, seed=6), 1)[0]
    assert not np.array_equal(batches[0][0]["token_ids"], other[0]["token_ids"])
    workers = [
        take(pretraining_batches(shards, kind, seed=5, num_workers=2, worker_index=i), 6)
        for i in range(2)
    ]
    together = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *workers)
    assert_equal(batches, together)


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda o: ",".join(o.objectives) + o.packing)
def test_shapes_are_static_and_as_promised(shards, kind):
    rows, length, k = 8, 128, kind.num_choices
    dataset = pretraining_batches(shards, kind)
    features, targets, weights = dataset.element_spec
    assert features["token_ids"].shape == features["padding_mask"].shape == (rows, length)
    assert ("segment_ids" in features) == (kind.packing == "block-diagonal")
    assert ("mask_positions" in features) == ("mlm" in kind.objectives)
    assert set(targets) == set(weights) == set(kind.objectives)
    expected = {"sop": (rows,), "nsp": (rows,), "choice": (rows // k,), "tokens": (rows, length)}
    for name in kind.objectives:
        if name == "mlm":
            expected[name] = features["mask_positions"].shape
        assert targets[name].shape == weights[name].shape == expected[name]
        assert (targets[name].dtype, weights[name].dtype) == (tf.int32, tf.float32)


def rows_of(shards, batch):
    """The segments of each row before masking, each as its sentences' (document, place)."""
    features, targets, weights = batch
    token_ids = features["token_ids"].copy()
    if "mlm" in targets:
        for row, positions, ids, used in zip(
            token_ids, features["mask_positions"], targets["mlm"], weights["mlm"], strict=True
        ):
            row[positions[used == 1]] = ids[used == 1]
    texts = shards.tokenizer.decode_batch(token_ids.tolist(), skip_special_tokens=False)
    rows = []
    for text in texts:
        segments = re.split(r"(?:</?s>|<pad>)+", text)
        rows.append([[tuple(map(int, m)) for m in _NAME.findall(s)] for s in segments if s])
    return rows


def all_sentences(shards, split, language):
    found = []
    for description in shards.descriptions(split, language):
        file = shards.open(description["name"])
        for document, length in enumerate(file.num_tokens):
            text = shards.tokenizer.decode(file.token_ids(document, 0, int(length)))
            found += [tuple(map(int, m)) for m in _NAME.findall(text)]
    return sorted(found)


def follows(first, second):
    return (first[-1][0], first[-1][1] + 1) == second[0]


@pytest.mark.parametrize(
    "kind",
    [
        options("mlm"),
        options("mlm", packing="doc-sentences"),
        options("mlm", packing="block-diagonal"),
        options("mlm", "sop", packing="segment-pair"),
        options("nsp", packing="sentence-pair"),
        options("mlm", "sop", "nsp"),
    ],
    ids=lambda o: ",".join(o.objectives) + o.packing,
)
@pytest.mark.parametrize("split", ["train", "heldout"])
def test_one_pass_has_every_sentence_once(shards, kind, split):
    batches = evaluation_batches(shards, kind, language="en", split=split)
    rows = [row for batch in batches.as_numpy_iterator() for row in rows_of(shards, batch)]
    found = sorted(name for row in rows for segment in row for name in segment)
    assert found == all_sentences(shards, split, "en")
    for row in rows:
        for segment in row:  # sentences follow each other within a segment
            assert all(follows([a], [b]) for a, b in itertools.pairwise(segment) if a and b)


def test_endless_batches_have_every_row_once_an_epoch(shards):
    kind = options("tokens", packing="doc-sentences", language_alpha=0.5)
    seen = collections.Counter(
        row.tobytes()
        for features, _, _ in take(pretraining_batches(shards, kind), 200)
        for row in features["token_ids"]
    )
    for language in shards.languages:
        once = evaluation_batches(shards, kind, language=language, split="train")
        counts = [
            seen[row.tobytes()]
            for features, _, weights in once.as_numpy_iterator()
            for row, used in zip(features["token_ids"], weights["tokens"], strict=True)
            if used.any()
        ]
        assert min(counts) >= 1 and max(counts) - min(counts) <= 1


def test_sentence_order(shards):
    labels = []
    for batch in take(pretraining_batches(shards, options("mlm", "sop")), 80):
        _, targets, weights = batch
        for row, label, weight in zip(
            rows_of(shards, batch), targets["sop"], weights["sop"], strict=True
        ):
            if not weight:
                assert len(row) == 1
                continue
            first, second = row
            assert follows(second, first) if label else follows(first, second)
            labels.append(label)
    assert len(labels) > 300 and abs(np.mean(labels) - 0.5) < 4 * 0.5 / len(labels) ** 0.5


def test_next_sentence(shards):
    labels = []
    for batch in take(pretraining_batches(shards, options("nsp")), 80):
        _, targets, weights = batch
        for row, label, weight in zip(
            rows_of(shards, batch), targets["nsp"], weights["nsp"], strict=True
        ):
            if weight:
                first, second = row
                if label:
                    assert first[0][0] != second[0][0]
                else:
                    assert follows(first, second)
                labels.append(label)
    assert len(labels) > 300 and abs(np.mean(labels) - 0.5) < 6 * 0.5 / len(labels) ** 0.5


def test_rows_of_one_document_do_not_exchange_their_ends(tokenizer, tmp_path):
    """One document is longer than all others, so that some of its rows are partners."""
    lines = [
        " ".join(f"d{i}s{j} a film." for j in range(n)) for i, n in enumerate([90, 300, 60, 50])
    ]
    (tmp_path / "en.txt").write_text("\n".join(lines))
    corpus = CorpusOptions("line", "file")
    prepare(
        tmp_path / "en.txt", tokenizer, tmp_path / "out",
        PrepareOptions(corpus, heldout=0.1, near_duplicates=0), processes=1,
    )  # fmt: skip
    shards, kinds = open_shards(tmp_path / "out"), collections.Counter()
    for batch in take(pretraining_batches(shards, options("nsp")), 40):
        _, targets, weights = batch
        values = targets["nsp"], weights["nsp"]
        for row, label, weight in zip(rows_of(shards, batch), *values, strict=True):
            if len(row) < 2:  # the end of a document
                continue
            first, second = row
            assert follows(first, second) == (not label)
            assert not label or (first[0][0] != second[0][0] and weight)
            kinds["left out"] += not weight
            kinds["exchanged"] += label
    assert min(kinds.values()) > 10


def test_order_and_next_sentence_together(shards):
    kinds = collections.Counter()
    for batch in take(pretraining_batches(shards, options("sop", "nsp")), 120):
        _, targets, weights = batch
        values = (targets["sop"], weights["sop"], targets["nsp"], weights["nsp"])
        for row, *value in zip(rows_of(shards, batch), *values, strict=True):
            sop, sop_weight, nsp, nsp_weight = value
            if len(row) < 2:
                assert not sop_weight and not nsp_weight
                continue
            first, second = row
            if nsp:
                assert first[0][0] != second[0][0] and nsp_weight and not sop_weight
                kinds["other"] += 1
            elif sop:
                assert follows(second, first) and sop_weight and not nsp_weight
                kinds["swapped"] += 1
            else:
                assert follows(first, second) and sop_weight
                kinds["in order"] += nsp_weight
    shares = np.array(list(kinds.values())) / sum(kinds.values())
    assert len(shares) == 3 and np.abs(shares - 1 / 3).max() < 0.08


@pytest.mark.parametrize("k", [2, 4])
def test_choice(shards, k):
    answers = []
    kind = options("choice", num_choices=k)
    for batch in take(pretraining_batches(shards, kind), 60):
        _, targets, weights = batch
        rows = rows_of(shards, batch)
        for group, (answer, weight) in enumerate(
            zip(targets["choice"], weights["choice"], strict=True)
        ):
            choices = rows[group * k : (group + 1) * k]
            assert all(choice[0] == choices[0][0] for choice in choices)
            if weight:
                assert [follows(*choice) for choice in choices] == [i == answer for i in range(k)]
                documents = [choice[1][0][0] for choice in choices]
                assert len(set(documents)) == k
                answers.append(answer)
    counts = np.bincount(answers, minlength=k) / len(answers)
    assert len(answers) >= 100 and np.abs(counts - 1 / k).max() < 0.15


def test_blocks(shards):
    kind = options("sop", packing="segment-pair")
    with pytest.raises(InputError):
        BatchOptions(("sop",), packing="block-diagonal")
    kind = options("tokens", packing="block-diagonal")
    for features, _, _ in take(pretraining_batches(shards, kind), 5):
        ids, blocks = features["token_ids"], features["segment_ids"]
        np.testing.assert_array_equal(blocks > 0, features["padding_mask"] == 1)
        for row, numbers in zip(ids, blocks, strict=True):
            for number in range(1, numbers.max() + 1):
                (place,) = np.nonzero(numbers == number)
                assert (np.diff(place) == 1).all()
                assert (row[place[0]], row[place[-1]]) == (0, 2)  # <s>, </s>
                assert not np.isin(row[place[1:-1]], (0, 1, 2)).any()


def test_language_of_each_token(shards):
    kind = options("mlm", "tokens", language_alpha=0.0)
    for features, targets, weights in take(pretraining_batches(shards, kind), 10):
        is_text = ~np.isin(features["token_ids"], (0, 1, 2))
        np.testing.assert_array_equal(weights["tokens"] == 1, is_text)
        assert (targets["tokens"][~is_text] == 0).all()
        for row, labels in zip(
            rows_of(shards, (features, targets, weights)), targets["tokens"], strict=True
        ):
            assert len(set(labels[labels > 0])) <= 1 and row
    assert shards.token_labels == ("en", "ru", "sv")


def test_script_of_each_token(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_text("film 12 фильм " * 30)
    prepare(
        tmp_path / "a.txt",
        tokenizer,
        tmp_path / "out",
        PrepareOptions(heldout=0, token_labels="script"),
        processes=1,
    )
    shards = open_shards(tmp_path / "out")
    kind = options("tokens", batch_size=1)
    ((features, targets, weights),) = take(pretraining_batches(shards, kind), 1)
    names = collections.defaultdict(str)
    for index, label, weight in zip(
        features["token_ids"][0], targets["tokens"][0], weights["tokens"][0], strict=True
    ):
        if weight:
            names[shards.token_labels[label]] += tokenizer.decode([index])
    assert set(names["latin"]) - {" "} == set("film") and set(names["other"]) - {" "} == set("12")


def test_labels_of_the_corpus(tmp_path, tokenizer):
    rows = [{"text": "a fine film", "labels": [[2, 6, "X"]]}] + [{"text": "warm and dull"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = PrepareOptions(heldout=0, token_labels=("O", "X"))
    prepare(tmp_path / "a.jsonl", tokenizer, tmp_path / "out", made, processes=1)
    shards = open_shards(tmp_path / "out")
    kind = options("tokens", batch_size=2)
    ((features, targets, weights),) = take(pretraining_batches(shards, kind), 1)
    named = features["token_ids"][(targets["tokens"] == 1) & (weights["tokens"] == 1)]
    assert tokenizer.decode(named).split() == ["fine"] * 2


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_shares_of_languages(shards, alpha):
    kind = options("tokens", language_alpha=alpha, batch_size=64)
    drawn = collections.Counter()
    for _, targets, weights in take(pretraining_batches(shards, kind), 40):
        row = (targets["tokens"] * weights["tokens"]).max(axis=1).astype(int)
        drawn.update(shards.token_labels[label] for label in row)
    sizes = {name: shards.counts["train"][name]["tokens"] for name in shards.languages}
    powers = {name: size**alpha for name, size in sizes.items()}
    for name in shards.languages:
        expected = powers[name] / sum(powers.values())
        assert drawn[name] / (40 * 64) == pytest.approx(expected, abs=0.04)


def test_languages_are_drawn_by_tokens_not_by_rows(tmp_path, tokenizer):
    """Four long documents of one language and forty short ones of the other, a row each."""
    texts = {"en": [f"{i} " + "warm and lovely film " * 20 for i in range(4)]}
    texts["sv"] = [f"{i} film" for i in range(40)]
    for name, documents in texts.items():
        (tmp_path / "text").mkdir(exist_ok=True)
        (tmp_path / "text" / f"{name}.txt").write_text("\n".join(documents))
    made = PrepareOptions(CorpusOptions("line", "file"), heldout=0, near_duplicates=0)
    prepare(tmp_path / "text", tokenizer, tmp_path / "out", made, processes=1)
    opened = open_shards(tmp_path / "out")
    tokens = {
        name: sum(map(len, tokenizer.encode_batch(documents, add_special_tokens=False)))
        for name, documents in texts.items()
    }
    kind = options("tokens", packing="doc-sentences", language_alpha=1.0, batch_size=64)
    found = batch_statistics(opened, kind)
    assert found["rows"] == {"en": 4, "sv": 40} and tokens["en"] > 2 * tokens["sv"]
    expected = tokens["en"] / sum(tokens.values())
    assert found["shares"]["en"] == pytest.approx(expected, abs=0.03)  # sentences are encoded
    rows = [
        row
        for batch, *_ in take(pretraining_batches(opened, kind), 10)
        for row in batch["token_ids"]
    ]
    drawn = np.mean([(row != tokenizer.pad_token_id).sum() > 20 for row in rows])
    assert drawn == pytest.approx(found["shares"]["en"], abs=0.08)


def test_evaluation_is_finite_and_always_the_same(shards):
    kind = options("mlm", batch_size=16)
    first, second = (take(evaluation_batches(shards, kind), 999) for _ in range(2))
    assert_equal(first, second)
    assert len(take(evaluation_batches(shards, kind, max_batches=1), 9)) == 1
    # Each batch counts as much in a mean over them; what fills them up counts for nothing.
    sizes = [(weights["mlm"].sum(axis=1) > 0).sum() for _, _, weights in first]
    assert len(sizes) > 1 and min(sizes) < 16 and max(sizes) - min(sizes) <= 1
    with pytest.raises(InputError, match="no language 'xx'; there are en, ru, sv"):
        evaluation_batches(shards, kind, language="xx")


def test_a_damaged_document_counts_for_nothing(shards, tmp_path):
    shutil.copytree(shards.directory, tmp_path / "out")
    path = tmp_path / "out" / shards.descriptions("train", "sv")[0]["name"]
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    kind = options("mlm", packing="doc-sentences")
    with pytest.raises(InputError, match="record 0 .* is cut off or altered"), input_errors():
        opened = open_shards(tmp_path / "out")
        take(evaluation_batches(opened, kind, language="sv", split="train"), 999)
    opened = open_shards(tmp_path / "out", on_corrupt="skip")
    batches = take(evaluation_batches(opened, kind, language="sv", split="train"), 999)
    whole = take(evaluation_batches(shards, kind, language="sv", split="train"), 999)
    lost = [
        not damaged.any() and intact.any()
        for a, b in zip(batches, whole, strict=True)
        for damaged, intact in zip(a[2]["mlm"], b[2]["mlm"], strict=True)
    ]
    assert sum(lost) >= 1 and opened.corrupt == [(path.name, 0)]


@pytest.mark.parametrize(
    ("rates", "shares"),
    [((1.0, 0.0), (1, 0, 0)), ((0.0, 0.0), (0, 1, 0)), ((0.0, 1.0), (0, 0, 1))],
)
def test_options_of_masking_reach_it(shards, rates, shares):
    """Shares of the chosen tokens that are `<mask>`, as they were, and others."""
    kind = options("mlm", mask_rate=0.4, mask_token_rate=rates[0], random_token_rate=rates[1])
    ((features, targets, weights),) = take(pretraining_batches(shards, kind), 1)
    used = weights["mlm"] == 1
    new = np.take_along_axis(features["token_ids"], features["mask_positions"], axis=1)[used]
    is_mask, is_old = new == shards.tokenizer.mask_token_id, new == targets["mlm"][used]
    found = is_mask.mean(), is_old.mean(), (~is_mask & ~is_old).mean()
    np.testing.assert_allclose(found, shares, atol=0.05)
    is_text = ~np.isin(features["token_ids"], (0, 1, 2))
    assert used.sum() / is_text.sum() == pytest.approx(0.4, abs=0.03)


def test_options_of_masking_whole_words_reach_it(shards):
    kind = options("mlm", mask_units="whole-word", mask_rate=0.3, mask_token_rate=0.0)
    kind = dataclasses.replace(kind, random_token_rate=0.0)  # so that words can be told
    ((features, _, weights),) = take(pretraining_batches(shards, kind), 1)
    starts = shards.tokenizer.starts_word()
    for ids, positions, used in zip(
        features["token_ids"], features["mask_positions"], weights["mlm"] == 1, strict=True
    ):
        chosen = np.isin(np.arange(len(ids)), positions[used])
        goes_on = ~starts[ids] & ~np.isin(ids, (0, 1, 2))
        goes_on &= ~np.isin(np.roll(ids, 1), (0, 1, 2))
        assert goes_on.any() and (chosen == np.roll(chosen, 1))[goes_on].all()


def test_statistics_are_those_of_the_batches(shards):
    kind = options("mlm", language_alpha=0.5)
    found = batch_statistics(shards, kind)
    batches = take(pretraining_batches(shards, kind), 100)
    padding = 1 - np.mean([features["padding_mask"] for features, *_ in batches])
    assert found["padding"] == pytest.approx(padding, abs=0.01)
    assert set(found["rows"]) == set(found["shares"]) == set(shards.languages)


def test_what_shards_cannot_give(tmp_path, tokenizer, shards):
    (tmp_path / "a.txt").write_text("one sentence\n\nanother one")
    prepare(tmp_path / "a.txt", tokenizer, tmp_path / "out", PrepareOptions(heldout=0), processes=1)
    single = open_shards(tmp_path / "out")
    with pytest.raises(InputError, match="choice needs 4 train documents .* there are 2"):
        pretraining_batches(single, options("choice"))
    with pytest.raises(InputError, match="no train document has two sentences"):
        pretraining_batches(single, options("sop"))
    with pytest.raises(InputError, match="tokens needs two classes"):
        pretraining_batches(single, options("tokens"))
    with pytest.raises(InputError, match="there is no heldout text"):
        evaluation_batches(single, options("mlm"))
    with pytest.raises(InputError, match="does not divide over 3 workers"):
        pretraining_batches(shards, options("mlm"), num_workers=3)
    with pytest.raises(InputError, match="batch_size 8 does not divide over 8 workers"):
        pretraining_batches(shards, options("choice", num_choices=2), num_workers=8)
    kind = options("mlm", batch_size=64)
    batches = evaluation_batches(shards, kind, max_batches=10**6).cardinality()
    assert batches == evaluation_batches(shards, kind).cardinality() < 10**6
    with pytest.raises(InputError, match="worker_index 2"):
        pretraining_batches(shards, options("mlm"), num_workers=2, worker_index=2)
    with pytest.raises(InputError, match="start_step"):
        pretraining_batches(shards, options("mlm"), start_step=-1)
