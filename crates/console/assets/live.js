// Keeps a page up to date: when the hub says that something of a kind changed, the page is fetched again and the parts of it
// that are of this kind (`data-live`) take the places of the old ones. What somebody is in the middle of stays as it is until
// they are done. A page that nobody sees asks for nothing. Without this there is the browser's own button for it.

import { prepare, sortAlike } from "./tables.js";

const STREAM = "/live";
const MEMORY = "ringfence-live";
const PAUSE = 2_000;

const regions = () => [...document.querySelectorAll("[data-live][id]")];
const stale = new Set();
let source = null;
let timer = null;
let isFetching = false;

/** Whether somebody is in the middle of something there: has the focus in it, has typed, has marked a text. */
function isInUse(region) {
  const focused = document.activeElement;
  if (focused && focused !== document.body && region.contains(focused)) return true;
  const marked = getSelection();
  if (marked && !marked.isCollapsed && marked.containsNode(region, true)) return true;
  return [...region.querySelectorAll("input:not([type=hidden]), textarea, select")].some((field) => {
    if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
    if (field.matches("select")) return [...field.options].some((one, at) => one.selected !== (one.defaultSelected || (!field.querySelector("[selected]") && at === 0)));
    return field.value !== field.defaultValue;
  });
}

/** What somebody has opened, sorted and scrolled stays so. */
function carryOver(old, fresh) {
  const opened = fresh.querySelectorAll("details");
  old.querySelectorAll("details").forEach((details, at) => opened[at]?.toggleAttribute("open", details.open));
  sortAlike(old, fresh);
}

function scrollAlike(old, fresh) {
  const scrolled = fresh.querySelectorAll(".table, .canvas");
  old.forEach((left, at) => { if (scrolled[at]) scrolled[at].scrollLeft = left; });
}

/** What a part is called, without the notes in its heading. */
function nameOf(region) {
  const heading = region.querySelector("h2, h3");
  const words = [...(heading?.childNodes ?? [])].filter((node) => !node.classList?.contains("note"));
  return words.map((node) => node.textContent).join("").trim();
}

async function refresh() {
  timer = null;
  const due = regions().filter((region) => stale.has(region.id) && !isInUse(region));
  if (!source || isFetching || due.length === 0) return;
  isFetching = true;
  const asked = new Set(due.map((region) => region.id));
  for (const id of asked) stale.delete(id);
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html", "live-update": "?1" }, cache: "no-store" });
    if (answer.redirected || !answer.ok) {
      // Nobody is signed in any more, or the page is gone.
      end();
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const changed = [];
    for (const id of asked) {
      const old = document.getElementById(id);
      const fresh = page.getElementById(id);
      if (!old || !fresh) continue;
      // Somebody may have begun something there meanwhile.
      if (isInUse(old)) {
        stale.add(id);
        continue;
      }
      const imported = document.importNode(fresh, true);
      prepare(imported);
      carryOver(old, imported);
      if (imported.isEqualNode(old)) continue;
      const scrolled = [...old.querySelectorAll(".table, .canvas")].map((one) => one.scrollLeft);
      old.replaceWith(imported);
      scrollAlike(scrolled, imported);
      changed.push(imported);
      imported.dispatchEvent(new CustomEvent("live", { bubbles: true }));
    }
    if (changed.length > 0) announcer.textContent = `Brought up to date: ${changed.map(nameOf).join(", ")}.`;
  } catch {
    // The network; the stream tells when it is back.
    for (const id of asked) stale.add(id);
  } finally {
    isFetching = false;
  }
  if (stale.size > 0) soon();
}

function soon() {
  timer ??= setTimeout(refresh, PAUSE);
}

function touch(kinds) {
  for (const region of regions()) {
    if (region.dataset.live.split(" ").some((kind) => kinds.has(kind))) stale.add(region.id);
  }
  if (stale.size > 0) soon();
}

function begin() {
  if (source || document.hidden || isStopped()) return;
  source = new EventSource(STREAM);
  source.addEventListener("change", (event) => touch(new Set(event.data.split(" "))));
  // What happened before the stream was open, or while it was away, nobody told.
  source.addEventListener("open", () => {
    for (const region of regions()) stale.add(region.id);
    refresh();
    state.dataset.is = "open";
  });
  source.addEventListener("error", () => {
    if (source?.readyState === EventSource.CLOSED) end();
  });
}

function pause() {
  source?.close();
  source = null;
  clearTimeout(timer);
  timer = null;
  state.dataset.is = "paused";
}

function end() {
  pause();
  said.textContent = "This page is no longer kept up to date. Load it again to go on.";
  button.remove();
  document.removeEventListener("visibilitychange", onVisibility);
}

const onVisibility = () => (document.hidden ? pause() : begin());

function isStopped() {
  try {
    return sessionStorage.getItem(MEMORY) === "stopped";
  } catch {
    return false;
  }
}

function stopOrGoOn() {
  const stops = !isStopped();
  try {
    sessionStorage.setItem(MEMORY, stops ? "stopped" : "goes on");
  } catch {
    // Without a place to remember it, it holds for nothing; then the page stays as it is.
  }
  if (stops) pause();
  else begin();
  tell();
}

function tell() {
  said.textContent = isStopped() ? "This page is not kept up to date. " : "This page is kept up to date. ";
  button.textContent = isStopped() ? "Keep it up to date" : "Stop that";
}

// WCAG 2.2, 2.2.2: what changes by itself can be stopped.
const state = document.createElement("p");
state.className = "note live";
const said = document.createElement("span");
const button = document.createElement("button");
button.type = "button";
button.className = "quiet";
button.addEventListener("click", stopOrGoOn);
const announcer = document.createElement("span");
announcer.className = "unseen";
announcer.ariaLive = "polite";
state.append(said, button, announcer);
tell();

if (regions().length > 0) {
  document.querySelector("main h1").after(state);
  document.addEventListener("focusout", () => { if (stale.size > 0) soon(); });
  document.addEventListener("visibilitychange", onVisibility);
  // A page that is left and kept asks for nothing, until somebody comes back to it.
  addEventListener("pagehide", pause);
  addEventListener("pageshow", begin);
}
