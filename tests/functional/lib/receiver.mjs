// A webhook receiver that verifies with the `standardwebhooks` package, and can be slow, failing or gone.
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

export class Receiver {
  static async start({ port = 0 } = {}) {
    const self = new Receiver();
    self.deliveries = [];      // {id, headers, body, at}
    self.unverified = [];
    self.secrets = [];         // whsec_…; none: nothing is verified
    self.answer = () => ({ status: 200 });
    self.delayMs = 0;
    self.hold = undefined;     // (delivery) => a promise that the answer waits for
    self.sockets = new Set();
    self.requestedPort = port;
    await self.listen();
    return self;
  }

  async listen() {
    this.server = createServer((request, response) => this.#receive(request, response));
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(this.requestedPort, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    this.requestedPort = this.port;
    this.url = `http://127.0.0.1:${this.port}/hook`;
  }

  async #receive(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    const delivery = { id: request.headers['webhook-id'], headers: request.headers, url: request.url, method: request.method, body, at: Date.now() };
    if (this.secrets.length > 0) {
      const good = this.secrets.some((secret) => {
        try {
          new Webhook(secret).verify(body, request.headers);
          return true;
        } catch {
          return false;
        }
      });
      if (!good) {
        this.unverified.push(delivery);
        response.writeHead(401).end('bad signature');
        return;
      }
    }
    this.deliveries.push(delivery);
    const answer = this.answer(delivery, this.deliveries.length);
    await this.hold?.(delivery);
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    if (answer.destroy) {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, answer.headers ?? {}).end(answer.body ?? '');
  }

  ids() {
    return new Set(this.deliveries.map((d) => d.id));
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
