// What every page has. All of it is convenience: nothing here is needed.

import "./graph.js";
import "./live.js";
import "./tables.js";

// Pictures that are wider than the page begin in their middle, where the one that they are about stands.
for (const canvas of document.querySelectorAll(".canvas")) {
  canvas.scrollLeft = (canvas.scrollWidth - canvas.clientWidth) / 2;
}

// A form that was sent is not sent again by a second click.
document.addEventListener("submit", (event) => {
  if (event.target.method === "post") {
    const sent = event.target;
    if (sent.dataset.sent) event.preventDefault();
    sent.dataset.sent = "yes";
  }
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
