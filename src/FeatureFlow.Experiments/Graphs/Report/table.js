
/** A sortable table of many rows; draws a few hundred at a time. Columns: { name, value(row), text?(row), cell?(row), kind? }. */
class RowTable {
  static step = 200;

  constructor(id, columns, sort) {
    this.table = $(id);
    this.body = this.table.tBodies[0];
    this.more = this.table.closest('details').querySelector('.more');
    this.columns = columns;
    this.order = sort;
    this.limit = RowTable.step;
    this.heads = columns.map((column, i) => make('th', { scope: 'col', class: column.kind === 'number' ? 'number' : null },
      make('button', { type: 'button', onclick: () => this.sortBy(i) }, column.name)));
    this.table.tHead.append(make('tr', {}, ...this.heads));
    this.more.addEventListener('click', () => { this.limit += 5 * RowTable.step; this.draw(); });
  }

  /** Shows these rows; `again` keeps how many are drawn. */
  show(rows) {
    this.rows = rows;
    this.limit = RowTable.step;
    this.draw();
  }

  sortBy(column) {
    // numbers are first wanted from the top
    const down = this.order.column === column ? !this.order.down : this.columns[column].kind === 'number';
    this.order = { column, down };
    this.draw();
  }

  draw() {
    const { column, down } = this.order;
    const { value } = this.columns[column];
    const sign = down ? -1 : 1;
    const empty = v => v === null || v === undefined || v === '';
    const sorted = this.rows.map(row => [value(row), row]).sort(([a], [b]) =>
      empty(a) || empty(b) ? empty(a) - empty(b) : sign * (typeof a === 'number' ? a - b : a.localeCompare(b, 'en')));
    this.heads.forEach((head, i) => i === column ? head.setAttribute('aria-sort', down ? 'descending' : 'ascending') : head.removeAttribute('aria-sort'));
    this.body.replaceChildren(...sorted.slice(0, this.limit).map(([, row]) => this.line(row)));
    const left = sorted.length - this.limit;
    this.more.hidden = left <= 0;
    this.more.textContent = `Show ${Math.min(left, 5 * RowTable.step).toLocaleString('en')} more of ${sorted.length.toLocaleString('en')}`;
  }

  line(row) {
    return make('tr', { 'data-row': row }, ...this.columns.map(({ value, cell, kind, digits }) => {
      const content = cell ? cell(row) : kind === 'number' ? number(value(row), digits ?? 3) : value(row) ?? '';
      return make('td', { class: kind ?? null, dir: kind === 'text' ? 'auto' : null }, content ?? '');
    }));
  }
}

/** Whether a text has every word; a word with a colon must be there as it is (layer:1 is not layer:12). */
function searcher(query) {
  const words = query.toLowerCase().split(/\s+/).filter(w => w);
  if (words.length === 0) return null;
  return text => words.every(w => w.includes(':') ? ` ${text} `.includes(` ${w} `) : text.includes(w));
}
