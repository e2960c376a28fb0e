// Scales and deletes a server, each from a dialog that shows denials.

function dialog(id) {
  return document.getElementById(id);
}

async function send(form, method, body) {
  const error = form.querySelector("[data-wrong]");
  error.hidden = true;
  const answer = await fetch(`/api/servers/${form.dataset.server}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  }).catch(() => null);
  if (answer && answer.ok) return true;
  const found = answer ? await answer.json().catch(() => null) : null;
  error.textContent = found?.error?.message ?? "The console does not answer; retry.";
  error.hidden = false;
  return false;
}

export function start() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) dialog(opener.dataset.dialog).showModal();
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });
  const scaling = document.querySelector("form[data-scaling]");
  scaling?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const replicas = Number(scaling.elements.replicas.value);
    if (await send(scaling, "PATCH", { replicas })) scaling.closest("dialog").close();
  });
  const deleting = document.querySelector("form[data-deleting]");
  deleting?.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await send(deleting, "DELETE")) location.assign("/servers");
  });
}
