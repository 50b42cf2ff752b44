'use strict';
// Lets a function reach APIs of the platform by the names that AWS gives them, through the platform's endpoint.
//
// Functions behind WebSocket APIs answer their clients at `https://{domainName}/{stage}/@connections/…`, with the domain
// name that events have. No sandbox has names, TLS of the platform's or a way there; it has AWS_ENDPOINT_URL. So a request
// to such a host goes there, signed for the host that it names, which is how the platform knows the API.
//
// AWS's SDKs for JavaScript send what is for a queue to the host of the queue's URL. A template gives that as whoever
// deployed it reached the platform, on a port that no sandbox has: what is for a queue on this machine goes there, too.

const http = require('node:http');
const https = require('node:https');
const { syncBuiltinESMExports } = require('node:module');

const MANAGED = /^\/([^?#]*\/)?(@|%40)connections\//;
const API = /^[a-z0-9]{1,64}\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/;

const OF_QUEUES = /^AmazonSQS\./; // the operation, in X-Amz-Target
const HERE = /^(127\.0\.0\.1|localhost|\[?::1\]?)$/;

/** A URL, from one or its text; null for anything else. */
function asUrl(given) {
  if (given instanceof URL) return given;
  return typeof given === 'string' && URL.canParse(given) ? new URL(given) : null;
}

/** A header among those of a request, whatever its case; '' where they are a list, or it is not there. */
function header(given, wanted) {
  const found = Array.isArray(given) ? [] : Object.entries(given ?? {});
  return String(found.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? '');
}

/** The arguments of a `request` for `http.request` at the platform; null: the request is for somebody else. */
function redirected(args) {
  const endpoint = process.env.AWS_ENDPOINT_URL;
  if (!endpoint) return null;
  const named = asUrl(args[0]);
  const given = (named ? args.find((one, at) => at > 0 && typeof one === 'object' && one !== null) : args[0]) ?? {};
  const host = String(given.hostname ?? given.host ?? named?.hostname ?? '').replace(/:443$/, '');
  const to = new URL(endpoint);
  const path = String(given.path ?? named?.pathname ?? '');
  const ofQueue = HERE.test(host) && OF_QUEUES.test(header(given.headers, 'x-amz-target'));
  if (ofQueue && String(given.port ?? named?.port ?? '') === to.port) return null; // it goes there already
  const managed = MANAGED.test(path) && host !== '' && !host.includes(':') && host !== to.hostname;
  const mine = ofQueue || managed || API.test(host);
  if (!mine) return null;
  const headers = Array.isArray(given.headers) ? given.headers : { ...given.headers };
  if (!Array.isArray(headers) && !header(headers, 'host')) headers.host = host;
  const options = {
    path: named ? named.pathname + named.search : '/',
    ...given,
    protocol: 'http:',
    host: to.hostname,
    hostname: to.hostname,
    port: to.port || 80,
    headers,
    agent: undefined,
  };
  const callback = args.find((one) => typeof one === 'function');
  return callback ? [options, callback] : [options];
}

/** Have `http` and `https` do so from now on, for modules of both kinds. */
function reach() {
  const plain = { request: http.request, get: http.get };
  for (const module of [http, https]) {
    for (const name of ['request', 'get']) {
      const original = module[name];
      module[name] = function (...args) {
        const there = redirected(args);
        return there ? plain[name](...there) : original.apply(this, args);
      };
    }
  }
  syncBuiltinESMExports();
}

module.exports = { reach, redirected };
