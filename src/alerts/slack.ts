import { postJson, type Receiver } from './http-post.ts';
import type { Alert, AlertChannel } from './port.ts';
import { clipEscaped } from './text.ts';
import { causesOf, factsOf, linksOf, summarise, titleOf } from './wording.ts';

// Slack takes 3,000 characters in a section: six facts, or six causes, stay below that.
const MAX_VALUE_LENGTH = 450;
const MAX_TEXT_LENGTH = 2_000;

/** Posts to an incoming webhook of Slack (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). */
export function createSlackChannel(receiver: Receiver): AlertChannel {
  return {
    name: 'slack',
    send: (alert) => postJson(receiver, JSON.stringify(toSlackMessage(alert))),
  };
}

/** `text` is what notifications show, `blocks` what the channel shows. */
export function toSlackMessage(alert: Alert): object {
  const facts = factsOf(alert).map(([label, value]) => `*${label}*  ${toMrkdwn(value)}`);
  const causes = causesOf(alert).map((cause) => `• ${toMrkdwn(cause)}`);
  const links = linksOf(alert).map(([label, url]) => `<${url.replaceAll('&', '&amp;')}|${label}>`);
  return {
    text: toMrkdwn(summarise(alert), MAX_TEXT_LENGTH),
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: titleOf(alert) } },
      ...[facts.join('\n'), causes.join('\n'), links.join('  ·  ')].filter((text) => text !== '').map(section),
    ],
  };
}

function section(text: string): object {
  // Verbatim: what looks like a URL, a channel or a mention stays what it is, text.
  return { type: 'section', text: { type: 'mrkdwn', text, verbatim: true } };
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** By https://docs.slack.dev/messaging/formatting-message-text#escaping; then no mention and no link can be made. */
function toMrkdwn(text: string, max = MAX_VALUE_LENGTH): string {
  return clipEscaped(text, max, (character) => ENTITIES[character] ?? character);
}
