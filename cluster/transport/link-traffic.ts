/**
 * Room: cluster (level 7), transport. What crossed a link, or several: frames and their bytes, without what WebSocket, TLS and TCP add.
 */
export interface LinkTraffic {
  bytesIn: number;
  bytesOut: number;
  messagesIn: number;
  messagesOut: number;
}

export const noLinkTraffic: Readonly<LinkTraffic> = { bytesIn: 0, bytesOut: 0, messagesIn: 0, messagesOut: 0 };

export function addLinkTraffic(a: Readonly<LinkTraffic>, b: Readonly<LinkTraffic>): LinkTraffic {
  return { bytesIn: a.bytesIn + b.bytesIn, bytesOut: a.bytesOut + b.bytesOut, messagesIn: a.messagesIn + b.messagesIn, messagesOut: a.messagesOut + b.messagesOut };
}
