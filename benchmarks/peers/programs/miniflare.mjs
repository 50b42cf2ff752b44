// Serves one worker on one port: node miniflare.mjs SCRIPT PORT
import { Miniflare } from "miniflare";

const [script, port] = process.argv.slice(2);
const server = new Miniflare({
  scriptPath: script,
  modules: true,
  host: "127.0.0.1",
  port: Number(port),
  compatibilityDate: "2026-01-01",
});
await server.ready;
process.on("SIGTERM", async () => {
  await server.dispose();
  process.exit(0);
});
