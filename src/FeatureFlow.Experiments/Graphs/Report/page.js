
// What every page has: short names, elements made from data as text only, the theme, and state kept in the address.
const $ = id => document.getElementById(id);
const number = (value, digits = 3) => value === null || value === undefined ? '' : Number(value).toFixed(digits);
const many = (count, what, all = count) => `${count === all ? '' : `${count.toLocaleString('en')} of `}${all.toLocaleString('en')} ${what}${all === 1 ? '' : 's'}`;

/** An element; `on...` properties are listeners, the rest attributes, children text or elements. Nothing is ever parsed as markup. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null));
  return element;
}

/** A link to a page in the web, or nothing: an address in a graph file may be anything. */
function webLink(address, text) {
  return /^https?:\/\//i.test(address ?? '') ? make('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, text) : null;
}

/** State in the address's fragment, so that a link opens the page as it was left: #graph=2&t-res=0.7&node=4/res/208 */
const fragment = {
  read: () => new URLSearchParams(location.hash.slice(1)),
  write(changes) {
    const state = fragment.read();
    for (const [name, value] of Object.entries(changes)) value === null || value === '' ? state.delete(name) : state.set(name, value);
    const text = state.toString().replaceAll('%2F', '/').replaceAll('%3A', ':');
    try { history.replaceState(null, '', text ? '#' + text : location.pathname + location.search); } catch { /* not allowed here */ }
  },
};

function theme() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const stored = () => { try { return localStorage.getItem('featureflow-theme'); } catch { return null; } };
  const show = choice => {
    if (choice) document.documentElement.dataset.theme = choice;
    $('theme').setAttribute('aria-pressed', String((choice ?? (dark.matches ? 'dark' : 'light')) === 'dark'));
  };
  $('theme').addEventListener('click', () => {
    const choice = $('theme').getAttribute('aria-pressed') === 'true' ? 'light' : 'dark';
    show(choice);
    try { localStorage.setItem('featureflow-theme', choice); } catch { /* remembered for this page only */ }
  });
  dark.addEventListener('change', () => show(stored()));
  show(fragment.read().get('theme') ?? stored());
}
