// Runs the Zapier app by commands: a line of JSON in, a line of JSON out. What stands in for Zapier's own servers
// (which take files) listens here. The app's folder is the argument.
'use strict';

const http = require('http');
const path = require('path');
const readline = require('readline');

const received = []; // uploads: their text, with the bytes as latin-1

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const body = Buffer.concat(pieces);
    if (request.url === '/upload') {
      received.push(body.toString('latin1'));
      response.writeHead(204).end();
      return;
    }
    const url = `http://127.0.0.1:${server.address().port}/upload`;
    const answer = { id: JSON.parse(body).id, result: { url, fields: { key: 'stashed/recording.mp3' } } };
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  });
});

server.listen(0, '127.0.0.1', () => {
  process.env.ZAPIER_BASE_ENDPOINT = `http://127.0.0.1:${server.address().port}`;
  process.env.ZAPIER_DEPLOY_KEY = 'test';
  const { createAppHandler, createAppTester } = require('zapier-platform-core');
  const App = require(path.resolve(process.argv[2]));
  const test = createAppTester(App);
  const handle = createAppHandler(App);

  const run = async ({ method, bundle }) => {
    if (method === 'validate') return (await handle({ command: 'validate' })).results;
    if (method === 'definition') return (await handle({ command: 'definition' })).results;
    if (method === 'uploads') return received;
    const called = method.split('.').reduce((part, name) => part[name], App);
    return test(called, bundle);
  };

  readline.createInterface({ input: process.stdin }).on('line', async (line) => {
    const answer = await run(JSON.parse(line)).then(
      (result) => ({ result: result === undefined ? null : result }),
      (error) => ({ error: `${error.name}: ${error.message}` }),
    );
    process.stdout.write(`=> ${JSON.stringify(answer)}\n`);
  }).on('close', () => process.exit(0));
});
