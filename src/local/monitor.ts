/**
 * Room: local (level 6). Whoever watches a process of a run: its metrics behind an HTTP endpoint, fed by the run's events and by what can be read at
 * any moment. A run without a monitor does nothing for it; with one, ranks look closely at one step a second.
 */
import { type Endpoint, openEndpoint, say } from '../telemetry/endpoint.ts';
import type { RunEvent } from '../telemetry/events.ts';
import type { RunStateName } from '../telemetry/names.ts';
import { MetricsRegistry, type RunFacts } from '../telemetry/registry.ts';
import type { ClusterSnapshot, ProcessSnapshot } from '../telemetry/snapshot.ts';

/** What a monitor looks at. */
export interface Watched {
  readonly snapshot: () => ProcessSnapshot | undefined;
  /** Of the process that leads a run of several hosts. */
  readonly cluster?: () => ClusterSnapshot | undefined;
  /** Asks the ranks to look closely at a step soon. */
  readonly observe: () => void;
}

export interface MonitorOptions {
  readonly host: string;
  readonly port: number;
  /** Labels of everything that this process tells, as far as they are known. */
  readonly identity: () => { readonly run: string; readonly host: string };
}

const observeEveryMs = 1000;

export class Monitor {
  readonly #registry: MetricsRegistry;
  readonly #endpoint: Endpoint;
  readonly #watch: { now: Watched | undefined };
  #timer: NodeJS.Timeout | undefined;

  private constructor(registry: MetricsRegistry, endpoint: Endpoint, watch: { now: Watched | undefined }) {
    this.#registry = registry;
    this.#endpoint = endpoint;
    this.#watch = watch;
  }

  /** Opens the endpoint; LOCKSTEP_NETWORK when it cannot be had. */
  static async open({ host, port, identity }: MonitorOptions): Promise<Monitor> {
    const watch: { now: Watched | undefined } = { now: undefined };
    const registry = new MetricsRegistry({ identity, process: () => watch.now?.snapshot(), cluster: () => watch.now?.cluster?.() });
    const endpoint = await openEndpoint({
      host,
      port,
      routes: new Map([
        [
          '/metrics',
          async (_, response) => {
            const text = await registry.text();
            response.writeHead(200, { 'Content-Type': registry.contentType });
            response.end(text);
          },
        ],
        [
          '/targets',
          (request, response) => {
            response.writeHead(200, { 'Content-Type': 'application/json' });
            response.end(JSON.stringify(targetsOf(request.headers.host ?? `${host}:${port}`, watch.now?.cluster?.())));
          },
        ],
        ['/healthz', (_, response) => say(response, 200, 'ok')],
      ]),
    });
    return new Monitor(registry, endpoint, watch);
  }

  get port(): number {
    return this.#endpoint.port;
  }

  get host(): string {
    return this.#endpoint.host;
  }

  /** From now on `watched` is what scrapes tell of. */
  watch(watched: Watched): void {
    this.#watch.now = watched;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => watched.observe(), observeEveryMs);
    this.#timer.unref();
  }

  begin(facts: RunFacts): void {
    this.#registry.begin(facts);
  }

  /** An event of the run, in order. */
  take(event: RunEvent): void {
    if (event.event === 'step') this.#registry.step(event);
    else if (event.event === 'epoch') this.#registry.epoch(event);
  }

  /** The ranks are at rest for good: scrapes go on to tell how they ended. */
  async end(state: RunStateName): Promise<void> {
    clearInterval(this.#timer);
    // Once more while there is something to read.
    await this.#registry.text();
    this.#watch.now = undefined;
    this.#registry.state(state);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#endpoint.close();
  }
}

/** Prometheus' http_sd format: this process as it was reached, and every host that tells where its metrics are. */
function targetsOf(own: string, cluster: ClusterSnapshot | undefined): { targets: string[]; labels: Record<string, string> }[] {
  const others = (cluster?.hosts ?? []).map(({ metricsAddress }) => metricsAddress).filter((address) => address !== '');
  return [own, ...others].map((target) => ({ targets: [target], labels: {} }));
}
