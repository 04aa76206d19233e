import { z } from 'zod';
import { setting } from './setting.ts';
import { Url } from './setting-values.ts';

const Endpoint = Url(/^https?$/, 'http://collector:4318').optional();

/**
 * Of OpenTelemetry's own variables those that decide whether and what is traced; the exporter reads the others itself.
 * As its specification asks, a value that is not known counts as the default.
 */
export const TRACING_SETTINGS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: setting(
    Endpoint,
    null,
    'OpenTelemetry collector that traces are sent to, by OTLP over HTTP; unset: nothing is traced.',
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: setting(Endpoint, null, 'The same for traces alone, as a whole URL.'),
  OTEL_TRACES_EXPORTER: setting(z.string(), 'otlp', 'none: nothing is traced.'),
  OTEL_SDK_DISABLED: setting(z.string(), 'false', 'true: nothing is traced.'),
  OTEL_TRACES_SAMPLER: setting(
    z.string(),
    'parentbased_always_on',
    'Which traces are kept: always_on, always_off, traceidratio, or parentbased_ with one of them.',
  ),
  OTEL_TRACES_SAMPLER_ARG: setting(z.string(), '1', 'The share that traceidratio keeps, 0 to 1.'),
};
