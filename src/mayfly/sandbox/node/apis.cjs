'use strict';
// Lets a function reach APIs of the platform by the names that AWS gives them, through the platform's endpoint.
//
// Functions behind WebSocket APIs answer their clients at `https://{domainName}/{stage}/@connections/…`, with the domain
// name that events have. No sandbox has names, TLS of the platform's or a way there; it has AWS_ENDPOINT_URL. So a request
// to such a host goes there, signed for the host that it names, which is how the platform knows the API.

const http = require('node:http');
const https = require('node:https');
const { syncBuiltinESMExports } = require('node:module');

const MANAGED = /^\/([^?#]*\/)?(@|%40)connections\//;
const API = /^[a-z0-9]{1,64}\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/;

/** A URL, from one or its text; null for anything else. */
function asUrl(given) {
  if (given instanceof URL) return given;
  return typeof given === 'string' && URL.canParse(given) ? new URL(given) : null;
}

/** The arguments of `https.request` for `http.request` at the platform; null: the request is for somebody else. */
function redirected(args) {
  const endpoint = process.env.AWS_ENDPOINT_URL;
  if (!endpoint) return null;
  const named = asUrl(args[0]);
  const given = (named ? args.find((one, at) => at > 0 && typeof one === 'object' && one !== null) : args[0]) ?? {};
  const host = String(given.hostname ?? given.host ?? named?.hostname ?? '').replace(/:443$/, '');
  const to = new URL(endpoint);
  const path = String(given.path ?? named?.pathname ?? '');
  const mine = API.test(host) || (MANAGED.test(path) && host !== '' && !host.includes(':') && host !== to.hostname);
  if (!mine) return null;
  const headers = Array.isArray(given.headers) ? given.headers : { ...given.headers };
  if (!Array.isArray(headers) && !Object.keys(headers).some((name) => name.toLowerCase() === 'host')) {
    headers.host = host;
  }
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

/** Have `https` do so from now on, for modules of both kinds. */
function reach() {
  const { request, get } = https;
  https.request = function (...args) {
    const there = redirected(args);
    return there ? http.request(...there) : request.apply(this, args);
  };
  https.get = function (...args) {
    const there = redirected(args);
    return there ? http.get(...there) : get.apply(this, args);
  };
  syncBuiltinESMExports();
}

module.exports = { reach, redirected };
