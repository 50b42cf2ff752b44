'use strict';
// Does once what a function's init and first call will do, with functions of this directory: Node.js loads, compiles and
// touches for the first time what it needs for it. Nothing is left of it that a function could see.

const path = require('node:path');
const frames = require('./frames.cjs');
const { Runtime } = require('./runtime.cjs');

const DIRECTORY = path.join(__dirname, 'rehearsed');
const HANDLERS = ['module.handler', 'common.handler'];
const FIELDS = ['request', '0', 'arn', '', '', ''].join('\0');
const PATIENCE_MS = 1000;

/** `setUp` is what the runtime calls with what INIT says. */
async function rehearse(setUp) {
  const environment = { ...process.env };
  for (const handler of HANDLERS) await once(setUp, handler, environment);
  for (const file of Object.keys(require.cache)) if (file.startsWith(DIRECTORY)) delete require.cache[file];
  process.chdir('/');
}

/** One function: INIT, and a call. What it answers goes nowhere. */
function once(setUp, handler, environment) {
  const meta = { handler, environment, task_root: DIRECTORY };
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    const runtime = new Runtime({ ref() {}, unref() {}, write: (frame) => react(runtime, frame, end) }, setUp);
    runtime.hear(frames.encode(frames.INIT, meta));
  });
}

function react(runtime, frame, end) {
  if (frame.readUInt16BE(0) !== frames.READY) {
    end();
    return;
  }
  const head = Buffer.from(FIELDS);
  const header = frames.encode(frames.INVOKE, null, '{"a":[1,"b"]}', 1);
  header.writeUInt32BE(head.length, 8);
  runtime.hear(Buffer.concat([header.subarray(0, 16), head, header.subarray(16)]));
}

module.exports = { rehearse };
