"""The gguf header parser, on valid and on hostile files."""

import json
import struct
from pathlib import Path

import gguf
import msgspec
import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dev import samplegguf
from roadstead.gguf.gguf_header import GgufHeader, InvalidGguf, Truncated, parse_header
from roadstead.gguf.gguf_memory import GgufMemory
from tests.support.builders.gguf_files import LLAMA, WEIGHT, gguf_file

SAMPLE = samplegguf.sample(34 * 1000)
HEADER_BYTES = len(samplegguf.header(34))


def with_metadata(**metadata: samplegguf.Value) -> bytes:
    """The sample with metadata keys (`.` written as `__`) added or replaced."""
    named = {key.replace("__", "."): value for key, value in metadata.items()}
    header = samplegguf.header(34, {**samplegguf.METADATA, **named})
    return header + bytes(34)


def preamble(version: int = 3, tensors: int = 1, keys: int = 0) -> bytes:
    """Magic, version and counts."""
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def test_header_has_the_properties_of_the_model() -> None:
    header = parse_header(SAMPLE, len(SAMPLE))
    assert header == GgufHeader(
        version=3,
        architecture="llama",
        name="Sample",
        quantization="Q8_0",
        file_type=7,
        parameter_count=32 * 1000,
        tensor_count=1,
        context_length=2048,
        block_count=2,
        embedding_length=64,
        head_count=4,
        head_count_kv=2,
        pooling_type="unspecified",
        header_bytes=HEADER_BYTES,
    )


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "none"), (1, "mean"), (2, "cls"), (3, "last"), (4, "rank"), (9, "unspecified")],
)
def test_header_has_the_pooling_type(number: int, name: str) -> None:
    metadata = {**samplegguf.METADATA, "llama.pooling_type": number}
    raw = samplegguf.header(34, metadata) + bytes(34)
    assert parse_header(raw, len(raw)).pooling_type == name


def test_header_survives_json() -> None:
    header = parse_header(SAMPLE, len(SAMPLE))
    assert msgspec.convert(header.to_json(), GgufHeader) == header


def test_file_of_the_reference_writer_is_read(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "gemma3")
    writer.add_name("Written elsewhere")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(8192)
    writer.add_head_count_kv([1, 4, 2])
    writer.add_token_list(["a", "b"])
    writer.add_tensor("token_embd.weight", numpy.ones((8, 32), dtype=numpy.float32))
    writer.add_tensor("output.weight", numpy.ones((4, 32), dtype=numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    raw = (tmp_path / "model.gguf").read_bytes()
    header = parse_header(raw, len(raw))
    assert (header.architecture, header.quantization) == ("gemma3", "F32")
    assert (header.parameter_count, header.tensor_count) == (12 * 32, 2)
    assert (header.context_length, header.head_count_kv) == (8192, 4)


def test_header_has_the_caches_of_each_layer(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "gemma4")
    writer.add_head_count_kv([0, 8, 2])
    writer.add_array("gemma4.attention.sliding_window_pattern", [True, True, False])
    writer.add_key_length_swa(64)
    writer.add_ssm_state_size(128)
    writer.add_tensor("output.weight", numpy.ones((4, 32), dtype=numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    raw = (tmp_path / "model.gguf").read_bytes()
    header = parse_header(raw, len(raw))
    assert header.head_count_kv == 8
    assert header.memory == GgufMemory(
        head_counts_kv=(0, 8, 2),
        sliding_window_layers=(1, 1, 0),
        key_length_swa=64,
        ssm_state_size=128,
    )
    assert msgspec.json.decode(json.dumps(header.to_json()), type=GgufHeader) == header


def test_a_period_of_windows_is_a_number() -> None:
    raw = with_metadata(llama__attention__sliding_window_pattern=6)
    assert parse_header(raw, len(raw)).memory == GgufMemory(sliding_window_period=6)


@pytest.mark.parametrize(("layers", "kept"), [(512, True), (513, False)])
def test_a_list_for_more_layers_than_a_model_can_have_is_not_kept(layers: int, kept: bool) -> None:
    array = struct.pack("<IIQ", 9, 4, layers) + struct.pack("<I", 3) * layers
    pair = samplegguf.text("llama.attention.head_count_kv") + array
    raw = gguf_file(LLAMA, (WEIGHT,), pair)
    header = parse_header(raw, len(raw))
    assert header.head_count_kv == 3
    assert (header.memory is not None) == kept


def needed(prefix: bytes) -> int:
    """How many bytes the parser needs, 0 if it has enough."""
    try:
        parse_header(prefix, len(SAMPLE))
    except Truncated as more:
        return more.needed
    return 0


def test_any_prefix_asks_for_more_until_the_header_is_whole() -> None:
    reached = 0
    while more := needed(SAMPLE[:reached]):
        assert reached < more <= HEADER_BYTES
        reached = more
    assert reached >= HEADER_BYTES - samplegguf.ALIGNMENT


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"<html><body>Not found</body></html>", "not a gguf file", id="not-gguf"),
        pytest.param(preamble(tensors=0), "no tensors", id="no-tensors"),
        pytest.param(preamble(tensors=2**60), "tensors", id="too-many-tensors"),
        pytest.param(preamble(keys=2**60), "metadata keys", id="too-many-keys"),
        pytest.param(preamble(keys=1) + b"\xff" * 8, "a metadata key has", id="endless-key"),
        pytest.param(
            preamble(keys=1) + samplegguf.text("a") + struct.pack("<IIQ", 9, 9, 1),
            "array has items of the invalid type 9",
            id="array-of-arrays",
        ),
        pytest.param(
            preamble(keys=1) + samplegguf.text("a") + struct.pack("<IIQ", 9, 8, 2**40),
            "keys, tensors and items",
            id="endless-array",
        ),
        pytest.param(
            preamble(keys=1) + samplegguf.text("a") + struct.pack("<I", 99),
            "unknown type 99",
            id="unknown-type",
        ),
        pytest.param(
            preamble(keys=2) + 2 * samplegguf.pair("a", 1), "is duplicated", id="key-twice"
        ),
        pytest.param(with_metadata(general__alignment=3), "power of two", id="alignment"),
        pytest.param(with_metadata(general__architecture=7), "architecture", id="architecture"),
        pytest.param(SAMPLE[:-1], "ends 1 bytes after the file", id="cut-short"),
        pytest.param(SAMPLE[:100], "ends within its header", id="cut-in-the-header"),
    ],
)
def test_file_that_cannot_be_served_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidGguf, match=message):
        parse_header(raw, len(raw))


@given(raw=st.binary(max_size=200), size=st.integers(0, 2**63))
@example(raw=preamble(keys=2**14) + bytes(180), size=2**62)
@settings(max_examples=2 * settings().max_examples)
def test_noise_is_refused_or_asks_for_more(raw: bytes, size: int) -> None:
    with pytest.raises((Truncated, InvalidGguf)):
        parse_header(raw, size)


@given(
    changes=st.lists(
        st.tuples(st.integers(0, HEADER_BYTES - 1), st.integers(0, 255)), min_size=1, max_size=8
    )
)
@settings(max_examples=2 * settings().max_examples)
def test_damaged_header_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    raw = bytearray(SAMPLE)
    for at, value in changes:
        raw[at] = value
    try:
        header = parse_header(raw, len(raw))
    except (Truncated, InvalidGguf):
        return
    assert 0 < header.header_bytes <= len(raw)
