"""The forms in which texts and pairs of texts come."""

from keras_roberta.errors import InputError


def texts_and_pairs(texts):
    """The first texts, and the second ones or None, of any form that a preprocessor takes."""
    if isinstance(texts, dict):
        if "text" not in texts:
            raise InputError(f"expected texts under 'text'; found {', '.join(map(repr, texts))}")
        return texts["text"], texts.get("text_pair")
    if isinstance(texts, tuple) and len(texts) == 2 and not isinstance(texts[0], (str, bytes)):
        return texts
    return texts, None
