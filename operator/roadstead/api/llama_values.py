"""What values llama-server's flags take. No value of any of these can be read as a flag."""

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
    """A kind of value: `form` says to people what fits, `fits` says whether a text does."""

    form: str
    fits: Callable[[str], bool]

    def checked(self, value: object, *, field: str, flag: str) -> str:
        """`value` as an argument; `InvalidResource` for `field` where it does not fit `flag`."""
        text = str(value)
        if isinstance(value, bool) or len(text) > _LIMIT or not self.fits(text):
            raise InvalidResource(
                field, f"{text[:40]!r} does not fit {flag}, which takes {self.form}"
            )
        return text


def pattern(form: str, expression: re.Pattern[str]) -> Value:
    """Text that matches a whole regular expression."""
    return Value(form=form, fits=lambda text: expression.fullmatch(text) is not None)


def whole(low: int = _INT32[0], high: int = _INT32[1]) -> Value:
    """A whole number; llama-server exits with an error where one is no int32."""
    bounded = (low, high) != _INT32
    form = f"a whole number from {low} to {high}" if bounded else "a whole number (32 bits)"
    compiled = re.compile(r"-?[0-9]{1,12}", re.ASCII)
    return Value(
        form=form,
        fits=lambda text: compiled.fullmatch(text) is not None and low <= int(text) <= high,
    )


def choice(*options: str) -> Value:
    """One of a few words."""
    return Value(form=f"one of {', '.join(options)}", fits=lambda text: text in options)


def _json_object(text: str) -> bool:
    """As llama-server's own parser has it: no NaN, no 1e999, no half of a surrogate pair."""
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


def _positive(text: str) -> bool:
    return re.fullmatch(_UNSIGNED, text) is not None and text.strip("0.") != ""


def _logit_bias(text: str) -> bool:
    match = re.fullmatch(rf"([0-9]{{1,12}})[+-]{_UNSIGNED}", text, re.ASCII)
    return match is not None and int(match[1]) <= _INT32[1]


_UNSIGNED = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_NUMBER = rf"-?{_UNSIGNED}"
SWITCH = Value(form="nothing", fits=lambda text: False)
INTEGER = whole()
DECIMAL = pattern("a decimal number such as 0.95", re.compile(_NUMBER))
POSITIVE = Value(form="a decimal number above 0", fits=_positive)
# One for each device, of which llama.cpp knows 16, and fewer than that.
DECIMALS = pattern(
    "up to 15 decimal numbers with commas between", re.compile(rf"{_NUMBER}(?:,{_NUMBER}){{0,14}}")
)
INTEGERS = pattern(
    "up to 15 whole numbers with commas between", re.compile(r"[0-9]{1,12}(?:,[0-9]{1,12}){0,14}")
)
WORDS = pattern("names with ; between", re.compile(r"[a-z][a-z0-9_]*(?:;[a-z][a-z0-9_]*)*"))
LOGIT_BIAS = Value(form="a token and its bias, such as 15043+1", fits=_logit_bias)
IDLE_SECONDS = pattern("seconds from 1 on, or -1 for never", re.compile(r"-1|[1-9][0-9]{0,8}"))
ON_OFF = choice("on", "off")
ON_OFF_AUTO = choice("on", "off", "auto")
JSON_OBJECT = Value(form='a JSON object such as {"key": "value"}', fits=_json_object)
NGRAM_TYPES = pattern(
    "ngram-simple, ngram-map-k, ngram-map-k4v or ngram-mod, with commas between",
    re.compile(
        r"(?:none|ngram-simple|ngram-map-k4v|ngram-map-k|ngram-mod)"
        r"(?:,(?:ngram-simple|ngram-map-k4v|ngram-map-k|ngram-mod))*"
    ),
)

# llama-server takes any text as a template, and Jinja in it, so only the names of its own pass.
TEMPLATE_NAMES: tuple[str, ...] = (
    "bailing",
    "bailing-think",
    "bailing2",
    "chatglm3",
    "chatglm4",
    "chatml",
    "command-r",
    "deepseek",
    "deepseek-ocr",
    "deepseek2",
    "deepseek3",
    "exaone-moe",
    "exaone3",
    "exaone4",
    "falcon3",
    "gemma",
    "gigachat",
    "glmedge",
    "gpt-oss",
    "granite",
    "granite-4.0",
    "granite-4.1",
    "grok-2",
    "hunyuan-dense",
    "hunyuan-moe",
    "hunyuan-vl",
    "kimi-k2",
    "llama2",
    "llama2-sys",
    "llama2-sys-bos",
    "llama2-sys-strip",
    "llama3",
    "llama4",
    "megrez",
    "minicpm",
    "mistral-v1",
    "mistral-v3",
    "mistral-v3-tekken",
    "mistral-v7",
    "mistral-v7-tekken",
    "monarch",
    "openchat",
    "orion",
    "pangu-embedded",
    "phi3",
    "phi4",
    "rwkv-world",
    "seed_oss",
    "smolvlm",
    "solar-open",
    "vicuna",
    "vicuna-orca",
    "yandex",
    "zephyr",
)
