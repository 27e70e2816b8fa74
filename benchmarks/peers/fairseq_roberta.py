"""fairseq's RoBERTa in PyTorch, since fairseq itself cannot be installed beside today's PyTorch.

The modules have the names, shapes and order of computation of fairseq/models/roberta/model.py and
of the TransformerEncoder that it uses, at 3d262bb2 of facebookresearch/fairseq, evaluated without
dropout. `upgraded` renames old checkpoints as `upgrade_state_dict_named` does there, and
`load_state_dict` with strict=True asks for the same names as fairseq does.
"""

import re

import torch
from torch import nn
from torch.nn import functional

PAD = 1


class SelfAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.k_proj, self.v_proj = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.q_proj, self.out_proj = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x, padding):
        batch, length, dim = x.shape

        def split(y):
            return y.view(batch, length, self.heads, -1).transpose(1, 2)

        q = split(self.q_proj(x) * (dim // self.heads) ** -0.5)
        scores = q @ split(self.k_proj(x)).transpose(-1, -2)
        scores = scores.masked_fill(padding[:, None, None, :], float("-inf"))
        mixed = torch.softmax(scores, -1) @ split(self.v_proj(x))
        return self.out_proj(mixed.transpose(1, 2).reshape(batch, length, dim))


class Layer(nn.Module):
    def __init__(self, args):
        super().__init__()
        dim = args.encoder_embed_dim
        self.self_attn = SelfAttention(dim, args.encoder_attention_heads)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, args.encoder_ffn_embed_dim)
        self.fc2 = nn.Linear(args.encoder_ffn_embed_dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim)
        self.activation = activation(args.activation_fn)

    def forward(self, x, padding):
        x = self.self_attn_layer_norm(x + self.self_attn(x, padding))
        return self.final_layer_norm(x + self.fc2(self.activation(self.fc1(x))))


class SentenceEncoder(nn.Module):
    def __init__(self, args, vocabulary_size):
        super().__init__()
        dim = args.encoder_embed_dim
        self.register_buffer("version", torch.Tensor([3]))
        self.embed_tokens = nn.Embedding(vocabulary_size, dim, PAD)
        self.embed_positions = nn.Embedding(args.max_positions + PAD + 1, dim, PAD)
        self.layernorm_embedding = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(Layer(args) for _ in range(args.encoder_layers))

    def forward(self, tokens):
        padding = tokens.eq(PAD)
        positions = torch.cumsum(~padding, 1) * ~padding + PAD
        x = self.layernorm_embedding(self.embed_tokens(tokens) + self.embed_positions(positions))
        x = x * ~padding[..., None]
        for layer in self.layers:
            x = layer(x, padding)
        return x


class LMHead(nn.Module):
    def __init__(self, args, vocabulary_size, weight):
        super().__init__()
        dim = args.encoder_embed_dim
        self.dense, self.layer_norm = nn.Linear(dim, dim), nn.LayerNorm(dim)
        self.weight = (
            nn.Linear(dim, vocabulary_size, bias=False).weight if weight is None else weight
        )
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.activation = activation(args.activation_fn)

    def forward(self, x):
        x = self.layer_norm(self.activation(self.dense(x)))
        return functional.linear(x, self.weight) + self.bias


class ClassificationHead(nn.Module):
    def __init__(self, dim, inner_dim, outputs):
        super().__init__()
        self.dense, self.out_proj = nn.Linear(dim, inner_dim), nn.Linear(inner_dim, outputs)

    def forward(self, x):
        return self.out_proj(torch.tanh(self.dense(x[:, 0, :])))


class Encoder(nn.Module):
    def __init__(self, args, vocabulary_size):
        super().__init__()
        self.sentence_encoder = SentenceEncoder(args, vocabulary_size)
        tied = None if args.untie_weights_roberta else self.sentence_encoder.embed_tokens.weight
        self.lm_head = LMHead(args, vocabulary_size, tied)


class RobertaModel(nn.Module):
    """Args: `args`, a namespace as in a checkpoint; `heads`, {name: (inner size, outputs)}."""

    def __init__(self, args, vocabulary_size, heads=()):
        super().__init__()
        self.args = args
        self.encoder = Encoder(args, vocabulary_size)
        dim = args.encoder_embed_dim
        heads = dict(heads)
        self.classification_heads = nn.ModuleDict(
            {name: ClassificationHead(dim, *sizes) for name, sizes in heads.items()}
        )

    def forward(self, tokens, head=None):
        """Logits of every token (batch, length, vocabulary), or those of a classification head."""
        x = self.encoder.sentence_encoder(tokens)
        return self.encoder.lm_head(x) if head is None else self.classification_heads[head](x)


def activation(name):
    return {
        "gelu": functional.gelu,
        "gelu_accurate": lambda x: functional.gelu(x, approximate="tanh"),
        "relu": functional.relu,
    }[name]


def upgraded(state):
    """A state dict of any fairseq by the names of today."""
    new = {}
    for name, tensor in state.items():
        name = re.sub(r"^decoder\.", "encoder.", name)
        name = name.replace(".emb_layer_norm.", ".layernorm_embedding.")
        name = re.sub(r"\.layer_norms\.0\.", ".self_attn_layer_norm.", name)
        name = re.sub(r"\.layer_norms\.1\.", ".final_layer_norm.", name)
        if ".in_proj_" in name:
            front, kind = name.split("in_proj_")
            for part, rows in zip("qkv", tensor.chunk(3), strict=True):
                new[f"{front}{part}_proj.{kind}"] = rows
        else:
            new[name] = tensor
    new["encoder.sentence_encoder.version"] = torch.Tensor([1])
    return new


def loaded(content, vocabulary_size):
    """The model of what `torch.load` gave, and the heads' names.

    fairseq registers the classification heads that a checkpoint has, then loads it strictly.
    """
    state = upgraded(content["model"])
    heads = {
        name.split(".")[1]: tuple(reversed(state[name].shape))
        for name in state
        if name.startswith("classification_heads.") and name.endswith("out_proj.weight")
    }
    model = RobertaModel(content["args"], vocabulary_size, heads)
    model.load_state_dict(state, strict=True)
    return model.eval(), list(heads)
