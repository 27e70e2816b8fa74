"""What `torch.save` writes for a state dict, made without PyTorch."""

import io
import struct
import zipfile

_ORDERED = b"ccollections\nOrderedDict\n)R"


def save_zip(path, tensors):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", _pickle(tensors, legacy=False))
        archive.writestr("archive/byteorder", b"little")
        for key, array in enumerate(tensors.values()):
            archive.writestr(f"archive/data/{key}", array.tobytes())


def save_legacy(path, tensors):
    out = io.BytesIO()
    out.write(b"\x80\x02\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little") + b".")
    out.write(b"\x80\x02M\xe9\x03.")
    out.write(b"\x80\x02}" + _text("little_endian") + b"\x88s.")
    out.write(_pickle(tensors, legacy=True))
    keys = b"".join(_text(str(key)) for key in range(len(tensors)))
    out.write(b"\x80\x02](" + keys + b"e.")
    for array in tensors.values():
        out.write(struct.pack("<Q", array.size) + array.tobytes())
    path.write_bytes(out.getvalue())


def _pickle(tensors, legacy):
    items = [_text(name) + _tensor(key, x, legacy) for key, (name, x) in enumerate(tensors.items())]
    return b"\x80\x02" + _ORDERED + b"(" + b"".join(items) + b"u."


def _tensor(key, array, legacy):
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text(str(key)) + _text("cpu")
    storage += _number(array.size) + (b"N" if legacy else b"") + b"tQ"
    strides = [stride // array.itemsize for stride in array.strides]
    sizes = b"".join(
        b"(" + b"".join(map(_number, numbers)) + b"t" for numbers in (array.shape, strides)
    )
    arguments = b"(" + storage + _number(0) + sizes + b"\x89" + _ORDERED + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def _text(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _number(number):
    return b"J" + struct.pack("<i", number)
