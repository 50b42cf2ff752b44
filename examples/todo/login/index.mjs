// Turns the code that a mini program got from wx.login() into a token, and publishes the key that tokens are signed with.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { GetParameterCommand, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";

const { ISSUER, AUDIENCE, SESSION_URL, KEY } = process.env;
const LIVES_S = 3600;
const ssm = new SSMClient();
let known; // the key, once it was read

export const handler = async (event) => {
  if (event.routeKey === "POST /login") return login(event);
  if (event.pathParameters.document === "openid-configuration") {
    return answer(200, { issuer: ISSUER, jwks_uri: `${ISSUER}/.well-known/jwks.json` });
  }
  if (event.pathParameters.document === "jwks.json") {
    const { publicKey, kid } = await keys();
    return answer(200, { keys: [{ ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }] });
  }
  return answer(404, { message: "Not Found" });
};

const login = async (event) => {
  let code;
  try {
    const body = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body;
    ({ code } = JSON.parse(body));
  } catch {
    code = undefined;
  }
  if (typeof code !== "string" || code === "") return answer(400, { message: 'send {"code": "…"}' });
  const user = await userOf(code);
  if (user === undefined) return answer(401, { message: "this code is good for nothing" });
  return answer(200, { token: await token(user), expiresIn: LIVES_S });
};

// Who logs in: the mini program's platform knows; for development each code is somebody.
const userOf = async (code) => {
  if (!SESSION_URL) return createHash("sha256").update(code).digest("hex").slice(0, 28);
  const said = await (await fetch(`${SESSION_URL}&js_code=${encodeURIComponent(code)}`)).json();
  return said.openid;
};

const token = async (user) => {
  const { privateKey, kid } = await keys();
  const now = Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = encode({ alg: "RS256", typ: "JWT", kid });
  const claims = encode({ iss: ISSUER, aud: AUDIENCE, sub: user, iat: now, exp: now + LIVES_S });
  const signature = sign("sha256", Buffer.from(`${head}.${claims}`), privateKey).toString("base64url");
  return `${head}.${claims}.${signature}`;
};

// One key for all instances: who comes first makes it, the parameter store keeps it encrypted.
const keys = async () => {
  if (known === undefined) {
    const privateKey = createPrivateKey((await stored()) ?? (await made()));
    const publicKey = createPublicKey(privateKey);
    const kid = createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("hex").slice(0, 16);
    known = { privateKey, publicKey, kid };
  }
  return known;
};

const stored = async () => {
  try {
    return (await ssm.send(new GetParameterCommand({ Name: KEY, WithDecryption: true }))).Parameter.Value;
  } catch (error) {
    if (error.name === "ParameterNotFound") return undefined;
    throw error;
  }
};

const made = async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const Value = privateKey.export({ type: "pkcs8", format: "pem" });
  try {
    await ssm.send(new PutParameterCommand({ Name: KEY, Value, Type: "SecureString" }));
    return Value;
  } catch (error) {
    if (error.name === "ParameterAlreadyExists") return stored(); // somebody else was first
    throw error;
  }
};

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json", "cache-control": "no-store" },
  body: JSON.stringify(body),
});
