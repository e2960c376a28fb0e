// Behaviour of every page. Pages work without it.

import { start as changes } from "./changes.js";
import { start as graphs } from "./graphs.js";
import { start } from "./live.js";
import { tick } from "./times.js";

document.documentElement.classList.add("script");

export function toast(text) {
  const box = document.querySelector("[data-toast]");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.classList.remove("shown"), 2500);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser does not allow copying");
  }
}

// A click on a server reads its record by UUID and opens its current address.
async function open(link) {
  try {
    const answer = await fetch(`/api/servers/${link.dataset.open}`);
    if (!answer.ok) throw new Error(answer.statusText);
    const record = await answer.json();
    if (record.status === "Ready" && record.usable && record.open_url) {
      location.assign(record.open_url);
      return;
    }
  } catch {
    // The server's page shows the error.
  }
  location.assign(`/servers/${link.dataset.open}`);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button.dataset.copy);
  const link = event.target.closest("a[data-open]");
  if (link && event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    open(link);
  }
  for (const menu of document.querySelectorAll("details.who[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.who[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

for (const form of document.querySelectorAll("form[data-filter]")) {
  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => form.requestSubmit(), 400);
  });
}

const search = document.querySelector("form[data-filter] input[type=search]");
if (search && search.value && document.referrer.startsWith(location.origin)) {
  search.focus();
  search.setSelectionRange(search.value.length, search.value.length);
}

// Links from other sites omit the SameSite=Strict cookie: check for a session from this page.
const out = document.querySelector("[data-signed-out]");
if (out && !location.search.includes("out=1")) {
  fetch("/api/me").then((answer) => {
    if (answer.ok) location.replace(out.dataset.next);
  }).catch(() => {});
}

// Show a bar at the top while the next page loads.
window.addEventListener("beforeunload", () => document.documentElement.classList.add("leaving"));
window.addEventListener("pageshow", () => document.documentElement.classList.remove("leaving"));

if (document.querySelector("[data-retry]")) setTimeout(() => location.reload(), 5000);
setInterval(tick, 10000);
changes();
graphs();
start();
