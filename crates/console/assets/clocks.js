// Sliders beside the two date fields of a member's page. The fields are what is sent; the sliders move them.

const DAY = 86_400_000;
const daysOf = (text) => Math.round(Date.parse(`${text}T00:00:00Z`) / DAY);
const dateOf = (days) => new Date(days * DAY).toISOString().slice(0, 10);

for (const form of document.querySelectorAll("form[data-clocks]")) {
  const first = daysOf(form.dataset.first);
  const last = daysOf(form.dataset.last);
  if (!(first < last)) continue;
  for (const field of form.querySelectorAll("input[type=date]")) {
    const slider = document.createElement("input");
    slider.type = "range";
    slider.min = String(first);
    slider.max = String(last);
    slider.value = String(daysOf(field.value));
    slider.setAttribute("aria-label", `${field.labels[0].firstChild.textContent.trim()}, slider`);
    slider.setAttribute("aria-valuetext", field.value);
    slider.addEventListener("input", () => {
      field.value = dateOf(Number(slider.value));
      slider.setAttribute("aria-valuetext", field.value);
    });
    slider.addEventListener("change", () => form.requestSubmit());
    field.addEventListener("input", () => {
      if (field.value) slider.value = String(daysOf(field.value));
    });
    field.labels[0].append(slider);
  }
}
