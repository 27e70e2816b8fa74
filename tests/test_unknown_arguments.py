"""Arguments that nobody takes are refused by name, with the nearest that there is."""

import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.jobs.convert import convert


@pytest.fixture(scope="module")
def backbone():
    return kr.RobertaBackbone(
        vocabulary_size=300, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
    )


@pytest.mark.parametrize(
    ("call", "given", "nearest"),
    [
        (lambda b, **x: kr.RobertaConfig(**x), "hidden_dims", "hidden_dim"),
        (lambda b, **x: kr.RobertaConfig.named("tiny", **x), "num_layer", "num_layers"),
        (lambda b, **x: b.config.replace(**x), "droput", "dropout"),
        (lambda b, **x: kr.RobertaBackbone(b.config, **x), "optional_input", "optional_inputs"),
        (lambda b, **x: kr.RobertaBackbone(**x), "num_head", "num_heads"),
        (lambda b, **x: kr.RobertaBackbone.from_preset("p", **x), "atention", "attention"),
        (lambda b, **x: kr.RobertaTextClassifier(b, 2, **x), "activaton", "activation"),
        (lambda b, **x: kr.RobertaTextClassifier(b, **x), "num_class", "num_classes"),
        (lambda b, **x: kr.RobertaTextRegressor(b, **x), "drop_out", "dropout"),
        (lambda b, **x: kr.RobertaMultiLabelClassifier(b, 2, **x), "threshold", "thresholds"),
        (lambda b, **x: kr.RobertaMaskedLM(b, **x), "preprocesor", "preprocessor"),
        (lambda b, **x: kr.RobertaPretrainer(b, **x), "objective", "objectives"),
        (
            lambda b, **x: kr.RobertaMaskedLM.from_preset("p", **x),
            "sequence_lenght",
            "sequence_length",
        ),
        (lambda b, **x: kr.RobertaTokenizer.from_preset("p", **x), "sr", "src"),
        (lambda b, **x: kr.RobertaPreprocessor(**x), "sequence_lenght", "sequence_length"),
        (lambda b, **x: kr.RobertaPreprocessor.from_preset("p", **x), "label", "labels"),
        (lambda b, **x: kr.RobertaMaskedLMPreprocessor(**x), "mask_rat", "mask_rate"),
        (lambda b, **x: b.save_to_preset("p", **x), "max_shard_siz", "max_shard_size"),
        (lambda b, **x: b.save_to_hugging_face("p", **x), "drop_head", "drop_heads"),
        (lambda b, **x: export.to_tflite(b, "p", **x), "quantisation", "quantization"),
        (lambda b, **x: export.to_saved_model(b, "p", **x), "overwite", "overwrite"),
        (lambda b, **x: export.load("p", **x), "thread", "threads"),
        (lambda b, **x: export.report(["p"], **x), "repeat", "repeats"),
        (lambda b, **x: convert("p", "q", **x), "option", "options"),
    ],
)
def test_the_nearest_name_is_told(backbone, call, given, nearest):
    with pytest.raises(InputError, match=f"no argument '{given}'; did you mean {nearest}\\?"):
        call(backbone, **{given: 1})
    with pytest.raises(TypeError, match=given):  # as Python says it
        call(backbone, **{given: 1})


def test_what_is_near_to_nothing(backbone):
    for call in (kr.RobertaTextClassifier, kr.RobertaMaskedLM, kr.RobertaBackbone):
        with pytest.raises(InputError, match="no argument 'xyz'; it has .*name"):
            call(backbone if call is not kr.RobertaBackbone else backbone.config, xyz=1)


def test_the_keyword_constructor_of_the_encoder(backbone):
    sizes = dict(vocabulary_size=300, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
    config = kr.RobertaBackbone(**sizes, dropout=0.2, max_sequence_length=64).config
    assert config == kr.RobertaConfig(
        **sizes, dropout=0.2, attention_dropout=0.2, max_sequence_length=64
    )
    config = kr.RobertaBackbone(**sizes, dropout=0.2, attention_dropout=0.0).config
    assert (config.dropout, config.attention_dropout) == (0.2, 0.0)
    assert kr.RobertaBackbone(config, max_sequence_length=9).config.max_sequence_length == 9
    for given in ((), (50265,), ("base",)):
        with pytest.raises(InputError, match="give .* fields"):
            kr.RobertaBackbone(*given)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_classes", "2", "num_classes must be a whole number; got '2'"),
        ("num_classes", 2.5, "num_classes must be a whole number; got 2.5"),
        ("num_classes", 0, "num_classes must be a whole number from 1; got 0"),
        ("hidden_dim", -1, "hidden_dim must be a whole number from 1; got -1"),
        ("hidden_dim", True, "hidden_dim must be a whole number; got True"),
        ("sequence_length", "32", "sequence_length must be a whole number; got '32'"),
        ("sequence_length", 0, "sequence_length must be a whole number from 3; got 0"),
    ],
)
def test_numbers_that_do_not_fit(backbone, name, value, message):
    given = {"num_classes": 2, name: value}
    with pytest.raises(InputError, match=message):
        kr.RobertaTextClassifier.from_preset("p", **given)
    if name != "sequence_length":  # the preprocessor's
        with pytest.raises(InputError, match=message):
            kr.RobertaTextClassifier(backbone, **given)
