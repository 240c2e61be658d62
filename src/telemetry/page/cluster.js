/**
 * Room: telemetry (level 2). What the live page shows of ranks and hosts: where the seconds of a step go, and who is in which state. Rows stay
 * the same elements while they change, so that text can be selected. Names come from other machines: they are set as text, never as HTML.
 */
import { percent, setText, whole } from './charts.js';

/** In the order of a step; phases that this page does not know come after them. */
const order = ['data', 'forward', 'loss', 'bn_sync', 'backward', 'reduce', 'clip', 'optimizer', 'commit', 'network', 'wait'];
const idle = new Set(['network', 'wait']);

const threeDigits = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** Seconds in a unit that suits them. */
function time(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  return seconds >= 1e-3 ? `${threeDigits(1000 * seconds)} ms` : `${Math.round(1e6 * seconds)} µs`;
}

function element(tag, attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** As many children as `items`: those that are there, new ones from `make`, and no others. */
function match(parent, items, make, fill) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(make());
  for (const [i, item] of items.entries()) fill(parent.children[i], item);
}

/** Cells are like the heads of their columns; `lead` makes what stands before the text of a cell. */
function fillTable(body, rows, lead = () => undefined) {
  const heads = [...body.parentElement.querySelectorAll('th')];
  const make = () => {
    const row = element('tr');
    for (const [i, head] of heads.entries()) {
      const cell = element('td', { class: head.className, 'data-name': head.textContent });
      const before = lead(i);
      if (before) cell.append(before);
      cell.append(element('span'));
      row.append(cell);
    }
    return row;
  };
  match(body, rows, make, (row, texts) => {
    for (const [i, cell] of [...row.children].entries()) setText(cell.lastElementChild, texts[i]);
  });
}

const total = (phases, wanted = () => true) => Object.entries(phases).reduce((sum, [name, seconds]) => sum + (wanted(name) ? seconds : 0), 0);

function phaseNames(ranks) {
  const found = new Set(ranks.flatMap(({ phases }) => Object.keys(phases)));
  return [...order.filter((name) => found.has(name)), ...[...found].filter((name) => !order.includes(name))];
}

function makeBar() {
  const row = element('li');
  row.append(element('span'), element('div', { class: 'stack', role: 'img' }), element('span'));
  return row;
}

function showAnatomy(ranks) {
  const names = phaseNames(ranks);
  const longest = Math.max(...ranks.map(({ phases }) => total(phases)), Number.MIN_VALUE);
  match(document.getElementById('bars'), ranks, makeBar, (row, { rank, phases }) => {
    const [label, stack, sum] = row.children;
    setText(label, `rank ${rank}`);
    setText(sum, time(total(phases)));
    stack.setAttribute('aria-label', names.map((name) => `${name} ${time(phases[name] ?? 0)}`).join(', '));
    const makePart = () => element('span');
    match(stack, names, makePart, (part, name) => {
      part.dataset.phase = name;
      part.title = `${name} ${time(phases[name] ?? 0)}`;
      part.style.width = `${(100 * (phases[name] ?? 0)) / longest}%`;
    });
  });
  const all = ranks.reduce((sum, { phases }) => sum + total(phases), 0);
  const rows = names.map((name) => {
    const seconds = ranks.reduce((sum, { phases }) => sum + (phases[name] ?? 0), 0);
    return [name, time(seconds / ranks.length), all > 0 ? percent(seconds / all).replace(/(\.\d)\d/, '$1') : '–'];
  });
  const body = document.getElementById('phases');
  fillTable(body, rows, (column) => (column === 0 ? element('span', { class: 'chip', 'aria-hidden': 'true' }) : undefined));
  for (const [i, chip] of [...body.querySelectorAll('.chip')].entries()) chip.dataset.phase = names[i];
  setText(document.getElementById('anatomy-note'), ranks.length > 0 ? 'seconds of a step by phase, the last half second' : 'no rank of this process has told yet');
}

function showRanks(ranks) {
  const isIdle = (name) => idle.has(name);
  const rows = ranks.map(({ rank, step, phase, layer, phases }) => [
    String(rank),
    step < 0 ? 'evaluation' : whole(step),
    phase,
    layer || '–',
    time(total(phases, (name) => !isIdle(name))),
    time(total(phases, isIdle)),
  ]);
  fillTable(document.getElementById('ranks'), rows);
  setText(document.getElementById('ranks-note'), `${whole(ranks.length)} in this process`);
}

const tones = { member: 'good', prepared: 'end', preparing: 'warn', leaving: 'quiet' };

function showHosts(hosts) {
  const rows = hosts.map(({ name, state, workers, shards, heartbeatAgeSeconds, rttSeconds, metricsAddress }) => [
    name,
    state,
    whole(workers),
    whole(shards),
    heartbeatAgeSeconds === undefined ? 'itself' : `${time(heartbeatAgeSeconds)} ago`,
    rttSeconds === undefined ? '–' : time(rttSeconds),
    metricsAddress || '–',
  ]);
  const body = document.getElementById('hosts');
  fillTable(body, rows, (column) => (column === 1 ? element('span', { class: 'mark', 'aria-hidden': 'true' }) : undefined));
  for (const [i, { state }] of hosts.entries()) body.children[i].children[1].dataset.tone = tones[state] ?? 'quiet';
}

export function showCluster({ ranks, hosts }) {
  showAnatomy(ranks);
  showRanks(ranks);
  showHosts(hosts);
}
