/** Room: tests of scripts. All that dashboards and alerts ask is PromQL about metrics and labels that there are, and all metrics are asked for. */
import test from 'ava';
import { alertGroups } from '../../../scripts/grafana/alerts.ts';
import { variableQuery, variables } from '../../../scripts/grafana/layout.ts';
import { allQueries, annotationQueries, dashboards, substituted } from '../../../scripts/grafana/queries.ts';
import { metrics } from '../../../src/telemetry/names.ts';
import { asked, metricOf } from './promql.ts';

const alerts = alertGroups.flatMap(({ rules }) => rules);
/** What is inside of `label_values(..., label)` is a selector. */
const chosenFrom = Object.values(variables).map((variable) => /^label_values\((.+), \w+\)$/.exec(substituted(variableQuery(variable)))?.[1] ?? '');

for (const { dashboard, panel, query } of allQueries()) {
  test(`${dashboard}, ${panel}: ${query}`, (t) => {
    const { metrics: names, faults } = asked(query);
    t.deepEqual(faults, []);
    t.not(names.length, 0);
    t.notRegex(query, /\$/, 'no variable is left');
  });
}

test('annotations, variables and alerts ask for metrics and labels that there are', (t) => {
  const queries = [...annotationQueries(), ...chosenFrom, ...alerts.map(({ expr }) => expr)];
  t.is(queries.length, 3 + 2 + alerts.length);
  for (const query of queries) {
    const { metrics: names, faults } = asked(query);
    t.deepEqual(faults, [], query);
    t.not(names.length, 0, query);
  }
});

test('every metric is shown', (t) => {
  const shown = new Set(allQueries().flatMap(({ query }) => asked(query).metrics.map(metricOf)));
  t.deepEqual(
    Object.values(metrics)
      .map(({ name }) => name)
      .filter((name) => !shown.has(name)),
    [],
  );
});

test('queries are of one run, and of the chosen hosts where each host tells its own', (t) => {
  const raw = dashboards.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels.flatMap(({ subject }) => subject.queries.map(({ expr }) => expr))));
  for (const expr of raw) {
    const selectors = expr.match(/lockstep_\w+(?:\{[^}]*\})?/g) ?? [];
    for (const selector of selectors) t.regex(selector, /\{run="\$run"/, expr);
  }
  t.deepEqual(
    allQueries({ run: 'a', host: 'b', rateInterval: '7s' })
      .filter(({ query }) => query.includes('lockstep_arena_bytes'))
      .map(({ query }) => query),
    ['sum by (kind) (lockstep_arena_bytes{run="a", host=~"b"})', 'sum by (host) (lockstep_arena_bytes{run="a", host=~"b"})'],
  );
});

test('only recovery has nothing to show before something went wrong', (t) => {
  t.deepEqual(
    [
      ...new Set(
        allQueries()
          .filter(({ faultsOnly }) => faultsOnly)
          .map(({ panel }) => panel),
      ),
    ],
    ['Mean recovery', 'Recovery'],
  );
});

test('alerts have names of their own, and say what is wrong and what to do', (t) => {
  t.is(new Set(alerts.map(({ alert }) => alert)).size, alerts.length);
  for (const { alert, summary, description } of alerts) {
    t.regex(alert, /^Lockstep[A-Z]\w+$/);
    t.regex(summary, /\$labels\.run.*\.$/, alert);
    t.true(description.length > 60 && description.endsWith('.'), alert);
  }
});

test('what is wrong with a query is found', (t) => {
  const faults = (query: string): readonly string[] => asked(query).faults;
  t.deepEqual(faults('sum(rate(lockstep_samples_total{run="a"}[5s]))'), []);
  t.deepEqual(faults('lockstep_sampels_total'), ['lockstep_sampels_total is not in the table of metrics']);
  t.deepEqual(faults('lockstep_step_duration_seconds'), ['lockstep_step_duration_seconds is not in the table of metrics']);
  t.deepEqual(faults('lockstep_step_bucket'), ['lockstep_step_bucket is not in the table of metrics']);
  t.deepEqual(faults('lockstep_step{rank="1"}'), ['lockstep_step has no label rank']);
  t.deepEqual(faults('sum by (rank) (lockstep_step)'), ['no metric of the query has the label rank']);
  t.not(faults('sum(rate(lockstep_samples_total[5s])').length, 0);
  t.not(faults('rate(lockstep_samples_total[$__rate_interval])').length, 0);
  t.is(metricOf('lockstep_step_duration_seconds_bucket'), 'lockstep_step_duration_seconds');
  t.is(metricOf('lockstep_step'), 'lockstep_step');
});
