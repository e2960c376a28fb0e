// Shows a graph's value at the pointer; samples are fetched on the first use.

import { relative } from "./times.js";

const FIELDS = {
  memory: ["memory_current_mb", (value) => size(value * 1e6)],
  cpu: ["cpu_usage_percent", (value) => `${(value / 100).toFixed(2)} cores`],
  speed: ["tokens_per_second", (value) => `${value.toFixed(1)} tokens/s`],
};
const MAX_AGE_MS = 15000;
let cached = null;

function size(bytes) {
  const gib = bytes / 2 ** 30;
  return gib >= 1 ? `${gib.toFixed(2)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}

async function usage() {
  if (!cached || cached.at < Date.now() - MAX_AGE_MS) {
    const path = location.pathname.match(/^\/servers\/[0-9a-f-]{36}$/)[0];
    const response = fetch(`/api${path}/usage${location.search}`).then((answer) => answer.json());
    cached = { at: Date.now(), response };
  }
  return cached.response;
}

// The last sample at or before a moment.
function sampleAt(samples, field, moment) {
  let found = null;
  for (const each of samples) {
    if (new Date(each.at) > moment) break;
    if (each[field] !== null) found = each;
  }
  return found;
}

async function point(svg, share) {
  const key = svg.closest("[data-graph]").dataset.graph;
  const [field, text] = FIELDS[key];
  const { since, until, samples } = await usage();
  const [from, to] = [new Date(since), new Date(until)];
  const moment = new Date(from.getTime() + share * (to - from));
  const found = sampleAt(samples, field, moment);
  const tip = svg.parentElement.querySelector("[data-tip]");
  tip.hidden = !found;
  if (!found) return;
  tip.textContent = `${text(found[field])}, ${relative(moment)}`;
  tip.style.left = `${Math.min(80, Math.max(0, share * 100))}%`;
}

export function start() {
  document.addEventListener("pointermove", (event) => {
    const svg = event.target.closest?.(".graph svg");
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    point(svg, (event.clientX - box.left) / box.width).catch(() => {});
  });
  document.addEventListener("pointerout", (event) => {
    const svg = event.target.closest?.(".graph svg");
    if (svg && !svg.contains(event.relatedTarget)) {
      svg.parentElement.querySelector("[data-tip]").hidden = true;
    }
  });
}
