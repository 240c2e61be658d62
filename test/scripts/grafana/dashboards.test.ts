/** Room: tests of scripts. Dashboards as they are committed: current, complete, with nothing on top of another, and as Grafana's schema has them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Dashboard, GridPos, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import test from 'ava';
import { generatedFiles } from '../../../scripts/grafana/files.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..', '..');
const files = generatedFiles();
const boards = files.filter(({ path }) => path.endsWith('.json')).map(({ text }) => JSON.parse(text) as Dashboard);
const isRow = (panel: Panel | RowPanel): panel is RowPanel => panel.type === 'row';
const panelsOf = (board: Dashboard): Panel[] => (board.panels ?? []).filter((panel): panel is Panel => !isRow(panel));

for (const { path, text } of files) {
  test(`${path} is what npm run dashboards makes`, (t) => {
    t.is(readFileSync(join(root, path), 'utf8'), text);
    t.is(generatedFiles().find((file) => file.path === path)?.text, text, 'the same bytes a second time');
  });
}

test('there are three dashboards, each with its variables and annotations', (t) => {
  t.deepEqual(
    boards.map(({ uid, title }) => [uid, title]),
    [
      ['lockstep-run', 'Lockstep / Run'],
      ['lockstep-anatomy', 'Lockstep / Anatomy of a step'],
      ['lockstep-cluster', 'Lockstep / Cluster'],
    ],
  );
  for (const { templating, annotations, schemaVersion, panels } of boards) {
    t.is(schemaVersion, 42);
    t.deepEqual(
      templating?.list?.map(({ name, type }) => [name, type]),
      [
        ['datasource', 'datasource'],
        ['run', 'query'],
        ['host', 'query'],
      ],
    );
    t.true(templating?.list?.[2]?.multi);
    t.true(templating?.list?.[2]?.includeAll);
    t.is(annotations?.list?.length, 3);
    t.true((panels?.length ?? 0) > 15);
  }
});

for (const board of boards) {
  test(`${board.title}: every panel says what it is, in which unit`, (t) => {
    const known = new Set<unknown>(Object.values(units));
    for (const { title, description, fieldConfig, targets } of panelsOf(board)) {
      t.truthy(title);
      t.true((description?.length ?? 0) > 20, title);
      t.true(known.has(fieldConfig?.defaults.unit ?? ''), `${title}: ${fieldConfig?.defaults.unit}`);
      t.true((targets?.length ?? 0) > 0, title);
      t.not(fieldConfig?.defaults.thresholds?.steps.length, 0, title);
    }
    const titles = panelsOf(board).map(({ title }) => title);
    t.is(new Set(titles).size, titles.length);
  });

  test(`${board.title}: every panel has an id and a place of its own, and no gaps are left`, (t) => {
    const all = board.panels ?? [];
    t.is(new Set(all.map(({ id }) => id)).size, all.length);
    const places = all.map(({ gridPos }) => gridPos);
    t.true(places.every((place) => place && place.w > 0 && place.h > 0 && place.x >= 0 && place.x + place.w <= 24));
    const taken = new Set<string>();
    let cells = 0;
    for (const { x, y, w, h } of places as GridPos[]) {
      for (let i = 0; i < w * h; i++) taken.add(`${x + (i % w)} ${y + Math.floor(i / w)}`);
      cells += w * h;
    }
    t.is(taken.size, cells, 'no panel lies on another');
    t.is(cells, 24 * Math.max(...places.map((place) => place!.y + place!.h)), 'lines are full');
  });
}

/** Options and fields of each kind of panel, as Grafana's own schema calls them; a gauge and a stat have no fields of their own. */
const kinds: Record<string, readonly [file: string, fields: boolean]> = {
  timeseries: ['timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen', true],
  heatmap: ['heatmap/panelcfg/x/HeatmapPanelCfg_types.gen', true],
  'state-timeline': ['statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen', true],
  bargauge: ['bargauge/panelcfg/x/BarGaugePanelCfg_types.gen', false],
  gauge: ['gauge/panelcfg/x/GaugePanelCfg_types.gen', false],
  stat: ['stat/panelcfg/x/StatPanelCfg_types.gen', false],
  table: ['table/panelcfg/x/TablePanelCfg_types.gen', false],
};

/** The schema knows annotations only by what those of all data sources have, and not what Prometheus adds; expressions are tested as PromQL. */
function ofAnySource(board: Dashboard): Dashboard {
  const list = (board.annotations?.list ?? []).map(({ target: _, expr, step, titleFormat, textFormat, ...annotation }) => annotation);
  return { ...board, annotations: { list } };
}

/** A program that assigns every dashboard, and the options of every panel, to the types of @grafana/schema. Words stand for enums there. */
function program(all: readonly Dashboard[]): string {
  const names = Object.keys(kinds);
  const panels = all.flatMap(panelsOf);
  return [
    "import type * as schema from '@grafana/schema';",
    ...names.map((name, i) => `import type * as K${i} from '@grafana/schema/dist/esm/raw/composable/${kinds[name]![0]}';`),
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a type of a template, in a program.
    'type Plain<T> = unknown extends T ? T : T extends string ? `${T}` : T extends number ? number : T extends readonly (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;',
    ...all.map(ofAnySource).map((board, i) => `export const board${i}: Plain<schema.Dashboard> = ${JSON.stringify(board)};`),
    ...panels.flatMap(({ type, options = {}, fieldConfig }, i) => {
      const kind = names.indexOf(type);
      const custom = `export const custom${i}: Plain<Partial<K${kind}.FieldConfig>> = ${JSON.stringify(fieldConfig?.defaults.custom ?? {})};`;
      return [`export const options${i}: Plain<Partial<K${kind}.Options>> = ${JSON.stringify(options)};`, ...(kinds[type]![1] ? [custom] : [])];
    }),
  ].join('\n');
}

/** What the compiler says to the dashboards, a line for each complaint. */
function complaints(all: readonly Dashboard[], name: string): string[] {
  const folder = join(here, name);
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, 'panels.ts'), program(all));
    const flags = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
      '--target',
      'es2023',
      '--types',
      '',
      '--pretty',
      'false',
    ];
    const { stdout, stderr } = spawnSync(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), ...flags, join(folder, 'panels.ts')], {
      encoding: 'utf8',
    });
    return `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('dashboards and panels have the types of @grafana/schema', (t) => {
  t.deepEqual(
    [...new Set(boards.flatMap(panelsOf).map(({ type }) => type))].sort(),
    Object.keys(kinds).sort(),
    'every kind of panel is checked, and there is one of every kind',
  );
  t.deepEqual(complaints(boards, 'schema-of-ours'), []);
});

test('a panel with a wrong option, field or threshold is refused by these types', (t) => {
  const wrong = structuredClone(boards[0]!);
  const chart = panelsOf(wrong).find(({ type }) => type === 'timeseries')!;
  Object.assign(chart.options as object, { legnd: {} });
  Object.assign(chart.fieldConfig!.defaults.custom as object, { drawStyle: 'curve' });
  Object.assign(chart.fieldConfig!.defaults.thresholds!, { mode: 'relative' });
  const found = complaints([wrong], 'schema-of-wrong');
  for (const what of [/legnd/, /"curve"/, /"relative"/])
    t.true(
      found.some((line) => what.test(line)),
      `${what}: ${found.join('\n')}`,
    );
});
