"""The values of a gguf header that define the caches of a running model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

MEMORY_KEYS: Final = {
    "head_counts_kv": "attention.head_count_kv",
    "key_length_swa": "attention.key_length_swa",
    "value_length_swa": "attention.value_length_swa",
    "key_length_mla": "attention.key_length_mla",
    "value_length_mla": "attention.value_length_mla",
    "sliding_window_period": "attention.sliding_window_pattern",
    "sliding_window_layers": "attention.sliding_window_pattern",
    "shared_kv_layers": "attention.shared_kv_layers",
    "recurrent_layers": "attention.recurrent_layers",
    "full_attention_interval": "full_attention_interval",
    "nextn_predict_layers": "nextn_predict_layers",
    "feed_forward_length": "feed_forward_length",
    "feed_forward_lengths": "feed_forward_length",
    "expert_feed_forward_length": "expert_feed_forward_length",
    "expert_used_count": "expert_used_count",
    "ssm_conv_kernel": "ssm.conv_kernel",
    "ssm_inner_size": "ssm.inner_size",
    "ssm_state_size": "ssm.state_size",
    "ssm_group_count": "ssm.group_count",
    "kda_head_length": "kda.head_dim",
    "wkv_head_size": "wkv.head_size",
    "token_shift_count": "token_shift_count",
    "short_conv_cache": "shortconv.l_cache",
}
"""The key of the architecture for each field of a `GgufMemory`."""


class GgufMemory(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The values of the header; a tuple has one number for each layer."""

    head_counts_kv: tuple[int, ...] | None = None
    key_length_swa: int | None = None
    value_length_swa: int | None = None
    key_length_mla: int | None = None
    value_length_mla: int | None = None
    sliding_window_period: int | None = None
    sliding_window_layers: tuple[int, ...] | None = None
    shared_kv_layers: int | None = None
    recurrent_layers: tuple[int, ...] | None = None
    full_attention_interval: int | None = None
    nextn_predict_layers: int | None = None
    feed_forward_length: int | None = None
    feed_forward_lengths: tuple[int, ...] | None = None
    expert_feed_forward_length: int | None = None
    expert_used_count: int | None = None
    ssm_conv_kernel: int | None = None
    ssm_inner_size: int | None = None
    ssm_state_size: int | None = None
    ssm_group_count: int | None = None
    kda_head_length: int | None = None
    wkv_head_size: int | None = None
    token_shift_count: int | None = None
    short_conv_cache: int | None = None


_LISTS: Final = frozenset(
    {"head_counts_kv", "sliding_window_layers", "recurrent_layers", "feed_forward_lengths"}
)


def memory_of(value_of: Callable[[str], object]) -> GgufMemory | None:
    """The values that `value_of` returns for the architecture's keys; None if there are none."""
    values = {name: _value(name, value_of(key)) for name, key in MEMORY_KEYS.items()}
    found: Mapping[str, Any] = {name: value for name, value in values.items() if value is not None}
    return GgufMemory(**found) if found else None


def _value(name: str, value: object) -> int | tuple[int, ...] | None:
    if name in _LISTS:
        return value if isinstance(value, tuple) else None
    if isinstance(value, tuple):
        return None if name == "sliding_window_period" else max(value, default=None)
    return value if type(value) is int and 0 <= value < 2**63 else None
