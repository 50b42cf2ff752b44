// The CDK looks at stacks every five seconds; with this it does so four times a second.
const patient = globalThis.setTimeout;
const impatient = (act, delay, ...rest) => patient(act, delay === 5000 ? 250 : delay, ...rest);
globalThis.setTimeout = Object.defineProperties(impatient, Object.getOwnPropertyDescriptors(patient));
