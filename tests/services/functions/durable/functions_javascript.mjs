// Durable functions as somebody writes them for AWS, on the SDK that AWS publishes. Deployed by tests: `do` in the event
// says which of the operations a handler uses.
import { withDurableExecution } from "@aws/durable-execution-sdk-js";

// When to try again, and when to ask again.
export const retryStrategy = (error, attempts) =>
  attempts < 3 ? { shouldRetry: true, delay: { seconds: 1 } } : { shouldRetry: false };

export const waitStrategy = (state) =>
  state < 3 ? { shouldContinue: true, delay: { seconds: 1 } } : { shouldContinue: false };

const work = {
  steps: async (event, context) => {
    const one = await context.step("one", async () => 1);
    const two = await context.step("two", async () => one + 1);
    return await context.step("three", async () => two + event.last);
  },
  flaky: async (event, context) =>
    await context.step(
      "flaky",
      async () => {
        globalThis.attempts = (globalThis.attempts ?? 0) + 1;
        if (globalThis.attempts < 3) throw new Error(`attempt ${globalThis.attempts}`);
        return globalThis.attempts;
      },
      { retryStrategy },
    ),
  wait: async (event, context) => {
    context.logger.info("before", { mark: event.mark });
    await context.wait("rest", { seconds: 1 });
    context.logger.info("after", { mark: event.mark });
    return "rested";
  },
  approval: async (event, context) =>
    await context.waitForCallback("approval", async (callbackId) => void callbackId, { timeout: { seconds: 60 } }),
  poll: async (event, context) =>
    await context.waitForCondition("poll", async (state) => state + 1, { initialState: 0, waitStrategy }),
  parallel: async (event, context) => {
    const found = await context.parallel("both", [
      async (branch) => { await branch.wait({ seconds: 1 }); return "slow"; },
      async (branch) => await branch.step("quick", async () => "quick"),
    ]);
    return found.getResults();
  },
  map: async (event, context) => {
    const found = await context.map("squares", event.values, async (item, value, index) =>
      await item.step(`square-${index}`, async () => value * value));
    return found.getResults();
  },
  child: async (event, context) =>
    await context.runInChildContext("child", async (inner) => await inner.step("in", async () => 42)),
  invoke: async (event, context) => await context.invoke("chained", event.function, event.payload),
  raise: async () => { throw new RangeError("nothing here"); },
};

export const handler = withDurableExecution(async (event, context) => await work[event.do](event, context));
