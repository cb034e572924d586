// A client of server-sent events (WHATWG HTML, 9.2) that keeps everything, and does not reconnect by itself.
import http from 'node:http';
import https from 'node:https';

export class EventSource {
  messages = [];
  lastEventId = '';

  // Resolves when the stream has begun; rejects with the status of an answer that is none. options: how to connect.
  static open(url, headers, lastEventId, options = {}) {
    const self = new EventSource();
    const { get } = url.startsWith('https:') ? https : http;
    return new Promise((resolve, reject) => {
      self.request = get(url, { ...options, headers: { ...headers, accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': lastEventId } : {}) } }, (response) => {
        if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (text) => {
          const blocks = (rest + text).split('\n\n');
          rest = blocks.pop();
          for (const block of blocks) self.#take(block);
          resolve(self);
        });
        self.ended = new Promise((done) => response.once('close', done));
        response.on('error', () => {});
      });
      self.request.on('error', reject);
    });
  }

  #take(block) {
    const message = { event: 'message', data: undefined };
    for (const line of block.split('\n')) {
      const [, field, value] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
      if (field === 'id') this.lastEventId = value;
      if (field === 'event') message.event = value;
      if (field === 'data') message.data = message.data === undefined ? value : `${message.data}\n${value}`;
    }
    if (message.data !== undefined) this.messages.push({ ...message, id: this.lastEventId });
  }

  close() {
    this.request.destroy();
  }
}
