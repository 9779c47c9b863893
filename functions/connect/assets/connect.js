// The Connect page's script. Nothing here is needed to understand the page; without it links take one click more.
"use strict";
(() => {
  const main = document.getElementById("main");

  // A link's token stands behind the "#", which no server sees. It goes on in a form and out of the address.
  const arrive = () => {
    const token = new URLSearchParams(location.hash.slice(1)).get("session");
    history.replaceState(null, "", location.pathname);
    const form = document.getElementById("arrival");
    if (!token) {
      document.getElementById("waiting").hidden = true;
      document.getElementById("incomplete").hidden = false;
      return;
    }
    form.elements.namedItem("session").value = token;
    form.submit();
  };

  // One click is one request.
  const guard = () => {
    document.addEventListener("submit", (event) => {
      if (event.target.dataset.sent) {
        event.preventDefault();
        return;
      }
      event.target.dataset.sent = "yes";
      // A page that is still here after that was not answered (no network, or loading was stopped): it may be tried again.
      setTimeout(() => delete event.target.dataset.sent, 5000);
    });
    // A page that comes back by the back button is as good as new.
    addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload();
    });
    // What went wrong is where reading goes on.
    const wrong = document.querySelector("[aria-invalid], .notice");
    if (wrong) wrong.focus();
    const straight = document.getElementById("straight");
    // Whoever comes back by the back button wants to stay, or to leave.
    const [visit] = performance.getEntriesByType("navigation");
    if (straight && visit?.type !== "back_forward") straight.requestSubmit();
  };

  // A popup tells the page that opened it, and only a page of the one origin that the app named. It stays for a moment: the
  // opener takes a window that closes at once for one that the user closed, and closes it itself. What is still open then was
  // opened by somebody else (a mail client that opened the app's page): such a visit goes back, as one without an opener does.
  const report = () => {
    const { message, origin, return: back } = main.dataset;
    if (window.opener && !window.opener.closed && origin) {
      window.opener.postMessage(JSON.parse(message), origin);
      setTimeout(() => (back ? location.replace(back) : window.close()), 1500);
    } else if (back) {
      location.replace(back);
    }
  };

  const pages = { arrival: arrive, session: guard, done: report };
  const run = pages[main.dataset.page];
  if (run) run();
})();
