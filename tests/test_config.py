import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from keras_roberta import RobertaConfig
from keras_roberta.config import SIZES
from keras_roberta.errors import InputError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_layers", 0),
        ("num_layers", 2.0),
        ("num_layers", True),
        ("hidden_dim", 100),  # not divisible by 12 heads
        ("vocabulary_size", "big"),
        ("dropout", 1.0),
        ("attention_dropout", -0.1),
        ("activation_dropout", 1.0),
        ("layer_drop", -0.1),
        ("layer_norm_epsilon", 0),
        ("initializer", "zeros"),
        ("initializer_range", -1.0),
        ("pad_token_id", 50265),
        ("num_token_types", -1),
        ("max_sequence_length", 0),
        ("hidden_activation", "gelu_new"),
        ("tie_word_embeddings", 1),
        ("parameter_sharing", "some"),
        ("sharing_groups", 2),  # where nothing is shared
        ("embedding_dim", 768),
        ("embedding_dim", 0),
        ("embedding_dim", 1.5),
        ("norm_first", None),
        ("embedding_norm", 1),
    ],
)
def test_an_invalid_field_is_named(field, value):
    with pytest.raises(InputError, match=field):
        RobertaConfig(**{field: value})


def test_groups_of_layers():
    """As ALBERT's: `int(layer / (num_layers / groups))`, and the first of each owns the weights."""
    for layers in range(1, 13):
        for groups in range(1, layers + 1):
            config = RobertaConfig(
                num_layers=layers, parameter_sharing="all", sharing_groups=groups
            )
            number = [layer * groups // layers for layer in range(layers)]
            owners = [config.owner(layer, "attention") for layer in range(layers)]
            assert owners == [number.index(group) for group in number]
            assert len(set(owners)) == groups
    with pytest.raises(InputError, match="sharing_groups must be from 1 to num_layers=2; got 3"):
        RobertaConfig(num_layers=2, parameter_sharing="attention", sharing_groups=3)
    for options in ({"embedding_dim": 64}, {"embedding_norm": False}):
        ((name, value),) = options.items()
        with pytest.raises(InputError, match=f"no place for {name}={value}$"):
            RobertaConfig(**options).to_hugging_face()


def test_is_frozen():
    with pytest.raises(AttributeError):
        RobertaConfig().num_layers = 3


@pytest.mark.parametrize(
    ("name", "layers", "width", "head_dim", "vocabulary_size"),
    [
        ("tiny", 2, 128, 64, 50_265),
        ("mini", 4, 256, 64, 50_265),
        ("small", 4, 512, 64, 50_265),
        ("base", 12, 768, 64, 50_265),
        ("large", 24, 1024, 64, 50_265),
        ("xlm-base", 12, 768, 64, 250_002),
        ("xlm-large", 24, 1024, 64, 250_002),
        ("xlm-xl", 36, 2560, 80, 250_880),
        ("xlm-xxl", 48, 4096, 128, 250_880),
    ],
)
def test_named_sizes(name, layers, width, head_dim, vocabulary_size):
    config = RobertaConfig.named(name)
    assert (config.num_layers, config.hidden_dim, config.head_dim) == (layers, width, head_dim)
    assert config.intermediate_dim == 4 * width
    by_width = 0.02 * max(1, 768 / config.hidden_dim) ** 0.5
    assert config.initializer_range == pytest.approx(by_width, rel=0.03)
    assert config.vocabulary_size == vocabulary_size
    large = name in ("xlm-xl", "xlm-xxl")
    assert config.norm_first == large and config.embedding_norm != large


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # What Transformers' encoders have without their poolers.
        ("base", 124_055_040),
        ("large", 354_310_144),
        ("xlm-base", 277_453_056),
        ("xlm-large", 558_840_832),
        ("xlm-xl", 3_475_929_600),
        ("xlm-xxl", 10_695_954_432),
    ],
)
def test_parameters_of_released_models(name, parameters):
    config = RobertaConfig.named(name)
    assert config.encoder_parameters == parameters


@pytest.mark.parametrize(("name", "billions"), [("xlm-xl", 3.5), ("xlm-xxl", 10.7)])
def test_parameters_of_the_largest(name, billions):
    """Goyal et al., 2021, table 1."""
    assert round(RobertaConfig.named(name).encoder_parameters / 1e9, 1) == billions


def test_the_command_that_lists_them(run):
    code, stdout, _ = run("sizes")
    assert code == 0 and [line.split()[0] for line in stdout.splitlines()[1:]] == list(SIZES)
    assert stdout.splitlines()[-1].split()[-3:] == ["10,696", "M", "42.78"]
    code, stdout, _ = run("sizes", "--vocabulary-size", 8000)
    assert code == 0 and all(line.split()[5] == "8,000" for line in stdout.splitlines()[1:])


def test_unknown_name_and_field():
    with pytest.raises(InputError, match="gigantic.*tiny"):
        RobertaConfig.named("gigantic")
    with pytest.raises(InputError, match="width"):
        RobertaConfig.from_dict({"width": 3})


@given(
    heads=st.integers(1, 16),
    head_dim=st.integers(1, 64),
    length=st.integers(1, 4096),
    pad=st.integers(0, 5),
    types=st.integers(0, 3),
    dropout=st.floats(0, 0.9),
)
def test_round_trips(heads, head_dim, length, pad, types, dropout):
    config = RobertaConfig(
        num_heads=heads,
        hidden_dim=heads * head_dim,
        max_sequence_length=length,
        pad_token_id=pad,
        num_token_types=types,
        dropout=dropout,
    )
    assert RobertaConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    hugging_face = json.loads(json.dumps(config.to_hugging_face()))
    assert RobertaConfig.from_hugging_face(hugging_face) == config


@pytest.mark.parametrize(
    ("model_type", "options"),
    [
        ("xlm-roberta-xl", dict(norm_first=True, embedding_norm=False)),
        ("roberta-prelayernorm", dict(norm_first=True)),
    ],
)
def test_model_types_with_layer_norms_in_front(model_type, options):
    config = RobertaConfig.named("tiny", **options)
    values = config.to_hugging_face()
    assert values["model_type"] == model_type
    assert RobertaConfig.from_hugging_face(values) == config


def test_a_short_config_has_the_defaults_of_its_model_type():
    found = RobertaConfig.from_hugging_face({"model_type": "xlm-roberta-xl"})
    assert found == RobertaConfig.named("xlm-xl")
    found = RobertaConfig.from_hugging_face({"model_type": "roberta-prelayernorm"})
    expected = RobertaConfig.from_hugging_face({"model_type": "roberta"})
    assert found == expected.replace(norm_first=True)


def test_hugging_face_defaults_and_errors():
    config = RobertaConfig.from_hugging_face({"model_type": "roberta"})
    # Its position table has 512 rows, two of which are not for tokens.
    assert config.max_sequence_length == 510 and config.layer_norm_epsilon == 1e-12
    for changes, named in [
        ({"model_type": "bert"}, "model_type"),
        ({"model_type": None}, "model_type"),
        ({"hidden_act": "relu2"}, "hidden_act"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"max_position_embeddings": 2}, "max_position_embeddings"),
        ({"max_position_embeddings": "many"}, "max_position_embeddings"),
        ({"hidden_size": 100}, "hidden_dim"),
        ({"num_hidden_layers": None}, "num_layers"),
    ]:
        with pytest.raises(InputError, match=named):
            RobertaConfig.from_hugging_face({"model_type": "roberta", **changes})
