'use strict';
// Points the Serverless Framework 3 at the platform: it stands on version 2 of the AWS SDK for JavaScript, which does not read
// AWS_ENDPOINT_URL. Loaded before it by NODE_OPTIONS, as `mayfly env --serverless` prints; other programs are left as they are.

const Module = require('node:module');

const endpoint = process.env.AWS_ENDPOINT_URL;
const load = Module._load;
let configured = false;

/** Sets the SDK's own configuration, once, when somebody loads it. */
function loadAndPoint(request, parent, isMain) {
  const loaded = load.call(this, request, parent, isMain);
  if (!configured && request === 'aws-sdk' && typeof loaded?.config?.update === 'function') {
    configured = true;
    loaded.config.update({ endpoint, s3ForcePathStyle: true });
  }
  return loaded;
}

if (endpoint) Module._load = loadAndPoint;
