// Asks once more before sessions are ended.

import { el, say } from "./dom.js";

/** Ends sessions, if the operator means it. Gives back what came of it, or nothing. */
export function confirmKill(ask, which, what) {
  return new Promise((done) => {
    const why = el("input", { id: "kill-why", maxlength: 200, autocomplete: "off", placeholder: "ticket, reason" });
    const problem = el("p", { class: "problem", role: "alert" });
    const dialog = el("dialog", { "aria-labelledby": "kill-title" },
      el("form", { onsubmit: end },
        el("h2", { id: "kill-title" }, "End sessions"),
        el("p", {}, `This ends ${what}, with a reset to both sides.`),
        el("label", { for: "kill-why" }, el("span", {}, "Why (for the record)"), why),
        problem,
        el("p", { class: "buttons" },
          el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
          el("button", { type: "submit", class: "danger", id: "kill-now" }, "End"))));
    let told = "";

    async function end(event) {
      event.preventDefault();
      try {
        const { killed } = await ask("kill", why.value.trim() ? { ...which, why: why.value.trim() } : which);
        told = killed === 1 ? "One session was ended." : `${killed} sessions were ended.`;
        dialog.close();
      } catch (error) {
        say(problem, error.message);
      }
    }

    dialog.addEventListener("close", () => {
      dialog.remove();
      done(told);
    });
    document.body.append(dialog);
    dialog.showModal();
    why.focus();
  });
}
