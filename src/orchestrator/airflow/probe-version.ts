import { type Finding, ok, warn } from '../../core/finding.ts';
import type { AirflowVersion } from './versions.ts';

/** The oldest and the newest minor version of each major one that the service is tested with. */
const TESTED: Readonly<Record<AirflowVersion['api'], { readonly from: number; readonly to: number }>> = {
  v1: { from: 10, to: 11 },
  v2: { from: 0, to: 3 },
};

/** Whether the service knows this version of Airflow. */
export function describeSupport({ api, version }: AirflowVersion): Finding {
  const [, major = '', minor = ''] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  const { from, to } = TESTED[api];
  const found = `Airflow ${version}, API ${api}`;
  if (Number(minor) < from && major === '2') {
    return warn(`${found}: older than what is tested`, `Upgrade Airflow to ${major}.${from} or later.`);
  }
  if (Number(minor) > to || (api === 'v2' && major !== '3')) {
    return warn(`${found}: newer than what is tested`, 'Look for a newer dagain; the API is used as of 3.3.');
  }
  return ok(found);
}
