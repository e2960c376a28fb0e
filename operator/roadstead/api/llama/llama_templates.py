"""The names of llama-server's built-in chat templates, and those that Roadstead has in Jinja."""

from __future__ import annotations

from typing import Final

# llama-server accepts any text as a template, with Jinja, so only built-in names are allowed.
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

# The format that models of ChatML (Qwen, Hermes and others) are trained with: tools within <tools>,
# calls within <tool_call>, which llama-server parses as `tool_calls`. Without tools it equals
# llama-server's own ChatML.
_CHATML: Final = "".join(
    (
        r"{%- if tools -%}{{- '<|im_start|>system\n' -}}",
        r"{%- if messages[0].role == 'system' -%}{{- messages[0].content + '\n\n' -}}{%- endif -%}",
        r"{{- '# Tools\n\nYou may call one or more functions to assist with the user query. ",
        r"Their signatures are within <tools></tools>:\n<tools>' -}}",
        r"{%- for tool in tools -%}{{- '\n' + (tool | tojson) -}}{%- endfor -%}",
        r"{{- '\n</tools>\n\nFor each call, return a JSON object with the name and the arguments ",
        r"of the function within <tool_call></tool_call>:\n<tool_call>\n",
        r'{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n',
        r"' -}}{%- endif -%}",
        r"{%- for message in messages -%}",
        r"{%- if message.role == 'system' and loop.first and tools -%}",
        r"{%- elif message.role == 'tool' -%}{{- '<|im_start|>user\n<tool_response>\n' ",
        r"+ message.content + '\n</tool_response><|im_end|>\n' -}}",
        r"{%- else -%}{{- '<|im_start|>' + message.role + '\n' + (message.content or '') -}}",
        r"{%- for call in message.tool_calls or [] -%}",
        r"{{- ('\n' if message.content or not loop.first else '') + '<tool_call>\n",
        r"""{"name": "' + call.function.name + '", "arguments": ' + """,
        r"(call.function.arguments if call.function.arguments is string ",
        r"else call.function.arguments | tojson) + '}\n</tool_call>' -}}{%- endfor -%}",
        r"{{- '<|im_end|>\n' -}}{%- endif -%}{%- endfor -%}",
        r"{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}",
    )
)

JINJA_TEMPLATES: Final = {"chatml": _CHATML}
"""Jinja in place of a name. llama-server accepts tools in requests only with Jinja on, and then
uses the argument as the template's text: with a name, every prompt would be that name."""
