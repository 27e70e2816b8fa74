"""The tokenizer for batches of strings: in tf.data, in SavedModels, in TF Serving."""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.byte_level_bpe import ByteLevelBPE
from keras_roberta.tokenizers.in_graph.vectors import repeat_index


class BatchedTokenizer(tf.Module):
    """RoBERTa's tokenizer on tf.string tensors.

    The ids are those of the host tokenizer for every string. Bytes that are not UTF-8 count as
    U+FFFD, as in Python's `bytes.decode(errors="replace")`; NUL is a byte like others.

    Args:
        vocabulary, merges, special_tokens: see `ByteLevelBPE`.
        start_id, pad_id, end_id: ids put around the texts.
    """

    def __init__(
        self,
        vocabulary,
        merges,
        special_tokens=None,
        start_id=0,
        pad_id=1,
        end_id=2,
        name="batched_tokenizer",
    ):
        super().__init__(name=name)
        self.bpe = ByteLevelBPE(vocabulary, merges, special_tokens)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def tokenize(self, texts):
        lengths = tf.strings.length(texts) + 1
        joined = tf.strings.reduce_join(tf.concat([texts, [""]], 0), separator="\0")
        utf8 = tf.cast(tf.io.decode_raw(joined, tf.uint8), tf.int32)
        text = 1 + repeat_index(lengths)
        text = tf.where(tf.concat([text[1:], [0]], 0) == text, text, 0)
        ids, text = self.bpe(utf8, text)
        return tf.RaggedTensor.from_value_rowids(
            ids, text - 1, nrows=tf.size(texts), validate=False
        )
