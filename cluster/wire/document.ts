/**
 * Room: cluster (level 7), wire. `docs/protocol.md` as a pure function of the message schemas: what it says of fields and
 * limits is what `checkMessage` holds. The prose around the tables is here.
 */
import { z } from 'zod';
import { integerRule } from '../../src/check.ts';
import { maxHeaderBytes } from './header.ts';
import { messageKinds, protocolVersion } from './messages.ts';

type Schema = z.core.JSONSchema.JSONSchema;

/** Told once, not with every message. */
const envelope = ['type', 'version', 'generation', 'step'];

const introduction = `# Protocol

How the processes of a run talk: protocol version ${protocolVersion}. \`npm run protocol\` writes this file from the schemas in \`cluster/wire/messages.ts\`.

## Frames

Every message is one binary WebSocket message, without compression:

\`\`\`
u32 header length, little-endian | header in msgpack | zeros up to a multiple of 8 | payload
\`\`\`

- The header takes 1 to ${maxHeaderBytes} bytes: one map of plain data (maps, lists, texts, numbers, booleans, null). Binary and extension values are
  refused, and so are bytes after its end.
- The payload is raw numbers, little-endian, from a multiple of 8 on to the end of the message. Most messages have none.
- Every header has \`type\` (the name of the message), \`version\` (${protocolVersion}), \`generation\` (the sender's membership; what is said of an older one to the coordinator changes
  nothing and is counted; on the links of a generation it ends the connection) and \`step\` (the last step that the sender committed).
- A field that is missing, unknown or outside its limits ends the connection with \`LOCKSTEP_PROTOCOL\`; another \`version\` ends it with \`LOCKSTEP_VERSION\`, whatever else
  the header says. Nothing received is ever executed.

## Handshake

The dialer opens the socket; then each proves to the other that it knows the token, without saying it:

1. \`challenge\` (listener): a fresh nonce.
2. \`hello\` (dialer): a nonce of its own, the proof over both, and what it is: a host for the coordinator, or the link of a host for the steps of a generation.
3. \`welcome\` (listener): its own proof.

Either may say \`refused\` and close at any time. On the link of a host to the coordinator both then send \`heartbeat\` twice a second; the links of a generation carry
nothing but its steps, and a dialer's mask there is of zeros.

## Life of a host

| what happens | messages, in order |
| --- | --- |
| it asks to take part | \`apply\` |
| it learns what the run is and gets the data it lacks | \`run\`, \`wantData\`, \`data\` ..., \`prepared\` |
| the coordinator was started again, and it holds the newest state | \`wantState\`, \`state\` ... |
| it becomes a member, or the membership changes | \`generation\`, \`state\` ... (if \`receivesState\`), \`ready\` |
| it trains | \`train\`, the steps, \`finished\` |
| it evaluates | \`evaluate\`, \`sums\`, \`finished\` |
| a rank of it dies | \`stumbled\`, then as when another host is lost |
| another host is lost | \`peerLost\` (whoever sees it), \`recall\`, \`recalled\`, then a new \`generation\` |
| it wants to go | \`leave\`, at the next step boundary \`goodbye\` |
| the run is over | \`goodbye\` |

In a step, a host sends \`statistics\` at every sync point (in a star it gets back \`merged\`), a \`contribution\` for every bucket of gradients, and its \`sums\`; it gets \`reduced\` and the
\`verdict\`, commits, and goes on. After a skipped step it sends its \`findings\`.
`;

/** The whole of `docs/protocol.md`. */
export function protocolDocument(): string {
  const messages: string[] = [];
  const parts = new Map<string, Schema>();
  for (const [type, { schema, sentence }] of messageKinds) {
    const { $defs = {}, ...described } = z.toJSONSchema(schema) as Schema;
    for (const [id, part] of Object.entries($defs)) parts.set(id, part as Schema);
    messages.push(`### ${type}\n\n${sentence}\n${fieldTable(described)}`);
  }
  const records = [...parts].map(([id, part]) => `### ${id}\n${fieldTable(part)}`);
  return [aligned(introduction), '## Messages\n', ...messages, '## Parts of messages\n', ...records].join('\n');
}

/** The fields of an object besides the envelope, one a row; nothing for an object without. */
function fieldTable(schema: Schema): string {
  const fields = Object.entries(schema.properties ?? {}).filter(([name]) => !envelope.includes(name) || schema.properties?.['type'] === undefined);
  if (fields.length === 0) return '';
  const rows = fields.map(([name, field]) => `| \`${name}\` | ${words(field as Schema)}${schema.required?.includes(name) ? '' : '; may be missing'} |`);
  return aligned(['', '| field | value |', '| --- | --- |', ...rows, ''].join('\n'));
}

/** The rule of a value in words. */
function words(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const id = schema.$ref.slice('#/$defs/'.length);
    return `[${id}](#${id.toLowerCase()})`;
  }
  if (schema.type === 'array') return `${schema.description}, each ${words(schema.items as Schema)}`;
  if (schema.description !== undefined) return schema.description;
  if (schema.enum !== undefined) return schema.enum.map((option) => `\`${String(option)}\``).join(' or ');
  if (schema.type === 'integer') return integerRule(schema.minimum!, schema.maximum);
  if (schema.type === 'boolean') return 'true or false';
  throw new TypeError(`Expected a schema with words for ${JSON.stringify(schema)}; add them here.`);
}

/** The text with the columns of its tables padded to their widest cell. */
function aligned(text: string): string {
  return text.replace(/(?:^\|.*\|\n)+/gm, (table) => {
    const rows = table.trimEnd().split('\n');
    const cells = rows.map((row) => row.slice(2, -2).split(' | '));
    const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
    return cells.map((row) => `| ${row.map((cell, column) => (cell === '---' ? '-'.repeat(widths[column]!) : cell.padEnd(widths[column]!))).join(' | ')} |\n`).join('');
  });
}
