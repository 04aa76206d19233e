import { z } from 'zod';
import type { Answer, Seen } from './receiver.ts';

/** The receivers' APIs as their documentation describes what they take: required fields, types and limits. */

const Text = (max: number) => z.string().min(1).max(max);
const PlainText = (max: number) =>
  z.strictObject({ type: z.literal('plain_text'), text: Text(max), emoji: z.boolean().optional() });
const Mrkdwn = (max: number) =>
  z.strictObject({ type: z.literal('mrkdwn'), text: Text(max), verbatim: z.boolean().optional() });

/** https://docs.slack.dev/reference/block-kit/blocks */
export const SlackMessage = z.strictObject({
  text: Text(4_000),
  unfurl_links: z.boolean(),
  unfurl_media: z.boolean(),
  blocks: z
    .array(
      z.union([
        z.strictObject({ type: z.literal('header'), text: PlainText(150) }),
        z.strictObject({ type: z.literal('section'), text: Mrkdwn(3_000) }),
      ]),
    )
    .min(1)
    .max(50),
});

/** https://developer.pagerduty.com/docs/send-alert-event */
export const PagerDutyEvent = z.discriminatedUnion('event_action', [
  z.strictObject({
    event_action: z.literal('trigger'),
    routing_key: z.string().length(32),
    dedup_key: Text(255),
    client: z.string(),
    client_url: z.url().optional(),
    links: z.array(z.strictObject({ href: z.url(), text: z.string() })),
    payload: z.strictObject({
      summary: Text(1_024),
      source: Text(255),
      severity: z.enum(['critical', 'error', 'warning', 'info']),
      timestamp: z.iso.datetime(),
      component: z.string(),
      class: z.string(),
      custom_details: z.record(z.string(), z.unknown()),
    }),
  }),
  z.strictObject({
    event_action: z.enum(['resolve', 'acknowledge']),
    routing_key: z.string().length(32),
    dedup_key: Text(255),
  }),
]);

/** https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml; an end before the start is a 400. */
export const AlertmanagerAlerts = z
  .array(
    z
      .strictObject({
        labels: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(1_000)),
        annotations: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(10_000)),
        startsAt: z.iso.datetime(),
        endsAt: z.iso.datetime(),
        generatorURL: z.url().optional(),
      })
      .refine(({ startsAt, endsAt }) => Date.parse(endsAt) >= Date.parse(startsAt), 'start time must be before end')
      .refine(({ labels }) => Object.keys(labels).length > 0, 'at least one label pair required'),
  )
  .min(1);

const TextRun = z.strictObject({
  type: z.literal('TextRun'),
  text: z.string(),
  weight: z.enum(['Bolder', 'Lighter', 'Default']).optional(),
});

/** https://adaptivecards.io/explorer, version 1.4, as a workflow's webhook trigger takes it. */
export const TeamsMessage = z.strictObject({
  type: z.literal('message'),
  attachments: z.tuple([
    z.strictObject({
      contentType: z.literal('application/vnd.microsoft.card.adaptive'),
      contentUrl: z.null(),
      content: z.strictObject({
        $schema: z.literal('http://adaptivecards.io/schemas/adaptive-card.json'),
        type: z.literal('AdaptiveCard'),
        version: z.literal('1.4'),
        msteams: z.strictObject({ width: z.literal('Full') }),
        body: z.array(
          z.discriminatedUnion('type', [
            z.strictObject({
              type: z.literal('TextBlock'),
              text: z.string(),
              weight: z.string(),
              size: z.string(),
              color: z.enum(['Good', 'Attention', 'Warning']),
            }),
            z.strictObject({ type: z.literal('RichTextBlock'), spacing: z.string(), inlines: z.array(TextRun).min(1) }),
          ]),
        ),
        actions: z.array(z.strictObject({ type: z.literal('Action.OpenUrl'), title: z.string(), url: z.url() })).max(6),
      }),
    }),
  ]),
});

/** Answers as the API does: `accepted`, or what it says to a message that it cannot read. */
export function answering(schema: z.ZodType, accepted: Answer, refused: Answer, maxBytes = 512 * 1024) {
  return ({ body, method, headers }: Seen): Answer => {
    if (method !== 'POST' || !headers['content-type']?.startsWith('application/json')) return { status: 415 };
    if (Buffer.byteLength(body) > maxBytes) return { status: 413 };
    const parsed = schema.safeParse(JSON.parse(body));
    return parsed.success ? accepted : { ...refused, body: `${refused.body ?? ''} ${z.prettifyError(parsed.error)}` };
  };
}
