// Starts the site. A file and not a line in the page: the page's policy (CSP) allows no inline script.
import init from "{js}";

init({ module_or_path: "{wasm}" });
