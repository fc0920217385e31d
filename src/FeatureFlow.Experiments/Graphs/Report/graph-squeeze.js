
/**
 * Takes out of a picture the room that hidden nodes leave empty: height inside, width at the sides. One rising function of y moves
 * everything, so that order, rows and straight edges stay as they were drawn, and showing all again gives the first picture back.
 */
class Squeeze {
  static room = 18; // kept above and below a node

  static names = 96; // left of the first node, where the names of lanes stand

  constructor(svg, places, drawn) {
    ({ width: this.width, height: this.height } = svg.viewBox.baseVal);
    this.places = places;
    const boxes = [...drawn].map(([n, e]) => [n, e.querySelector('.b').getBBox()]);
    this.half = new Map(boxes.map(([n, box]) => [n, box.height / 2]));
    this.wide = new Map(boxes.map(([n, box]) => [n, box.width / 2]));
    const all = selector => [...svg.querySelectorAll(selector)];
    this.fixed = all('.axis text').map(e => Number(e.getAttribute('y'))).flatMap(y => [[y - 16, y + 8]]);
    this.sides = all('.lanes text, .axis text:last-child').map(e => left => e.setAttribute('x', left + 20))
      .concat(all('.lanes rect').map(e => (left, right) => { e.setAttribute('x', left + 8); e.setAttribute('width', Math.max(0, right - left - 16)); }));
    this.parts = [
      ...all('.lanes text, .axis text, .cosines text').map(e => this.attribute(e, 'y')),
      ...all('.lanes rect').map(e => this.band(e)),
      ...all('path.e, path.rule').map(e => this.path(e)),
      ...[...drawn].map(([n, e]) => move => e.setAttribute('transform', `translate(${places.get(n).e},${move(places.get(n).f)})`)),
    ];
  }

  attribute(element, name) {
    const value = Number(element.getAttribute(name));
    return move => element.setAttribute(name, move(value));
  }

  band(rect) {
    const top = Number(rect.getAttribute('y'));
    const bottom = top + Number(rect.getAttribute('height'));
    return move => { rect.setAttribute('y', move(top)); rect.setAttribute('height', move(bottom) - move(top)); };
  }

  // M x y, then C x y x y x y, H x or V y
  path(element) {
    const pieces = element.getAttribute('d').match(/[MCHV][^MCHV]*/g).map(p => [p[0], p.slice(1).trim().split(/[ ,]+/).map(Number)]);
    const isY = (letter, i) => letter === 'V' || letter !== 'H' && i % 2 === 1;
    return move => element.setAttribute('d', pieces.map(([letter, numbers]) => letter + numbers.map((v, i) => isY(letter, i) ? move(v) : v).join(' ')).join(''));
  }

  /** Moves all to where it belongs when only these nodes are shown, null for all; says what is left of the picture. */
  apply(nodes) {
    const kept = nodes ? this.intervals(nodes) : [[0, this.height]];
    const starts = [];
    let used = 0;
    for (const [top, bottom] of kept) { starts.push(used); used += bottom - top; }
    const move = y => {
      let i = kept.findIndex(([, bottom]) => y <= bottom);
      if (i < 0) i = kept.length - 1;
      return Math.round((starts[i] + Math.min(Math.max(y - kept[i][0], 0), kept[i][1] - kept[i][0])) * 10) / 10;
    };
    for (const part of this.parts) part(move);
    this.move = move;
    const shown = nodes ? [...nodes].filter(n => this.places.has(n)) : [];
    const left = shown.reduce((low, n) => Math.min(low, this.places.get(n).e - this.wide.get(n) - Squeeze.names), nodes ? this.width : 0);
    const right = shown.reduce((high, n) => Math.max(high, this.places.get(n).e + this.wide.get(n) + 2 * Squeeze.room), nodes ? 0 : this.width);
    const sides = [Math.max(0, left), Math.min(this.width, right)];
    for (const side of this.sides) side(...sides);
    return { left: sides[0], width: sides[1] - sides[0], height: used };
  }

  intervals(nodes) {
    const all = [[0, 14], ...this.fixed];
    for (const n of nodes) {
      if (!this.places.has(n)) continue;
      const reach = this.half.get(n) + Squeeze.room;
      all.push([Math.max(0, this.places.get(n).f - reach), Math.min(this.height, this.places.get(n).f + reach)]);
    }
    all.sort((a, b) => a[0] - b[0]);
    const merged = [];
    for (const [top, bottom] of all) {
      const last = merged[merged.length - 1];
      if (last && top <= last[1]) last[1] = Math.max(last[1], bottom);
      else merged.push([top, bottom]);
    }
    return merged;
  }
}
