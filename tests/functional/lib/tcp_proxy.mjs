// A network between two programs that can be bad: it falls silent, drops its connections, resets them, or refuses new ones.
import net from 'node:net';

export class TcpProxy {
  static async start(targetPort) {
    const self = new TcpProxy();
    self.targetPort = targetPort;
    self.pairs = new Set();   // [client, server]
    self.isSilent = false;
    await self.open(0);
    return self;
  }

  async open(port = this.port) {
    this.server = net.createServer({ allowHalfOpen: false, noDelay: true }, (client) => {
      const server = net.connect({ port: this.targetPort, host: '127.0.0.1', noDelay: true });
      const pair = [client, server];
      this.pairs.add(pair);
      for (const [from, to] of [[client, server], [server, client]]) {
        from.on('error', () => {});
        from.on('close', () => {
          this.pairs.delete(pair);
          to.destroy();
        });
        from.pipe(to);
      }
      if (this.isSilent) this.#quieten(pair);
    });
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(port, '127.0.0.1', resolve));
    this.port = this.server.address().port;
  }

  #quieten([client, server]) {
    for (const [from, to] of [[client, server], [server, client]]) {
      from.unpipe(to);
      from.pause();
    }
  }

  // Nothing passes, and nobody is told: what was sent arrives when it is over.
  fallSilent() {
    this.isSilent = true;
    for (const pair of this.pairs) this.#quieten(pair);
  }
  speakAgain() {
    this.isSilent = false;
    for (const [client, server] of this.pairs) {
      client.pipe(server);
      server.pipe(client);
    }
  }

  // Every connection ends, by a reset.
  reset() {
    for (const [client, server] of this.pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  // Every connection ends, and no new one is taken until open().
  async cut() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const [client, server] of this.pairs) {
      client.destroy();
      server.destroy();
    }
    await closed;
  }

  async stop() {
    if (this.server.listening) await this.cut();
  }
}
