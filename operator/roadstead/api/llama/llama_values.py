"""The values that llama-server's flags accept. No value of any kind can be parsed as a flag."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from typing import NoReturn

from roadstead.errors import InvalidResource

_LIMIT = 256
_INT32 = (-(2**31), 2**31 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Value:
    """A kind of value: `form` describes it for people, `fits` decides whether a text is valid."""

    form: str
    fits: Callable[[str], bool]

    def checked(self, value: object, *, field: str, flag: str) -> str:
        """`value` as an argument. Raises `InvalidResource` for `field` if it is invalid."""
        text = str(value)
        if isinstance(value, bool) or len(text) > _LIMIT or not self.fits(text):
            raise InvalidResource(
                field, f"invalid value {text[:40]!r} for {flag}: expected {self.form}"
            )
        return text


def pattern(form: str, expression: re.Pattern[str]) -> Value:
    """Text that matches a whole regular expression."""
    return Value(form=form, fits=lambda text: expression.fullmatch(text) is not None)


def whole(low: int = _INT32[0], high: int = _INT32[1]) -> Value:
    """A whole number; llama-server exits with an error unless it is an int32."""
    bounded = (low, high) != _INT32
    form = f"a whole number from {low} to {high}" if bounded else "a whole number (32 bits)"
    compiled = re.compile(r"-?[0-9]{1,12}", re.ASCII)
    return Value(
        form=form,
        fits=lambda text: compiled.fullmatch(text) is not None and low <= int(text) <= high,
    )


def choice(*options: str) -> Value:
    """One of the given options."""
    return Value(form=f"one of {', '.join(options)}", fits=lambda text: text in options)


def _json_object(text: str) -> bool:
    """As strict as llama-server's parser: no NaN, no 1e999, no lone surrogate."""
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _decimal(text: str) -> bool:
    """llama-server exits with an error unless a number is a normal 32-bit float."""
    if re.fullmatch(_NUMBER, text, re.ASCII) is None:
        return False
    size = abs(float(text))
    return size == 0 or _FLOAT_MIN <= size <= _FLOAT_MAX


def _decimals(text: str) -> bool:
    return text.count(",") < _DEVICES and all(map(_decimal, text.split(",")))


def _positive(text: str) -> bool:
    return _decimal(text) and float(text) > 0


def _logit_bias(text: str) -> bool:
    match = re.fullmatch(r"([0-9]{1,12})(?:-inf|[+-]([0-9.].*))", text, re.ASCII)
    if match is None or int(match[1]) > _INT32[1]:
        return False
    return match[2] is None or _decimal(match[2])


def _cpu_range(text: str) -> bool:
    match = re.fullmatch(r"([0-9]{1,3})-([0-9]{1,3})", text, re.ASCII)
    return match is not None and int(match[1]) <= int(match[2]) < _CPUS


def _plain_text(text: str) -> bool:
    """Kubernetes would substitute a variable's value for `$(NAME)`."""
    return text[:1] not in ("", "-") and "$(" not in text and text.isprintable()


def _on_the_cpu(text: str) -> bool:
    """`PATTERN=CPU,...`, each pattern an expression that both Python and C++ accept."""
    patterns = [item.removesuffix("=CPU") for item in text.split(",") if item.endswith("=CPU")]
    return len(patterns) == text.count(",") + 1 and all(map(_tensor_pattern, patterns))


def _tensor_pattern(text: str) -> bool:
    """Not compiled here: the author of a pattern could make that take arbitrarily long."""
    if re.fullmatch(_TENSOR_PATTERN, text, re.ASCII) is None:
        return False
    ranges = (re.findall(r"(.)-(.)", each) for each in re.findall(r"\[([^\[\]]*)\]", text))
    return all(first <= last for each in ranges for first, last in each)


_FLOAT_MIN, _FLOAT_MAX = 1.1755e-38, 3.4028e38
_CPUS = 512
_DEVICES = 15
"""One value for each device: llama.cpp supports 16 devices, and fewer values than that."""
_UNSIGNED = r"(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(?:[eE][+-]?[0-9]{1,2})?"
_NUMBER = rf"[+-]?{_UNSIGNED}"
_CHARACTER = r"(?:[A-Za-z0-9_.-]|\\[.d]|\[\^?(?:[A-Za-z0-9_](?:-[A-Za-z0-9])?)+\])[*+?]?"
_GROUP = rf"\((?:{_CHARACTER})+(?:\|(?:{_CHARACTER})+)*\)[*+?]?"
_BRANCH = rf"(?:{_CHARACTER}|{_GROUP})+"
_TENSOR_PATTERN = rf"\^?{_BRANCH}(?:\|{_BRANCH})*\$?"
SWITCH = Value(form="nothing", fits=lambda text: False)
INTEGER = whole()
DECIMAL = Value(form="a decimal number such as 0.95", fits=_decimal)
POSITIVE = Value(form="a decimal number above 0", fits=_positive)
DECIMALS = Value(form="up to 15 decimal numbers, separated by commas", fits=_decimals)
INTEGERS = pattern(
    "up to 15 whole numbers, separated by commas", re.compile(r"[0-9]{1,12}(?:,[0-9]{1,12}){0,14}")
)
_SPEC_TYPE = r"(?:draft-mtp|ngram-(?:simple|map-k4v|map-k|mod|cache))"
WORDS = pattern(
    "names, separated by semicolons", re.compile(r"[a-z][a-z0-9_]*(?:;[a-z][a-z0-9_]*)*")
)
LOGIT_BIAS = Value(form="a token and its bias, such as 15043+1 or 15043-inf", fits=_logit_bias)
IDLE_SECONDS = pattern("seconds, 1 or more, or -1 for never", re.compile(r"-1|[1-9][0-9]{0,8}"))
ON_OFF = choice("on", "off")
ON_OFF_AUTO = choice("on", "off", "auto")
JSON_OBJECT = Value(form='a JSON object such as {"key": "value"}', fits=_json_object)
SPEC_TYPES = pattern(
    "draft-mtp, ngram-simple, ngram-map-k, ngram-map-k4v, ngram-mod or ngram-cache, separated by "
    "commas (other drafts need a second model)",
    re.compile(rf"(?:none|{_SPEC_TYPE})(?:,{_SPEC_TYPE}){{0,8}}"),
)
TEXT = Value(
    form="a text of one line that does not start with '-' or contain '$('", fits=_plain_text
)
SAMPLERS = pattern("letters of samplers, such as edskypmxt", re.compile(r"[edskypmxta]{1,16}"))
CPU_RANGE = Value(form=f"a range of CPUs from 0 to {_CPUS - 1}, such as 0-7", fits=_cpu_range)
CPU_MASK = pattern(
    "a mask of CPUs, up to 128 hexadecimal digits", re.compile(r"(?:0x)?[0-9A-Fa-f]{1,128}")
)
DEVICE_NAMES = pattern(
    "names of devices, separated by commas, such as CUDA0,CUDA1, or none",
    re.compile(r"[A-Za-z]{1,16}[0-9]{0,2}(?:,[A-Za-z]{1,16}[0-9]{0,2}){0,14}"),
)
TENSORS_ON_CPU = Value(
    form="PATTERN=CPU, separated by commas, such as .ffn_.*_exps.=CPU", fits=_on_the_cpu
)
