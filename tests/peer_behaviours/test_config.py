"""What Transformers' tests ask of configurations."""

import json

from peer_harness import Refused, behaviours, check, small_encoder, tokenizer_with

import keras_roberta as kr

HUGGING_FACE = {
    "model_type": "roberta",
    "vocab_size": 99,
    "hidden_size": 36,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 66,
    "type_vocab_size": 16,
    "hidden_act": "relu",
    "layer_norm_eps": 1e-6,
}


def config_json(directory, **changes):
    """A tiny task in Transformers' form whose `config.json` has been changed."""
    backbone = small_encoder()
    preprocessor = kr.RobertaPreprocessor(tokenizer_with(), sequence_length=16)
    kr.RobertaTextClassifier(backbone, 2, preprocessor).save_to_hugging_face(directory)
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return directory


@behaviours(
    {
        "all have defaults, those of roberta-base": (
            lambda: kr.RobertaConfig().to_hugging_face()["hidden_size"],
            768,
        ),
        "Transformers' names": (
            lambda: [
                getattr(kr.RobertaConfig.from_hugging_face(HUGGING_FACE), name)
                for name in ("vocabulary_size", "hidden_dim", "num_layers", "num_heads")
            ],
            [99, 36, 3, 4],
        ),
        "there and back": (
            lambda: {
                name: value
                for name, value in kr.RobertaConfig.from_hugging_face(HUGGING_FACE)
                .to_hugging_face()
                .items()
                if name in HUGGING_FACE
            },
            HUGGING_FACE,
        ),
        "through JSON": (
            lambda: (
                kr.RobertaConfig.from_dict(json.loads(json.dumps(kr.RobertaConfig().to_dict())))
                == kr.RobertaConfig()
            ),
            True,
        ),
        "another value": (lambda: kr.RobertaConfig().replace(num_heads=6).num_heads, 6),
        "a decoder is refused": (
            lambda: kr.RobertaConfig.from_hugging_face({**HUGGING_FACE, "is_decoder": True}),
            Refused("is_decoder"),
        ),
        "relative positions are refused": (
            lambda: kr.RobertaConfig.from_hugging_face(
                {**HUGGING_FACE, "position_embedding_type": "relative_key"}
            ),
            Refused("position_embedding_type"),
        ),
        "another architecture is refused": (
            lambda: kr.RobertaConfig.from_hugging_face({**HUGGING_FACE, "model_type": "spacy"}),
            Refused("spacy"),
        ),
    }
)
def test_config_of_transformers(done, expected):
    check(done, expected)


@behaviours(
    {
        "num_labels follows the names": (
            dict(id2label={"0": "dry", "1": "wet"}, label2id={"dry": 0, "wet": 1}),
            ("RobertaTextClassifier", ["dry", "wet"]),
        ),
        "single_label_classification": (
            dict(problem_type="single_label_classification"),
            ("RobertaTextClassifier", ["0", "1"]),
        ),
        "multi_label_classification": (
            dict(problem_type="multi_label_classification"),
            ("RobertaMultiLabelClassifier", ["0", "1"]),
        ),
    }
)
def test_problem_types_of_transformers(done, expected, tmp_path):
    task = kr.open_task(config_json(tmp_path, **done))
    assert (type(task).__name__, list(task.labels)) == expected
