"""A third of the text that there is: host and graph make the ids of RoBERTa's library."""

import pytest
from tokenizer_reference import library_ids
from tokenizer_texts import real_texts

from keras_roberta import RobertaTokenizer


@pytest.mark.slow
def test_real_texts(roberta, roberta_in_graph, data_directory):
    host = RobertaTokenizer.from_preset(data_directory / "roberta-base-tokenizer")
    texts, differ = real_texts(data_directory)[::3], []
    for begin in range(0, len(texts), 8000):
        batch = texts[begin : begin + 8000]
        expected = library_ids(roberta[2], batch, add_special_tokens=False)
        for found in (
            host.encode_batch(batch, add_special_tokens=False),
            roberta_in_graph.tokenize(batch).to_list(),
        ):
            differ += [text for text, a, b in zip(batch, found, expected, strict=True) if a != b]
    assert differ == []
