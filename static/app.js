// What pages do beyond links and forms. Everything works without it.
"use strict";

// Copying needs a script, so its buttons are hidden until there is one.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const copied = await copy(document.getElementById(button.dataset.copy));
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, copied ? 1500 : 5000);
  });
}

// Over plain http there is no clipboard to write to: then what is selected is copied the old way, or by hand.
async function copy(source) {
  if (navigator.clipboard) {
    try { await navigator.clipboard.writeText(source.textContent); return true; } catch { /* not allowed */ }
  }
  getSelection().selectAllChildren(source);
  return document.execCommand("copy");
}

// A chart's values under it: of the column under the pointer, or of the one that the arrow keys reach.
for (const event of ["pointerover", "focusin", "keydown"]) {
  document.addEventListener(event, (moved) => {
    const chart = moved.target.closest?.("[data-reads]");
    if (!chart) return;
    const columns = [...chart.querySelectorAll("[data-value]")];
    const last = columns.findIndex((column) => column.classList.contains("shown"));
    let next = last < 0 ? columns.length - 1 : last;
    if (event === "pointerover") next = columns.indexOf(moved.target.closest("[data-value]"));
    else if (moved.key === "ArrowLeft") next = Math.max(0, last - 1);
    else if (moved.key === "ArrowRight") next = Math.min(columns.length - 1, last + 1);
    if (!columns[next]) return;
    columns[last]?.classList.remove("shown");
    columns[next].classList.add("shown");
    chart.closest(".plot").querySelector(".told").textContent = columns[next].dataset.value;
  });
}

// On a phone a filter that is not in use is folded away. A wide page has no button to unfold it.
const fold = document.querySelector("[data-fold]");
const narrow = matchMedia("(max-width: 52rem)");
if (fold) {
  const follow = () => { fold.open = !narrow.matches; };
  follow();
  narrow.addEventListener("change", follow);
}

// A filter that was applied in place belongs into the address, for a reload and for a colleague.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.requestConfig.elt.matches?.(".filters")) {
    history.replaceState(null, "", event.detail.pathInfo.finalRequestPath);
  }
});

// A filter with an error is answered by the page that says what is wrong: its part is shown in place too.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig, xhr } = event.detail;
  if (xhr.status !== 422 || !requestConfig.elt.matches?.(".filters")) return;
  Object.assign(event.detail, { shouldSwap: true, isError: false });
});

// A form that came back with a fault: start where the fault is told.
document.querySelector("[data-focus]")?.focus();

// Live parts ask for themselves again; not while nobody looks, and not under the eyes of who reads on.
document.addEventListener("htmx:beforeRequest", (event) => {
  const live = event.target.closest?.("[data-live]");
  if (!live || event.target !== live) return;
  const selecting = !getSelection().isCollapsed && live.contains(getSelection().anchorNode);
  const above = live.getBoundingClientRect().top < -40;
  // A link in the rows would lose its focus; a part marked data-keep-focus gets it back below.
  const focused = live.contains(document.activeElement) && !live.hasAttribute("data-keep-focus");
  if (document.hidden || selecting || above || focused) event.preventDefault();
});

// What was opened stays open when a live part comes anew.
document.addEventListener("htmx:beforeSwap", (event) => {
  const fresh = event.detail.serverResponse;
  if (typeof fresh !== "string" || !event.target.matches?.("[data-keep-focus]")) return;
  const page = new DOMParser().parseFromString(fresh, "text/html");
  for (const detail of page.querySelectorAll("details[id]")) {
    const shown = document.getElementById(detail.id);
    if (shown) detail.open = shown.open;
  }
  event.detail.serverResponse = page.body.innerHTML;
  const focused = document.activeElement.closest("details[id]")?.id;
  if (focused) setTimeout(() => document.querySelector(`#${focused} > summary`)?.focus());
});

// A second click while the first is on its way would do it twice. What may take seconds says so.
let leaving = false;
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  for (const told of event.target.querySelectorAll("[data-busy]")) { told.textContent = told.dataset.busy; leaving = true; }
  setTimeout(() => { for (const button of event.target.querySelectorAll("button")) button.disabled = true; });
});
addEventListener("pageshow", () => {
  leaving = false;
  for (const told of document.querySelectorAll("[data-busy]")) told.textContent = "";
  for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
});

// A live part that came anew meanwhile would have its buttons back, and forget that it is busy.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (leaving && event.target.closest?.("[data-live]")) event.preventDefault();
});

// What another site led back with goes on by itself, from a page that can say how long it takes.
addEventListener("pageshow", (event) => { if (!event.persisted) document.querySelector("form[data-at-once]")?.requestSubmit(); });

// Another theme must not cost what was typed.
document.querySelector(".themes")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = event.submitter;
  fetch(event.target.action, { method: "POST", body: new URLSearchParams([[chosen.name, chosen.value]]), redirect: "manual" });
  document.documentElement.dataset.theme = chosen.value;
  for (const button of event.target.querySelectorAll("button")) button.setAttribute("aria-pressed", button === chosen);
});

// What was asked for in place and refused is told in place.
document.addEventListener("htmx:responseError", (event) => {
  const { target, xhr } = event.detail;
  if (target.closest("[data-live]") || xhr.status === 401) return;
  target.textContent = `The request was refused (${xhr.status} ${xhr.statusText}). Reload the page to see the current state.`;
});

// A live part that could not load says so, and is tried again.
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.target.closest?.("[data-live]")) return;
  const lost = document.getElementById("lost") ?? Object.assign(document.createElement("p"), { id: "lost" });
  if (event.detail.successful) return lost.remove();
  lost.className = "notice warn";
  lost.setAttribute("role", "status");
  lost.textContent = "Could not load new entries. Trying again.";
  document.getElementById("main").prepend(lost);
});
