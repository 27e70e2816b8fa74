"""`.tflite` files: numbers, size, operations, errors."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export import tflite
from keras_roberta.export.edge_graph import inference_weights
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.tokenizers import byte_buffer

LENGTHS = (16, 32)
ROWS = [[0, 2], [0, 9, 2], [0, *range(5, 19), 2], [0, *range(1000, 1014), 2]]


@pytest.mark.parametrize("name", ["none", "float16", "int8", "text_int8", "regression_none"])
def test_equals_keras(name, exported, classifier, regressor):
    task = regressor if "regression" in name else classifier
    runner = export.load(exported[name])
    assert runner.metadata["quantization"] in name
    out = runner.predict(as_features(ROWS, 1))
    # Each row alone and unpadded: what padding a signature adds must not show.
    expected = np.concatenate([task(as_features([row], 1)).numpy() for row in ROWS])
    if task is regressor:
        assert set(out) == {"logits", "value"}
        np.testing.assert_array_equal(out["value"], out["logits"][:, 0])
        np.testing.assert_allclose(out["logits"], expected, rtol=1e-4, atol=1e-5)
        return
    assert set(out) == {"logits", "probabilities", "label", "score"}
    assert out["label"].dtype == np.int32
    powers = np.exp(expected)
    np.testing.assert_allclose(
        out["probabilities"],
        powers / powers.sum(axis=-1, keepdims=True),
        atol=SCHEMES[runner.metadata["quantization"]].bound.largest_change,
    )


def test_all_lengths_agree(exported):
    runner = export.load(exported["none"])
    assert runner.lengths == [16, 32]
    for row in ROWS:
        at_16, at_32 = (runner.run(f"tokens_{n}", **as_features([row], 1, n)) for n in (16, 32))
        np.testing.assert_allclose(at_16["logits"], at_32["logits"], rtol=1e-4, atol=1e-5)


def test_sizes(exported):
    size = {name: exported[name].stat().st_size for name in ("none", "float16", "int8")}
    assert size["int8"] < 0.3 * size["none"]
    assert size["float16"] < 0.55 * size["none"]


def test_size_of_the_tokenizer(exported):
    """Tables are there once, whatever the number of signatures, and never quantised."""
    # Code point classes 40 kB, and 120 kB for each length: the tokenizer's graph, and its copy.
    for quantization in ("none", "int8"):
        added = (
            exported[f"text_{quantization}"].stat().st_size - exported[quantization].stat().st_size
        )
        assert 0 < added < 400_000


@pytest.mark.parametrize("name", ["none", "text_none"])
def test_padding_may_stand_anywhere(name, exported, classifier):
    """In front, between and behind the tokens of a row, in the signature itself."""
    row = [0, 7, 8, 9, 2]
    expected = classifier(as_features([row], 1)).numpy()
    interpreter = Interpreter(str(exported[name]))
    encode = interpreter.get_signature_runner("tokens_16")
    for places in (range(5), range(3, 8), range(11, 16), [1, 2, 5, 9, 15]):
        token_ids, mask = np.ones((2, 1, 16), np.int32)
        token_ids[0, places], mask[0] = row, np.isin(range(16), places)
        found = encode(token_ids=token_ids, padding_mask=mask)["logits"]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("quantization", ["none", "float16", "int8"])
def test_a_file_for_texts_has_its_two_halves_too(quantization, exported, tokenizer):
    """`tokenize_N` and `tokens_N` in a row are `text_N`."""
    path = exported[f"text_{quantization}"]
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    names = set(interpreter.get_signature_list())
    lengths = export.read_metadata(path)["sequence_lengths"]
    assert names == {f"{kind}_{n}" for kind in ("text", "tokenize", "tokens") for n in lengths}
    run = {name: interpreter.get_signature_runner(name) for name in names}
    for n in (*lengths, *lengths):
        for text in ("a gem", "", "the film is a mess from start to finish"):
            utf8 = byte_buffer.fill([text], 8 * n)
            row = run[f"tokenize_{n}"](utf8=utf8)
            ids = tokenizer(text, max_length=n)
            assert row["num_tokens"] == len(tokenizer(text))
            assert row["token_ids"][0, : len(ids)].tolist() == ids
            mask = row["padding_mask"]
            assert mask.sum() == len(ids)
            halves = run[f"tokens_{n}"](token_ids=row["token_ids"], padding_mask=mask)
            whole = run[f"text_{n}"](utf8=utf8)
            assert set(whole) == {*halves, "token_ids", "num_tokens"}
            for name, value in halves.items():
                np.testing.assert_array_equal(whole[name], value)


@pytest.mark.parametrize(
    ("name", "bytes_a_weight"),
    [("none", 4), ("int8", 1), ("text_none", 4), ("text_float16", 2), ("text_int8", 1)],
)
def test_weights_are_there_once(name, bytes_a_weight, exported):
    """Whatever the number of signatures."""
    model = schema.Model.GetRootAs(exported[name].read_bytes())
    sizes = [model.Buffers(i).DataLength() for i in range(model.BuffersLength())]
    assert sizes.count(20_000 * 64 * bytes_a_weight) == 1  # the vocabulary
    assert sizes.count(64 * 96 * bytes_a_weight) == 4  # two kernels of each of two blocks


@pytest.mark.parametrize("name", ["none", "text_none", "text_float16", "text_int8"])
def test_the_encoder_suits_a_gpu(name, exported):
    """Positions are looked up, since GPUs add only the first row of a constant; no tensor is of
    a size that is known only when it is run, and what has such ones is kept from delegates."""
    model = schema.ModelT.InitFromPackedBuf(exported[name].read_bytes())
    kinds = [code.builtinCode for code in model.operatorCodes]
    unknown = {getattr(schema.BuiltinOperator, n) for n in ("UNSORTED_SEGMENT_MAX", "WHILE", "IF")}
    encoders = [s.subgraphIndex for s in model.signatureDefs if s.signatureKey[:7] == b"tokens_"]
    assert len(encoders) == len(export.read_metadata(exported[name])["sequence_lengths"])
    for number, graph in enumerate(model.subgraphs):
        if number not in encoders:
            assert graph.name.startswith(b"VALIDATION:")  # TFLite's word for "delegate nothing"
            continue
        assert not unknown & {kinds[op.opcodeIndex] for op in graph.operators}
        for op in graph.operators:  # an addition of a constant with a row for each place
            if kinds[op.opcodeIndex] == schema.BuiltinOperator.ADD:
                for tensor in (graph.tensors[i] for i in op.inputs):
                    is_constant = model.buffers[tensor.buffer].data is not None
                    assert not is_constant or np.prod(np.array(tensor.shape)[:-1]) == 1


@pytest.mark.parametrize(
    "name",
    ["none", "float16", "int8", "text_none", "text_float16", "text_int8", "text_pairs"],
)
def test_one_partition_of_builtin_operations(name, exported):
    assert tflite.xnnpack_partitions(exported[name]) == 1
    model = schema.Model.GetRootAs(exported[name].read_bytes())
    assert not any(model.OperatorCodes(i).CustomCode() for i in range(model.OperatorCodesLength()))


def test_a_damaged_weight_is_noticed(small_classifier, tmp_path, monkeypatch):
    def damaged(task):
        weights = inference_weights(task)
        name = "encoder/block_0/attention/value/kernel"
        return {**weights, name: weights[name].T.copy()}

    monkeypatch.setattr("keras_roberta.export.edge_graph.inference_weights", damaged)
    with pytest.raises(export.ExportMismatch, match="graph: the answer to '.*' is off by .* bound"):
        export.to_tflite(
            small_classifier, tmp_path / "model.tflite", inputs="tokens", sequence_lengths=[8]
        )
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_noticed(make_task, tmp_path):
    task = make_task(layers=1, vocabulary_size=320)
    task.head.logits.bias.assign([np.nan, 0, 0])
    with pytest.raises(export.ExportMismatch, match="off by inf"):
        export.to_tflite(task, tmp_path / "model.tflite", "none", "tokens", sequence_lengths=[8])
    assert list(tmp_path.iterdir()) == []


def test_a_split_graph_is_noticed(exported, monkeypatch):
    monkeypatch.setattr(tflite, "xnnpack_partitions", lambda path: 26)
    with pytest.raises(export.ExportMismatch, match="26 partitions"):
        tflite.check_operations(exported["int8"], SCHEMES["int8"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            dict(quantization="int3"),
            "quantization: expected one of none, float16, int8, .*; got 'int3'",
        ),
        (dict(inputs="audio"), "inputs: expected one of"),
        (dict(inputs="tokens", pairs=True), "pairs: goes with inputs='text'"),
        (dict(sequence_lengths=(16, 41)), "41 is outside 3..40"),
        (dict(sequence_lengths=(2,)), "2 is outside 3..40"),
        (dict(sequence_lengths=()), "expected whole numbers"),
        (dict(sequence_lengths=(16.5,)), "expected whole numbers"),
        (dict(sequence_lengths=16), "expected whole numbers"),
        (dict(sequence_lengths="long"), "expected whole numbers"),
        (dict(sequence_lengths=(16, 8)), "sequence_lengths: 16, 8 do not increase; .* 8,16"),
        (dict(top_k=3), "top_k: a RobertaTextClassifier has no such option"),
        (dict(quantisation="int8"), "no argument .quantisation.; did you mean quantization"),
        (dict(calibration=["a gem"]), "calibration: quantization 'int8' needs no sample texts"),
    ],
)
def test_bad_arguments(classifier, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        export.to_tflite(classifier, tmp_path / "model.tflite", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_kept_unless_told(small_classifier, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_text("precious")
    options = {"inputs": "tokens", "sequence_lengths": [8]}
    with pytest.raises(InputError, match="model.tflite: exists; choose .* overwrite=True"):
        export.to_tflite(small_classifier, path, "none", **options)
    assert path.read_text() == "precious"
    export.to_tflite(small_classifier, path, "none", **options, overwrite=True)
    assert export.read_metadata(path)["sequence_lengths"] == [8]
    with pytest.raises(InputError, match="is a directory"):
        export.to_tflite(small_classifier, tmp_path, "none", **options, overwrite=True)


@pytest.mark.parametrize(("inputs", "lengths"), [("text", [24]), ("tokens", [32, 40])])
def test_lengths_are_those_of_the_texts(inputs, lengths, small_classifier, monkeypatch):
    """What the preprocessor cuts off needs no signature; rows of ids are as long as they are, up
    to the model's 40 positions, fewer than the longest of the default."""
    monkeypatch.setattr(small_classifier.preprocessor, "sequence_length", 24)
    assert tflite.PhoneModule(small_classifier, inputs=inputs).lengths == lengths
