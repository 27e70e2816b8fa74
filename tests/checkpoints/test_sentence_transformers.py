"""The files of Sentence Transformers: what they say of pooling, prefixes and lengths."""

import json

import pytest

import keras_roberta as kr
from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.sentence_transformers import has_modules, modules_of, read_modules
from keras_roberta.errors import InputError

KIND = "sentence_transformers.models."
PLAIN = [("Transformer", ""), ("Pooling", "1_Pooling")]
MEAN = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}


@pytest.fixture
def write(tmp_path):
    """A function that writes the files into a directory, and gives that."""

    def write(modules=PLAIN, pooling=MEAN, prompts=None, length=None):
        listed = [{"idx": i, "path": path, "type": KIND + name}
                  for i, (name, path) in enumerate(modules)]  # fmt: skip
        files = {"modules.json": listed, "1_Pooling/config.json": pooling,
                 "config_sentence_transformers.json": prompts,
                 "sentence_bert_config.json": length}  # fmt: skip
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            if content is not None:
                path.write_text(json.dumps(content))
        return tmp_path

    return write


def test_what_is_read(write):
    found = read_modules(write())
    assert found == {"pooling": "mean", "normalize": False, "preprocessor": {}}
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}}
    found = read_modules(
        write(
            [*PLAIN, ("Normalize", "2_Normalize")],
            {"word_embedding_dimension": 8, "pooling_mode_cls_token": True, "include_prompt": True},
            prompts | {"default_prompt_name": None},
            {"max_seq_length": 128, "do_lower_case": False},
        )
    )
    assert found == {
        "pooling": "cls",
        "normalize": True,
        "preprocessor": {
            "sequence_length": 128, "prefix": "query: ", "corpus_prefix": "passage: "
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ({}, {}),
        ({"prompts": None}, {}),
        ({"prompts": {"query": "", "document": ""}}, {}),
        ({"prompts": {"query": "q: ", "document": "q: "}}, {"prefix": "q: "}),
        ({"prompts": {"query": "", "document": "p: "}}, {"corpus_prefix": "p: "}),
        ({"prompts": {"sts": "s: "}, "default_prompt_name": "sts"}, {"prefix": "s: "}),
        # Nothing is put in front of documents where no prompt is theirs.
        ({"prompts": {"query": "q: "}}, {"prefix": "q: ", "corpus_prefix": ""}),
        ({"prompts": {"query": "q: ", "document": ""}}, {"prefix": "q: ", "corpus_prefix": ""}),
        ({"prompts": {"query": "q: ", "passage": None}}, {"prefix": "q: ", "corpus_prefix": ""}),
        ({"prompts": {"query": ""}, "default_prompt_name": "query"}, {}),
    ],
)
def test_prompts(write, prompts, expected):
    assert read_modules(write(prompts=prompts))["preprocessor"] == expected


def test_pooling_by_name(write):
    assert read_modules(write(pooling={"pooling_mode": "cls"}))["pooling"] == "cls"


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(
    "prefixes",
    [
        {},
        {"prefix": "q: "},
        {"corpus_prefix": "p: "},
        *({"prefix": "q: ", "corpus_prefix": of_corpus} for of_corpus in ("p: ", "")),
    ],
)
def test_what_is_written_is_read_again(tmp_path, normalize, prefixes):
    both = {"prefix": "", "corpus_prefix": None, **prefixes}
    files = modules_of(pooling="cls", normalize=normalize, size=8, sequence_length=64, **both)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    assert read_modules(tmp_path) == {
        "pooling": "cls", "normalize": normalize,
        "preprocessor": {"sequence_length": 64, **prefixes},
    }  # fmt: skip


REFUSED = {
    "another module": (dict(modules=[*PLAIN, ("Dense", "2_Dense")]), "lists .*Dense; only"),
    "no pooling": (dict(modules=PLAIN[:1]), "modules.json: lists Transformer; only"),
    "an encoder elsewhere": (dict(modules=[("Transformer", "0"), PLAIN[1]]), "lie beside it"),
    "a folder outside": (dict(modules=[PLAIN[0], ("Pooling", "../x")]), "the pooling in a folder"),
    "max": (dict(pooling={"pooling_mode_max_tokens": True}), "pools by pooling_mode_max_tokens"),
    "two": (dict(pooling=dict.fromkeys(MEAN, True)), "pools by .*one of them"),
    "none": (dict(pooling=dict.fromkeys(MEAN, False)), "pools by nothing"),
    "last": (dict(pooling={"pooling_mode": "lasttoken"}), "pools by lasttoken"),
    "without prompts": (dict(pooling=MEAN | {"include_prompt": False}), "include_prompt"),
    "no text": (dict(prompts={"prompts": {"query": 3}}), "prompts.query: expected text"),
    "no such prompt": (dict(prompts={"default_prompt_name": "a"}), "'a', which no prompt has"),
    "lower case": (dict(length={"do_lower_case": True}), "do_lower_case is true, which is not"),
    "no number": (dict(length={"max_seq_length": "long"}), "max_seq_length: expected a whole"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(write, case):
    arguments, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as error:
        read_modules(write(**arguments))
    assert "\n" not in str(error.value)


def test_a_mangled_list(tmp_path):
    for content in ("{", "{}", "[3]", '[{"path": ""}]'):
        (tmp_path / "modules.json").write_text(content)
        assert has_modules(tmp_path)
        with pytest.raises(InputError, match=r"modules\.json: "):
            read_modules(tmp_path)


def test_a_checkpoint_with_these_files(config, tokenizer, write, tmp_path):
    """Some say in `architectures` what the encoder was pre-trained as."""
    backbone = kr.RobertaBackbone(config)
    backbone.save_to_hugging_face(tmp_path)
    tokenizer.save(tmp_path)
    source = open_checkpoint(tmp_path)
    assert source.head_name is None and source.task_settings(kr.RobertaTextEmbedder) is None
    write([*PLAIN, ("Normalize", "2_Normalize")], prompts={"prompts": {"query": "a "}})
    path = tmp_path / "config.json"
    for name in ("RobertaModel", "RobertaForMaskedLM", "XLMRobertaModel"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": [name]}))
        task = kr.open_task(tmp_path)
        assert type(task) is kr.RobertaTextEmbedder
        assert (task.pooler.pooling, task.schema.prefix) == ("mean", "a ")
        assert open_checkpoint(tmp_path).head_name == "sentence-transformers"
    other = kr.RobertaTextEmbedder.from_preset(tmp_path, pooling="cls", prefix="", normalize=False)
    assert (other.pooler.pooling, other.pooler.normalize) == ("cls", False)
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16)
    classifier = kr.RobertaTextClassifier(backbone, 2, preprocessor=preprocessor)
    classifier.save_to_hugging_face(tmp_path)
    assert not has_modules(tmp_path)
    assert type(kr.open_task(tmp_path)) is kr.RobertaTextClassifier
