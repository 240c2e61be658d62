/**
 * Room: telemetry (level 2). The metrics of a process in Prometheus' text format, from the table in names.ts. Steps are told as they come; everything
 * else is read when somebody scrapes, so that a run nobody watches does no work for it.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { EpochEvent, StepEvent } from './events.ts';
import { type MetricDefinition, type MetricKey, metrics, runStates } from './names.ts';
import type { ClusterSnapshot, ProcessSnapshot } from './snapshot.ts';
import { StepTally } from './step-tally.ts';
import { type Phase, phases } from './timing.ts';

export interface RegistryOptions {
  /** Labels of everything, as far as they are known. */
  readonly identity: () => { readonly run: string; readonly host: string };
  /** Undefined while there is nothing to tell. */
  readonly process: () => ProcessSnapshot | undefined;
  /** Of the process that leads the run, if it has several hosts. */
  readonly cluster?: () => ClusterSnapshot | undefined;
}

/** What a run is, for its leading process. */
export interface RunFacts {
  readonly labels: Readonly<Record<(typeof metrics.runInfo.labels)[number], string>>;
  readonly targetSteps: number;
  readonly stepsPerEpoch: number;
  readonly clip?: { readonly kind: 'globalClipnorm' | 'clipnorm' | 'clipvalue'; readonly threshold: number };
}

/** Phases in which a rank waits rather than computes. */
const waiting: ReadonlySet<Phase> = new Set(['wait', 'network']);

/** The event loop's lag is sampled by a timer, and each time it fires it takes a core from a rank. */
const loopPrecisionMs = 100;

export class MetricsRegistry {
  readonly #options: RegistryOptions;
  readonly #registry = new Registry();
  readonly #gauges = new Map<MetricKey, Gauge>();
  readonly #counters = new Map<MetricKey, Counter>();
  readonly #histograms = new Map<MetricKey, Histogram>();
  readonly #steps = new StepTally();
  #recoveriesTold = 0;
  /** The last total of each counter that somebody else counts, by metric and labels. */
  readonly #told = new Map<string, number>();
  /** Compute seconds by rank, and of all ranks in all phases, at the scrape before. */
  #before: { readonly compute: readonly number[]; readonly all: number } | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: loopPrecisionMs });
    for (const [key, definition] of Object.entries(metrics) as [MetricKey, MetricDefinition][]) this.#make(key, definition);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of a scrape. */
  async text(): Promise<string> {
    this.#registry.setDefaultLabels(this.#options.identity());
    this.#takeSteps();
    const snapshot = this.#options.process();
    if (snapshot) this.#takeProcess(snapshot);
    const cluster = this.#options.cluster?.();
    if (cluster) this.#takeCluster(cluster);
    return await this.#registry.metrics();
  }

  begin({ labels, targetSteps, stepsPerEpoch, clip }: RunFacts): void {
    this.#gauge('runInfo').set(labels, 1);
    this.#gauge('targetSteps').set(targetSteps);
    this.#gauge('stepsPerEpoch').set(stepsPerEpoch);
    if (clip) this.#gauge('clipThreshold').set({ kind: clip.kind }, clip.threshold);
    for (const result of ['applied', 'skipped']) this.#counter('steps').inc({ result }, 0);
    this.state('running');
  }

  state(now: (typeof runStates)[number]): void {
    for (const state of runStates) this.#gauge('runState').set({ state }, state === now ? 1 : 0);
  }

  step(event: StepEvent): void {
    this.#steps.take(event);
    if (this.#steps.isFull) this.#takeSteps();
  }

  epoch({ validation }: EpochEvent): void {
    if (!validation) return;
    this.#gauge('loss').set({ split: 'validation' }, validation.loss);
    for (const [metric, value] of Object.entries(validation.metrics)) this.#gauge('metric').set({ split: 'validation', metric }, value);
  }

  #takeSteps(): void {
    const told = this.#steps.empty();
    if (!told) return;
    const { step, epoch, loss, metrics: values, gradNorm, clipScale, learningRate } = told.last;
    this.#gauge('step').set(step);
    this.#gauge('epoch').set(epoch + 1);
    this.#gauge('loss').set({ split: 'train' }, loss);
    for (const [metric, value] of Object.entries(values)) this.#gauge('metric').set({ split: 'train', metric }, value);
    this.#gauge('learningRate').set(learningRate);
    this.#gauge('gradientNorm').set(gradNorm);
    this.#gauge('clipScale').set(clipScale);
    this.#counter('samples').inc(told.samples);
    this.#counter('steps').inc({ result: 'applied' }, told.applied);
    this.#counter('steps').inc({ result: 'skipped' }, told.skipped);
    this.#counter('clippedSteps').inc(told.clipped);
    for (const [phase, count] of told.nonFinite) this.#counter('nonFinite').inc({ phase }, count);
    for (const seconds of told.seconds) this.#histogram('stepDuration').observe(seconds);
    for (const norm of told.norms) if (Number.isFinite(norm)) this.#histogram('gradientNorms').observe(norm);
  }

  #takeProcess({ step, generation, ranks, observed, bnVarianceMin, bnSyncs, arenaBytes, network }: ProcessSnapshot): void {
    this.#gauge('step').set(step);
    this.#gauge('generation').set(generation);
    const seconds = (rank: (typeof ranks)[number], waits: boolean): number =>
      phases.reduce((sum, phase) => sum + (waiting.has(phase) === waits ? rank.seconds[phase] : 0), 0);
    const compute = ranks.map((rank) => seconds(rank, false));
    const all = ranks.reduce((sum, rank) => sum + seconds(rank, true), 0) + compute.reduce((a, b) => a + b, 0);
    ranks.forEach((rank, i) => {
      const label = { rank: String(rank.rank) };
      for (const phase of phases) this.#total('phaseSeconds', { ...label, phase }, rank.seconds[phase]);
      this.#total('rankCompute', label, compute[i]!);
      this.#total('rankWait', label, rank.seconds.wait);
    });
    this.#takeBalance(compute, all);
    if (observed) {
      this.#gauge('updateRatio').set(observed.updateRatio);
      for (const [layer, norm] of observed.layerGradientNorms) this.#gauge('layerGradientNorm').set({ layer }, norm);
      for (const [layer, drift] of observed.bnDrift) this.#gauge('bnDrift').set({ layer }, drift);
    }
    for (const [layer, variance] of bnVarianceMin) this.#gauge('bnVarianceMin').set({ layer }, variance);
    this.#total('bnSyncs', {}, bnSyncs);
    for (const [kind, bytes] of Object.entries(arenaBytes)) this.#gauge('arenaBytes').set({ kind }, bytes);
    for (const [i, direction] of (['in', 'out'] as const).entries()) {
      for (const kind of ['control', 'step'] as const) {
        this.#total('networkBytes', { direction, kind }, network[`${kind}Bytes`][i]!);
        this.#total('networkMessages', { direction, kind }, network[`${kind}Messages`][i]!);
      }
    }
    this.#total('networkBytes', { direction: 'out', kind: 'gradient' }, network.gradientBytesOut);
    this.#gauge('sendQueue').set(network.sendQueueBytes);
    this.#total('reconnects', {}, network.reconnects);
    for (const [reason, count] of Object.entries(network.refusedPeers)) this.#total('refusedPeers', { reason }, count);
  }

  /** Since the scrape before; a generation that began meanwhile began its clocks anew, and is told from the next one on. */
  #takeBalance(compute: readonly number[], all: number): void {
    const before = this.#before;
    this.#before = { compute, all };
    if (!before || before.compute.length !== compute.length || all <= before.all) return;
    const recent = compute.map((seconds, rank) => seconds - before.compute[rank]!);
    const sum = recent.reduce((a, b) => a + b, 0);
    if (sum <= 0 || recent.some((seconds) => seconds < 0)) return;
    this.#gauge('straggler').set((Math.max(...recent) * recent.length) / sum);
    this.#gauge('efficiency').set(Math.min(1, sum / (all - before.all)));
  }

  #takeCluster({ state, hosts, membershipChanges, replayedSteps, recoverySeconds, staleMessages, timeouts }: ClusterSnapshot): void {
    this.state(state);
    const counts: Record<(typeof hosts)[number]['state'], number> = { preparing: 0, prepared: 0, member: 0, leaving: 0 };
    for (const host of hosts) counts[host.state]++;
    for (const [name, count] of Object.entries(counts)) this.#gauge('hosts').set({ state: name }, count);
    // Hosts that are gone take their series along.
    for (const key of ['hostShards', 'heartbeatAge', 'heartbeatRtt'] as const) this.#gauge(key).reset();
    for (const { name: host, shards, heartbeatAgeSeconds, rttSeconds } of hosts) {
      this.#gauge('hostShards').set({ host }, shards);
      if (heartbeatAgeSeconds !== undefined) this.#gauge('heartbeatAge').set({ host }, heartbeatAgeSeconds);
      if (rttSeconds !== undefined) this.#gauge('heartbeatRtt').set({ host }, rttSeconds);
    }
    for (const [kind, count] of Object.entries(membershipChanges)) this.#total('membershipChanges', { kind }, count);
    this.#total('replayedSteps', {}, replayedSteps);
    for (const seconds of recoverySeconds.slice(this.#recoveriesTold)) this.#histogram('recovery').observe(seconds);
    this.#recoveriesTold = recoverySeconds.length;
    this.#total('staleMessages', {}, staleMessages);
    this.#counter('timeouts').reset();
    for (const { host, phase, count } of timeouts) this.#counter('timeouts').inc({ host, phase }, count);
  }

  #make(key: MetricKey, { name, type, help, labels, buckets }: MetricDefinition): void {
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (type === 'gauge') this.#gauges.set(key, new Gauge(options));
    else if (type === 'counter') this.#counters.set(key, new Counter(options));
    else this.#histograms.set(key, new Histogram({ ...options, buckets: [...buckets!] }));
    // A gauge without labels begins at 0 in prom-client: nothing is told before there is something to tell.
    if (type === 'gauge' && labels.length === 0) this.#gauge(key).remove();
  }

  #gauge(key: MetricKey): Gauge {
    return this.#gauges.get(key)!;
  }

  #counter(key: MetricKey): Counter {
    return this.#counters.get(key)!;
  }

  #histogram(key: MetricKey): Histogram {
    return this.#histograms.get(key)!;
  }

  /** Sets a counter that somebody else counts. */
  #total(key: MetricKey, labels: Record<string, string>, total: number): void {
    const counter = this.#counter(key);
    const id = `${key} ${Object.values(labels).join(' ')}`;
    const before = this.#told.get(id) ?? 0;
    // A source that began anew, as clocks do with a generation, goes on from what was told.
    counter.inc(labels, total >= before ? total - before : total);
    this.#told.set(id, total);
  }
}
