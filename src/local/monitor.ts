/**
 * Room: local (level 6). Whoever watches a process of a run: its metrics behind an HTTP endpoint, fed by the run's events and by what can be read at
 * any moment. A run without a monitor does nothing for it; with one, ranks look closely at one step a second.
 */
import type { ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { type Endpoint, type EndpointOptions, openEndpoint, type Route, say } from '../telemetry/endpoint.ts';
import type { RunEvent } from '../telemetry/events.ts';
import type { LiveRun } from '../telemetry/live.ts';
import { feedHeaders, LiveFeed } from '../telemetry/live-feed.ts';
import type { RunStateName } from '../telemetry/names.ts';
import { pageFile, pageHeaders, pagePaths } from '../telemetry/page-files.ts';
import { MetricsRegistry, type RunFacts } from '../telemetry/registry.ts';
import type { ClusterSnapshot, ProcessSnapshot } from '../telemetry/snapshot.ts';
import { LiveStatusMaker } from './live-status.ts';

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

/** What a run is, for those who watch. */
export interface WatchedRun {
  readonly facts?: RunFacts;
  readonly live: LiveRun;
}

export class Monitor {
  readonly #registry: MetricsRegistry;
  readonly #endpoint: Endpoint;
  readonly #identity: MonitorOptions['identity'];
  #watched: Watched | undefined;
  #timer: NodeJS.Timeout | undefined;
  #feed: LiveFeed | undefined;
  #maker: LiveStatusMaker | undefined;
  /** Pages that were opened before the run began. */
  readonly #early = new Set<ServerResponse>();
  /** Whether this process leads the run, and so tells of its state. */
  #leads = false;

  private constructor({ identity }: MonitorOptions, open: (routes: EndpointOptions['routes']) => Endpoint) {
    this.#identity = identity;
    this.#registry = new MetricsRegistry({ identity, process: () => this.#watched?.snapshot(), cluster: () => this.#watched?.cluster?.() });
    this.#endpoint = open(this.#routes());
  }

  /** Opens the endpoint; LOCKSTEP_NETWORK when it cannot be had. */
  static async open(options: MonitorOptions): Promise<Monitor> {
    const routes: Map<string, Route> = new Map();
    const endpoint = await openEndpoint({ ...options, routes });
    return new Monitor(options, (own) => {
      for (const [path, route] of own) routes.set(path, route);
      return endpoint;
    });
  }

  get port(): number {
    return this.#endpoint.port;
  }

  get host(): string {
    return this.#endpoint.host;
  }

  /** From now on `watched` is what scrapes tell of. */
  watch(watched: Watched): void {
    this.#watched = watched;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => watched.observe(), observeEveryMs);
    this.#timer.unref();
  }

  /** The run is known: pages can show it. */
  begin({ facts, live }: WatchedRun): void {
    this.#leads = facts !== undefined;
    if (facts) this.#registry.begin(facts);
    this.#feed?.close();
    const maker = new LiveStatusMaker({
      host: () => this.#identity().host,
      targetSteps: live.targetSteps,
      snapshot: () => this.#watched?.snapshot(),
      cluster: () => this.#watched?.cluster?.(),
    });
    this.#maker = maker;
    this.#feed = new LiveFeed({ run: live, status: () => maker.status() });
    // What is wrong with a scrape, whoever scrapes is told.
    this.#warmUp().catch(() => {});
    for (const response of this.#early) this.#feed.subscribe(response);
    this.#early.clear();
  }

  /** An event of the run, in order. */
  take(event: RunEvent): void {
    if (event.event === 'step') {
      this.#registry.step(event);
      this.#maker?.take(event);
      this.#feed?.step(event);
    } else if (event.event === 'epoch') {
      this.#registry.epoch(event);
      this.#feed?.epoch(event);
    } else if (event.event === 'checkpoint') {
      this.#registry.checkpoint(event);
      this.#maker?.checkpoint(event);
    }
  }

  /** The ranks are at rest for good: scrapes and pages go on to tell how they ended. */
  async end(state: RunStateName): Promise<void> {
    clearInterval(this.#timer);
    // Once more while there is something to read.
    await this.#registry.text();
    this.#maker?.end(state);
    this.#watched = undefined;
    if (this.#leads) this.#registry.state(state);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#feed?.close();
    await this.#endpoint.close();
  }

  /** The first scrapes of a process are compiled as they go, which takes several times as long: that is done before the run is at full speed. */
  async #warmUp(): Promise<void> {
    for (let scrape = 0; scrape < 5; scrape++) await this.#registry.text();
  }

  /** A page that is closed before the run begins makes room for another. */
  #wait(response: ServerResponse): void {
    this.#early.add(response);
    response.on('close', () => this.#early.delete(response));
  }

  #routes(): Map<string, Route> {
    const routes = new Map<string, Route>();
    for (const path of pagePaths) routes.set(path, (_, response) => sendPage(path, response));
    return routes
      .set('/events', ({ method }, response) => {
        if (method === 'HEAD') response.writeHead(200, feedHeaders).end();
        else if (this.#feed) this.#feed.subscribe(response);
        else if (this.#early.size < mostEarly) this.#wait(response);
        else say(response, 503, 'Expected fewer pages before the run begins.');
      })
      .set('/metrics', async (_, response) => {
        const text = await this.#registry.text();
        response.writeHead(200, { 'Content-Type': this.#registry.contentType });
        response.end(text);
      })
      .set('/targets', (request, response) => {
        const own = request.headers.host ?? `${isIPv6(this.host) ? `[${this.host}]` : this.host}:${this.port}`;
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify(targetsOf(own, this.#watched?.cluster?.())));
      })
      .set('/healthz', (_, response) => say(response, 200, 'ok'));
  }
}

/** As many pages as a feed has readers. */
const mostEarly = 32;

function sendPage(path: string, response: ServerResponse): void {
  const { type, body } = pageFile(path)!;
  response.writeHead(200, { ...pageHeaders, 'content-type': type });
  response.end(body);
}

/** Prometheus' http_sd format: this process as it was reached, and every host that tells where its metrics are. */
function targetsOf(own: string, cluster: ClusterSnapshot | undefined): { targets: string[]; labels: Record<string, string> }[] {
  const others = (cluster?.hosts ?? []).map(({ metricsAddress }) => metricsAddress).filter((address) => address !== '');
  return [own, ...others].map((target) => ({ targets: [target], labels: {} }));
}
