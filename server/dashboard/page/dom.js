// Elements without HTML: text from models and people only ever becomes a text node.

export const $ = (id) => document.getElementById(id);

/** An element with properties (class, data-*, aria-*, on…) and children. */
export function h(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (value === true) e.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) e.setAttribute(name, value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

/** Sets an element's text if it differs, so that nothing is announced twice. */
export function text(e, value) {
  if (e.textContent !== value) e.textContent = value;
}
