// A search that found nothing yet goes on by itself, page after page, until it finds something, is over, or is stopped.
// Without this there is a link to go on.

import { prepare } from "./tables.js";

let results = document.querySelector("#results[data-goes-on]");
if (results) {
  const said = document.createElement("p");
  said.setAttribute("role", "status");
  const stop = document.createElement("button");
  stop.type = "button";
  stop.className = "quiet";
  stop.textContent = "Stop";
  results.before(said, stop);
  let stopped = false;
  stop.addEventListener("click", () => { stopped = true; });
  said.textContent = "Searching …";
  let next = results.querySelector("a[rel=next]");
  while (next && !stopped) {
    const answer = await fetch(next.href).catch(() => null);
    if (!answer?.ok) break;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#results");
    if (!found) break;
    results.replaceWith(found);
    results = found;
    prepare(results);
    history.replaceState(null, "", answer.url);
    next = found.matches("[data-goes-on]") ? found.querySelector("a[rel=next]") : null;
  }
  said.textContent = stopped ? "Stopped." : next ? "The search broke off; go on with the link below." : "";
  stop.remove();
}
