// Who are you?

import { el, say } from "./dom.js";

export function create(login, enter) {
  const token = el("input", { id: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false" });
  const problem = el("p", { class: "problem", role: "alert" });
  const button = el("button", { type: "submit", class: "primary" }, "Log in");
  const form = el("form", { class: "login" },
    el("h1", {}, "tproxygw"),
    el("p", { class: "muted" }, "The gateway's console."),
    // for password stores, which want a name
    el("input", { class: "hidden", type: "text", autocomplete: "username", value: "console", tabindex: -1, "aria-hidden": "true", readonly: true }),
    el("label", { for: "token" }, el("span", {}, "Your token"), token),
    button, problem,
    el("p", { class: "muted small" }, "Made by ", el("code", {}, "tproxygw console token NAME"), " on the gateway."));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      enter(await login(token.value.trim()));
    } catch (error) {
      say(problem, error.message);
      token.select();
      token.focus();
    } finally {
      button.disabled = false;
    }
  });
  return { node: form, focus: () => token.focus() };
}
