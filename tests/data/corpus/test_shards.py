"""Records, shards and what is said of damaged ones."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.data.corpus import tfrecords
from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.corpus.shards import NO_LABEL, open_shards
from keras_roberta.errors import InputError
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.tokenizers.training import train_byte_level_bpe


@pytest.fixture(scope="module")
def written(tmp_path_factory, tokenizer):
    path = tmp_path_factory.mktemp("shards")
    texts = [f"A fine film {i}. It is warm {i} times! And lovely." for i in range(60)]
    (path / "corpus.txt").write_text("\n".join(texts))
    options = PrepareOptions(
        CorpusOptions("line"), heldout=0.2, near_duplicates=0, tokens_a_shard=600
    )
    prepare(path / "corpus.txt", tokenizer, path / "out", options, processes=1)
    return path / "out", texts


@pytest.fixture
def shards(written, tmp_path):
    shutil.copytree(written[0], tmp_path / "out")
    return tmp_path / "out"


def first_shard(directory):
    return sorted(directory.glob("train-*.tfrecord"))[0]


def texts_of(shards):
    for split in ("train", "heldout"):
        for language in shards.languages:
            for description in shards.descriptions(split, language):
                file = shards.open(description["name"])
                for document, length in enumerate(file.num_tokens):
                    ids = file.token_ids(document, 0, int(length))
                    yield None if ids is None else shards.tokenizer.decode(ids)


def test_every_document_is_there_once(written):
    directory, texts = written
    shards = open_shards(directory)
    assert sorted(texts_of(shards)) == sorted(texts)
    assert len(list(directory.glob("train-*.tfrecord"))) > 1
    train, heldout = (shards.counts[split]["und"]["documents"] for split in ("train", "heldout"))
    assert train + heldout == len(texts) and heldout > 0


def test_documents_are_read_in_order_and_in_part(written):
    directory, texts = written
    shards = open_shards(directory)
    documents = [list(shards.documents(split)) for split in ("train", "heldout")]
    decoded = [shards.tokenizer.decode(ids) for part in documents for ids in part]
    assert decoded == list(texts_of(shards))
    total = sum(map(len, documents[0]))
    some = list(shards.documents(max_tokens=total // 3))
    assert [ids.tobytes() for ids in some] == [ids.tobytes() for ids in documents[0][: len(some)]]
    assert total // 3 <= sum(map(len, some)) < total // 3 + max(map(len, documents[0]))


def test_few_documents_are_of_all_languages(tmp_path, tokenizer):
    for language, count in (("en", 300), ("de", 5), ("sv", 100)):
        (tmp_path / "text" / language).mkdir(parents=True)
        lines = [f"{language} {i} and more words than one" for i in range(count)]
        (tmp_path / "text" / language / "a.txt").write_text("\n".join(lines))
    options = PrepareOptions(CorpusOptions("line", languages_from="folder"), near_duplicates=0)
    prepare(tmp_path / "text", tokenizer, tmp_path / "out", options, processes=1)
    shards = open_shards(tmp_path / "out")
    found = [shards.tokenizer.decode(ids)[:2] for ids in shards.documents(max_tokens=1200)]
    counts = {language: found.count(language) for language in shards.languages}
    everything = shards.counts["train"]["de"]["documents"]
    assert counts["de"] == everything and counts["en"] > 20
    assert counts["en"] == pytest.approx(counts["sv"], abs=3)


def test_tensorflow_reads_the_records(written):
    shards = open_shards(written[0])
    name = first_shard(written[0]).name
    file = shards.open(name)
    feature = {
        name: tf.io.FixedLenFeature([], tf.string) for name in ("token_ids", "sentence_lengths")
    }
    dataset = tf.data.TFRecordDataset(str(written[0] / name))
    for document, record in enumerate(dataset):
        row = tf.io.parse_single_example(record, feature)
        ids = tf.io.decode_raw(row["token_ids"], tf.uint16)
        lengths = tf.io.decode_raw(row["sentence_lengths"], tf.int32)
        np.testing.assert_array_equal(ids, file.token_ids(document, 0, len(ids)))
        np.testing.assert_array_equal(ids[2:5], file.token_ids(document, 2, 3))
        assert tf.reduce_sum(lengths) == len(ids)
    assert document + 1 == len(file.num_tokens)


@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256)) * 40])
def test_frames_and_examples(data, tmp_path):
    message, places = tfrecords.example({"x": b"before", "y": data})
    assert message[places["y"] :][: len(data)] == data
    assert message[places["x"] :][:6] == b"before"
    frame = tfrecords.frame(message)
    assert tfrecords.is_intact(frame)
    for damaged in (frame[:-1], frame + b"x", frame[:20] + bytes([frame[20] ^ 1]) + frame[21:]):
        assert not tfrecords.is_intact(damaged)
    (tmp_path / "a.tfrecord").write_bytes(frame)
    (record,) = tf.data.TFRecordDataset(str(tmp_path / "a.tfrecord"))
    value = tf.train.Example.FromString(record.numpy()).features.feature["y"].bytes_list.value
    assert list(value) == [data]


def test_an_altered_record_is_named_or_skipped(shards):
    path = first_shard(shards)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"{path.name}: record 0 \(byte 0\) is cut off or alt"):
        list(texts_of(open_shards(shards)))
    with pytest.raises(InputError, match=f"{path.name}: record 0"):
        list(open_shards(shards).documents())
    opened = open_shards(shards, on_corrupt="skip")
    assert list(texts_of(opened)).count(None) == 1
    train = opened.counts["train"]["und"]["documents"]
    assert len(list(opened.documents())) == train - 1
    assert opened.corrupt == [(path.name, 0)]


def test_a_truncated_file_is_named_or_skipped(shards):
    path = first_shard(shards)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=f"{path.name}: .* bytes where the manifest says"):
        open_shards(shards)
    opened = open_shards(shards, on_corrupt="skip")
    assert list(texts_of(opened)).count(None) == 1
    path.write_bytes(b"")
    opened = open_shards(shards, on_corrupt="skip")
    assert list(texts_of(opened)).count(None) == len(opened.corrupt) > 1


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda d: shutil.rmtree(d), "no such directory"),
        (lambda d: (d / "manifest.json").unlink(), "no shards here"),
        (lambda d: (d / "manifest.json").write_text("{"), "manifest.json: not JSON"),
        (lambda d: (d / "manifest.json").write_text("{}"), "not a manifest"),
        (lambda d: first_shard(d).unlink(), "tfrecord: no such file"),
        (lambda d: index_of(d).unlink(), "index.npz: no such file"),
        (lambda d: index_of(d).write_bytes(b"x"), "index.npz: altered since it was written"),
        (lambda d: shutil.rmtree(d / "tokenizer"), "tokenizer: no such directory"),
    ],
)
def test_directories_that_are_not_shards(shards, damage, message):
    damage(shards)
    with pytest.raises(InputError, match=message):
        list(texts_of(open_shards(shards)))


def index_of(directory):
    return sorted(directory.glob("*.index.npz"))[0]


def test_shards_of_another_tokenizer(shards):
    other = train_byte_level_bpe(["other text"] * 9, vocabulary_size=270)
    with pytest.raises(InputError, match="of another tokenizer"):
        open_shards(shards).check_tokenizer(other)
    other.save(shards / "tokenizer")
    with pytest.raises(InputError, match="of another tokenizer"):
        _ = open_shards(shards).tokenizer


def test_labels(tmp_path, tokenizer):
    row = {"text": "a fine film", "labels": [[2, 6, "X"]]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    options = PrepareOptions(heldout=0, token_labels=("X", "Y"))
    prepare(tmp_path / "a.jsonl", tokenizer, tmp_path / "out", options, processes=1)
    shards = open_shards(tmp_path / "out")
    assert (shards.token_labels, shards.token_label_source) == (("X", "Y"), "corpus")
    file = shards.open(shards.descriptions("train", "und")[0]["name"])
    length = int(file.num_tokens[0])
    ids, labels = file.token_ids(0, 0, length), file.labels(0, 0, length)
    assert tokenizer.decode(ids[labels == 0]).strip() == "fine"
    assert set(labels) == {0, NO_LABEL}
