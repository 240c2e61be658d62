/**
 * Room: telemetry (level 2). The live page: listens to the run's events, keeps what they said, and shows it at most once a frame. What it keeps is
 * bounded, as the run sends a new hello, coarser than all before, when there is much. When the run cannot be heard it says so and tries again.
 */
import { Chart, digits, setText, short, whole } from './charts.js';
import { showCluster } from './cluster.js';
import { grouped, stepsAPoint } from './series.js';

const at = (id) => document.getElementById(id);
const charts = ['loss', 'accuracy', 'gradient', 'throughput'].map((id) => new Chart(id));

/** Null until the first hello. */
let run = null;
let status = null;
let points = [];
let validations = [];

/** `connecting`, `open`, or `lost`. */
let link = 'connecting';
let heardAt = performance.now();
/** A run tells its status twice a second: after so long it hangs, or the network does. */
const silentAfterMs = 5000;
/** What a browser does not try again by itself is tried again after so long. */
const againAfterMs = 2000;

/** A line is drawn of at most so many points. */
const mostDrawn = 400;

const dirty = { size: true, points: true, status: true };
let scheduled = false;

function show(...what) {
  for (const part of what) dirty[part] = true;
  if (!scheduled) requestAnimationFrame(draw);
  scheduled = true;
}

function draw() {
  scheduled = false;
  const { size, points: newPoints, status: newStatus } = dirty;
  Object.assign(dirty, { size: false, points: false, status: false });
  showState();
  if (newStatus && status) {
    showFigures();
    showCluster(status);
  }
  if (size) for (const chart of charts) chart.fit();
  if (newPoints) showPoints();
}

function showPoints() {
  const perPoint = stepsAPoint(points, mostDrawn);
  const shown = { drawn: grouped(points, perPoint), perPoint, validations, threshold: run?.clipThreshold };
  for (const chart of charts) chart.show(shown);
}

function duration(seconds) {
  const rest = Math.max(0, Math.round(seconds));
  if (rest < 60) return `${rest} s`;
  if (rest < 3600) return `${Math.floor(rest / 60)} min ${rest % 60} s`;
  return `${Math.floor(rest / 3600)} h ${Math.floor((rest % 3600) / 60)} min`;
}

const tones = { running: 'good', done: 'end', failed: 'bad', recovering: 'warn' };
const ended = () => status !== null && (status.state === 'done' || status.state === 'failed');
const silent = () => link === 'open' && performance.now() - heardAt > silentAfterMs;

function notice() {
  if (link === 'lost' && ended()) return `The run is over (${status.state}) and its page is no longer served. This is how it ended.`;
  if (link === 'lost') return run ? 'Disconnected, trying again. This is how the run was when it was last heard.' : 'Disconnected, trying again.';
  return silent() ? 'The run has said nothing for some seconds. This is how it was then.' : '';
}

function showState() {
  const text = notice();
  const gone = text !== '' && !ended();
  at('notice').hidden = text === '';
  setText(at('notice'), text);
  document.body.classList.toggle('stale', gone);
  const name = gone ? (link === 'lost' ? 'disconnected' : 'silent') : (status?.state ?? 'connecting');
  at('state').dataset.state = name;
  at('state').dataset.tone = gone ? 'warn' : (tones[name] ?? 'quiet');
  setText(at('state-text'), name);
}

/** Sets a figure, its second part smaller. */
function figure(id, text, rest = '') {
  const place = at(id);
  if (place.children.length === 0) place.replaceChildren(document.createElement('span'), document.createElement('small'));
  setText(place.firstElementChild, text);
  setText(place.lastElementChild, rest && ` ${rest}`);
}

function showFigures() {
  const { targetSteps, stepsPerEpoch } = run;
  const share = targetSteps > 0 ? Math.min(1, status.step / targetSteps) : 0;
  const shareText = `${(Math.floor(1000 * share) / 10).toFixed(1)} %`;
  const last = points.at(-1);
  // Only the leading process knows how far the run is to go.
  figure('step', whole(status.step), targetSteps > 0 ? `of ${whole(targetSteps)} · ${shareText}` : '');
  figure('epoch', whole(status.epoch), stepsPerEpoch > 0 ? `of ${whole(Math.ceil(targetSteps / stepsPerEpoch))}` : '');
  figure('eta', ended() ? 'none' : Number.isFinite(status.etaSeconds) ? duration(status.etaSeconds) : '–');
  figure('rate', Number.isFinite(status.samplesPerSecond) ? whole(status.samplesPerSecond) : '–');
  figure('learning-rate', Number.isFinite(last?.learningRate) ? short(last.learningRate) : '–');
  figure(
    'clip-scale',
    Number.isFinite(last?.clipScale) ? digits(last.clipScale) : '–',
    run.clipThreshold === undefined ? 'no fixed threshold' : `clip at ${short(run.clipThreshold)}`,
  );
  at('bar').style.transform = `translateX(${100 * share - 100}%)`;
  at('progress').setAttribute('aria-valuenow', String(Math.floor(100 * share)));
  at('progress').setAttribute('aria-valuetext', `step ${whole(status.step)}${targetSteps > 0 ? ` of ${whole(targetSteps)}` : ''}`);
  setText(at('run'), run.run);
  const checkpoint = status.checkpointStep === undefined ? '' : ` · last checkpoint: step ${whole(status.checkpointStep)}`;
  setText(at('about'), `on ${run.host} · ${run.layers.length} layers, ${whole(run.parameters)} parameters · kernels ${run.kernels}${checkpoint}`);
  at('about').title = run.layers.join(', ');
  document.title = `${targetSteps > 0 ? `${shareText} ` : ''}${status.state} · ${run.run}`;
}

const handlers = {
  hello(hello) {
    ({ run, status } = hello);
    points = [...hello.points];
    validations = [...hello.validations];
    show('points', 'status');
  },
  points(more) {
    points.push(...more);
    show('points');
  },
  validation(more) {
    validations.push(more);
    show('points');
  },
  status(now) {
    status = now;
    show('status');
  },
};

function connect() {
  const source = new EventSource('events');
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => {
      link = 'open';
      heardAt = performance.now();
      handle(JSON.parse(event.data));
    });
  }
  source.addEventListener('error', () => {
    link = 'lost';
    show();
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    setTimeout(connect, againAfterMs);
  });
}

const sizes = new ResizeObserver(() => show('size'));
for (const chart of charts) sizes.observe(chart.place);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => show('size', 'points'));
setInterval(() => silent() && show(), 1000);
show('points');
connect();
