/**
 * Room: telemetry (level 2). The metrics of a process in Prometheus' text format, from the table in names.ts. Steps are told as they come; everything
 * else is read when somebody scrapes, so that a run nobody watches does no work for it.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { CheckpointEvent, EpochEvent, StepEvent } from './events.ts';
import { type MetricDefinition, type MetricKey, metrics, runStates } from './names.ts';
import type { ClusterSnapshot, ProcessSnapshot } from './snapshot.ts';
import { StepTally } from './step-tally.ts';
import { type Phase, phases } from './timing.ts';
import { Totals } from './totals.ts';

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
  /** Whether there are checkpoints: only then anything is told of them. */
  readonly checkpoints?: boolean;
  readonly clip?: { readonly kind: 'globalClipnorm' | 'clipnorm' | 'clipvalue'; readonly threshold: number };
}

const definitions = Object.entries(metrics) as [MetricKey, (typeof metrics)[MetricKey]][];

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
  /** Whether this process leads the run. */
  #leads = false;
  #recoveriesTold = 0;
  readonly #totals = new Totals();
  /** Compute seconds by rank, and of all ranks in all phases, at the scrape before. */
  #before: { readonly compute: readonly number[]; readonly all: number } | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: loopPrecisionMs });
    for (const [key, definition] of definitions) this.#make(key, definition);
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
    else if (snapshot?.recovery) this.#takeRecovery(snapshot.recovery.replayedSteps, snapshot.recovery.seconds);
    return await this.#registry.metrics();
  }

  begin({ labels, targetSteps, stepsPerEpoch, checkpoints = false, clip }: RunFacts): void {
    this.#leads = true;
    this.#gauge('runInfo').set(labels, 1);
    this.#gauge('targetSteps').set(targetSteps);
    this.#gauge('stepsPerEpoch').set(stepsPerEpoch);
    if (clip) this.#gauge('clipThreshold').set({ kind: clip.kind }, clip.threshold);
    for (const [key, definition] of definitions) if (definition.toldBy === 'the leading process' && (checkpoints || definition.group !== 'Checkpoints')) this.#zero(key);
    for (const result of ['applied', 'skipped']) this.#counter('steps').inc({ result }, 0);
    if (checkpoints) for (const result of ['written', 'failed', 'postponed']) this.#counter('checkpoints').inc({ result }, 0);
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

  checkpoint({ step, result, stallSeconds, seconds, bytes }: CheckpointEvent): void {
    this.#counter('checkpoints').inc({ result });
    this.#counter('checkpointStall').inc(stallSeconds);
    if (result !== 'written') return;
    this.#gauge('checkpointStep').set(step);
    this.#gauge('checkpointDuration').set(seconds ?? 0);
    this.#gauge('checkpointBytes').set(bytes ?? 0);
    this.#gauge('checkpointTime').setToCurrentTime();
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

  #takeProcess({ step, generation, recovery, ranks, observed, bnVarianceMin, bnSyncs, arenaBytes, network }: ProcessSnapshot): void {
    // A machine alone has no generations. Clocks that began anew are compared with the scrape after this one.
    if (this.#totals.enter(generation > 0 ? generation : (recovery?.restarts ?? 0))) this.#before = undefined;
    if (recovery) this.#total('rankRestarts', {}, recovery.restarts);
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

  /** Of the run: what befell a process that does not lead, the one that does tells. */
  #takeRecovery(replayedSteps: number, seconds: readonly number[]): void {
    if (!this.#leads) return;
    this.#total('replayedSteps', {}, replayedSteps);
    for (const one of seconds.slice(this.#recoveriesTold)) this.#histogram('recovery').observe(one);
    this.#recoveriesTold = seconds.length;
  }

  /** Since the scrape before. */
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
    this.#takeRecovery(replayedSteps, recoverySeconds);
    this.#total('staleMessages', {}, staleMessages);
    this.#counter('timeouts').reset();
    for (const { host, phase, count } of timeouts) this.#counter('timeouts').inc({ host, phase }, count);
  }

  #make(key: MetricKey, { name, type, help, labels, buckets }: MetricDefinition): void {
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (type === 'gauge') this.#gauges.set(key, new Gauge(options));
    else if (type === 'counter') this.#counters.set(key, new Counter(options));
    else this.#histograms.set(key, new Histogram({ ...options, buckets: [...buckets!] }));
    // Without labels they begin at 0 in prom-client: nothing is told before there is something to tell.
    if (labels.length === 0) (this.#gauges.get(key) ?? this.#counters.get(key) ?? this.#histogram(key)).remove();
  }

  /** From now on it is told; one with labels once they are known, and a gauge once it has a value. */
  #zero(key: MetricKey): void {
    if (metrics[key].labels.length > 0) return;
    this.#counters.get(key)?.inc(0);
    this.#histograms.get(key)?.zero({});
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
    this.#counter(key).inc(labels, this.#totals.growth(key, labels, total));
  }
}
