"""The `tokenizers` library, set up as in RoBERTa's tokenizer.json: what ours are compared with."""

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from keras_roberta.tokenizers.special_token_names import SPECIAL_TOKENS


def decoded(text):
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def library(vocabulary, merges, special_tokens=SPECIAL_TOKENS, add_prefix_space=False):
    """The same tokenizer by the library, set up as in RoBERTa's tokenizer.json."""
    reference = Tokenizer(models.BPE(vocabulary, merges))
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    reference.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    reference.add_special_tokens(
        [AddedToken(t, lstrip=t == "<mask>", normalized=True) for t in special_tokens]
    )
    return reference


def library_ids(reference, texts, **kwargs):
    return [e.ids for e in reference.encode_batch([decoded(t) for t in texts], **kwargs)]


def rows(outputs):
    """The rows of an output without their padding."""
    lengths = outputs["padding_mask"].numpy().sum(1)
    return [ids[:n].tolist() for ids, n in zip(outputs["token_ids"].numpy(), lengths, strict=True)]
