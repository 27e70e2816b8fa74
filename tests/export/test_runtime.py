"""One way to run both formats on token ids: texts, features, lengths, errors."""

import subprocess
import sys

import numpy as np
import pytest

from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export.verify import as_features
from keras_roberta.tokenizers.training import train_byte_level_bpe

TEXTS = ["a gem", "the film is a mess", "it makes up for much of that and " * 9, ""]


@pytest.fixture(params=["none", "saved_model"])
def runner(request, exported, saved_model, tokenizer):
    path = saved_model if request.param == "saved_model" else exported["none"]
    return export.load(path, tokenizer)


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


def test_token_ids_need_no_tensorflow(exported):
    program = f"""
import sys
from keras_roberta import export
print(export.load({str(exported["int8"])!r}).predict({{"token_ids": [[0, 9, 2]]}})["label"].shape)
print([name for name in ("keras", "tensorflow") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")  # TFLite's notices are kept off it too
    assert run.stdout.splitlines()[-2:] == ["(1,)", "[]"]
