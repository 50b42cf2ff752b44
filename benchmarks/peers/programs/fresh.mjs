// Serves each path by a worker of its own, which is loaded when the path is first asked for.
import hello from "hello.txt";

export default {
  async fetch(request, env) {
    const worker = env.LOADER.get(new URL(request.url).pathname, async () => ({
      compatibilityDate: "2026-01-01",
      mainModule: "hello.js",
      modules: { "hello.js": hello },
      globalOutbound: null,
    }));
    return worker.getEntrypoint().fetch(request);
  },
};
