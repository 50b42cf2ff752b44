'use strict';
// The compile cache: what V8 makes of a module when it first reads it, kept beside the package, read-only here.
//
// `compile` fills it, in a sandbox that does nothing else: no call comes, nothing can be reached, and of a function
// nothing is known but its package and its handler. `use` is what instances do. Node.js calls the directory of a cache
// by its version, its flags and the user id, and every instance has an id of its own. So it is given an empty one, and
// in the place of that is put a link to the package's. Nothing of this is needed: what goes wrong makes it slower.

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const frames = require('./frames.cjs');
const loader = require('./loader.cjs');

const KEPT = '.mayfly-node'; // in the package; `services/functions/code/compile_cache.py` puts it there
const OWN = '/dev/shm/.node'; // of the instance
const PATIENCE_MS = 3000; // with an init that waits for what it cannot reach

/** Have the function's modules come from its package's cache, where it has one. */
function use(taskRoot, handler, layers) {
  const kept = path.join(taskRoot, KEPT);
  if (!fs.existsSync(kept)) return;
  try {
    const directory = enable();
    if (directory === undefined) return;
    fs.rmdirSync(directory);
    fs.symlinkSync(path.join(kept, keyOf(directory), placeOf(handler, layers)), directory);
  } catch {
    // as if there were none
  }
}

/**
 * Load the function that `meta` names, and tell what was compiled; then whoever asked ends this process.
 *
 * Its init has none of its variables and may well fail, wait for ever or leave: by then most is loaded.
 */
function compile(meta, setUp, logs, socket) {
  const directory = enable();
  let told = false;
  const finish = () => {
    if (!told) tell(directory, socket);
    told = true;
  };
  for (const event of ['uncaughtException', 'unhandledRejection']) process.removeAllListeners(event).on(event, finish);
  process.exit = finish;
  setTimeout(finish, PATIENCE_MS);
  try {
    setUp(meta, logs);
    loader.load(meta.task_root, meta.handler).then(finish, finish);
  } catch {
    finish();
  }
}

function tell(directory, socket) {
  socket.ref();
  if (directory === undefined) {
    socket.write(frames.encode(frames.COMPILED, { key: '' }));
    return;
  }
  Module.flushCompileCache();
  for (const name of fs.readdirSync(directory)) {
    socket.write(frames.encode(frames.ARTIFACT, { name }, fs.readFileSync(path.join(directory, name))));
  }
  socket.write(frames.encode(frames.COMPILED, { key: keyOf(directory) }));
}

/** The directory of a cache that is in force from now on; undefined where this Node.js has none, or another is. */
function enable() {
  if (!Module.flushCompileCache) return undefined;
  const { status } = Module.enableCompileCache(OWN);
  return status === Module.constants.compileCacheStatus.ENABLED ? Module.getCompileCacheDir() : undefined;
}

/** What a cache is good for: the directory's name without the user's id. */
function keyOf(directory) {
  return path.basename(directory).replace(/-\d+$/, '');
}

/** Below that, one directory a handler, and layers beside it: which modules are loaded follows from these. */
function placeOf(handler, layers) {
  const named = Buffer.from(handler).toString('base64url');
  return layers ? `${named}.${layers}` : named;
}

module.exports = { use, compile };
