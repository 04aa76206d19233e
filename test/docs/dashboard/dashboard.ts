import { type PanelSpec, ROWS, type RowSpec } from './panels.ts';

const COLUMNS = 24;
const HEIGHT = { stat: 4, timeseries: 8 } as const;
const SELECTION = 'namespace=~"$namespace",job=~"$job",instance=~"$instance"';
/** How the dashboard refers to one of its variables. */
const use = (name: string) => `\${${name}}`;
const DATASOURCE = { type: 'prometheus', uid: use('datasource') };

/** Grafana's dashboard: rows of panels, in the classic model that every Grafana from 10 on imports. */
export function dashboard() {
  return {
    uid: 'dagain',
    title: 'dagain',
    description: 'Retries of whole Dag runs. Made by npm run docs from test/docs/dashboard.',
    tags: ['dagain', 'airflow'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '1m',
    timezone: 'browser',
    time: { from: 'now-24h', to: 'now' },
    timepicker: {},
    fiscalYearStartMonth: 0,
    links: [link("The operators' page", use('page')), link('Runbook', use('runbook'))],
    annotations: { list: [firingAlerts()] },
    templating: { list: variables() },
    panels: layOut(ROWS),
  };
}

function link(title: string, url: string) {
  return {
    ...{ title, url, type: 'link', icon: 'external link', tooltip: '', tags: [] },
    ...{ asDropdown: false, includeVars: false, keepTime: false, targetBlank: true },
  };
}

function firingAlerts() {
  return {
    ...{ name: 'Alerts', datasource: DATASOURCE, enable: true, hide: false, iconColor: 'red' },
    expr: 'ALERTS{alertname=~"Dagain.*",alertstate="firing"}',
    titleFormat: '{{alertname}}',
  };
}

function variables() {
  const labels = (name: string, label: string, of: string) => ({
    ...{ name, label, type: 'query', datasource: DATASOURCE, refresh: 2, sort: 1, hide: 0, skipUrlSync: false },
    ...{ multi: true, includeAll: true, allValue: '.*', current: { text: ['All'], value: ['$__all'] } },
    ...{ query: { query: of, refId: name }, options: [], regex: '' },
  });
  const text = (name: string, label: string, value: string) => ({
    ...{ name, label, type: 'textbox', hide: 0, skipUrlSync: false, query: value },
    ...{ current: { text: value, value }, options: [{ selected: true, text: value, value }] },
  });
  return [
    {
      ...{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', hide: 0, refresh: 1 },
      ...{ multi: false, includeAll: false, options: [], regex: '', skipUrlSync: false },
    },
    labels('namespace', 'Namespace', 'label_values(dagain_build_info, namespace)'),
    labels('job', 'Job', 'label_values(dagain_build_info{namespace=~"$namespace"}, job)'),
    labels('instance', 'Replica', 'label_values(dagain_build_info{namespace=~"$namespace",job=~"$job"}, instance)'),
    text('page', 'Page', 'http://127.0.0.1:8484'),
    text('runbook', 'Runbook', 'https://wiki.example/dagain'),
  ];
}

/** Rows one below the other, panels from the left to the right. */
function layOut(rows: readonly RowSpec[]): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push(rowPanel(panels.length + 1, row.title, y));
    y += 1;
    let x = 0;
    let lineHeight = 0;
    for (const spec of row.panels) {
      if (x + spec.width > COLUMNS) {
        x = 0;
        y += lineHeight;
      }
      lineHeight = HEIGHT[spec.kind];
      panels.push(panel(panels.length + 1, spec, { x, y, w: spec.width, h: lineHeight }));
      x += spec.width;
    }
    y += lineHeight;
  }
  return panels;
}

function rowPanel(id: number, title: string, y: number) {
  return { id, type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: COLUMNS, h: 1 }, panels: [] };
}

function panel(id: number, spec: PanelSpec, gridPos: { x: number; y: number; w: number; h: number }) {
  const { kind, title, about } = spec;
  return {
    ...{ id, type: kind, title, description: about, gridPos, datasource: DATASOURCE },
    targets: spec.queries.map(([expr, legend], index) => ({
      ...{
        refId: String.fromCharCode(65 + index),
        datasource: DATASOURCE,
        editorMode: 'code',
        range: kind === 'timeseries',
      },
      ...{ instant: kind === 'stat', expr: expr.replaceAll('$sel', SELECTION), legendFormat: legend },
    })),
    fieldConfig: { defaults: { unit: spec.unit, min: 0, ...coloursOf(spec), custom: customOf(spec) }, overrides: [] },
    options: kind === 'stat' ? statOptions(spec) : GRAPH_OPTIONS,
  };
}

function coloursOf({ kind, colours }: PanelSpec) {
  if (kind === 'timeseries') return { color: { mode: 'palette-classic' } };
  const steps = (colours ?? [[null, 'blue']]).map(([value, color]) => ({ color, value }));
  return { color: { mode: 'thresholds' }, thresholds: { mode: 'absolute', steps } };
}

function customOf({ kind, isStacked = false }: PanelSpec) {
  if (kind === 'stat') return {};
  return {
    ...{ drawStyle: 'line', lineWidth: 1, fillOpacity: isStacked ? 30 : 5, showPoints: 'never', spanNulls: false },
    stacking: { group: 'A', mode: isStacked ? 'normal' : 'none' },
  };
}

function statOptions({ showsName = false }: PanelSpec) {
  return {
    ...{ colorMode: 'value', graphMode: 'none', justifyMode: 'auto', orientation: 'auto' },
    textMode: showsName ? 'name' : 'value',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  };
}

const GRAPH_OPTIONS = {
  legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: true },
  tooltip: { mode: 'multi', sort: 'desc' },
};
