// Stands in for the chat that alerts go to: keeps what Alertmanager sends.
import { createServer } from 'node:http';

export class AlertReceiver {
  static async start() {
    const self = new AlertReceiver();
    self.bodies = [];
    const server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      self.bodies.push(text);
      response.end('ok');
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    self.port = server.address().port;
    return self;
  }

  texts() {
    return this.bodies;
  }
}
