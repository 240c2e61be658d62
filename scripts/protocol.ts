/**
 * Room: scripts (level 8). `npm run protocol [-- FILE]`: writes docs/protocol.md, or FILE, from the schemas of the messages.
 */
import { writeFileSync } from 'node:fs';
import { protocolDocument } from '../cluster/wire/document.ts';

writeFileSync(process.argv[2] ?? 'docs/protocol.md', protocolDocument());
