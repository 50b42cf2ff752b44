// A function for the rehearsal, as an ES module.

export const handler = async (event, context) => ({ event, left: context.getRemainingTimeInMillis() });
