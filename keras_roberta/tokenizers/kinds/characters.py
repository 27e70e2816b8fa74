"""Single characters: a table of them, white space among them, and one id for all others."""

from keras_roberta.tokenizers.kinds import splitting
from keras_roberta.tokenizers.kinds.kind import Kind, as_object, model_type


def _holds(content):
    if model_type(content) != "WordLevel":
        return False
    found = as_object(content.get("pre_tokenizer"))
    if found.get("type") != "Split" or found == splitting.WORDS:
        return False
    added = {as_object(token).get("content") for token in content.get("added_tokens") or []}
    vocabulary = as_object(as_object(content.get("model")).get("vocab"))
    return all(len(token) == 1 for token in vocabulary if token not in added)


def _starts_word(token):
    return token.isspace()  # White space belongs to the word behind it.


def _text_of(token):
    return token


CHARACTERS = Kind("characters", _holds, _starts_word, _text_of, decoder={"type": "Fuse"})
