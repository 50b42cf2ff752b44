'use strict';
// What a managed Node.js runs: it speaks to the server over descriptor 3, and ends with it.
//
// It was started for its function, or long before and has waited for one since. Then nothing is known of any function
// until INIT comes, and what will be done is done once beforehand, with a function of the runtime's own, so that the
// first real one finds everything loaded, compiled and in memory.

const net = require('node:net');
const apis = require('./apis.cjs');
const compiling = require('./compiling.cjs');
const loader = require('./loader.cjs');
const { rehearse } = require('./rehearsal.cjs');
const { Runtime } = require('./runtime.cjs');
const streaming = require('./streaming.cjs');

const CONTROL = 3;
const INSIDE = { layers: ['/opt'], runtime: '/var/runtime' };

const places = process.argv[2] ? JSON.parse(process.argv[2]) : INSIDE;
const waits = process.env.AWS_EXECUTION_ENV === undefined; // else its variables are there, and those that a wrapper adds
process.argv.length = 2;
if (process.env.UV_USE_IO_URING === '0') delete process.env.UV_USE_IO_URING; // see launch.py

/** Have the function's variables, its modules' places, its log, its directory; the generation of its runtime. */
function setUp(meta, logs) {
  const { environment } = meta;
  if (waits) replaceVariables(environment);
  const identifier = /nodejs(\d+)\.x$/.exec(environment.AWS_EXECUTION_ENV ?? '');
  const generation = Number((identifier ?? /(\d+)/.exec(process.versions.node))[1]);
  process.env.NODE_PATH ||= loader.searchPath(generation, places, meta.task_root);
  logs.setUp(environment);
  process.chdir(meta.task_root);
  loader.useSearchPath();
  streaming.provide(environment);
  if (places === INSIDE) compiling.use(meta.task_root, meta.handler, meta.layers);
  return generation;
}

/** What is as it should be is left alone: to be told of its time zone costs V8 some milliseconds. */
function replaceVariables(environment) {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  for (const [name, value] of Object.entries(environment)) if (process.env[name] !== value) process.env[name] = value;
}

async function main() {
  apis.reach();
  if (waits) await rehearse(setUp);
  new Runtime(new net.Socket({ fd: CONTROL, readable: true, writable: true }), setUp).run();
}

main();
