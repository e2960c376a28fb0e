// Refreshes a page on notifications from /api/events, and at an interval.

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
    if (!answer.ok) return showState("away");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    morph(main, page.querySelector("main"));
    tick(main);
    showState("live");
  } catch {
    showState("away");
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
  notice.replaceChildren("Your session has ended; this page is no longer updated. ", link, ".");
  notice.hidden = false;
  showState("away");
}

function showState(state) {
  for (const each of main.querySelectorAll("[data-live-state]")) {
    each.dataset.state = state;
    each.lastElementChild.textContent = state === "live" ? "live" : "reconnecting …";
  }
}

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => {
    // Changes during the interruption were not notified.
    if (lost) refresh();
    lost = false;
    showState("live");
  });
  events.addEventListener("error", () => {
    lost = true;
    showState("away");
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
