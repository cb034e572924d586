// What stands in for the gateway where a test asks what nginx sends it.
import { createServer } from 'node:http';

export class Upstream {
  // answer: (request, response) with request.text; by default the answer tells the request.
  static async start(answer) {
    const self = new Upstream();
    self.requests = [];
    self.connections = 0;   // ever
    self.open = 0;          // now
    self.answer = answer ?? ((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, raw: request.rawHeaders }));
    });
    self.server = createServer(async (request, response) => {
      request.text = '';
      try {
        for await (const chunk of request.setEncoding('utf8')) request.text += chunk;
      } catch {
        return;   // nginx gave up on it
      }
      if (request.url !== '/api/v1/health') self.requests.push({ method: request.method, url: request.url });
      self.answer(request, response);
    });
    self.server.keepAliveTimeout = 60_000;
    self.server.on('connection', (socket) => {
      ++self.connections;
      ++self.open;
      socket.on('close', () => --self.open);
    });
    await new Promise((resolve) => self.server.listen(0, '127.0.0.1', resolve));
    self.port = self.server.address().port;
    return self;
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
