'use strict';
// Where else a package may be that an `import` did not find. Pure.

const path = require('node:path');
const { pathToFileURL } = require('node:url');

const PACKAGE = /^(@[^/]+\/)?[^./:][^:]*$/;

/** URLs to resolve `specifier` from, as if a module there imported it; none where the error is another one. */
function fallBack(error, specifier, directories) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !PACKAGE.test(specifier)) return [];
  return directories.map((directory) => pathToFileURL(path.join(path.dirname(directory), 'index.js')).href);
}

module.exports = { fallBack };
