// A chat with one server at this origin: requests include the cookie, and forward auth decides each
// one. Texts are inserted as text, never as HTML.

import { signedOut } from "./live.js";
import { toast } from "./console.js";

const main = document.querySelector("[data-chat]");
const talk = main.querySelector("[data-talk]");
const form = main.querySelector("[data-ask]");
const question = form.querySelector("textarea");
const send = form.querySelector("[data-send]");
const stop = form.querySelector("[data-stop]");
const messages = [];
let running = null;

function bubble(role, name) {
  main.querySelector("[data-empty]").hidden = true;
  const box = document.createElement("article");
  box.className = `bubble bubble-${role}`;
  const head = document.createElement("h2");
  head.textContent = name;
  const text = document.createElement("div");
  text.className = "bubble-text";
  const foot = document.createElement("p");
  foot.className = "bubble-foot";
  box.append(head, text, foot);
  talk.append(box);
  bottom(true);
  return { box, text, foot };
}

function bottom(always = false) {
  const near = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 120;
  if (always || near) talk.scrollTop = talk.scrollHeight;
}

function value(name) {
  const text = main.querySelector(`[data-param="${name}"]`).value;
  return text === "" ? undefined : text;
}

function number(name) {
  const text = value(name);
  return text === undefined ? undefined : Number(text);
}

function body() {
  const system = value("system");
  const ended = value("stop");
  return {
    messages: [...(system ? [{ role: "system", content: system }] : []), ...messages],
    stream: true,
    temperature: number("temperature"),
    top_p: number("top_p"),
    max_tokens: number("max_tokens"),
    stop: ended ? [ended.replaceAll("\\n", "\n")] : undefined,
  };
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value: piece, done } = await reader.read();
    if (done) return;
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: {")) yield JSON.parse(line.slice(6));
    }
  }
}

async function answer(view) {
  running = new AbortController();
  const response = await fetch(`${main.dataset.chat}/v1/chat/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body()),
    signal: running.signal,
  });
  if (!response.ok) throw new Error(await refusal(response));
  let reply = "";
  let timings = null;
  for await (const event of events(response.body)) {
    if (event.error) throw new Error(event.error.message);
    const delta = event.choices?.[0]?.delta ?? {};
    reply += delta.content ?? "";
    timings = event.timings ?? timings;
    view.text.textContent = reply;
    bottom();
  }
  return { reply, timings };
}

async function refusal(response) {
  if (response.status === 401) signedOut();
  if (response.status === 429) return "The server is busy with other requests; retry in a moment.";
  const known = await response.json().catch(() => null);
  return known?.error?.message ?? `The server answered ${response.status} ${response.statusText}.`;
}

function busy(on) {
  send.hidden = on;
  stop.hidden = !on;
  talk.setAttribute("aria-busy", String(on));
}

async function ask() {
  const text = question.value.trim();
  if (!text || running) return;
  question.value = "";
  messages.push({ role: "user", content: text });
  bubble("user", "You").text.textContent = text;
  const view = bubble("assistant", main.dataset.model);
  view.box.classList.add("bubble-waiting");
  busy(true);
  try {
    const { reply, timings } = await answer(view);
    messages.push({ role: "assistant", content: reply });
    const speed = timings ? ` · ${timings.predicted_per_second.toFixed(1)} tokens/s` : "";
    const count = timings ? `${timings.predicted_n} tokens${speed}` : "";
    foot(view, reply, count);
  } catch (error) {
    if (error.name === "AbortError") {
      messages.push({ role: "assistant", content: view.text.textContent });
      foot(view, view.text.textContent, "stopped");
    } else {
      messages.pop();
      view.box.classList.add("bubble-bad");
      view.text.textContent = error.message;
      question.value = text;
    }
  } finally {
    view.box.classList.remove("bubble-waiting");
    running = null;
    busy(false);
    question.focus();
  }
}

function foot(view, reply, note) {
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "link";
  copy.dataset.copy = reply;
  copy.textContent = "Copy";
  view.foot.replaceChildren(note, note ? " · " : "", copy);
  bottom();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    ask();
  }
});
stop.addEventListener("click", () => running?.abort());
main.querySelector("[data-clear]").addEventListener("click", () => {
  running?.abort();
  messages.length = 0;
  for (const each of talk.querySelectorAll(".bubble")) each.remove();
  main.querySelector("[data-empty]").hidden = false;
  toast("New chat");
  question.focus();
});
