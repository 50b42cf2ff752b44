'use strict';
// ES modules find packages of layers and of the runtime, as CommonJS modules do by NODE_PATH. Node.js 22.15 and later.

const Module = require('node:module');
const { fallBack } = require('./fallback.cjs');

/** Look in `directories` for what an `import` does not find otherwise. */
function inThisThread(directories) {
  Module.registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        for (const parentURL of fallBack(error, specifier, directories)) {
          try {
            return next(specifier, { ...context, parentURL });
          } catch {
            continue; // the first error says where it was imported from
          }
        }
        throw error;
      }
    },
  });
}

module.exports = { inThisThread };
