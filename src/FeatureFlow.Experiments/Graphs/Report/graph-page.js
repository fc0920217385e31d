
/** Everything on the page about graphs: one graph at a time, its thresholds, search, details and tables. */
class GraphPage {
  static lanes = ['res', 'mlp', 'att'];

  constructor(data) {
    this.sections = [...document.querySelectorAll('section.graph')];
    this.graphs = data.graphs ?? [data];
    this.models = [];
    this.pictures = [];
    this.tip = new Tip();
    this.details = new Details(n => this.choose(n), () => this.unchoose());
    this.tables();
    this.listen();
    this.chooser();
    this.restore();
    addEventListener('hashchange', () => this.restore());
  }

  get t() { return Object.fromEntries(GraphPage.lanes.map(l => [l, Number($(`t-${l}`).value) <= Number($(`t-${l}`).min) ? -1 : Number($(`t-${l}`).value)])); }

  /** The least activation change that is shown; null while the slider is at its end. */
  get effect() { const slider = $('t-effect'); return slider.disabled || Number(slider.value) <= Number(slider.min) ? -Infinity : Number(slider.value); }

  // the address says which graph, thresholds, node and search
  restore() {
    const state = fragment.read();
    this.open(Math.min(this.graphs.length, Math.max(1, Number(state.get('graph')) || 1)) - 1);
    for (const lane of GraphPage.lanes) if (state.has(`t-${lane}`)) $(`t-${lane}`).value = Number(state.get(`t-${lane}`));
    if (state.has('t-effect')) $('t-effect').value = Number(state.get('t-effect'));
    $('search').value = state.get('q') ?? '';
    this.update();
    const node = this.model.number.get(state.get('node'));
    if (this.view.nodes.has(node)) this.choose(node, false);
  }

  chooser() {
    if (this.graphs.length < 2) return;
    const seeds = this.graphs.map(g => g.nodes.find(n => n.id === g.seed));
    $('chooser').append(...this.graphs.map((g, i) => make('option', { value: i }, `${i + 1}. ${g.seed} ${g.direction} ${(seeds[i].description ?? '').slice(0, 80)}`)));
    document.querySelector('.chooser').hidden = false;
    $('chooser').addEventListener('change', e => { fragment.write({ graph: Number(e.target.value) + 1, node: null, 't-res': null, 't-mlp': null, 't-att': null, 't-effect': null }); this.unchoose(false); this.open(Number(e.target.value)); this.update(); });
  }

  open(which) {
    this.which = which;
    this.sections.forEach((section, i) => { section.hidden = i !== which; });
    $('chooser').value = which;
    this.model = this.models[which] ??= new GraphModel(this.graphs[which]);
    this.picture = this.pictures[which] ??= new GraphPicture(this.sections[which], this.model, {
      point: (...what) => this.tip.show(this.model, this.view, ...what),
      choose: n => this.choose(n),
    });
    for (const lane of GraphPage.lanes) {
      const slider = $(`t-${lane}`);
      slider.max = 1;
      slider.min = Math.floor(this.model.built[lane] * 100) / 100;
      slider.value = slider.min;
      slider.disabled = !this.model.edges.some(e => GraphModel.lane(e.kind) === lane);
    }
    const effect = $('t-effect');
    const changes = this.model.edges.map(e => e.evidence?.change?.[0]).filter(c => typeof c === 'number');
    effect.max = 1;
    effect.min = Math.floor(100 * Math.min(0, ...changes)) / 100;
    effect.value = effect.min;
    effect.disabled = effect.parentElement.hidden = changes.length === 0;
    this.text = this.model.nodes.map(n => `${n.id} layer:${n.layer} site:${n.site} ${n.description ?? ''}`.toLowerCase());
    this.sections[which].querySelector('.facts').append($('zooms'));
    this.picture.open();
  }

  update() {
    const view = this.view = this.model.visible({ ...this.t, effect: this.effect });
    for (const lane of GraphPage.lanes) $(`t-${lane}`).nextElementSibling.textContent = Number($(`t-${lane}`).value).toFixed(2);
    $('t-effect').nextElementSibling.textContent = Number($('t-effect').value).toFixed(2);
    this.picture.show(view);
    $('count-nodes').textContent = many(view.nodes.size, 'node', this.model.nodes.length);
    $('count-edges').textContent = many(view.edges.size, 'edge', this.model.edges.length);
    $('count-span').textContent = view.low === view.high ? `span: layer ${view.low}` : `span: layers ${view.low}–${view.high}`;
    const classes = [...view.classes.values()].filter(c => c);
    $('count-classes').replaceChildren(...Object.keys(classNames).flatMap(c => [chip(c), ` ${classes.filter(x => x === c).length}  `]));
    this.find();
    if (!this.details.panel.hidden) view.nodes.has(this.node) ? this.details.show(this.model, view, this.node) : this.unchoose();
  }

  find() {
    const match = searcher($('search').value);
    const { view, model } = this;
    const said = n => `${this.text[n]} ${view.classes.get(n) ? `class:${view.classes.get(n).toLowerCase()}` : ''}`;
    const nodes = [...view.nodes].filter(n => !match || match(said(n)));
    const edges = [...view.edges].filter(i => !match || match(`${said(model.from[i])} ${said(model.to[i])}`));
    $('found-nodes').textContent = many(nodes.length, 'node', view.nodes.size);
    $('found-edges').textContent = many(edges.length, 'edge', view.edges.size);
    this.picture.seek(match ? new Set(nodes) : null);
    this.nodeTable.show(nodes);
    this.edgeTable.show(edges);
  }

  tables() {
    const node = n => this.model.nodes[n];
    const edge = i => this.model.edges[i];
    const place = n => node(n).layer * 1e9 + 'res mlp att'.indexOf(GraphModel.lane(node(n).site)) * 1e8 + node(n).index;
    const button = n => make('button', { type: 'button', onclick: () => this.choose(n) }, node(n).id);
    const from = i => this.model.from[i];
    const to = i => this.model.to[i];
    this.nodeTable = new RowTable('nodes', [
      { name: 'Feature', value: place, cell: button },
      { name: 'Class', value: n => this.view.classes.get(n), cell: n => chip(this.view.classes.get(n)) },
      { name: 's(R)', value: n => node(n).s_res, kind: 'number' },
      { name: 's(M)', value: n => node(n).s_mlp, kind: 'number' },
      { name: 's(A)', value: n => node(n).s_att, kind: 'number' },
      { name: 'θ', value: n => node(n).threshold, kind: 'number' },
      { name: 'Norm', value: n => node(n).norm, kind: 'number' },
      { name: 'Description', value: n => node(n).description, kind: 'text' },
      { name: 'Page', value: n => node(n).neuronpedia_url, cell: n => webLink(node(n).neuronpedia_url, 'open ↗') },
    ], { column: 0, down: false });
    this.edgeTable = new RowTable('edges', [
      { name: 'From', value: i => place(from(i)), cell: i => button(from(i)) },
      { name: 'To', value: i => place(to(i)), cell: i => button(to(i)) },
      { name: 'Kind', value: i => edge(i).kind },
      { name: 'Cosine', value: i => edge(i).similarity, kind: 'number', digits: 4 },
      ...(this.graphs.some(g => g.edges.some(e => e.evidence)) ? [
        { name: 'Tried', value: i => edge(i).evidence?.n, kind: 'number', digits: 0 },
        { name: 'Change', value: i => edge(i).evidence?.change?.[0], kind: 'number' },
        { name: 'Silenced', value: i => edge(i).evidence?.success?.[0], kind: 'number' },
      ] : []),
      { name: 'From: description', value: i => node(from(i)).description, kind: 'text' },
      { name: 'To: description', value: i => node(to(i)).description, kind: 'text' },
    ], { column: 3, down: true });
  }

  choose(node, focus = true) {
    this.node = node;
    this.picture.stage.append(this.details.panel);
    this.picture.stage.classList.add('open');
    this.details.show(this.model, this.view, node);
    this.picture.chosen(node);
    this.picture.stop(node);
    if (this.picture.drawn.has(node)) this.picture.reveal(node);
    if (focus) this.details.panel.focus();
    fragment.write({ node: this.model.nodes[node].id });
  }

  unchoose(focus = true) {
    this.details.hide();
    this.picture.stage.classList.remove('open');
    this.picture.chosen(null);
    if (focus && this.node !== undefined) this.picture.focus(this.node);
    this.node = undefined;
    fragment.write({ node: null });
  }

  listen() {
    let waiting = false;
    const later = work => () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; work(); });
    };
    const moved = later(() => this.update());
    for (const lane of [...GraphPage.lanes, 'effect']) {
      $(`t-${lane}`).addEventListener('input', moved);
      $(`t-${lane}`).addEventListener('change', e => fragment.write({ [e.target.id]: e.target.value === e.target.min ? null : e.target.value }));
    }
    $('controls').addEventListener('submit', e => e.preventDefault());
    $('reset').addEventListener('click', () => {
      for (const lane of [...GraphPage.lanes, 'effect']) $(`t-${lane}`).value = $(`t-${lane}`).min;
      fragment.write({ 't-res': null, 't-mlp': null, 't-att': null, 't-effect': null });
      this.update();
    });
    $('search').addEventListener('input', later(() => { this.find(); fragment.write({ q: $('search').value }); }));
    $('zoom-in').addEventListener('click', () => this.picture.zoom(this.picture.scale * 1.25));
    $('zoom-out').addEventListener('click', () => this.picture.zoom(this.picture.scale / 1.25));
    $('zoom-fit').addEventListener('click', () => this.picture.fit());
    $('save').addEventListener('click', () => this.save());
    addEventListener('keydown', e => this.key(e));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writing = event.target.closest?.('input,select,textarea');
    if (event.key === 'Escape') {
      if (event.target === $('search')) { $('search').value = ''; this.find(); fragment.write({ q: null }); }
      else if (!this.details.panel.hidden) this.unchoose();
      else document.activeElement?.blur();
    } else if (writing) return;
    else if (event.key === '/') { event.preventDefault(); $('search').focus(); $('search').select(); }
    else if (event.key === '+' || event.key === '=') this.picture.zoom(this.picture.scale * 1.25);
    else if (event.key === '-') this.picture.zoom(this.picture.scale / 1.25);
    else if (event.key === '0') this.picture.fit();
  }

  save() {
    const graph = this.graphs[this.which];
    const file = URL.createObjectURL(new Blob([JSON.stringify(graph, null, 1) + '\n'], { type: 'application/json' }));
    make('a', { href: file, download: `flow-${graph.seed.replaceAll('/', '-')}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(file), 10000);
  }
}
