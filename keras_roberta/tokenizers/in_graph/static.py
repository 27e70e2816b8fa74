"""RoBERTa's tokenizer with static shapes, from bytes to ids, of TFLite's built-in ops alone."""

from collections.abc import Mapping, Sequence

from keras_roberta.tokenizers.added_tokens import AddedToken, special_added_tokens
from keras_roberta.tokenizers.in_graph.byte_level_bpe import ByteLevelBPE
from keras_roberta.tokenizers.in_graph.static_rows import StaticRows
from keras_roberta.tokenizers.special_token_names import SpecialTokenNames
from keras_roberta.tokenizers.spelling import bytes_of_ids


class StaticTokenizer(StaticRows):
    """RoBERTa's tokenizer on buffers of bytes, for phones.

    The ids are those of the batched tokenizer and the host tokenizer. A text that is longer than
    the buffer must be cut before, at the end of a character, as `byte_buffer.fill` does. A
    character that is cut in two counts as malformed bytes. Malformed bytes become U+FFFD, which
    takes three bytes. If a text becomes longer than the buffers in this way, its end is cut.

    Args:
        vocabulary: {token in the GPT-2 byte alphabet: id}.
        merges: pairs (left, right), in the order of their ranks.
        added_tokens: tokens that become one id where they are spelt out in a text. None: those of
            `<s>`, `<pad>`, `</s>`, `<unk>` and `<mask>` that are in the vocabulary.
        add_prefix_space: whether to tokenize "a" like " a". RoBERTa's own tokenizer does not.
        start_id: id of the token in front of a text.
        pad_id: id of padding.
        end_id: id of the token behind a text.
        name: name of the module.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        added_tokens: Sequence[AddedToken] | None = None,
        add_prefix_space: bool = False,
        start_id: int = 0,
        pad_id: int = 1,
        end_id: int = 2,
        name: str = "static_tokenizer",
    ):
        if added_tokens is None:
            added_tokens = special_added_tokens(SpecialTokenNames(), vocabulary)
        bpe = ByteLevelBPE(vocabulary, merges, added_tokens, add_prefix_space)
        spelt = bytes_of_ids(vocabulary, added_tokens)
        super().__init__(bpe, spelt, start_id, pad_id, end_id, name)
