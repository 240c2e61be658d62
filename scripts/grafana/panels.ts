/**
 * Room: scripts (level 8), Grafana. The kinds of panels that the dashboards are made of, so that all charts of a kind look alike. Each says
 * what it shows, its unit and its queries; the place comes from the layout.
 */
import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as board from '@grafana/grafana-foundation-sdk/dashboard';
import * as gauge from '@grafana/grafana-foundation-sdk/gauge';
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

interface Query {
  readonly expr: string;
  /** With `{{label}}`. */
  readonly legend: string;
  /** True when there is nothing to show before something went wrong. */
  readonly faultsOnly?: boolean;
}

/** From `from` on the value has this colour; the first has no `from`. */
export type Threshold = readonly [from: number | null, color: string];

/** Green below `value`. */
export function badAt(value: number, color = 'red'): readonly Threshold[] {
  return [
    [null, 'green'],
    [value, color],
  ];
}

export interface Subject {
  readonly title: string;
  readonly description: string;
  /** Grafana's name of the unit, see its `units`. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** In columns of 24. */
  readonly width: number;
  readonly height?: number;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly thresholds?: readonly Threshold[];
  readonly mappings?: readonly board.ValueMapping[];
}

type Builder =
  | bargauge.PanelBuilder
  | gauge.PanelBuilder
  | heatmap.PanelBuilder
  | stat.PanelBuilder
  | statetimeline.PanelBuilder
  | table.PanelBuilder
  | timeseries.PanelBuilder;

export interface PanelSpec {
  readonly subject: Subject;
  readonly height: number;
  readonly builder: Builder;
}

export const datasource = { type: 'prometheus', uid: '$datasource' };

/** Charts are this high, in Grafana's rows, and the single numbers above them that. */
const chartHeight = 8;
const statHeight = 4;

interface TargetOptions {
  readonly instant?: boolean;
  readonly format?: prometheus.PromQueryFormat;
}

function target({ expr, legend }: Query, index: number, { instant = false, format = prometheus.PromQueryFormat.TimeSeries }: TargetOptions): prometheus.DataqueryBuilder {
  const query = new prometheus.DataqueryBuilder()
    .datasource(datasource)
    .refId(String.fromCharCode(65 + index))
    .expr(expr)
    .legendFormat(legend)
    .format(format);
  return instant ? query.instant() : query.range();
}

function dress(builder: Builder, subject: Subject, height: number, options: TargetOptions = {}): PanelSpec {
  const { title, description, unit, queries, decimals, min, max, thresholds = [[null, 'text']], mappings } = subject;
  builder.title(title).description(description).unit(unit).datasource(datasource);
  builder.targets(queries.map((query, i) => target(query, i, options)));
  const steps = thresholds.map(([value, color]) => ({ value, color }));
  builder.thresholds(new board.ThresholdsConfigBuilder().mode(board.ThresholdsMode.Absolute).steps(steps));
  if (decimals !== undefined) builder.decimals(decimals);
  if (min !== undefined) builder.min(min);
  if (max !== undefined) builder.max(max);
  if (mappings) builder.mappings([...mappings]);
  return { subject, builder, height: subject.height ?? height };
}

const byThresholds = (): board.FieldColorBuilder => new board.FieldColorBuilder().mode(board.FieldColorModeId.Thresholds);
const last = (): common.ReduceDataOptionsBuilder => new common.ReduceDataOptionsBuilder().values(false).calcs(['lastNotNull']).fields('');

/** One number, coloured by its thresholds. */
export function number(subject: Subject, { sparkline = false } = {}): PanelSpec {
  const builder = new stat.PanelBuilder()
    .colorMode(subject.thresholds || subject.mappings ? common.BigValueColorMode.Background : common.BigValueColorMode.Value)
    .graphMode(sparkline ? common.BigValueGraphMode.Area : common.BigValueGraphMode.None)
    .colorScheme(byThresholds())
    .reduceOptions(last());
  return dress(builder, subject, statHeight);
}

/** How far something is on its way. */
export function dial(subject: Subject): PanelSpec {
  return dress(new gauge.PanelBuilder().showThresholdMarkers(false).colorScheme(byThresholds()).reduceOptions(last()), subject, statHeight);
}

interface LineOptions {
  readonly stacked?: boolean;
  readonly log?: boolean;
  /** What the legend tells of each series. */
  readonly calcs?: readonly string[];
  /** Draws the last threshold as a line. */
  readonly limit?: boolean;
  /** Steps instead of slopes, for values that hold until they change. */
  readonly steps?: boolean;
}

/** Values over time. */
export function lines(subject: Subject, { stacked = false, log = false, calcs = ['lastNotNull'], limit = false, steps = false }: LineOptions = {}): PanelSpec {
  const builder = new timeseries.PanelBuilder()
    .lineWidth(stacked ? 0 : 2)
    .fillOpacity(stacked ? 80 : 0)
    .showPoints(common.VisibilityMode.Never)
    .lineInterpolation(steps ? common.LineInterpolation.StepAfter : common.LineInterpolation.Linear)
    .spanNulls(false)
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending))
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.Table)
        .placement(common.LegendPlacement.Bottom)
        .calcs([...calcs]),
    );
  builder.colorScheme(new board.FieldColorBuilder().mode(board.FieldColorModeId.PaletteClassic));
  if (stacked) builder.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A'));
  if (log) builder.scaleDistribution(new common.ScaleDistributionConfigBuilder().type(common.ScaleDistribution.Log).log(10));
  if (limit) builder.thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed));
  return dress(builder, subject, chartHeight);
}

/** Series whose name matches get their own look. */
export function restyle(panel: PanelSpec, pattern: string, properties: readonly board.DynamicConfigValue[]): PanelSpec {
  panel.builder.overrideByRegexp(pattern, [...properties]);
  return panel;
}

/** The queries give the growth of each bucket. */
export function heat(subject: Subject): PanelSpec {
  const builder = new heatmap.PanelBuilder()
    .calculate(false)
    .color(
      new heatmap.HeatmapColorOptionsBuilder().mode(heatmap.HeatmapColorMode.Scheme).scheme('Turbo').scale(heatmap.HeatmapColorScale.Exponential).exponent(0.5).steps(64),
    )
    .yAxis(new heatmap.YAxisConfigBuilder().unit(subject.unit).axisPlacement(common.AxisPlacement.Left))
    .tooltip(new heatmap.HeatmapTooltipBuilder().mode(common.TooltipDisplayMode.Single).yHistogram(true).showColorScale(true))
    .cellValues(new heatmap.CellValuesBuilder().unit('short'))
    .showLegend();
  return dress(builder, subject, chartHeight, { format: prometheus.PromQueryFormat.Heatmap });
}

/** One bar for each series, the value now. */
export function bars(subject: Subject): PanelSpec {
  const builder = new bargauge.PanelBuilder()
    .displayMode(common.BarGaugeDisplayMode.Basic)
    .orientation(common.VizOrientation.Horizontal)
    .valueMode(common.BarGaugeValueMode.Text)
    .colorScheme(byThresholds())
    .reduceOptions(last());
  return dress(builder, subject, chartHeight, { instant: true });
}

/** States over time, a strip for each series. */
export function strips(subject: Subject): PanelSpec {
  const builder = new statetimeline.PanelBuilder()
    .mergeValues(true)
    .showValue(common.VisibilityMode.Auto)
    .rowHeight(0.9)
    .colorScheme(byThresholds())
    .legend(new common.VizLegendOptionsBuilder().showLegend(false).displayMode(common.LegendDisplayMode.List).placement(common.LegendPlacement.Bottom));
  return dress(builder, subject, chartHeight);
}

/** The labels of one instant as columns, without what Prometheus adds. */
export function labels(subject: Subject, columns: readonly string[], hidden: readonly string[]): PanelSpec {
  const builder = new table.PanelBuilder().withTransformation({
    id: 'organize',
    options: {
      excludeByName: Object.fromEntries(hidden.map((name) => [name, true])),
      indexByName: Object.fromEntries(columns.map((name, i) => [name, i])),
      renameByName: {},
    },
  });
  return dress(builder, subject, statHeight, { instant: true, format: prometheus.PromQueryFormat.Table });
}
