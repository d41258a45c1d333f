// A hub from its beginning: from an empty data directory to a member that polls; and a hub whose people sign in by a provider.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DESK, WAYS, browser, go, hold, inspectAll, open, run, start, test } from "./harness.mjs";
import { PEOPLE, startProvider, startProxy } from "./provider.mjs";

const scratch = mkdtempSync(join(tmpdir(), "ringfence-beginning-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const BUNDLE = {
  type: "bundle",
  id: "bundle--0a3e9c1e-5d3f-4c55-9b9e-0d6f6f6f0001",
  objects: [
    {
      type: "indicator",
      spec_version: "2.1",
      id: "indicator--0a3e9c1e-5d3f-4c55-9b9e-0d6f6f6f0002",
      created: "2026-01-05T00:00:00.000Z",
      modified: "2026-01-05T00:00:00.000Z",
      name: "A first indicator",
      pattern: "[domain-name:value = 'first.example']",
      pattern_type: "stix",
      valid_from: "2026-01-05T00:00:00Z",
      object_marking_refs: ["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"],
    },
  ],
};

const told = (page, role = "status") => page.getByRole(role).innerText();

/** A hub over an empty data directory, behind a proxy; by a provider if one is asked for. */
export async function startHub(name, { byProvider } = {}) {
  const [programme, data, file] = ["programme", "data", "oidc.toml"].map((part) => join(scratch, `${name}-${part}`));
  const made = await run(["init", programme]);
  assert.equal(made.code, 0, made.said);
  const proxy = await startProxy();
  const args = ["hub", "--programme", programme, "--data", data, "--listen", "127.0.0.1:0", "--log", "error", "--public-url", proxy.url];
  let provider = null;
  if (byProvider) {
    provider = await startProvider(() => `${proxy.url}/sign-in/provider/back`);
    const roles = '[roles]\nofficer = ["csirt-officers"]\noverseer = ["csirt-audit"]\n';
    writeFileSync(file, `issuer = "${provider.url}"\nclient_id = "ringfence"\ntitle = "Example CSIRT"\n${roles}`);
    args.push("--oidc", file);
  }
  const hub = await start(args, (said) => said.url);
  proxy.to = hub.url;
  const stop = () => {
    hub.child.kill("SIGTERM");
    proxy.server.close();
    provider?.server.close();
  };
  return { url: proxy.url, token: readFileSync(hub.token_file, "utf8").trim(), provider, stop };
}

async function firstRun({ javaScriptEnabled, how }) {
  await test(`from an empty directory to a member that polls, ${how}`, async () => {
    const hub = await startHub(`first-${javaScriptEnabled}`);
    const context = await browser.newContext({ viewport: DESK, javaScriptEnabled });
    const page = await open(context, hub.url);
    const steps = (state) => page.getByRole("heading", { level: 2, name: new RegExp(`${state}$`) }).count();

    await page.goto(hub.url);
    await page.getByText("Sign in with a token").click();
    await page.getByLabel("Token").fill(hub.token);
    await go(page, page.getByRole("button", { name: "Sign in with the token" }));
    await go(page, page.locator("a[href='/first-run']").first());
    assert.equal(await steps("to do"), 4);
    await inspectAll(page, "the first steps", javaScriptEnabled);

    await page.getByLabel("Person's name").fill("B. Birch");
    await page.getByLabel("Login").fill("b.birch");
    await page.getByLabel("Password, at least 12 characters").fill("a long one of her own");
    await page.getByLabel("Role").selectOption("operator");
    await go(page, page.getByRole("button", { name: "Make the account" }));
    assert.match(await told(page), /b\.birch can sign in/);

    // From here on with her own account.
    await go(page, page.getByRole("button", { name: "Sign out" }));
    await page.goto(`${hub.url}/first-run`);
    await page.getByLabel("Login").fill("b.birch");
    await page.getByLabel("Password").fill("a long one of her own");
    await go(page, page.getByRole("button", { name: "Sign in", exact: true }));
    assert.equal(await steps("done"), 1);
    await page.getByLabel("Name", { exact: true }).fill("Acme Hosting");
    await go(page, page.getByRole("button", { name: "Admit it" }));
    assert.match(await told(page), /Acme Hosting is in the registry/);
    await go(page, page.getByRole("button", { name: "Make a token" }));
    const token = (await page.getByRole("region", { name: "Token", exact: true }).innerText()).trim();
    const command = await page.getByRole("region", { name: "Command", exact: true }).innerText();
    assert.match(token, /^rf_/);
    await inspectAll(page, "the token of a first member", javaScriptEnabled);

    // What the pages say, word for word: publish something, and ask as the member.
    const [program, ...words] = (await page.getByRole("region", { name: "How to publish" }).innerText()).trim().split(" ");
    assert.equal(program, "ringfence");
    writeFileSync(join(scratch, "bundle.json"), JSON.stringify(BUNDLE));
    const published = await run(words, { RINGFENCE_HUB: hub.url, RINGFENCE_TOKEN: hub.token }, scratch);
    const asked = command.match(/(http\S+)\s*$/)[1];
    assert.equal(published.code, 0, published.said);
    const polled = await fetch(asked, {
      headers: { Authorization: `Bearer ${token}`, Accept: "application/taxii+json;version=2.1" },
    });
    assert.equal(polled.status, 200);
    const objects = (await polled.json()).objects ?? [];
    assert.ok(objects.some((object) => object.id === BUNDLE.objects[0].id), JSON.stringify(objects));

    await page.goto(`${hub.url}/first-run`);
    assert.ok(!(await page.content()).includes(token), "a token is shown once");
    assert.deepEqual([await steps("done"), await steps("to do")], [4, 0]);
    await inspectAll(page, "the first steps, done", javaScriptEnabled);

    // The member sees its own pages with the same token.
    const own = await browser.newContext({ viewport: DESK, javaScriptEnabled });
    const member = await open(own, hub.url);
    await member.goto(`${hub.url}/sign-in`);
    await member.getByText("Sign in with a token").click();
    await member.getByLabel("Token").fill(token);
    await go(member, member.getByRole("button", { name: "Sign in with the token" }));
    assert.equal(await member.locator("h1").innerText(), "Acme Hosting");
    await inspectAll(member, "the first member's own page", javaScriptEnabled);
    await Promise.all([context.close(), own.close()]);
    hub.stop();
  });
}

async function byProvider() {
  let hub;
  await test("a hub starts with a provider", async () => {
    hub = await startHub("provider", { byProvider: true });
  });
  if (!hub) return;
  const others = { olga: "officer", oskar: "overseer" };
  for (const { javaScriptEnabled, how } of WAYS) {
    for (const [who, role] of Object.entries(others)) {
      await test(`${role} signs in by the provider and out again, ${how}`, async () => {
        const context = await browser.newContext({ viewport: DESK, javaScriptEnabled });
        const page = await open(context, hub.url, hub.provider.url, "data:");
        await hold(page, `${hub.url}/sign-in?next=/members`, javaScriptEnabled);
        await inspectAll(page, "signing in with a provider", javaScriptEnabled);
        await go(page, page.getByRole("link", { name: "Sign in with Example CSIRT" }));
        await go(page, page.getByRole("link", { name: PEOPLE[who].name }));
        assert.equal(await page.locator("h1").innerText(), "Members");
        assert.equal(new URL(page.url()).pathname, "/members");
        await go(page, page.getByRole("link", { name: `${PEOPLE[who].name}, ${role}` }));
        assert.match(await page.locator("main").innerText(), /You signed in by that provider/);
        await inspectAll(page, "the account of somebody by the provider", javaScriptEnabled);
        await go(page, page.getByRole("button", { name: "Sign out" }));
        assert.match(await told(page), /You are signed out here/);
        await inspectAll(page, "signed out here", javaScriptEnabled);
        await go(page, page.getByRole("link", { name: "sign out there too" }));
        assert.equal(await page.locator("h1").innerText(), "Signed out");
        await go(page, page.getByRole("link", { name: "Back" }));
        assert.equal(await page.locator("h1").innerText(), "Sign in");
        await page.goto(`${hub.url}/members`);
        assert.match(page.url(), /\/sign-in\?next=/);
        assert.deepEqual(page.faults, []);
        await context.close();
      });
    }

    await test(`whom the provider gives no role is told so, ${how}`, async () => {
      const context = await browser.newContext({ viewport: DESK, javaScriptEnabled });
      const page = await open(context, hub.url, hub.provider.url, "data:");
      for (const [choice, why] of [
        ["Nora Nobody", /your groups at Example CSIRT give you no role here/i],
        ["Leave", /Example CSIRT did not let you in/],
      ]) {
        await page.goto(`${hub.url}/sign-in/provider?next=//evil.example`);
        await go(page, page.getByRole("link", { name: choice }));
        assert.match(await told(page, "alert"), why);
        // The browser says of a refusal that it is one.
        page.faults = page.faults.filter((fault) => !fault.includes("status of 403"));
        await inspectAll(page, `a refusal: ${choice}`, javaScriptEnabled);
        await page.goto(`${hub.url}/members`);
        assert.match(page.url(), /\/sign-in\?next=/);
      }
      await context.close();
    });
  }
  hub.stop();
}

export async function beginning() {
  for (const way of WAYS) await firstRun(way);
  await byProvider();
}
