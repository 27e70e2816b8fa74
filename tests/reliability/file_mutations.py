"""Ways to damage a file: its bytes, its JSON, and what only its format knows.

All take a `random.Random` and give the same for the same one.
"""

import copy
import gzip
import io
import json
import math
import struct
import zipfile

import h5py
import numpy as np

_ODD_BYTES = [
    b"\0",
    b"\xff",
    b"\x80",
    b"\n",
    b'"',
    b"{",
    b"]",
    b"\t",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
]
_NUMBERS = [
    *(0, -1, 1, 2, 3, 127, 2**16, 2**31 - 1, 2**31, 2**32, 4 * 10**7, 10**9),
    *(2**53, 2**61 - 1, 2**63, 2**64, 10**30, 10**308, 10**400, -(10**400)),
    *(0.5, -0.0, 1.5, 1e-30, 1e308, math.nan, math.inf, -math.inf),
]
_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "漢字かな交じり文" * 9,
    "\ud800",
    "x" * 3000,
    "../../x",
    "/dev/zero",
]
_TEXTS += ["1", "-1", "1e999", "²", "null", "RobertaModel", "float64", "mixed_float16", "%s{0}"]


def _deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def odd_value(random):
    """A value that is likely to be of the wrong kind, or out of bounds."""
    values = [
        *(None, True, False, [], {}, [[]], [None], {"a": None}, {"": {}}),
        *([0] * 100, ["a", 1], {"class_name": "Lambda", "module": "os", "config": {}}),
    ]
    kind = random.randrange(5)
    if kind == 0:
        return random.choice(_NUMBERS)
    if kind == 1:
        return random.choice(_TEXTS)
    if kind == 2:
        return _deep(random.choice([2, 50, 80]))
    if kind == 3:
        return [random.choice(_NUMBERS) for _ in range(random.randrange(5))]
    return copy.deepcopy(random.choice(values))


def of_bytes(random, content):
    """Bits and stretches of a file changed, left out, doubled, or put in."""
    content = bytearray(content)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        size = len(content)
        at = random.randrange(size + 1)
        length = random.choice([1, 1, 2, 4, 8, 30, 1000])
        kind = random.randrange(8)
        if kind == 0 and size:
            content[at % size] ^= 1 << random.randrange(8)
        elif kind == 1:
            del content[at:]
        elif kind == 2:
            del content[at : at + length]
        elif kind == 3:
            content[at:at] = content[at : at + length]
        elif kind == 4:
            content[at:at] = random.choice(_ODD_BYTES) * random.choice([1, 1, 3, 200])
        elif kind == 5:
            content[at : at + length] = random.randbytes(length)
        elif kind == 6:
            number = random.choice([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, size, size - 1])
            content[at : at + 8] = struct.pack("<Q", number)
        else:
            content += random.choice([b"\0", b"{}", b"\n", random.randbytes(length)])
    return bytes(content)


def of_json(random, content):
    """A value somewhere in JSON replaced, left out, doubled or renamed; or its text broken."""
    kind = random.randrange(10)
    if kind == 0:
        return of_bytes(random, content)
    if kind == 1:
        whole = [b"", b"null", b"[]", b"{}", b"3", b'"a"', b"[" * 100_000, b'{"a":' * 5000]
        whole += [b"1" * 5000, b'{"a": ' + b"9" * 5000 + b"}", b"\xff\xfe{\0}\0"]
        return random.choice(whole)
    value = json.loads(content)
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        value = _changed(random, value)
    text = json.dumps(value)
    if kind == 2:  # more digits than Python reads
        text = text.replace(random.choice("0123456789"), "7" * 5000, 1)
    elif kind == 3:
        text = text.replace(", ", ", " + text[1 : text.find(",")] + ", ", 1)  # a field twice
    return text.encode("utf-8", "surrogatepass")


def _changed(random, value):
    """One change, more often near the top."""
    if not isinstance(value, (dict, list)) or not value or random.random() < 0.15:
        return odd_value(random)
    value = copy.copy(value)
    key = random.choice(list(value)) if isinstance(value, dict) else random.randrange(len(value))
    kind = random.randrange(8)
    if kind < 4 and isinstance(value[key], (dict, list)):
        value[key] = _changed(random, value[key])
    elif kind < 5:
        value[key] = odd_value(random)
    elif kind == 5:
        del value[key]
    elif isinstance(value, dict):
        other = random.choice([*value, *_TEXTS])
        value[other] = value[key] if kind == 6 else odd_value(random)
    else:
        value.insert(key, value[key] if kind == 6 else odd_value(random))
    return value


def of_json_lines(random, content):
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    if random.random() < 0.3 or not lines[at].strip():
        return of_bytes(random, content)
    lines[at] = of_json(random, lines[at])
    return b"\n".join(lines)


def of_text(random, content):
    """Lines and fields changed; or bytes."""
    if random.random() < 0.4:
        return of_bytes(random, content)
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    odd = (
        str(odd_value(random)).encode("utf-8", "surrogatepass") if random.random() < 0.8 else b"\t"
    )
    kind = random.randrange(6)
    if kind == 0:
        lines[at] = odd
    elif kind == 1:
        lines[at] += random.choice([b"\t", b" ", b",", b'"', b"\r"]) + odd
    elif kind == 2:
        del lines[at]
    elif kind == 3:
        lines[at] = lines[at] * random.choice([0, 2, 2000])
    elif kind == 4:
        lines.insert(at, lines[random.randrange(len(lines))])
    else:
        lines[at] = random.choice([b"\t" * 200_000, b'"' * 1001, b"a," * 100_000, b"\0" * 1000])
    return b"\n".join(lines)


def packed(change):
    """The same change to what a gzip file holds; now and then to the file itself, or a bomb."""

    def changed(random, content):
        kind = random.randrange(6)
        if kind == 0:
            return of_bytes(random, content)
        if kind == 1:
            line = random.choice([b"\0", b"a\t1\n", b'{"text": "a"}\n', b"long line "])
            return gzip.compress(line * (random.choice([2**22, 2**26]) // len(line)), 6)
        return gzip.compress(change(random, gzip.decompress(content)), 1)

    return changed


def of_safetensors(random, content):
    """Its header as JSON, the header's length, or bytes of the data."""
    length = int.from_bytes(content[:8], "little")
    header, data = content[8 : 8 + length], content[8 + length :]
    kind = random.randrange(5)
    if kind == 0:
        return of_bytes(random, content)
    if kind == 1:
        entries = json.loads(header)
        names = [name for name in entries if name != "__metadata__"]
        entry = entries[random.choice(names)]
        field = random.randrange(4)
        if field == 0:
            entry["data_offsets"] = [n + random.choice([-8, -4, 4]) for n in entry["data_offsets"]]
        elif field == 1:
            entry["dtype"] = random.choice(["I32", "F16", "BF16", "F64", "U8", "C64", "F8_E4M3"])
        elif field == 2:
            entry["shape"] = random.choice([[1] * 5000, entry["shape"][::-1], [2**47] * 3, [0]])
        else:
            entries[random.choice(names)] = entry
        header = json.dumps(entries).encode()
        return struct.pack("<Q", len(header)) + header + data
    if kind == 2:
        wrong = max(0, length + random.choice([-1, 1, 8, -8, 2**40]))
        return struct.pack("<Q", wrong) + content[8:]
    if kind == 3:
        at = random.randrange(max(1, len(data) // 4)) * 4
        number = struct.pack("<f", random.choice([math.nan, math.inf, 0.25]))
        extra = random.choice([b"", b"", b"\0", b"\0" * 8])
        return content[: 8 + length] + data[:at] + number + data[at + 4 :] + extra
    header = of_json(random, header)
    return struct.pack("<Q", len(header)) + header + data


_HOSTILE_PICKLES = (
    b"cposix\nsystem\nX\x0c\0\0\0touch canary\x85R",
    b"cbuiltins\neval\nX\x1a\0\0\0open('canary', 'w').close()\x85R",
    b"cnumpy\nload\nX\x06\0\0\0canary\x85R",
    b"c__builtin__\nexec\nX\x01\0\0\0a\x85R",
    b"}"
    + b"".join(  # keys of one hash
        b"\x8a\x10" + (i * (2**61 - 1)).to_bytes(16, "little") + b"Ns" for i in range(1, 20_000)
    ),
    b"]" * 5000 + b"a" * 4999,
    b"(" * 3000 + b"t" * 3000,
    b"}" + b"2\x852" * 60,
)


def of_torch_zip(random, content):
    """The pickle within the archive, or the archive."""
    if random.random() < 0.3:
        return of_bytes(random, content)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                data = _of_pickle(random, data)
            elif random.random() < 0.1:
                data = of_bytes(random, data)
            name = entry.filename if random.random() < 0.98 else "../canary"
            target.writestr(name, data)
    return out.getvalue()


def of_legacy_torch(random, content):
    return of_bytes(random, content) if random.random() < 0.7 else _of_pickle(random, content)


def _of_pickle(random, data):
    if random.random() < 0.5:
        return of_bytes(random, data)
    at = random.choice([2, random.randrange(len(data)), len(data) - 1])
    return data[:at] + random.choice(_HOSTILE_PICKLES) + data[at:]


def of_hdf5(random, content):
    """Datasets of other kinds, shapes and numbers; links elsewhere; or bytes."""
    if random.random() < 0.4:
        return of_bytes(random, content)
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as h5:
        names = []
        h5.visititems(lambda name, item: names.append((name, isinstance(item, h5py.Dataset))))
        datasets = [name for name, is_dataset in names if is_dataset]
        name = random.choice(datasets)
        data = h5[name][()]
        kind = random.randrange(9)
        if kind < 8:
            del h5[name]
        if kind == 0:
            h5[name] = data.astype(random.choice(["complex64", "int32", "S3", "float16", "bool"]))
        elif kind == 1:
            data[...] = random.choice([math.nan, math.inf])
            h5[name] = data
        elif kind == 2:
            shape = random.choice([(), (0,), (*data.shape, 1), data.shape[::-1], (10**12,)])
            h5.create_dataset(name, shape, "f4", chunks=(10**6,) if shape == (10**12,) else None)
        elif kind == 3:
            h5[name] = random.choice([h5py.SoftLink("/"), h5py.ExternalLink("/etc/passwd", "/")])
        elif kind == 4:
            h5.create_dataset(name, data.shape, "f4", external=[("canary", 0, h5py.h5f.UNLIMITED)])
        elif kind == 5:
            h5.create_dataset(name, data=data, compression="gzip")
        elif kind == 6:
            h5.create_group(name)
        elif kind == 8:
            del h5[random.choice(names)[0]]
    return file.getvalue()


def of_npz(random, content):
    """Arrays of an archive of NumPy's changed; or bytes."""
    if random.random() < 0.4:
        return of_bytes(random, content)
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    name = random.choice(list(arrays))
    array = arrays[name].copy()
    kind = random.randrange(4)
    if kind == 0 and array.size:
        array.flat[random.randrange(array.size)] = random.choice([0, 1, 2**31 - 1])
    elif kind == 1:
        array = array[: len(array) // 2]
    elif kind == 2:
        array = array.astype(random.choice(["float64", "int8", "U5", "complex64"]))
    if kind == 3:
        del arrays[name]
    else:
        arrays[name] = array
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()
