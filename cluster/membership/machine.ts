/**
 * Room: cluster (level 7), membership. The coordinator's one state machine: a pure function from what it knows and what
 * happened to what it knows then and what it does. It promises that hosts come and go at step boundaries only, that every
 * change of membership is a new generation, and that events of unknown hosts and stale generations change nothing.
 */
import { endRun, stand } from './standing.ts';
import { type Effect, type Host, isMember, type MembershipEvent, type RunState, type Transition } from './state.ts';

type EventOf<Kind extends MembershipEvent['kind']> = Extract<MembershipEvent, { kind: Kind }>;

/** What follows from an event. The very same state without effects when the event changes nothing. */
export function transition(state: RunState, event: MembershipEvent): Transition {
  if (event.kind === 'applied') return applied(state, event);
  if (state.phase === 'done' || state.phase === 'failed') return unchanged(state);
  switch (event.kind) {
    case 'prepared':
      return prepared(state, event);
    case 'leaveRequested':
      return leaveRequested(state, event);
    case 'lost':
      return lost(state, event);
    case 'boundary':
      return boundary(state, event);
    case 'ready':
      return ready(state, event);
    case 'peerLost':
      return peerLost(state, event);
    case 'stumbled':
      return stumbled(state, event);
    case 'workBegan':
      return state.phase === 'running' && !atWork(state) && event.generation === state.generation
        ? { state: { ...state, awaited: state.members }, effects: [] }
        : unchanged(state);
    case 'workDone':
      return drain(state, 'The run is done.', false);
    case 'stopRequested':
      return drain(state, 'The run was stopped by its user.', true);
    case 'failed':
      return endRun(state, 'failed', event.reason);
    default:
      return event satisfies never;
  }
}

function unchanged(state: RunState): Transition {
  return { state, effects: [] };
}

/** True while a member may be in a step. */
function atWork({ phase, awaited }: RunState): boolean {
  return phase !== 'waiting' && phase !== 'forming' && awaited.length > 0;
}

function find(state: RunState, id: number): Host | undefined {
  return state.hosts.find((host) => host.id === id);
}

function without(state: RunState, id: number): RunState {
  return { ...state, hosts: state.hosts.filter((host) => host.id !== id), awaited: state.awaited.filter((awaited) => awaited !== id) };
}

function withHost(state: RunState, changed: Host): RunState {
  return { ...state, hosts: state.hosts.map((host) => (host.id === changed.id ? changed : host)) };
}

function preceded(effects: readonly Effect[], then: Transition): Transition {
  return { state: then.state, effects: [...effects, ...then.effects] };
}

function applied(state: RunState, { id, name, workers, address }: EventOf<'applied'>): Transition {
  if (find(state, id) !== undefined) return unchanged(state);
  if (state.phase === 'draining' || state.phase === 'done' || state.phase === 'failed') {
    return { state, effects: [{ kind: 'release', id, message: 'The run is ending and takes no more hosts.' }] };
  }
  const host: Host = { id, name, workers, speed: 0, address, phase: 'preparing', committed: undefined };
  return { state: { ...state, hosts: [...state.hosts, host].toSorted((a, b) => a.id - b.id) }, effects: [{ kind: 'prepare', id }] };
}

function prepared(state: RunState, { id, holds, seen = 0 }: EventOf<'prepared'>): Transition {
  const host = find(state, id);
  if (host?.phase !== 'preparing') return unchanged(state);
  const committed = id === 0 ? (holds ?? host.committed) : holds || undefined;
  const next = withHost({ ...state, seen: Math.max(state.seen, seen) }, { ...host, phase: 'prepared', committed });
  // A generation that is being formed is finished first: what its members received so far is not wasted.
  return state.phase === 'forming' ? unchanged(next) : atNextBoundary(next);
}

function leaveRequested(state: RunState, { id }: EventOf<'leaveRequested'>): Transition {
  const host = find(state, id);
  if (host === undefined || id === 0 || host.phase === 'leaving') return unchanged(state);
  if (isMember(host)) return atNextBoundary(withHost(state, { ...host, phase: 'leaving' }));
  const next = without(state, id);
  const goodbye: Effect[] = [
    { kind: 'release', id, message: 'Released as asked before it took part.' },
    { kind: 'announce', sentence: `host ${host.name} left before it took part` },
  ];
  return preceded(goodbye, waiterGone(next, host));
}

/** Somebody waits to join or to leave: at once when all stand, otherwise after the step. */
function atNextBoundary(state: RunState): Transition {
  if (!atWork(state)) return stand(state);
  if (state.phase !== 'running' || state.told !== 'nothing') return unchanged(state);
  return { state: { ...state, told: 'stop' }, effects: [{ kind: 'stopAtBoundary' }] };
}

function lost(state: RunState, { id, reason }: EventOf<'lost'>): Transition {
  const host = find(state, id);
  if (host === undefined) return unchanged(state);
  if (id === 0) return endRun(state, 'failed', reason);
  const next = without(state, id);
  const news: Effect[] = [{ kind: 'announce', sentence: `host ${host.name} was lost: ${reason}` }];
  return preceded(news, isMember(host) ? disturbed(next) : waiterGone(next, host));
}

/** A host that took no part yet is gone; a run that waits counts anew. */
function waiterGone(state: RunState, { phase }: Host): Transition {
  return state.phase === 'waiting' && phase === 'prepared' ? stand(state) : unchanged(state);
}

function peerLost(state: RunState, { id, peer, generation }: EventOf<'peerLost'>): Transition {
  const low = find(state, Math.min(id, peer));
  const high = find(state, Math.max(id, peer));
  if (generation !== state.generation || state.phase === 'waiting' || low === undefined || high === undefined) return unchanged(state);
  if (low === high || !isMember(low) || !isMember(high) || state.brokenNow.some((link) => link.low === low.id && link.high === high.id)) return unchanged(state);
  const next = { ...state, brokenNow: [...state.brokenNow, { low: low.id, high: high.id }] };
  return preceded([{ kind: 'announce', sentence: `the link between hosts ${low.name} and ${high.name} broke` }], disturbed(next));
}

/** Its ranks stand although others are in a step that cannot end without them. */
function stumbled(state: RunState, { id, generation, workers, sentence }: EventOf<'stumbled'>): Transition {
  const host = find(state, id);
  if (!atWork(state) || generation !== state.generation || host === undefined || !state.awaited.includes(id)) return unchanged(state);
  return preceded([{ kind: 'announce', sentence: `host ${host.name}: ${sentence}` }], disturbed(withHost(state, { ...host, workers })));
}

/** The generation cannot go on: members leave the step they are in; when all stand, the next one is formed. */
function disturbed(state: RunState): Transition {
  if (!atWork(state)) return stand(state);
  if (state.told === 'leave') return unchanged(state);
  return { state: { ...state, phase: state.phase === 'running' ? 'recovering' : state.phase, told: 'leave' }, effects: [{ kind: 'recall' }] };
}

function boundary(state: RunState, { id, generation, committed, speed }: EventOf<'boundary'>): Transition {
  const host = find(state, id);
  if (!atWork(state) || generation !== state.generation || host === undefined || !state.awaited.includes(id)) return unchanged(state);
  const stood = withHost(state, { ...host, committed, speed: speed > 0 ? speed : host.speed });
  return answered(stood, id);
}

function ready(state: RunState, { id, generation }: EventOf<'ready'>): Transition {
  const host = find(state, id);
  if (state.phase !== 'forming' || generation !== state.generation || host === undefined || !state.awaited.includes(id)) return unchanged(state);
  return answered(withHost(state, { ...host, committed: state.formedAt }), id);
}

/** One answer less is awaited; with the last one, all stand. */
function answered(state: RunState, id: number): Transition {
  const awaited = state.awaited.filter((other) => other !== id);
  if (awaited.length > 0) return unchanged({ ...state, awaited });
  return stand({ ...state, awaited, phase: state.phase === 'forming' ? 'running' : state.phase });
}

/** The run ends as soon as all stand; `inStep` says that members would go on by themselves until they are told to stop. */
function drain(state: RunState, farewell: string, inStep: boolean): Transition {
  if (state.phase === 'draining') return unchanged(state);
  if (!atWork(state)) return endRun(state, 'done', farewell);
  const tell = inStep && state.told === 'nothing';
  return { state: { ...state, phase: 'draining', farewell, told: tell ? 'stop' : state.told }, effects: tell ? [{ kind: 'stopAtBoundary' }] : [] };
}
