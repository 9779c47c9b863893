// Starts the site. A file and not a line in the page: the page's policy (CSP) allows no inline script. It runs before the
// first picture, for the sake of the theme, and loads the rest while the page is shown.

// The theme that was chosen (`src/store.rs`), before anything is drawn in another.
try {
  const theme = localStorage.getItem("wallet.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // The browser keeps nothing: the system's theme.
}

// What the browser kept of the page and brings back (Back, after somebody signed out) may be another person's by now: it is
// not shown, and starts anew.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  document.body.replaceChildren();
  location.reload();
});

// The rest of the page is read while this is fetched; on a quick way it would be late.
const read = new Promise((done) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", done);
  else done();
});

Promise.all([import("{js}"), read])
  .then(([{ default: init }]) => init({ module_or_path: "{wasm}" }))
  .then(() => soon(fetchLater))
  .catch((error) => {
    // Nothing that could say it in any other way is there.
    const words = document.createElement("p");
    words.className = "waiting";
    words.role = "alert";
    words.textContent = document.body.dataset.failed;
    document.body.replaceChildren(words);
    throw error;
  });

// Modules of other pages, so that they are at hand when somebody goes there. They wait for the first view.
function fetchLater() {
  for (const part of "{later}".split(" ")) {
    // Read to its end, or the browser may not keep it.
    if (part) fetch(part, { priority: "low" }).then((answer) => answer.arrayBuffer()).catch(() => {});
  }
}

function soon(then) {
  setTimeout(() => (window.requestIdleCallback ?? setTimeout)(then), 1000);
}
