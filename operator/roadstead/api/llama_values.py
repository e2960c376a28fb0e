"""What values llama-server's flags take. No value of any of these can be read as a flag."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable

from roadstead.errors import InvalidResource

_LIMIT = 256


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


def pattern(form: str, expression: str) -> Value:
    """Text that matches a whole regular expression (ASCII classes)."""
    compiled = re.compile(expression, re.ASCII)
    return Value(form=form, fits=lambda text: compiled.fullmatch(text) is not None)


def choice(*options: str) -> Value:
    """One of a few words."""
    return Value(form=f"one of {', '.join(options)}", fits=lambda text: text in options)


def _json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


_NUMBER = r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?"
SWITCH = Value(form="nothing", fits=lambda text: False)
INTEGER = pattern("a whole number", r"-?[0-9]{1,12}")
DECIMAL = pattern("a decimal number such as 0.95", _NUMBER)
DECIMALS = pattern("decimal numbers with commas between", rf"{_NUMBER}(?:,{_NUMBER})*")
INTEGERS = pattern("whole numbers with commas between", r"[0-9]{1,12}(?:,[0-9]{1,12})*")
WORDS = pattern("names with ; between", r"[a-z][a-z0-9_]*(?:;[a-z][a-z0-9_]*)*")
LOGIT_BIAS = pattern("a token and its bias, such as 15043+1", rf"[0-9]{{1,12}}[+-]{_NUMBER[2:]}")
ON_OFF = choice("on", "off")
ON_OFF_AUTO = choice("on", "off", "auto")
JSON_OBJECT = Value(form='a JSON object such as {"key": "value"}', fits=_json_object)
NGRAM_TYPES = pattern(
    "ngram-simple, ngram-map-k, ngram-map-k4v or ngram-mod, with commas between",
    r"(?:none|ngram-simple|ngram-map-k4v|ngram-map-k|ngram-mod)"
    r"(?:,(?:ngram-simple|ngram-map-k4v|ngram-map-k|ngram-mod))*",
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
