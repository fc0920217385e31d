
/** One graph of the page's data, and what is left of it above thresholds: the same graph that building it with them would give. */
class GraphModel {
  constructor(graph) {
    this.graph = graph;
    this.nodes = graph.nodes;
    this.edges = graph.edges;
    this.number = new Map(graph.nodes.map((node, i) => [node.id, i]));
    this.seed = this.number.get(graph.seed);
    this.from = graph.edges.map(edge => this.number.get(edge.predecessor));
    this.to = graph.edges.map(edge => this.number.get(edge.target));
    this.before = graph.nodes.map(() => []); // edges by their later end, strongest first
    this.after = graph.nodes.map(() => []);
    this.edges.map((_, i) => i).sort((a, b) => this.edges[b].similarity - this.edges[a].similarity).forEach(i => {
      this.before[this.to[i]].push(i);
      this.after[this.from[i]].push(i);
    });
    this.built = this.lowest();
  }

  /** Whether texts have tried the edges. */
  get verified() { return this.edges.some(e => e.evidence); }

  static lane = site => site === 'mlp' || site === 'tc' ? 'mlp' : site === 'att' || site === 'att_z' ? 'att' : 'res';

  residual(node) { return GraphModel.lane(this.nodes[node].site) === 'res'; }

  /** The thresholds of a layer: what the graph was built with, or more where the reader asks for it. */
  at(layer, t) {
    const own = this.graph.layer_thresholds?.[layer] ?? this.graph.thresholds;
    return { res: Math.max(own.res, t.res), mlp: Math.max(own.mlp, t.mlp), att: Math.max(own.att, t.att) };
  }

  /** Where the sliders begin: the lowest threshold of any layer, the weakest edge where that is lower, but 0 where everything was kept. */
  lowest() {
    const all = [this.graph.thresholds, ...Object.values(this.graph.layer_thresholds ?? {})];
    const floor = lane => this.edges.reduce(
      (low, edge) => GraphModel.lane(edge.kind) === lane ? Math.min(low, edge.similarity) : low, Math.max(0, Math.min(...all.map(t => t[lane]))));
    return { res: floor('res'), mlp: floor('mlp'), att: floor('att') };
  }

  /** Nodes and edges that the seed still reaches, walked as the graph was grown; classes and span by the same thresholds. -1 cuts nothing. */
  visible(t) {
    const whole = new Set(this.nodes.keys());
    if (Math.max(t.res, t.mlp, t.att) < 0 && !(t.effect > -Infinity)) return { nodes: whole, edges: new Set(this.edges.keys()), ...this.span(whole), classes: this.classes(whole, t), whole: true };
    const nodes = new Set([this.seed]);
    const edges = new Set();
    // its own threshold it has passed; what texts could not try is not judged by them
    const kept = i => this.edges[i].similarity >= t[GraphModel.lane(this.edges[i].kind)] && !(this.edges[i].evidence?.change?.[0] < t.effect);
    const walk = (onward, leaves) => {
      const queue = [this.seed];
      const seen = new Set(queue);
      for (let q = 0; q < queue.length; q++) {
        for (const [edge, end] of onward(queue[q])) {
          edges.add(edge);
          if (!seen.has(end)) { seen.add(end); queue.push(end); }
        }
        for (const edge of leaves(queue[q])) edges.add(edge);
      }
    };
    const backward = (node, residual) => this.before[node].filter(i => this.residual(this.from[i]) === residual && kept(i));
    const forward = (node, residual) => this.after[node].filter(i => this.residual(this.to[i]) === residual && kept(i));
    const { direction, forward_modules: mode } = this.graph;
    if (direction !== 'forward' && this.residual(this.seed)) walk(n => backward(n, true).map(i => [i, this.from[i]]), n => backward(n, false));
    if (direction !== 'backward') {
      walk(
        n => forward(n, true).map(i => [i, this.to[i]]),
        n => mode === 'feature' ? forward(n, false) : forward(n, true).flatMap(i => backward(this.to[i], false)));
    }
    for (const i of edges) nodes.add(this.from[i]).add(this.to[i]);
    return { nodes, edges, ...this.span(nodes), classes: this.classes(nodes, t) };
  }

  span(nodes) {
    let [low, high] = [Infinity, -Infinity];
    for (const n of nodes) {
      if (!this.residual(n)) continue;
      low = Math.min(low, this.nodes[n].layer);
      high = Math.max(high, this.nodes[n].layer);
    }
    return low <= high ? { low, high } : { low: this.nodes[this.seed].layer, high: this.nodes[this.seed].layer };
  }

  classes(nodes, t) {
    return new Map([...nodes].map(n => [n, this.classOf(n, t)]));
  }

  /** Static class by these thresholds; a missing score is low. */
  classOf(n, t) {
    const { class: built, layer, s_res, s_mlp, s_att } = this.nodes[n];
    if (!built) return null;
    const own = this.at(layer, { res: -1, mlp: -1, att: -1 });
    const now = this.at(layer, t);
    if (now.res === own.res && now.mlp === own.mlp && now.att === own.att) return built;
    const high = (score, threshold) => score !== null && score >= threshold;
    const module = high(s_mlp, now.mlp) || high(s_att, now.att);
    return high(s_res, now.res) ? (module ? 'B' : 'A') : (module ? 'C' : 'D');
  }
}
