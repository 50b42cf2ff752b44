'use strict';
// From a handler's name to the function: `directory/module.path.to.function`, as AWS resolves it.
//
// CommonJS and ES modules are told apart by the file's name and the nearest package.json. Where modules are looked for:
// the function's own directories, those of layers, those of the runtime; ES modules find them there as well.

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { RuntimeFault, importFault } = require('./failures.cjs');

const TYPESCRIPT_FROM = 24;
const major = Number(process.versions.node.split('.')[0]);

/** Where modules that the function does not bring are looked for, by the generation of the runtime identifier. */
function searchPath(generation, places, taskRoot) {
  const layers = places.layers.flatMap((layer) => [
    `${layer}/nodejs/node${generation}/node_modules`,
    `${layer}/nodejs/node_modules`,
  ]);
  return [...layers, `${places.runtime}/node_modules`, places.runtime, taskRoot].join(':');
}

/** Make NODE_PATH, which Node.js reads when it starts, count from now on; for ES modules too, which it ignores. */
function useSearchPath() {
  Module._initPaths();
  const directories = (process.env.NODE_PATH ?? '').split(':').filter((one) => one.endsWith('node_modules'));
  const unseen = directories.filter((one) => fs.existsSync(one) && !isSeenFromEverywhere(one));
  if (unseen.length === 0) return;
  if (Module.registerHooks) require('./resolving.cjs').inThisThread(unseen);
  else Module.register(pathToFileURL(path.join(__dirname, 'resolving.mjs')), { data: { directories: unseen } });
}

/** Whether modules in it are found without more ado: a sandbox has the runtime's at the root of its file system. */
function isSeenFromEverywhere(directory) {
  return fs.existsSync('/node_modules') && fs.realpathSync('/node_modules') === fs.realpathSync(directory);
}

/** The handler: a function. Throws what loading the module throws, or a `RuntimeFault`. */
async function load(taskRoot, name) {
  if (name.includes('..')) {
    throw new RuntimeFault(
      'MalformedHandlerName',
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(name);
  const directory = name.slice(0, name.lastIndexOf(base));
  const dot = base.indexOf('.');
  if (dot < 0) throw new RuntimeFault('MalformedHandlerName', 'Bad handler');
  const loaded = await importModule(taskRoot, directory, base.slice(0, dot));
  const handler = base
    .slice(dot + 1)
    .split('.')
    .reduce((found, key) => found && found[key], loaded);
  if (!handler) throw new RuntimeFault('HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new RuntimeFault('HandlerNotFound', `${name} is not a function`);
  return handler;
}

async function importModule(taskRoot, directory, name) {
  try {
    return await find(taskRoot, directory, name);
  } catch (error) {
    if (error instanceof SyntaxError) throw importFault('UserCodeSyntaxError', error);
    if (error?.code === 'MODULE_NOT_FOUND') throw importFault('ImportModuleError', error);
    throw error;
  }
}

/** The module's exports: of the first file that is there, in AWS's order; else of a package of that name. */
async function find(taskRoot, directory, name) {
  const file = path.resolve(taskRoot, directory, name);
  const require = Module.createRequire(path.join(taskRoot, '/'));
  const isModule = isInModulePackage(path.dirname(file));
  const typescript = major >= TYPESCRIPT_FROM;
  const candidates = [
    ['', false],
    ...(isModule ? [] : [['.js', false]]),
    ...(isModule ? [['.js', true]] : []),
    ['.mjs', true],
    ['.cjs', false],
    ...(typescript ? [['.ts', isModule], ['.mts', true], ['.cts', false]] : []),
  ];
  for (const [extension, esm] of candidates) {
    const candidate = file + extension;
    if (!fs.existsSync(candidate)) continue;
    return esm ? import(pathToFileURL(candidate).href) : require(candidate);
  }
  return require(require.resolve(name, { paths: [taskRoot, path.resolve(taskRoot, directory)] }));
}

/** Whether the nearest package.json says that `.js` files are ES modules. */
function isInModulePackage(directory) {
  for (let here = directory; !here.endsWith('/node_modules'); here = path.dirname(here)) {
    const description = path.join(here, 'package.json');
    if (fs.existsSync(description)) return isModulePackage(description);
    if (here === path.dirname(here)) break;
  }
  return false;
}

function isModulePackage(description) {
  try {
    return JSON.parse(fs.readFileSync(description, 'utf8'))?.type === 'module';
  } catch (error) {
    console.warn(`${description} cannot be read, it will be ignored for ES module detection purposes.`, error);
    return false;
  }
}

module.exports = { load, searchPath, useSearchPath };
