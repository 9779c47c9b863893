// Starts the site. A file and not a line in the page: the page's policy (CSP) allows no inline script. It runs before the
// first picture, for the sake of the theme, and loads the rest while the page is shown.

// The theme that was chosen (`src/store.rs`), before anything is drawn in another.
try {
  const theme = localStorage.getItem("wallet.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // The browser keeps nothing: the system's theme.
}

// The framework writes parts of a page that never change as markup, into `innerHTML` of a template. The page's policy
// (Trusted Types) allows that to nobody: no text of anybody's can become markup. So these two kinds of element, which no
// page shows as they are, get a setter that builds such parts piece by piece. Everywhere else the browser refuses.
for (const kind of [HTMLTemplateElement, SVGGElement]) {
  Object.defineProperty(kind.prototype, "innerHTML", {
    set(markup) {
      const root = this.content ?? this;
      root.replaceChildren();
      build(root, this.content ? HTML : SVG, markup);
    },
  });
}

const HTML = "http://www.w3.org/1999/xhtml";
const SVG = "http://www.w3.org/2000/svg";
const EMPTY = /^(area|br|col|hr|img|input|wbr)$/;
const REFUSED = /^(script|style|iframe|object|embed|base|link|meta|template)$/i;
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&#x2F;": "/" };

// What the framework writes and no more: tags, attributes in double quotes, text. Anything else is an error.
function build(root, space, markup) {
  const open = [{ node: root, space }];
  const piece = /<\/([\w-]+)>|<([a-zA-Z][\w-]*)((?: [\w:-]+(?:="[^"]*")?)*)>|([^<]+)/y;
  while (piece.lastIndex < markup.length) {
    const found = piece.exec(markup);
    if (!found) throw new TypeError("markup that is not the framework's");
    const [, closed, tag, attributes, text] = found;
    const inside = open.at(-1);
    if (text) {
      inside.node.append(plain(text));
    } else if (closed) {
      open.pop();
    } else {
      const space = tag === "svg" ? SVG : inside.space;
      const node = document.createElementNS(space, tag);
      if (REFUSED.test(tag)) throw new TypeError(`markup with <${tag}>`);
      for (const [, name, value] of attributes.matchAll(/ ([\w:-]+)(?:="([^"]*)")?/g)) {
        if (/^(on|style$|srcdoc$)/i.test(name)) throw new TypeError(`markup with ${name}=`);
        node.setAttribute(name, plain(value ?? ""));
      }
      inside.node.append(node);
      if (!EMPTY.test(tag)) open.push({ node, space });
    }
  }
  if (open.length !== 1) throw new TypeError("markup that is not closed");
}

function plain(text) {
  return text.replace(/&(#x27|#x2F|amp|lt|gt|quot);/g, (entity) => ENTITIES[entity]);
}

import("{js}")
  .then(({ default: init }) => init({ module_or_path: "{wasm}" }))
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
