// Keeps a page up to date: told by /api/events, and looking again by itself where it is not.

import { morph } from "./morph.js";
import { tick } from "./times.js";

const main = document.querySelector("main");
const wanted = (main.dataset.live || "").split(" ").filter(Boolean);
const poll = Number(document.body.dataset.poll || 30) * 1000;
let busy = false;
let again = false;
let stale = false;
let lost = false;

export async function refresh() {
  if (document.hidden) {
    stale = true;
    return;
  }
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/sign-in") return signedOut();
    if (!answer.ok) return state("away");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    morph(main, page.querySelector("main"));
    tick(main);
    state("live");
  } catch {
    state("away");
  } finally {
    busy = false;
    if (again) {
      again = false;
      setTimeout(refresh, 500);
    }
  }
}

export function signedOut() {
  const notice = document.querySelector("[data-notice]");
  const link = document.createElement("a");
  link.href = `/sign-in?ended=1&next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = "Sign in again";
  notice.replaceChildren("Your session has ended; what you see is no longer kept up to date. ", link, ".");
  notice.hidden = false;
  state("away");
}

function state(word) {
  for (const each of main.querySelectorAll("[data-live-state]")) {
    each.dataset.state = word;
    each.lastElementChild.textContent = word === "live" ? "live" : "reconnecting …";
  }
}

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => {
    // What changed while nothing was heard was told to nobody here.
    if (lost) refresh();
    lost = false;
    state("live");
  });
  events.addEventListener("error", () => {
    lost = true;
    state("away");
    if (events.readyState === EventSource.CLOSED) setTimeout(check, 3000);
  });
  events.addEventListener("records", (event) => {
    if (event.data.split(" ").some((what) => wanted.includes(what))) refresh();
  });
  window.addEventListener("pagehide", () => events.close());
}

async function check() {
  const answer = await fetch("/api/me").catch(() => null);
  if (answer && answer.status === 401) return signedOut();
  if (answer && answer.ok) listen();
  else setTimeout(check, 5000);
}

export function start() {
  if (!wanted.length) return;
  listen();
  setInterval(refresh, poll);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && stale) {
      stale = false;
      refresh();
    }
  });
}
