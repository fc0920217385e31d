
/** The drawn picture of one graph: shows what is visible, zooms, moves, and passes on what is pointed at, chosen or walked to. */
class GraphPicture {
  constructor(section, model, { point, choose }) {
    this.model = model;
    this.section = section;
    this.stage = section.querySelector('.stage');
    this.frame = section.querySelector('.figure');
    this.svg = this.frame.querySelector('svg');
    this.drawn = new Map([...this.svg.querySelectorAll('[data-n]')].map(e => [model.number.get(e.dataset.n), e]));
    this.lines = new Map();
    const numbers = new Map(model.edges.map((e, i) => [`${e.target} ${e.predecessor}`, i]));
    for (const e of this.svg.querySelectorAll('[data-e]')) {
      const i = numbers.get(e.dataset.e);
      this.lines.has(i) ? this.lines.get(i).push(e) : this.lines.set(i, [e]);
    }
    this.places = new Map([...this.drawn].map(([n, e]) => [n, e.transform.baseVal.consolidate().matrix]));
    this.squeeze = new Squeeze(this.svg, this.places, this.drawn);
    this.listen(point, choose, numbers);
    this.stop(model.seed);
  }

  listen(point, choose, numbers) {
    const under = event => event.target.closest?.('[data-n],path[data-e]');
    const tell = (element, event) => {
      const node = element?.dataset.n !== undefined ? this.model.number.get(element.dataset.n) : null;
      this.light(node);
      point(node, element?.dataset.e !== undefined ? numbers.get(element.dataset.e) : null, element, event);
    };
    this.svg.addEventListener('pointerover', e => tell(under(e), e));
    this.svg.addEventListener('pointerleave', () => tell(null));
    this.svg.addEventListener('focusin', e => { const n = under(e); if (n) { this.stop(this.model.number.get(n.dataset.n)); tell(n); } });
    this.svg.addEventListener('focusout', () => tell(null));
    this.svg.addEventListener('click', e => { const n = under(e)?.dataset.n; if (n !== undefined) choose(this.model.number.get(n)); });
    this.svg.addEventListener('keydown', e => this.key(e, choose));
    this.frame.addEventListener('wheel', e => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      this.zoom(this.scale * Math.exp(-e.deltaY / 300), e);
    }, { passive: false });
    this.frame.addEventListener('pointerdown', e => this.drag(e));
  }

  drag(down) {
    if (down.pointerType !== 'mouse' || down.button !== 0 || down.target.closest('[data-n]') || down.offsetX > this.frame.clientWidth && down.target === this.frame) return;
    const start = { x: this.frame.scrollLeft + down.clientX, y: this.frame.scrollTop + down.clientY };
    const move = e => { this.frame.scrollTo(start.x - e.clientX, start.y - e.clientY); this.frame.classList.add('drag'); };
    const end = () => {
      this.frame.classList.remove('drag');
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', end);
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', end);
  }

  key(event, choose) {
    const node = this.model.number.get(event.target.dataset?.n);
    if (node === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    const go = {
      ArrowLeft: () => this.along(this.model.before[node], this.model.from, event.shiftKey),
      ArrowRight: () => this.along(this.model.after[node], this.model.to, event.shiftKey),
      ArrowUp: () => this.beside(node, -1),
      ArrowDown: () => this.beside(node, 1),
      Home: () => this.model.seed,
    }[event.key];
    if (go) this.focus(go());
    else if (event.key === 'Enter' || event.key === ' ') choose(node);
    else return;
    event.preventDefault();
  }

  // the strongest edge in the residual stream, with shift to a module; whatever there is where that kind is missing
  along(edges, ends, modules) {
    const open = edges.filter(i => this.view.edges.has(i) && this.drawn.has(ends[i]));
    return ends[open.find(i => this.model.residual(ends[i]) !== modules) ?? open[0]];
  }

  beside(node, step) {
    const here = this.places.get(node);
    const column = [...this.places].filter(([n, p]) => p.e === here.e && this.view.nodes.has(n)).sort((a, b) => a[1].f - b[1].f).map(([n]) => n);
    return column[column.indexOf(node) + step];
  }

  /** Moves the keyboard to a node; false when it is not drawn. */
  focus(node) {
    const element = this.drawn.get(node);
    if (!element || !this.view.nodes.has(node)) return false;
    element.focus({ preventScroll: true });
    this.reveal(node);
    return true;
  }

  // one stop for Tab in the whole picture
  stop(node) {
    this.tab?.setAttribute('tabindex', '-1');
    this.tab = this.drawn.get(node);
    this.tab?.setAttribute('tabindex', '0');
  }

  reveal(node) {
    const x = this.places.get(node).e - this.shown.left;
    const y = this.squeeze.move(this.places.get(node).f);
    const { scrollLeft: left, scrollTop: top, clientWidth: wide, clientHeight: high } = this.frame;
    const margin = 110 * this.scale;
    const away = x * this.scale < left + margin || x * this.scale > left + wide - margin || y * this.scale < top + margin / 2 || y * this.scale > top + high - margin / 2;
    if (away) this.frame.scrollTo(x * this.scale - wide / 2, y * this.scale - high / 2);
  }

  show(view) {
    this.view = view;
    this.shown = this.squeeze.apply(view.whole ? null : view.nodes);
    this.svg.setAttribute('viewBox', `${this.shown.left} 0 ${this.shown.width} ${this.shown.height}`);
    this.size();
    if (!view.whole && this.drawn.has(this.model.seed)) this.reveal(this.model.seed);
    for (const [n, element] of this.drawn) {
      element.classList.toggle('off', !view.nodes.has(n));
      const letter = view.classes.get(n);
      const mark = letter && element.querySelector('.k');
      if (!mark || mark.textContent === letter) continue;
      element.classList.remove('A', 'B', 'C', 'D');
      element.classList.add(letter);
      element.setAttribute('aria-label', element.getAttribute('aria-label').replace(/class [A-D], [a-z]+/, `class ${letter}, ${classNames[letter]}`));
      mark.textContent = letter;
    }
    for (const [i, elements] of this.lines) for (const e of elements) e.classList.toggle('off', !view.edges.has(i));
    const layers = new Set([...view.nodes].map(n => this.model.nodes[n].layer));
    for (const e of this.svg.querySelectorAll('.axis .strong')) e.classList.toggle('off', !layers.has(Number(e.textContent)));
    if (this.tab?.classList.contains('off')) this.stop(this.model.seed);
  }

  /** Lights a node and its edges up; null for none. */
  light(node) {
    this.svg.classList.toggle('lit', node !== null);
    for (const e of this.svg.querySelectorAll('.near')) e.classList.remove('near');
    if (node === null) return;
    this.drawn.get(node)?.classList.add('near');
    for (const i of [...this.model.before[node], ...this.model.after[node]]) {
      for (const e of this.lines.get(i) ?? []) e.classList.add('near');
      this.drawn.get(this.model.from[i])?.classList.add('near');
      this.drawn.get(this.model.to[i])?.classList.add('near');
    }
  }

  /** Dims what a search did not find; null ends it. */
  seek(found) {
    this.svg.classList.toggle('seek', found !== null);
    for (const [n, element] of this.drawn) element.classList.toggle('hit', found?.has(n) ?? false);
  }

  chosen(node) {
    this.svg.querySelector('.chosen')?.classList.remove('chosen');
    this.drawn.get(node)?.classList.add('chosen');
  }

  zoom(scale, at) {
    const before = this.scale ?? 1;
    this.scale = Math.min(4, Math.max(0.05, scale));
    const box = this.frame.getBoundingClientRect();
    const [x, y] = at ? [at.clientX - box.left, at.clientY - box.top] : [box.width / 2, box.height / 2];
    const [left, top] = [this.frame.scrollLeft + x, this.frame.scrollTop + y];
    this.size();
    this.frame.scrollTo(left * this.scale / before - x, top * this.scale / before - y);
    $('zoom').textContent = `${Math.round(this.scale * 100)}%`;
  }

  size() {
    this.svg.setAttribute('width', this.shown.width * this.scale);
    this.svg.setAttribute('height', this.shown.height * this.scale);
  }

  whole() { return Math.min(1, (this.frame.clientWidth - 2) / this.shown.width, (Number.parseFloat(getComputedStyle(this.frame).maxHeight) - 2) / this.shown.height); }

  fit() { this.zoom(this.whole()); }

  /** Readable first: the whole picture if it can be read then, else the seed's end of it. */
  open() {
    if (this.scale) return this.zoom(this.scale);
    this.scale = 1;
    this.show(this.model.visible({ res: -1, mlp: -1, att: -1 }));
    this.zoom(this.whole() < 0.6 ? 0.75 : this.whole());
    this.frame.scrollTo(0, 0);
    if (this.drawn.has(this.model.seed)) this.reveal(this.model.seed);
  }
}
