/**
 * Room: scripts (level 8), Grafana. A dashboard from rows of panels: panels get their ids and places in the order in which they are named, from left
 * to right. What all dashboards share is here: variables, annotations, links.
 */
import * as board from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import { metrics } from '../../src/telemetry/names.ts';
import { datasource, type PanelSpec } from './panels.ts';
import { series } from './promql.ts';

export interface DashboardSpec {
  /** Names the file, too. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly { readonly title: string; readonly panels: readonly PanelSpec[] }[];
}

/** What a chosen value of each variable is asked from. */
export const variables = {
  run: { label: 'Run', metric: metrics.runInfo, matchers: '', value: 'run' },
  host: { label: 'Host', metric: metrics.step, matchers: '{run="$run"}', value: 'host' },
} as const;

/** Vertical lines in all charts. An event is a stretch in which the expression has a value; ten seconds are never missed between two points of a zoomed-out chart of an hour. */
export const annotations = [
  {
    name: 'Generations',
    color: 'orange',
    expr: `count_values("generation", max(${metrics.generation.name}{run="$run"})) and on () max(changes(${metrics.generation.name}{run="$run"}[10s])) > 0`,
    title: 'Generation {{generation}}',
    text: 'The membership changed.',
  },
  {
    name: 'Hosts joined, left, lost',
    color: 'red',
    expr: `sum by (kind) (increase(${series(metrics.membershipChanges)}[10s])) > 0`,
    title: 'A host: {{kind}}',
    text: 'See the Cluster dashboard.',
  },
  {
    name: 'Skipped steps',
    color: 'purple',
    expr: `sum by (result) (increase(${series(metrics.steps, 'result="skipped"')}[10s])) > 0`,
    title: 'A step was {{result}}',
    text: 'A number was not finite: see the Run dashboard.',
  },
] as const;

export function variableQuery({ metric, matchers, value }: (typeof variables)[keyof typeof variables]): string {
  return `label_values(${metric.name}${matchers}, ${value})`;
}

function variable(name: keyof typeof variables): board.QueryVariableBuilder {
  const query = variableQuery(variables[name]);
  return new board.QueryVariableBuilder(name)
    .label(variables[name].label)
    .datasource(datasource)
    .query({ query, refId: `variable-${name}` })
    .refresh(board.VariableRefresh.OnTimeRangeChanged)
    .sort(board.VariableSort.NaturalAsc);
}

function dashboardWithoutPanels({ uid, title, description }: DashboardSpec): board.DashboardBuilder {
  const builder = new board.DashboardBuilder(`Lockstep / ${title}`)
    .uid(uid)
    .description(description)
    .tags(['lockstep'])
    .time({ from: 'now-15m', to: 'now' })
    .refresh('5s')
    .timezone('browser')
    .tooltip(board.DashboardCursorSync.Crosshair)
    .link(new board.DashboardLinkBuilder('Lockstep').type(board.DashboardLinkType.Dashboards).tags(['lockstep']).includeVars(true).keepTime(true))
    .withVariable(new board.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(variable('run'))
    .withVariable(
      variable('host')
        .multi(true)
        .includeAll(true)
        .allValue('.+')
        .current({ selected: true, text: ['All'], value: ['$__all'] }),
    );
  for (const { name, color, expr, title: titleFormat, text } of annotations) {
    const target = new prometheus.DataqueryBuilder().datasource(datasource).refId('Anno').expr(expr).interval('5s').range();
    const annotation = new board.AnnotationQueryBuilder().name(name).datasource(datasource).enable(true).hide(false).iconColor(color);
    builder.annotation(annotation.expr(expr).step('5s').titleFormat(titleFormat).textFormat(text).target(target));
  }
  return builder;
}

const columns = 24;

/** Panels stand side by side as long as they fit; then the next line begins below the highest of them. */
function place(rows: DashboardSpec['rows']): { readonly row: number; readonly panel: PanelSpec | undefined; readonly at: board.GridPos }[] {
  const placed: { row: number; panel: PanelSpec | undefined; at: board.GridPos }[] = [];
  let y = 0;
  for (const [row, { panels }] of rows.entries()) {
    placed.push({ row, panel: undefined, at: { x: 0, y, w: columns, h: 1 } });
    y++;
    let x = 0;
    let highest = 0;
    for (const panel of panels) {
      const { width } = panel.subject;
      if (x + width > columns) {
        y += highest;
        x = 0;
        highest = 0;
      }
      placed.push({ row, panel, at: { x, y, w: width, h: panel.height } });
      x += width;
      highest = Math.max(highest, panel.height);
    }
    y += highest;
  }
  return placed;
}

export function dashboard(spec: DashboardSpec): board.Dashboard {
  const builder = dashboardWithoutPanels(spec);
  for (const [i, { row, panel, at }] of place(spec.rows).entries()) {
    if (panel) builder.withPanel(panel.builder.id(i + 1).gridPos(at));
    else builder.withRow(new board.RowBuilder(spec.rows[row]!.title).id(i + 1).gridPos(at));
  }
  return withoutLeftovers(builder.build());
}

/** The SDK gives every variable what only variables of intervals have, and tables a footer of an older Grafana: not in the schema. */
function withoutLeftovers(built: board.Dashboard): board.Dashboard {
  const leftovers = new Set(['auto', 'auto_min', 'auto_count', 'footer']);
  const keep = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([key]) => !leftovers.has(key))) as T;
  const list = built.templating?.list?.map(keep) ?? [];
  const panels = built.panels?.map((panel) => (panel.type === 'table' && 'options' in panel ? { ...panel, options: keep(panel.options as object) } : panel)) ?? [];
  return { ...built, templating: { list }, panels };
}
