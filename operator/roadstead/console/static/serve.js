// The form that serves a model: each change is checked by a dry run of admission.

const form = document.querySelector("[data-serve]");
const verdict = document.querySelector("[data-verdict]");
const estimate = document.querySelector("[data-estimate]");
const refused = form.querySelector("[data-refused]");
const fit = form.querySelector("[data-fit]");
const COUNTS = ["contextSize", "parallel", "threads", "contextCheckpoints", "cacheRamMiB", "gpuLayers"];
const TEXTS = ["chatTemplate", "mode"];
let lastCheck = 0;
let timer = 0;

function wanted() {
  const field = (name) => form.elements[name].value.trim();
  const runtimeParams = {};
  for (const name of COUNTS) if (field(name) !== "") runtimeParams[name] = Number(field(name));
  for (const name of TEXTS) if (field(name) !== "") runtimeParams[name] = field(name);
  const amounts = {};
  if (field("cpu")) amounts.cpu = field("cpu");
  if (field("memory")) amounts.memory = field("memory");
  return {
    name: field("name"),
    namespace: field("namespace"),
    modelName: field("modelName"),
    contract: field("contract"),
    replicas: Number(field("replicas")),
    runtimeParams,
    resources: { requests: amounts, limits: amounts },
  };
}

async function post(path) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wanted()),
  });
  return [answer, await answer.json().catch(() => ({ error: { message: answer.statusText } }))];
}

function showVerdict(text, kind) {
  verdict.textContent = text;
  verdict.className = kind;
}

async function check() {
  const { name, namespace, modelName } = wanted();
  if (!name || !namespace || !modelName) {
    showVerdict("Fill in model, name and namespace.", "muted");
    return;
  }
  const number = ++lastCheck;
  showVerdict("Checking …", "muted");
  const [answer, found] = await post("/api/servers/check").catch(() => [null, null]);
  if (number !== lastCheck) return;
  if (!answer) return showVerdict("The console does not answer.", "note note-bad");
  if (!answer.ok) return showVerdict(found.error.message, "note note-bad");
  showVerdict(found.allowed ? "Allowed." : found.message, `note ${found.allowed ? "note-good" : "note-bad"}`);
  document.querySelector("[data-yaml]").textContent = found.yaml;
  document.querySelector("[data-copy-yaml]").dataset.copy = found.yaml;
  showEstimate(found.estimate);
}

function showEstimate(found) {
  fit.hidden = !found;
  if (!found) {
    estimate.textContent = "Available once the model is in the catalogue.";
    return;
  }
  const { weights, kv_cache, compute, prompt_cache, overhead } = found.parts;
  estimate.textContent =
    `About ${found.total}: weights ${weights}, context ${kv_cache}, compute ${compute}, ` +
    `prompt cache ${prompt_cache}, overhead ${overhead}.`;
  const room = `${Math.ceil((found.bytes * 1.1) / 2 ** 20 / 64) * 64}Mi`;
  fit.textContent = `Use ${room}`;
  fit.onclick = () => {
    form.elements.memory.value = room;
    scheduleCheck();
  };
}

function scheduleCheck() {
  clearTimeout(timer);
  timer = setTimeout(check, 500);
}

async function serve() {
  refused.hidden = true;
  const [answer, found] = await post("/api/servers");
  if (!answer.ok) {
    refused.textContent = found.error.message;
    refused.hidden = false;
    return;
  }
  await recorded(found.server_uuid);
  location.assign(`/servers/${found.server_uuid}`);
}

// The operator writes the record shortly after the object is created.
async function recorded(uuid) {
  for (let tries = 0; tries < 20; tries += 1) {
    const answer = await fetch(`/api/servers/${uuid}`);
    if (answer.ok) return;
    await new Promise((done) => setTimeout(done, 500));
  }
}

form.addEventListener("input", scheduleCheck);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("[data-submit]");
  button.disabled = true;
  try {
    await serve();
  } catch {
    refused.textContent = "The console does not answer; retry.";
    refused.hidden = false;
  } finally {
    button.disabled = false;
  }
});
check();
