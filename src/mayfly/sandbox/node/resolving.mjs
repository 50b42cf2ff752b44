// What `resolving.cjs` does, for versions of Node.js that resolve ES modules in a thread of their own.

import { fallBack } from './fallback.cjs';

let directories = [];

export function initialize(data) {
  directories = data.directories;
}

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    for (const parentURL of fallBack(error, specifier, directories)) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch {
        continue; // the first error says where it was imported from
      }
    }
    throw error;
  }
}
