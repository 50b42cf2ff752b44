'use strict';
// A function for the rehearsal, as a CommonJS module. It prints nothing, by the way that prints.

const util = require('node:util');

exports.handler = async (event, context) => {
  process.stdout.write('');
  return [util.format('%s', { event }), new Date(0).toISOString(), context.functionName];
};
