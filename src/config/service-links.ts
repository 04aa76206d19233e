import type { Variables } from './setting.ts';

const LINK =
  /^DAGAIN_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const LINK_PORT = /^DAGAIN_(?:\w+_)?PORT$/;
const LINK_PORT_VALUE = /^(?:tcp|udp|sctp):\/\//;

/**
 * The variables without those that Kubernetes puts into each container of a namespace for a Service named `dagain` or
 * `dagain-...`; one of them is `DAGAIN_PORT=tcp://...`.
 * @see https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
export function withoutServiceLinks(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([name, value]) => !isServiceLink(name, value ?? '')));
}

function isServiceLink(name: string, value: string): boolean {
  return LINK.test(name) || (LINK_PORT.test(name) && LINK_PORT_VALUE.test(value));
}
