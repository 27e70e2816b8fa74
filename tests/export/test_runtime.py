"""One way to run both formats on token ids: texts, features, lengths, errors."""

import concurrent.futures
import os
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest

from keras_roberta import export, schemas
from keras_roberta.errors import InputError
from keras_roberta.export.padded_rows import as_features, reordered, stacked
from keras_roberta.tokenizers.training import train_byte_level_bpe

TEXTS = ["a gem", "the film is a mess", "it makes up for much of that and " * 9, ""]


@pytest.fixture(scope="module", params=["none", "saved_model"])
def runner(request, exported, tokenizer):
    if request.param == "saved_model":
        return request.getfixturevalue("server")
    return export.load(exported["none"], tokenizer)


def test_texts(runner, classifier, tokenizer):
    rows = tokenizer(TEXTS, max_length=runner.max_length)
    assert max(map(len, rows)) == runner.max_length  # the long text is cut
    expected = classifier(as_features(rows, 1)).numpy()
    out = runner.predict(TEXTS)
    np.testing.assert_allclose(out["logits"], expected, rtol=1e-4, atol=1e-5)
    assert runner.labels == ("bad", "fair", "good")


def test_pairs_on_token_ids(exported, classifier, tokenizer):
    rows = tokenizer(["a gem"], ["a mess"])
    out = export.load(exported["none"], tokenizer).predict(
        {"text": ["a gem"], "text_pair": ["a mess"]}
    )
    expected = classifier(as_features(rows, 1)).numpy()
    np.testing.assert_allclose(out["logits"], expected, rtol=1e-4, atol=1e-5)


def test_long_features_keep_their_end(runner, classifier):
    token_ids = np.full((1, 60), 9)
    cut = [[9] * (runner.max_length - 1) + [2]]
    np.testing.assert_allclose(
        runner.predict({"token_ids": token_ids})["logits"],
        classifier(as_features(cut, 1)).numpy(),
        rtol=1e-4,
        atol=1e-5,
    )


def test_errors(runner, exported, saved_model, tokenizer):
    with pytest.raises(InputError, match="no rows"):
        runner.predict([])
    with pytest.raises(InputError, match="one shape"):
        runner.predict({"token_ids": [[0, 2]], "padding_mask": [[1]]})
    with pytest.raises(InputError, match="row 1 has no token"):
        runner.predict({"token_ids": [[0, 2], [1, 1]], "padding_mask": [[1, 1], [0, 0]]})
    for unknown in (20_000, -1):
        with pytest.raises(InputError, match=rf"row 1: the token id {unknown} is outside 0..19999"):
            runner.predict({"token_ids": [[0, 9, 2], [0, unknown, 2]]})
    with pytest.raises(InputError, match="give load a tokenizer"):
        export.load(exported["none"]).predict(["a gem"])
    other = train_byte_level_bpe(["another text"] * 3, vocabulary_size=265)
    with pytest.raises(InputError, match="another tokenizer"):
        export.load(runner.path, other)
    with pytest.raises(InputError, match="threads: a SavedModel"):
        export.load(saved_model, threads=2)


def test_threads(exported, tokenizer):
    one, two = (export.load(exported["int8"], tokenizer, threads=n) for n in (1, 2))
    np.testing.assert_allclose(
        one.predict(TEXTS)["logits"], two.predict(TEXTS)["logits"], rtol=1e-4, atol=1e-4
    )


THREADS = 8


@pytest.fixture(params=["text_int8", "saved_model"])
def runner_of_texts(request, exported):
    if request.param == "saved_model":
        return request.getfixturevalue("server")
    return export.load(exported[request.param])


def test_many_threads_get_the_answers_of_one(runner_of_texts):
    check_threads(runner_of_texts, texts_a_thread=12)


@pytest.mark.slow
def test_soak_of_threads(runner_of_texts):
    check_threads(runner_of_texts, texts_a_thread=150)


def check_threads(runner, texts_a_thread):
    words = "a gem the film is a mess it makes up for much of that and more".split()
    texts = [" ".join(words[i % 7 : 8 + i % 9]) + " !" * (i % 11) for i in range(texts_a_thread)]
    expected = runner.answers(texts)
    assert len({answer["score"] for answer in expected}) > 10  # one for another would show

    def answers(first):
        order = [*range(first, len(texts)), *range(first)]  # no two threads go in step
        return [(i, runner.answers([texts[i]])[0]) for i in order]

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(answers, range(THREADS)):
            for i, answer in found:
                assert answer["label"] == expected[i]["label"]
                assert answer["score"] == pytest.approx(expected[i]["score"], abs=1e-5)


def test_a_runner_is_let_go(runner):
    twin = pickle.loads(pickle.dumps(runner))
    assert twin.answers(TEXTS) == runner.answers(TEXTS)
    with twin:
        pass
    with pytest.raises(InputError, match="this runner was closed; load the file again"):
        twin.predict(TEXTS)
    seen = weakref.ref(twin)
    del twin
    assert seen() is None  # without a collection: nothing holds a model that nobody uses


def test_forked_processes(exported, server, monkeypatch):
    """With a lock that another thread holds, and threads that a fork does not take along."""
    program = f"""
import os, threading
from keras_roberta import export
runner = export.load({str(exported["text_int8"])!r}, threads=2)
texts = ["a gem", "a mess"]
expected = runner.answers(texts)
busy = threading.Thread(target=lambda: [runner.answers(texts) for _ in range(300)])
busy.start()
codes = []
for _ in range(5):
    child = os.fork()
    if not child:
        os._exit(int(runner.answers(texts) != expected))
    codes.append(os.waitpid(child, 0)[1])
busy.join()
print(codes)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.splitlines()[-1:] == ["[0, 0, 0, 0, 0]"], run.stderr

    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(InputError, match="opened before this process was forked"):
        server.predict(TEXTS)


def test_answers(runner, classifier, tokenizer):
    """What people read: names and probabilities."""
    answers = runner.answers(TEXTS)
    expected = classifier(as_features(tokenizer(TEXTS, max_length=runner.max_length), 1)).numpy()
    powers = np.exp(expected - expected.max(axis=-1, keepdims=True))
    assert [answer["label"] for answer in answers] == [
        ("bad", "fair", "good")[i] for i in expected.argmax(axis=-1)
    ]
    np.testing.assert_allclose(
        [answer["score"] for answer in answers],
        powers.max(axis=-1) / powers.sum(axis=-1),
        rtol=1e-4,
    )


def test_answers_of_a_regression(exported, regressor, tokenizer):
    answers = export.load(exported["regression_none"], tokenizer).answers(["a gem"])
    expected = float(regressor.predict(["a gem"], verbose=0)[0, 0])
    assert answers == [{"score": pytest.approx(expected, rel=1e-4)}]


@pytest.mark.parametrize(
    ("name", "rows"), [("int8", "{'token_ids': [[0, 9, 2]]}"), ("text_int8", "['a gem']")]
)
def test_a_file_runs_without_tensorflow_and_keras(name, rows, exported):
    program = f"""
import sys
for name in ("tensorflow", "keras", "keras_hub", "torch", "jax"):
    sys.modules[name] = None
from keras_roberta import export, schemas
print([sorted(answer) for answer in export.load({str(exported[name])!r}).answers({rows})])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[['label', 'score']]"


def test_files_that_name_no_schema_of_ours(exported, monkeypatch):
    monkeypatch.delitem(schemas.SCHEMAS, "one-label")
    with pytest.raises(InputError, match="int8.tflite: answers of the kind 'one-label'"):
        export.load(exported["int8"])


def test_outputs_as_long_as_their_row():
    """A list where rows have their own length; zeros behind the shorter ones elsewhere."""
    batches = [
        {"tags": np.ones((1, 2), int), "tokens": np.ones((1, 1, 2), int)},
        {"tags": np.ones((2, 3), int), "tokens": np.ones((2, 2, 2), int)},
    ]
    outputs = stacked(batches, ragged={"tags"})
    assert [row.tolist() for row in outputs["tags"]] == [[1, 1], [1, 1, 1], [1, 1, 1]]
    assert outputs["tokens"].tolist() == [[[1, 1], [0, 0]], [[1, 1], [1, 1]], [[1, 1], [1, 1]]]
    back = reordered(outputs, [2, 0, 1])
    assert [len(row) for row in back["tags"]] == [3, 2, 3]
    assert back["tokens"].sum(axis=(1, 2)).tolist() == [4, 2, 4]
