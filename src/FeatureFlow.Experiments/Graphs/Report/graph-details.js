
const classNames = { A: 'translated', B: 'processed', C: 'newborn', D: 'unexplained' };
const chip = letter => letter ? make('abbr', { class: `chip ${letter}`, title: classNames[letter] }, letter) : null;
const round = (value, digits = 4) => value === null || value === undefined ? '–' : Number(value).toFixed(digits);

/** What is said about a node, as pairs. */
function facts(node, letter) {
  const residual = GraphModel.lane(node.site) === 'res';
  return [
    letter && ['class', `${letter}, ${classNames[letter]}`],
    residual && ['s(R), s(M), s(A)', [node.s_res, node.s_mlp, node.s_att].map(s => round(s)).join('  ')],
    node.threshold !== null && ['threshold θ', round(node.threshold)],
    ['decoder norm', round(node.norm)],
  ].filter(f => f);
}

/** What texts and the decoder say about features, by id; empty where nobody looked. */
const evidence = JSON.parse($('evidence')?.textContent ?? '{}');

/** Where a feature is most active, and the tokens that its decoder row promotes and suppresses. */
function told(it) {
  const known = evidence[it.id];
  if (!known) return [];
  const tokens = (title, list) => list.length === 0 ? [] : [make('h4', {}, title),
    make('p', { class: 'tokens' }, ...list.map(([text, effect]) => make('span', { title: number(effect) }, text)))];
  const shade = value => value > 0 ? `a${Math.max(1, Math.min(9, Math.round(9 * value / known.max)))}` : null;
  return [
    make('p', {}, make('small', {}, known.max > 0
      ? `active at ${(100 * known.frequency).toPrecision(3)} % of the tokens read, at most ${number(known.max)}`
      : 'not active in the texts read')),
    ...tokens('Promotes', known.promoted),
    ...tokens('Suppresses', known.suppressed),
    ...(known.contexts.length === 0 ? [] : [make('h4', {}, 'Most active in')]),
    ...known.contexts.map(context => make('p', { class: 'context', dir: 'auto', title: `${context.source}, token ${context.position}` },
      ...context.tokens.map(([raw, value]) => [raw.replaceAll('\n', '⏎'), value]).map(([text, value]) => shade(value) ? make('mark', { class: shade(value), title: number(value) }, text) : text))),
  ];
}

/** What texts say of an edge, in words; nothing where none was asked. */
function tried(edge) {
  if (!edge.evidence) return null;
  const { n, success, change } = edge.evidence;
  const range = ([value, low, high]) => typeof low === 'number' ? `${number(value, 2)} [${number(low, 2)}, ${number(high, 2)}]` : number(value, 2);
  return n > 0 ? `removed at ${many(n, 'token')}: activation change ${range(change)}, silenced ${range(success)}` : 'never active together in the texts';
}

/** The line at the pointer, or at the node that has the keyboard. */
class Tip {
  constructor() { this.box = $('tip'); }

  show(model, view, node, edge, element, event) {
    this.box.hidden = node === null && edge === null;
    if (this.box.hidden) return;
    if (node !== null) {
      const it = model.nodes[node];
      this.box.replaceChildren(
        make('p', {}, make('b', {}, it.id), node === model.seed ? ' seed' : ''),
        ...(it.description ? [make('p', { dir: 'auto' }, it.description.length > 300 ? it.description.slice(0, 300) + '…' : it.description)] : []),
        ...facts(it, view.classes.get(node)).slice(0, 2).map(([name, value]) => make('p', {}, make('small', {}, name), ' ', value)));
    } else {
      const it = model.edges[edge];
      this.box.replaceChildren(make('p', {}, make('b', {}, `${it.predecessor} → ${it.target}`)), make('p', {}, `cosine ${it.similarity}, ${it.kind}`), ...(tried(it) ? [make('p', {}, tried(it))] : []));
    }
    const at = element.getBoundingClientRect();
    const [x, y] = node === null && event ? [event.clientX, event.clientY + 14] : [at.left + at.width / 2 - 60, at.bottom + 8];
    const { offsetWidth: wide, offsetHeight: high } = this.box;
    this.box.style.left = `${Math.max(8, Math.min(x, innerWidth - wide - 8))}px`;
    this.box.style.top = `${y + high < innerHeight ? y : Math.max(8, (node === null && event ? event.clientY : at.top) - high - 10)}px`;
  }
}

/** The panel beside the picture: everything about one node, and the way on to its neighbours. */
class Details {
  constructor(go, close) {
    this.panel = $('details');
    this.go = go;
    this.close = close;
    this.panel.addEventListener('keydown', e => { if (e.key === 'Escape') { e.stopPropagation(); close(); } });
  }

  hide() { this.panel.hidden = true; }

  show(model, view, node) {
    const it = model.nodes[node];
    const link = webLink(it.neuronpedia_url, 'Neuronpedia page ↗');
    this.panel.replaceChildren(
      make('button', { type: 'button', class: 'close', onclick: this.close }, 'Close'),
      make('h3', {}, it.id, node === model.seed ? ' (seed)' : ''),
      make('p', { dir: 'auto' }, it.description || make('span', { class: 'note' }, evidence[it.id]?.description || 'no description')),
      make('dl', {}, ...facts(it, view.classes.get(node)).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)])),
      ...(link ? [make('p', {}, link)] : []),
      ...told(it),
      ...this.list('Comes from', model, view, model.before[node], model.from),
      ...this.list('Leads to', model, view, model.after[node], model.to));
    this.panel.hidden = false;
  }

  list(title, model, view, edges, ends) {
    const shown = edges.filter(i => view.edges.has(i));
    if (shown.length === 0) return [];
    return [make('h4', {}, title), make('ul', {}, ...shown.map(i => make('li', {},
      make('button', { type: 'button', onclick: () => this.go(ends[i]) }, model.nodes[ends[i]].id),
      number(model.edges[i].similarity),
      ...(model.edges[i].evidence ? [make('small', {}, tried(model.edges[i]))] : []),
      make('span', { dir: 'auto' }, (model.nodes[ends[i]].description ?? '').slice(0, 160)))))];
  }
}
