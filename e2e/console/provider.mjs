// A provider of OpenID Connect for the browser tests, and a proxy in front of a hub, whose address is known before the hub
// is there: that is how a hub with a provider stands in the world.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createServer, request } from "node:http";

const listen = (server) =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)));

/** Who can sign in there. */
export const PEOPLE = {
  olga: { name: "Olga Officer", groups: ["staff", "csirt-officers"] },
  oskar: { name: "Oskar Overseer", groups: ["csirt-audit"] },
  nora: { name: "Nora Nobody", groups: ["staff"] },
};

/** Starts a provider. `redirect()` is where its client is registered to be sent back to. */
export async function startProvider(redirect) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "ES256" };
  const codes = new Map();
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const html = (title, body) =>
    `<!doctype html><html lang="en"><title>${title}</title><link rel="icon" href="data:,"><h1>${title}</h1>${body}`;

  const answers = {
    "/.well-known/openid-configuration": () => ({
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      jwks_uri: `${url}/keys`,
      end_session_endpoint: `${url}/end`,
      response_types_supported: ["code"],
      id_token_signing_alg_values_supported: ["ES256"],
      code_challenge_methods_supported: ["S256"],
    }),
    "/keys": () => ({ keys: [jwk] }),
    "/authorize": (query) => {
      assert.equal(query.get("redirect_uri"), redirect());
      assert.equal(query.get("code_challenge_method"), "S256");
      const link = ([who, { name }]) => {
        const code = randomBytes(16).toString("hex");
        codes.set(code, { who, query });
        const back = new URLSearchParams({ code, state: query.get("state") });
        return `<p><a href="${redirect()}?${back.toString().replaceAll("&", "&amp;")}">${name}</a></p>`;
      };
      const refusal = new URLSearchParams({ error: "access_denied", state: query.get("state") });
      const leave = `<p><a href="${redirect()}?${refusal.toString().replaceAll("&", "&amp;")}">Leave</a></p>`;
      return html("Who are you?", Object.entries(PEOPLE).map(link).join("") + leave);
    },
    "/token": (_, form) => {
      const code = codes.get(form.get("code"));
      codes.delete(form.get("code"));
      const challenge = createHash("sha256").update(form.get("code_verifier")).digest("base64url");
      if (!code || code.query.get("code_challenge") !== challenge) return { error: "invalid_grant" };
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: url, sub: code.who, aud: code.query.get("client_id"), nonce: code.query.get("nonce"), iat: now, exp: now + 300,
        ...PEOPLE[code.who],
      };
      const signed = `${part({ alg: "ES256", kid: "one" })}.${part(claims)}`;
      const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return { token_type: "Bearer", access_token: "none", id_token: `${signed}.${signature.toString("base64url")}` };
    },
    "/end": (query) => html("Signed out", `<p><a href="${query.get("post_logout_redirect_uri")}">Back</a></p>`),
  };
  const server = createServer(async (asked, answer) => {
    let body = "";
    for await (const piece of asked) body += piece;
    const { pathname, searchParams } = new URL(asked.url, "http://provider");
    const said = answers[pathname]?.(searchParams, new URLSearchParams(body));
    const isPage = typeof said === "string";
    const status = said === undefined ? 404 : said.error ? 400 : 200;
    answer.writeHead(status, { "content-type": isPage ? "text/html; charset=utf-8" : "application/json" });
    answer.end(isPage ? said : JSON.stringify(said ?? {}));
  });
  const url = await listen(server);
  return { url, server };
}

/** Starts a proxy that passes everything on to where `to` says by then. */
export async function startProxy() {
  const proxy = { to: null };
  proxy.server = createServer((asked, answer) => {
    const { hostname, port } = new URL(proxy.to);
    const passed = request(
      { hostname, port, method: asked.method, path: asked.url, headers: asked.headers, agent: false },
      (reply) => {
        answer.writeHead(reply.statusCode, reply.rawHeaders);
        reply.pipe(answer);
      },
    );
    // A browser that leaves takes its question with it.
    passed.on("error", () => answer.destroy());
    asked.on("aborted", () => passed.destroy());
    asked.pipe(passed);
  });
  proxy.url = await listen(proxy.server);
  return proxy;
}
