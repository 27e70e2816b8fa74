"""One small file of every kind that the library reads, how it is damaged, and how it is read.

`run` damages one and reads it. Whatever the damage, reading ends in an `InputError` of one line or
in the right answer: numbers that are finite, and where another library reads the format too, those
that it reads.
"""

import dataclasses
import gzip
import json
import pathlib
import random as random_module
import shutil
from collections.abc import Callable

import file_mutations as of
import numpy as np
import small_files
import torch_files
from backports import zstd
from safetensors.numpy import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.corpus.corpora import CorpusOptions, read_documents, work_units
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.data.pretraining.batches import pretraining_batches
from keras_roberta.errors import InputError
from keras_roberta.files.text_file import read_text_lines
from keras_roberta.schemas import OneLabel, Value
from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.training.runs.run_states import RunStates

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: for reports.
        directory: within the sample, what is copied for each mutation.
        files: within it, one of these is damaged.
        change: how, a function of `file_mutations`.
        read: reads the directory; gives arrays and texts.
    """

    name: str
    directory: str
    files: tuple[str, ...]
    change: Callable
    read: Callable


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a mutation.

    Attributes:
        ending: "refused", "read", or what should not be: "wrong" or "crashed".
        message: of the error, or what is wrong.
    """

    ending: str
    message: str = ""


def run(sample: pathlib.Path, work: pathlib.Path, kind: Kind, seed: str) -> Outcome:
    """Damages a file of a kind and reads it.

    Args:
        sample: what `make_sample` has made.
        work: an empty directory.
        seed: decides what is damaged.
    """
    random = random_module.Random(seed)
    directory = work / "damaged"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(sample / kind.directory, directory)
    name = random.choice(kind.files)
    path = directory / name
    path.write_bytes(kind.change(random, path.read_bytes()))
    try:
        answer = kind.read(directory)
    except InputError as error:
        message = str(error)
        if len(message.splitlines()) != 1 or len(message) > 2000:
            return Outcome("wrong", f"{name}: a message of many lines: {message:.300}")
        return Outcome("refused", f"{name}: {message}")
    except Exception as error:
        return Outcome("crashed", f"{name}: {type(error).__name__}: {error}"[:2000])
    finally:
        canaries = [*work.rglob("canary"), *pathlib.Path().glob("canary")]
    if canaries:
        return Outcome("wrong", f"{name}: executed what it holds")
    for value in answer:
        array = np.asarray(value)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return Outcome("wrong", f"{name}: gives numbers that are not finite")
    return Outcome("read", name)


# Reading


def _backbone(directory):
    backbone = kr.RobertaBackbone.from_preset(directory)
    return [np.array(weight) for weight in backbone.weights]


def _task(directory):
    task = kr.RobertaTextClassifier.from_preset(directory)
    assert list(task.preprocessor.tokenizer("a film"))
    return [np.array(weight) for weight in task.weights if "float" in str(weight.dtype)]


def _safetensors(directory):
    """Compared with what the safetensors library reads."""
    backbone = kr.RobertaBackbone.from_preset(directory)
    expected = load_file(directory / "model.safetensors")  # which must read it, too
    name = "embeddings.word_embeddings.weight"
    table = next(array for found, array in expected.items() if found.endswith(name))
    found = np.array(backbone.token_embedding.embeddings)
    np.testing.assert_array_equal(found, table.astype(np.float32))
    return [np.array(weight) for weight in backbone.weights]


def _tokenizer(directory):
    tokenizer = open_tokenizer(directory)
    rows = tokenizer.encode_batch(["a fine film <mask>", "漢字 \0 naïve"], max_length=12)
    tokenizer.decode_batch(rows)
    return [len(tokenizer.fingerprint), tokenizer.starts_word(), len(tokenizer.token_texts())]


def _table(directory):
    (path,) = directory.iterdir()
    table = read_table(path)
    columns = Columns()
    schema = OneLabel.from_table(table, columns)
    schema.read_inputs(table, columns)
    return [schema.read_targets(table, columns)]


def _regression(directory):
    (path,) = directory.iterdir()
    table = read_table(path)
    schema = Value.from_table(table, Columns())
    return [schema.read_targets(table, Columns())]


def _lines(directory):
    (path,) = directory.iterdir()
    return [len(read_text_lines(path))]


def _corpus(directory):
    options, sizes = CorpusOptions(), []
    for unit in work_units(directory, options):
        sizes += [len(document.text) for document in read_documents(unit, options)]
    return sizes


def _shards(directory):
    shards = open_shards(directory)
    shards.check_tokenizer(shards.tokenizer)
    answer = [np.concatenate(list(shards.documents()))]
    options = BatchOptions(batch_size=2, sequence_length=16)
    for batch in pretraining_batches(shards, options).take(2):
        inputs = batch[0] if isinstance(batch, tuple) else batch
        answer += [array.numpy() for array in inputs.values()]
    return answer


_MODELS = {}


def _trained():
    """A compiled model for states of a run; made once, since reading changes all of it."""
    if not _MODELS:
        import keras

        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
        model.compile("adam", "mse")
        model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
        _MODELS["trained"] = model
    return _MODELS["trained"]


def _state(directory):
    model = _trained()
    values = RunStates(directory).restore(model)
    return [values["step"], *(np.array(weight) for weight in model.weights)]


def _exported(directory):
    (path,) = directory.iterdir()
    with export.load(path) as runner:
        answers = runner.answers(["a fine film"])
    assert {"label", "score"} <= set(answers[0])
    return [answers[0]["score"]]


def _metadata(directory):
    (path,) = directory.iterdir()
    values = export.read_metadata(path)
    return [values["max_sequence_length"]]


# Making


def of_metadata(random, content):
    """The JSON in a `.tflite`, in place: as many bytes as before."""
    begin = content.index(b'{"format_version"')
    _, length = json.JSONDecoder().raw_decode(content[begin:].decode("latin-1"))
    end = begin + length
    changed = of.of_json(random, content[begin:end])
    changed = changed[: end - begin].ljust(end - begin)
    return content[:begin] + changed + content[end:]


def make_sample(directory: pathlib.Path) -> None:
    """Writes a small file of every kind."""
    made = directory / "made"
    made.mkdir(parents=True)
    small_files.make_all(made)
    task = kr.RobertaTextClassifier.from_preset(made / "preset")
    tokenizer = task.preprocessor.tokenizer
    task.save_to_hugging_face(made / "hugging-face")
    config = made / "hugging-face" / "config.json"
    weights = load_file(made / "hugging-face" / "model.safetensors")
    for name, save in (("zip", torch_files.save_zip), ("legacy", torch_files.save_legacy)):
        shutil.copytree(made / "hugging-face", made / name)
        (made / name / "model.safetensors").unlink()
        save(made / name / "pytorch_model.bin", weights)
    shutil.copytree(made / "hugging-face", made / "in-shards")
    (made / "in-shards" / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for part, of_part in parts.items():
        save_file({name: weights[name] for name in of_part}, made / "in-shards" / part)
    index = {"weight_map": {name: part for part, found in parts.items() for name in found}}
    (made / "in-shards" / "model.safetensors.index.json").write_text(json.dumps(index))
    assert config.exists()
    labelled = kr.RobertaTextClassifier(
        task.backbone,
        preprocessor=kr.RobertaPreprocessor(tokenizer, 32, labels=["bad", "good"]),
    )
    labelled.save_to_preset(made / "labelled")
    _make_tokenizers(made, tokenizer)
    _make_texts(made)
    (made / "tflite").mkdir()
    export.to_tflite(labelled, made / "tflite" / "m.tflite", "none", sequence_lengths=(32,))
    (made / "saved").mkdir()
    export.to_saved_model(labelled, made / "saved" / "model", inputs="tokens")
    (made / "states").mkdir()
    RunStates(made / "states").save(_trained(), 7, seconds=1.5, stages={"0": 0})
    (made / "states" / "notes.txt").write_text("no state")


def _make_tokenizers(made, tokenizer):
    tokenizer.save(made / "bpe", model_max_length=32)
    (made / "vocabulary").mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(made / "bpe" / name, made / "vocabulary" / name)
    specials = {"bos_token": "<s>", "mask_token": {"content": "<mask>", "lstrip": True}}
    specials["additional_special_tokens"] = ["<ent>"]
    (made / "vocabulary" / "special_tokens_map.json").write_text(json.dumps(specials))
    more = json.dumps({"<ent>": tokenizer.vocabulary_size})
    (made / "vocabulary" / "added_tokens.json").write_text(more)
    (made / "fairseq").mkdir()
    tokens = [t for t, i in sorted(tokenizer.vocabulary.items(), key=lambda x: x[1])]
    tokens = [token for token in tokens if token not in SPECIALS]
    (made / "fairseq" / "encoder.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    lines = "".join(f"{i} {1000 - i}\n" for i in range(len(tokens)))
    (made / "fairseq" / "dict.txt").write_text(lines)
    shutil.copy(made / "bpe" / "merges.txt", made / "fairseq" / "vocab.bpe")
    scores = [(token, 0.0) for token in SPECIALS]
    scores += [(letter, -2.0 - i / 9) for i, letter in enumerate("▁abcdefghilmnost")]
    unigram = Tokenizer(models.Unigram(scores, unk_id=3))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.decoder = decoders.Metaspace()
    numbered = {token: i for i, token in enumerate([*SPECIALS, "a", "fine", "film"])}
    words = Tokenizer(models.WordLevel(numbered, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    for name, one in (("unigram", unigram), ("words", words)):
        one.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIALS])
        (made / name).mkdir()
        one.save(str(made / name / "tokenizer.json"))
        settings = {"model_max_length": 10**30, "added_tokens_decoder": {"0": {"content": "<s>"}}}
        (made / name / "tokenizer_config.json").write_text(json.dumps(settings))


def _make_texts(made):
    rows = [("a fine film", "good"), ("cold, and flat", "bad"), ("naïve 漢字", "good")] * 4
    objects = [json.dumps({"text": text, "label": label, "n": 1}) for text, label in rows]
    values = [json.dumps({"text": text, "label": len(text) / 4}) for text, _ in rows]
    tables = {
        "tsv": "text\tlabel\n" + "".join(f"{a}\t{b}\n" for a, b in rows),
        "csv": "text,label\n" + "".join(f'"{a}",{b}\n' for a, b in rows),
        "jsonl": "\n".join(objects),
        "numbers.jsonl": "\n".join(values),
        "txt": "\n".join(a for a, _ in rows),
    }
    for end, text in tables.items():
        (made / f"in-{end}").mkdir()
        (made / f"in-{end}" / f"table.{end}").write_text(text, encoding="utf-8")
    (made / "table.gz").mkdir()
    (made / "table.gz" / "table.tsv.gz").write_bytes(gzip.compress(tables["tsv"].encode()))
    corpus = made / "corpus"
    corpus.mkdir()
    (corpus / "a.txt").write_text("\n\n".join(a for a, _ in rows), encoding="utf-8")
    (corpus / "b.jsonl").write_text(tables["jsonl"], encoding="utf-8")
    (corpus / "c.txt.gz").write_bytes(gzip.compress((corpus / "a.txt").read_bytes()))
    (corpus / "d.txt.zst").write_bytes(zstd.compress((corpus / "a.txt").read_bytes()))


_CONFIG, _TASK = ("config.json",), ("task.json",)
KINDS = (
    Kind(
        "safetensors", "made/hugging-face", ("model.safetensors",), of.of_safetensors, _safetensors
    ),
    Kind("config.json", "made/hugging-face", _CONFIG, of.of_json, _task),
    Kind(
        "shards of safetensors", "made/in-shards", ("a.safetensors",), of.of_safetensors, _backbone
    ),
    Kind(
        *("index of shards", "made/in-shards", ("model.safetensors.index.json",)),
        *(of.of_json, _backbone),
    ),
    Kind("pytorch_model.bin", "made/zip", ("pytorch_model.bin",), of.of_torch_zip, _backbone),
    Kind(
        "old pytorch_model.bin",
        "made/legacy",
        ("pytorch_model.bin",),
        of.of_legacy_torch,
        _backbone,
    ),
    Kind("config of a preset", "made/labelled", _CONFIG, of.of_json, _task),
    Kind("task of a preset", "made/labelled", _TASK, of.of_json, _task),
    Kind("weights of a preset", "made/labelled", ("model.weights.h5",), of.of_hdf5, _task),
    Kind("head of a preset", "made/labelled", ("task.weights.h5",), of.of_hdf5, _task),
    Kind(
        *("tokenizer.json", "made/bpe", ("tokenizer.json", "tokenizer_config.json")),
        *(of.of_json, _tokenizer),
    ),
    Kind(
        *("vocab.json", "made/vocabulary"),
        ("vocab.json", "special_tokens_map.json", "added_tokens.json"),
        *(of.of_json, _tokenizer),
    ),
    Kind("merges.txt", "made/vocabulary", ("merges.txt",), of.of_text, _tokenizer),
    Kind("encoder.json", "made/fairseq", ("encoder.json",), of.of_json, _tokenizer),
    Kind("dict.txt", "made/fairseq", ("dict.txt", "vocab.bpe"), of.of_text, _tokenizer),
    Kind(
        *("Unigram", "made/unigram", ("tokenizer.json", "tokenizer_config.json")),
        *(of.of_json, _tokenizer),
    ),
    Kind("words", "made/words", ("tokenizer.json",), of.of_json, _tokenizer),
    Kind("table.tsv", "made/in-tsv", ("table.tsv",), of.of_text, _table),
    Kind("table.csv", "made/in-csv", ("table.csv",), of.of_text, _table),
    Kind("table.jsonl", "made/in-jsonl", ("table.jsonl",), of.of_json_lines, _table),
    Kind(
        *("numbers.jsonl", "made/in-numbers.jsonl", ("table.numbers.jsonl",)),
        *(of.of_json_lines, _regression),
    ),
    Kind("table.tsv.gz", "made/table.gz", ("table.tsv.gz",), of.packed(of.of_text), _table),
    Kind("lines", "made/in-txt", ("table.txt",), of.of_text, _lines),
    Kind("corpus", "made/corpus", ("a.txt", "d.txt.zst"), of.of_bytes, _corpus),
    Kind("corpus of JSON", "made/corpus", ("b.jsonl",), of.of_json_lines, _corpus),
    Kind("packed corpus", "made/corpus", ("c.txt.gz",), of.packed(of.of_text), _corpus),
    Kind("manifest", "made/shards", ("manifest.json",), of.of_json, _shards),
    Kind(
        *("index of a shard", "made/shards", ("train-und-00000-of-00001.index.npz",)),
        *(of.of_npz, _shards),
    ),
    Kind(
        *("shard", "made/shards", ("train-und-00000-of-00001.tfrecord",)), *(of.of_bytes, _shards)
    ),
    Kind(
        "state of a run", "made/states", ("step-00000007.safetensors",), of.of_safetensors, _state
    ),
    Kind("metadata of a .tflite", "made/tflite", ("m.tflite",), of_metadata, _exported),
    Kind("a .tflite", "made/tflite", ("m.tflite",), of.of_bytes, _metadata),
    Kind(
        *("metadata of a SavedModel", "made/saved", ("model/assets/keras_roberta.json",)),
        *(of.of_json, _metadata),
    ),
)


def undamaged(kind: Kind) -> Kind:
    """The kind without any damage."""
    return dataclasses.replace(kind, change=lambda random, content: content)
