// What pages do beyond links and forms. Everything works without it.
"use strict";

// Copying needs a script, so its buttons are hidden until there is one; and a secure context.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// A form that came back with a fault: start where the fault is told.
document.querySelector("[data-focus]")?.focus();

// Live parts ask for themselves again; not while nobody looks, and not under the eyes of who reads on.
document.addEventListener("htmx:beforeRequest", (event) => {
  const live = event.target.closest?.("[data-live]");
  if (!live || event.target !== live) return;
  const selecting = !getSelection().isCollapsed && live.contains(getSelection().anchorNode);
  const above = live.getBoundingClientRect().top < -40;
  if (document.hidden || selecting || above || live.contains(document.activeElement)) event.preventDefault();
});

// What was opened stays open when a live part comes anew.
document.addEventListener("htmx:beforeSwap", (event) => {
  const fresh = event.detail.serverResponse;
  if (typeof fresh !== "string" || !event.target.matches?.("#messages")) return;
  const page = new DOMParser().parseFromString(fresh, "text/html");
  for (const detail of page.querySelectorAll("details[id]")) {
    const shown = document.getElementById(detail.id);
    if (shown) detail.open = shown.open;
  }
  event.detail.serverResponse = page.body.innerHTML;
});

// A live part that could not load says so, and is tried again.
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.target.closest?.("[data-live]")) return;
  const lost = document.getElementById("lost") ?? Object.assign(document.createElement("p"), { id: "lost" });
  if (event.detail.successful) return lost.remove();
  lost.className = "notice warn";
  lost.setAttribute("role", "status");
  lost.textContent = "Could not load what is new; trying again.";
  document.getElementById("main").prepend(lost);
});
