// Improves the form: shows the chosen picture, refuses one that is too large before it is sent, and shows that the page
// is working. The form also works without this script.
"use strict";

document.documentElement.classList.add("js");

const form = document.querySelector("form.upload");
if (form) {
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector("[data-drop]");
  const chosen = form.querySelector("[data-chosen]");
  const preview = form.querySelector("[data-preview]");
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button");
  const buttonText = form.querySelector("[data-button-text]");
  const idleText = buttonText.textContent;
  const maxBytes = Number(input.dataset.maxBytes);
  const FORM_BYTES = 2000; // that the form adds to the file

  const megabytes = (bytes) => (bytes < 100_000 ? "under 0.1" : (bytes / 1_000_000).toFixed(1)) + " MB";

  const showChosen = () => {
    const file = input.files[0];
    const tooLarge = file && file.size + FORM_BYTES > maxBytes;
    problem.textContent = tooLarge
      ? `This picture has ${megabytes(file.size)}. At most ${maxBytes / 1_000_000} MB are allowed.`
      : "";
    input.setCustomValidity(problem.textContent);
    input.toggleAttribute("aria-invalid", Boolean(tooLarge));
    if (preview.src) URL.revokeObjectURL(preview.src);
    chosen.hidden = !file;
    drop.classList.toggle("has-file", Boolean(file));
    if (!file) return;
    preview.hidden = false;
    preview.src = URL.createObjectURL(file);
    form.querySelector("[data-name]").textContent = `${file.name} (${megabytes(file.size)})`;
  };

  const showIdle = () => {
    form.removeAttribute("aria-busy");
    button.disabled = false;
    buttonText.textContent = idleText;
  };

  preview.addEventListener("error", () => { preview.hidden = true; }); // for example a HEIC outside Safari
  input.addEventListener("change", showChosen);
  for (const [event, over] of [["dragenter", true], ["dragleave", false], ["drop", false]]) {
    input.addEventListener(event, () => drop.classList.toggle("is-over", over));
  }
  form.addEventListener("submit", () => {
    form.setAttribute("aria-busy", "true");
    button.disabled = true; // a second click would send the picture twice
    buttonText.textContent = button.dataset.busy;
  });
  // The browser's history restores the page as it was: busy, or with a file still chosen.
  window.addEventListener("pageshow", () => { showIdle(); showChosen(); });
}
