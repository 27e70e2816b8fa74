"""The table of quantisation schemes: bounds on answers, schemes of one's own, rewrites."""

import dataclasses
import re
import tempfile
import types

import flatbuffers
import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export import quantization, tflite, tflite_rewrites
from keras_roberta.export.operation_names import TOKEN_PROJECTION
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.quantization import SCHEMES, Bound, QuantizationScheme
from keras_roberta.export.task_graph import TaskGraph
from keras_roberta.export.verify import check_bound, verify
from keras_roberta.schemas import ManyLabels, OneLabel, Value

Kind = schema.BuiltinOperator
TOKENS = {"inputs": "tokens", "sequence_lengths": [16]}


# === Bounds ===


def outputs_of(*probabilities):
    probabilities = np.array(probabilities)
    return {"probabilities": probabilities, "label": probabilities.argmax(axis=-1)}


def check(found, expected, bound, schema=OneLabel(2)):  # noqa: B008
    names = [f"text {i}" for i in range(len(next(iter(expected.values()))))]
    check_bound(schema, found, expected, names=names, bound=bound, what="it")


def test_an_answer_that_moved_too_far_is_named():
    expected = outputs_of([0.5, 0.5], [0.9, 0.1], [0.2, 0.8])
    found = outputs_of([0.5, 0.5], [0.7, 0.3], [0.2, 0.8])
    check(found, expected, Bound(1.0, 0.21))
    message = r"it: the answer to 'text 1' is off by 0.2, and the bound is 0.19; nothing was"
    with pytest.raises(export.ExportMismatch, match=message):
        check(found, expected, Bound(1.0, 0.19))


def test_nearly_tied_answers_may_change_places():
    expected = outputs_of([0.51, 0.49], [0.9, 0.1])
    found = outputs_of([0.49, 0.51], [0.9, 0.1])
    check(found, expected, Bound(1.0, 0.1))
    message = "it: 50% of the sample texts are answered as before, and the bound is 100%; 'text 0'"
    with pytest.raises(export.ExportMismatch, match=message):
        check(outputs_of([0.42, 0.58], [0.9, 0.1]), expected, Bound(1.0, 0.1))
    check(outputs_of([0.42, 0.58], [0.9, 0.1]), expected, Bound(0.5, 0.1))


def test_what_was_nearly_tied_is_not_counted():
    """Of four texts two change places by little; of the other two one is answered as before."""
    expected = outputs_of([0.51, 0.49], [0.49, 0.51], [0.54, 0.46], [0.9, 0.1])
    found = outputs_of([0.49, 0.51], [0.51, 0.49], [0.46, 0.54], [0.9, 0.1])
    check(found, expected, Bound(0.5, 0.1))
    with pytest.raises(export.ExportMismatch, match="50% of the sample texts .* bound is 51%"):
        check(found, expected, Bound(0.51, 0.1))


def test_a_change_that_is_not_a_number_is_beyond_any_bound():
    schema = types.SimpleNamespace(
        compare=lambda found, expected: types.SimpleNamespace(largest_change=np.nan, agreement=1.0)
    )
    with pytest.raises(export.ExportMismatch, match="answer to 'text 0' is off by nan"):
        check(outputs_of([0.5, 0.5]), outputs_of([0.5, 0.5]), Bound(0.0, 1.0), schema)


def test_values_are_judged_by_the_largest():
    expected = {"value": np.array([1.0, 200.0])}
    check({"value": np.array([9.0, 200.0])}, expected, Bound(1.0, 0.05), Value())
    with pytest.raises(export.ExportMismatch, match="'text 0' is off by 0.055"):
        check({"value": np.array([12.0, 200.0])}, expected, Bound(1.0, 0.05), Value())


def test_one_label_of_many_that_changes_in_every_text():
    expected = {"probabilities": np.full((10, 28), 0.1)}
    expected["probabilities"][:, 3] = 0.45
    found = {"probabilities": expected["probabilities"].copy()}
    found["probabilities"][:, 3] = 0.55
    for outputs in (expected, found):
        outputs["labels"] = (outputs["probabilities"] >= 0.5).astype("int32")
    with pytest.raises(export.ExportMismatch, match="it: 0% of the sample texts"):
        check(
            found,
            expected,
            dataclasses.replace(SCHEMES["int8"].bound, mean_change=1.0),
            ManyLabels(28),
        )


def test_a_small_change_of_every_answer_is_refused():
    """It is no noise, of which most texts see little."""
    expected = outputs_of(*[[0.5, 0.5]] * 10)
    one = outputs_of([0.6, 0.4], *[[0.5, 0.5]] * 9)
    all_of_them = outputs_of(*[[0.56, 0.44]] * 10)
    check(one, expected, Bound(0.9, 0.15, mean_change=0.05))
    check(all_of_them, expected, Bound(0.9, 0.15, mean_change=0.07))
    message = "it: the answers are off by 0.06 on average, and the bound is 0.05; nothing was"
    with pytest.raises(export.ExportMismatch, match=message):
        check(all_of_them, expected, Bound(0.9, 0.15, mean_change=0.05))


@pytest.mark.parametrize(
    ("name", "within", "beyond"), [("none", 9e-5, 2e-4), ("float16", 9e-3, 2e-2)]
)
def test_the_schemes_that_keep_every_answer_have_narrow_bounds(name, within, beyond):
    expected = outputs_of([0.6, 0.4], [0.9, 0.1])
    near, far = (outputs_of([0.6 + x, 0.4 - x], [0.9, 0.1]) for x in (within, beyond))
    check(near, expected, SCHEMES[name].bound)
    with pytest.raises(export.ExportMismatch, match="'text 0' is off by"):
        check(far, expected, SCHEMES[name].bound)


def test_the_bound_of_8_bits():
    expected = outputs_of(*[[0.5, 0.5]] * 10)
    for move, texts, refused in (
        (0.14, 1, None),
        (0.17, 1, "'text 0' is off by 0.17"),
        (0.04, 10, None),
        (0.06, 10, "off by 0.06 on average"),
    ):
        found = outputs_of(*[[0.5 + move, 0.5 - move]] * texts, *[[0.5, 0.5]] * (10 - texts))
        if refused is None:
            check(found, expected, SCHEMES["int8"].bound)
            continue
        with pytest.raises(export.ExportMismatch, match=refused):
            check(found, expected, SCHEMES["int8"].bound)


def test_what_is_not_a_number_is_refused():
    expected = outputs_of([0.5, 0.5])
    with pytest.raises(export.ExportMismatch, match="off by inf"):
        check(outputs_of([np.nan, np.nan]), expected, Bound(0.0, 1.0))
    with pytest.raises(export.ExportMismatch, match="off by inf"):
        check(expected, outputs_of([np.nan, np.nan]), Bound(0.0, 1.0))


def test_a_regression_near_0(make_task, tmp_path):
    """8 bits are coarse beside its values, but not beside what a user tells apart."""
    task = make_task(num_classes=1, labels=None, layers=1, vocabulary_size=320)
    task.head.logits.kernel.assign(0.1 * task.head.logits.kernel)
    rows = [[0, *range(5, 5 + n), 2] for n in (1, 3, 6, 14)]
    features = as_features(rows, 1)
    task.head.logits.bias.assign_sub([float(np.mean(task(features)))])
    path = export.to_tflite(task, tmp_path / "model.tflite", "int8", **TOKENS)
    found, expected = export.load(path).predict(features)["value"], task(features).numpy()[:, 0]
    assert np.abs(expected).max() < 0.2
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_third_of_a_logit(scale, make_task, tmp_path):
    """One logit too large by a third of the largest: where logits are small no probability moves
    by much, but each of them does."""
    task = make_task(num_classes=2, labels=None, layers=1, vocabulary_size=320)
    kernel, bias = task.head.logits.kernel, task.head.logits.bias
    ids = np.random.default_rng(0).integers(5, 320, (64, 16))
    largest = np.abs(task({"token_ids": ids, "padding_mask": np.ones_like(ids)})).max()
    kernel.assign(scale / largest * kernel)
    bias.assign(scale / largest * bias)

    path = export.to_tflite(task, tmp_path / "model.tflite", "int8", **TOKENS)
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    (graph,) = tflite_rewrites.signature_graphs(model)
    (number,) = [
        graph.tensors[op.inputs[2]].buffer
        for op in graph.operators
        if graph.tensors[op.outputs[0]].name == b"head/out/result"
    ]
    bias = np.frombuffer(model.buffers[number].data.tobytes(), "<f4")
    shifted = bias + np.float32([scale / 3, 0])
    model.buffers[number].data = np.frombuffer(shifted.tobytes(), np.uint8)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
    message = "quantization 'int8': the answers? .* off by .*, and the bound is"
    with pytest.raises(export.ExportMismatch, match=message):
        verify(task, export.load(path), graph=TaskGraph(task), scheme=SCHEMES["int8"])


# === Schemes of one's own ===


@pytest.fixture
def scheme(monkeypatch):
    """Half precision as the converter makes it; docs/how-to/add-a-quantisation.md adds it too."""

    def configure(converter):
        import tensorflow as tf

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    scheme = QuantizationScheme(
        name="float16-plain",
        summary="weights in half precision",
        bound=Bound(agreement=1.0, largest_change=1e-2),
        configure=configure,
        one_partition="reported",
    )
    monkeypatch.setitem(SCHEMES, scheme.name, scheme)
    return scheme


def test_a_scheme_is_one_entry(scheme, small_classifier, tmp_path, monkeypatch, caplog):
    path = export.to_tflite(small_classifier, tmp_path / "a.tflite", "float16-plain", **TOKENS)
    runner = export.load(path)
    assert runner.metadata["quantization"] == "float16-plain"
    rows = as_features([[0, 9, 2], [0, 5, 6, 7, 2]], 1)
    np.testing.assert_array_equal(
        runner.predict(rows)["label"], small_classifier(rows).numpy().argmax(axis=-1)
    )
    monkeypatch.setattr(tflite, "xnnpack_partitions", lambda path: 1)
    caplog.clear()
    tflite.check_operations(path, scheme)
    assert not caplog.records
    monkeypatch.setattr(tflite, "xnnpack_partitions", lambda path: 3)
    tflite.check_operations(path, scheme)
    assert "a.tflite: XNNPACK runs it in 3 pieces" in caplog.text
    with pytest.raises(export.ExportMismatch, match="3 partitions, not 1"):
        tflite.check_operations(path, dataclasses.replace(scheme, one_partition="demanded"))


def test_a_scheme_that_is_calibrated(small_classifier, tmp_path, monkeypatch):
    """The converter is shown the texts, each as the ids of the signature that holds it."""
    seen = []

    def configure(converter):
        seen.extend(converter.representative_dataset())
        converter.representative_dataset = None

    scheme = dataclasses.replace(
        SCHEMES["none"], name="static", configure=configure, needs_calibration=True
    )
    monkeypatch.setitem(SCHEMES, "static", scheme)
    task, path = small_classifier, tmp_path / "a.tflite"
    lengths = {"sequence_lengths": [8, 16]}
    with pytest.raises(InputError, match="calibration: quantization 'static' needs texts"):
        export.to_tflite(task, path, "static", "tokens", **lengths)
    texts = ["a gem", "the film is a mess"]
    export.to_tflite(task, path, "static", "tokens", **lengths, calibration=texts)
    tokenizer = task.preprocessor.tokenizer
    rows = [tokenizer(text) for text in texts]
    assert len(rows[0]) <= 8 < len(rows[1]) <= 16
    assert [name for name, _ in seen] == ["tokens_8", "tokens_16"]
    for (_, given), row in zip(seen, rows, strict=True):
        assert given["token_ids"][0, : len(row)].tolist() == row
        assert given["padding_mask"].sum() == len(row)
    of_texts = tflite.PhoneModule(task, inputs="text", **lengths).samples(texts)()
    for (name, given), (expected_name, expected) in zip(of_texts, seen, strict=True):
        assert name == expected_name
        np.testing.assert_array_equal(given["token_ids"], expected["token_ids"])


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_conversion_leaves_the_place_of_temporary_files(
    calibrated, small_classifier, tmp_path, monkeypatch
):
    """Of which other threads of the process make use; and there may be no room there."""
    seen = []

    def configure(converter):
        seen.append(tempfile.tempdir)
        if calibrated:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]

    scheme = dataclasses.replace(
        SCHEMES["none"],
        name="static",
        configure=configure,
        needs_calibration=calibrated,
        bound=Bound(agreement=0.0, largest_change=1.0, mean_change=1.0),
        one_partition="reported",
    )
    monkeypatch.setitem(SCHEMES, "static", scheme)
    nowhere = str(tmp_path / "nowhere")
    monkeypatch.setattr(tempfile, "tempdir", nowhere)
    monkeypatch.setenv("TMPDIR", nowhere)
    texts = ["a gem", "the film is a mess"] if calibrated else None
    path = export.to_tflite(
        small_classifier, tmp_path / "a.tflite", "static", **TOKENS, calibration=texts
    )
    assert seen == [nowhere] and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_table_names_what_it_holds():
    assert list(SCHEMES) == [scheme.name for scheme in SCHEMES.values()]
    assert all(scheme.summary for scheme in SCHEMES.values())
    assert quantization.SCHEMES["none"].bound.largest_change <= 1e-4


# === Rewrites ===


@pytest.mark.parametrize("masked", [False, True])
def test_sizes_that_are_all_alike(masked, make_task, tokenizer, tmp_path):
    """The vocabulary's table is found by its name, whatever has the same shape."""
    task = make_task(vocabulary_size=320, intermediate_dim=320, hidden_dim=320, layers=1)
    options = dict(TOKENS)
    if masked:
        keras.utils.set_random_seed(0)
        preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=16)
        task = kr.RobertaMaskedLM(task.backbone, preprocessor)
        options |= {"top_k": 3, "max_masks": 2}
    path = export.to_tflite(task, tmp_path / "model.tflite", "int8", **options)
    texts = ["a <mask> gem"]
    found = export.load(path, tokenizer).predict(texts)
    expected = task.named_outputs(texts)
    name = "scores" if masked else "probabilities"
    size = found[name].shape[-1]
    np.testing.assert_allclose(found[name], expected[name][..., :size], atol=0.1)
    model = schema.Model.GetRootAs(path.read_bytes())
    sizes = [model.Buffers(i).DataLength() for i in range(model.BuffersLength())]
    # The table of tokens, six kernels of the block and one of the head, 8 bits each.
    assert sizes.count(320 * 320) == 1 + 6 + 1


@pytest.mark.parametrize("name", ["float16", "text_float16"])
def test_no_table_is_widened_for_nothing(name, exported):
    """The rows that are looked up are widened, and with them gone nobody asks for the tables."""
    model = schema.ModelT.InitFromPackedBuf(exported[name].read_bytes())
    kinds = [code.builtinCode for code in model.operatorCodes]
    for graph in tflite_rewrites.signature_graphs(model):
        used = {i for op in graph.operators for i in op.inputs} | set(graph.outputs)
        widened = [op for op in graph.operators if kinds[op.opcodeIndex] == Kind.DEQUANTIZE]
        assert widened and all(set(op.outputs) <= used for op in widened)
        shapes = [tuple(graph.tensors[op.outputs[0]].shape) for op in widened]
        assert (20_000, 64) not in shapes  # the vocabulary
        assert (16, 64) in shapes or (32, 64) in shapes  # the rows of a text


@pytest.fixture(scope="module")
def masked_lm_file(make_task, tokenizer, tmp_path_factory):
    backbone = make_task(vocabulary_size=320, layers=1).backbone
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=16)
    task = kr.RobertaMaskedLM(backbone, preprocessor)
    path = tmp_path_factory.mktemp("masked_lm") / "model.tflite"
    return export.to_tflite(task, path, "none", "tokens", sequence_lengths=[8])


@pytest.mark.parametrize(
    ("rewrite", "names", "message"),
    [
        ("gather_before_widening", True, "token/look_up: expected one DEQUANTIZE .* found 0"),
        ("gather_before_widening", False, "embeddings/token/look_up: expected one GATHER"),
        ("share_vocabulary", True, "embedding table: expected one DEQUANTIZE .* found 0"),
    ],
)
def test_another_converter_is_noticed(rewrite, names, message, masked_lm_file):
    """A rewrite that does not find what it is for says what is missing."""
    model = schema.ModelT.InitFromPackedBuf(masked_lm_file.read_bytes())
    if not names:
        for tensor in model.subgraphs[0].tensors:
            tensor.name = b"nameless"
    with pytest.raises(export.ExportMismatch, match=message):
        getattr(tflite_rewrites, rewrite)(model)


def test_a_projection_that_lost_its_name_is_noticed(masked_lm_file):
    for name in (b"nameless", b"head/another/result"):
        model = schema.ModelT.InitFromPackedBuf(masked_lm_file.read_bytes())
        for tensor in model.subgraphs[0].tensors:
            if TOKEN_PROJECTION.encode() in tensor.name:
                tensor.name = name
        with pytest.raises(export.ExportMismatch, match=f"{TOKEN_PROJECTION}: a product with the"):
            tflite_rewrites.share_vocabulary(model)


# === Names of layers ===


def layer_names(path):
    """Names of the results of each signature's matrix products."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    kinds = [code.builtinCode for code in model.operatorCodes]
    product = schema.BuiltinOperator.FULLY_CONNECTED
    return [
        {
            graph.tensors[op.outputs[0]].name.decode()
            for op in graph.operators
            if kinds[op.opcodeIndex] == product
        }
        for graph in tflite_rewrites.signature_graphs(model)
    ]


@pytest.mark.parametrize("name", ["none", "float16", "int8", "text_none", "text_int8"])
def test_layers_bear_their_names(name, exported):
    parts = ("attention/query", "attention/key", "attention/value", "attention/output")
    layers = [f"encoder/block_{i}/{p}" for i in (0, 1) for p in (*parts, "intermediate", "output")]
    expected = {f"{layer}/result" for layer in (*layers, "head/dense", "head/out")}
    for names in layer_names(exported[name]):
        assert names == expected


def test_operations_bear_the_names_of_their_layers(exported):
    model = schema.ModelT.InitFromPackedBuf(exported["none"].read_bytes())
    (graph, *_) = tflite_rewrites.signature_graphs(model)
    names = [graph.tensors[op.outputs[0]].name.decode() for op in graph.operators]
    # All but the outputs of the signature, which the converter numbers, belong to a layer.
    nameless = [n for n in names if not re.match("embeddings/|encoder/block_|head/|attention_b", n)]
    assert all(re.match("StatefulPartitionedCall", name) for name in nameless), nameless
    for part in ("attention/scores", "attention_layer_norm", "activation", "output_layer_norm"):
        assert any(name.startswith(f"encoder/block_1/{part}/") for name in names), part


def test_ai_edge_quantizer_takes_one_layer_by_name(exported, tmp_path):
    from ai_edge_quantizer import quantizer

    chosen = quantizer.Quantizer(str(exported["regression_none"]))
    chosen.add_dynamic_config(
        regex="encoder/block_1/.*", operation_name="FULLY_CONNECTED", num_bits=8
    )
    content = chosen.quantize().quantized_model
    model = schema.ModelT.InitFromPackedBuf(bytes(content))
    (graph,) = tflite_rewrites.signature_graphs(model)
    kernels = {
        tensor.name.decode(): tensor.type for tensor in graph.tensors if b"/kernel" in tensor.name
    }
    in_8_bits = {name for name, kind in kernels.items() if kind == schema.TensorType.INT8}
    assert in_8_bits == {name for name in kernels if name.startswith("encoder/block_1/")}
    assert len(in_8_bits) == 6 and len(kernels) == 14


# === Every task ===


def test_a_multi_label_classifier(make_task, tokenizer, tmp_path):
    backbone = make_task(layers=1, vocabulary_size=320).backbone
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16, labels=("a", "b", "c"))
    task = kr.RobertaMultiLabelClassifier(backbone, num_classes=3, preprocessor=preprocessor)
    path = export.to_tflite(task, tmp_path / "model.tflite", "int8", **TOKENS)
    texts = ["a gem", "the film"]
    expected = 1 / (1 + np.exp(-task.predict(texts, verbose=0)))
    runner = export.load(path, tokenizer)
    np.testing.assert_allclose(runner.predict(texts)["probabilities"], expected, atol=0.1)
    assert runner.labels == ("a", "b", "c") and len(runner.answers(texts)) == 2
    assert runner.metadata["schema"]["name"] == "many-labels"
