import { postJson, type Receiver } from './http-post.ts';
import type { Alert, AlertChannel } from './port.ts';
import { clip } from './text.ts';
import { causesOf, factsOf, linksOf, titleOf } from './wording.ts';

/** Posts an Adaptive Card to a Teams workflow ("post to a channel when a webhook request is received"). */
export function createTeamsChannel(receiver: Receiver): AlertChannel {
  return {
    name: 'teams',
    send: (alert) => postJson(receiver, JSON.stringify(toTeamsMessage(alert))),
  };
}

/** Teams refuses messages of more than 28 KB: what the wording leaves of an alert stays below 20. */
export function toTeamsMessage(alert: Alert): object {
  const facts = factsOf(alert).map(([label, value]) => line([`${label}  `, true], [clip(value, 500), false]));
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          msteams: { width: 'Full' },
          body: [
            { type: 'TextBlock', text: titleOf(alert), weight: 'Bolder', size: 'Medium', color: colourOf(alert) },
            ...facts,
            ...causesOf(alert).map((cause) => line([cause, false])),
          ],
          actions: linksOf(alert).map(([title, url]) => ({ type: 'Action.OpenUrl', title, url })),
        },
      },
    ],
  };
}

function colourOf({ kind }: Alert): string {
  if (kind === 'recovered') return 'Good';
  return kind === 'gave_up' ? 'Attention' : 'Warning';
}

/** Text runs show what they hold as it is, while text blocks read Markdown: a task's text can make no link or mention. */
function line(...runs: readonly (readonly [text: string, isBold: boolean])[]): object {
  const inlines = runs.map(([text, isBold]) => ({ type: 'TextRun', text, ...(isBold ? { weight: 'Bolder' } : {}) }));
  return { type: 'RichTextBlock', spacing: 'Small', inlines };
}
