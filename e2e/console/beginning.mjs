// A hub from its beginning: from an empty data directory to a member that polls; and a hub whose people sign in by a provider.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DESK, WAYS, binary, browser, go, hold, inspectAll, open, run, signInByToken, start, test, told } from "./harness.mjs";
import { PEOPLE, startProvider, startProxy } from "./provider.mjs";

const scratch = mkdtempSync(join(tmpdir(), "ringfence-beginning-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

/** The code of a second factor (RFC 6238), so many steps of half a minute from now. */
function codeOf(secret, stepsAhead = 0) {
  const bits = [...secret.replaceAll(" ", "")].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + stepsAhead));
  const hash = createHmac("sha1", key).update(step).digest();
  return String((hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Does in a shell what a page says to type in, with what it then asks for. */
async function typeIn(text, answers = "") {
  const path = `${dirname(binary)}:${process.env.PATH}`;
  const { RINGFENCE_HUB: _hub, RINGFENCE_TOKEN: _token, ...env } = process.env;
  const shell = spawn("sh", ["-ec", text], { cwd: scratch, env: { ...env, PATH: path }, stdio: ["pipe", "pipe", "pipe"] });
  shell.stdin.end(answers);
  let [out, err] = ["", ""];
  shell.stdout.on("data", (piece) => (out += piece));
  shell.stderr.on("data", (piece) => (err += piece));
  const code = await new Promise((resolve) => shell.on("close", resolve));
  assert.equal(code, 0, `${text}\n${out}${err}`);
  return out;
}

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

/** From the first start to a poll: what a person opens, fills in, presses and types. */
const STEPS_MAX = 20;

async function firstRun({ javaScriptEnabled, how }) {
  await test(`from an empty directory to a member that polls, ${how}`, async () => {
    const hub = await startHub(`first-${javaScriptEnabled}`);
    const context = await browser.newContext({ viewport: DESK, javaScriptEnabled });
    const page = await open(context, hub.url);
    let steps = 0;
    const step = (work) => {
      steps += 1;
      return work;
    };
    const are = (state) => page.getByRole("heading", { level: 2, name: new RegExp(`${state}$`) }).count();
    const fill = (label, text, exact = false) => step(page.getByLabel(label, { exact }).fill(text));
    const press = (name) => step(go(page, page.getByRole("button", { name, exact: true })));

    await step(page.goto(hub.url));
    await step(page.getByText("Sign in with a token").click());
    await fill("Token", hub.token);
    await press("Sign in with the token");
    await step(go(page, page.locator("a[href='/first-run']").first()));
    assert.equal(await are("to do"), 4);
    await inspectAll(page, "the first steps", javaScriptEnabled);

    await fill("Person's name", "B. Birch");
    await fill("Login", "b.birch");
    await fill("Password, at least 12 characters", "a long one of her own");
    await step(page.getByLabel("Role").selectOption("operator"));
    await press("Make the account");
    assert.match(await told(page), /b\.birch can sign in/);
    await fill("Name", "Acme Hosting", true);
    await press("Admit it");
    assert.match(await told(page), /Acme Hosting is in the registry/);
    const publish = await page.getByRole("region", { name: "How to publish" }).innerText();
    await press("Make a token");
    const token = (await page.getByRole("region", { name: "Token", exact: true }).innerText()).trim();
    const poll = await page.getByRole("region", { name: "Command", exact: true }).innerText();
    assert.match(token, /^rf_/);
    await inspectAll(page, "the token of a first member", javaScriptEnabled);

    // What the pages say, word for word: publish something, and ask as the member.
    await step(typeIn(publish, `${hub.token}\n`));
    const [, id] = publish.match(/"(indicator--[0-9a-f-]{36})"/);
    const polled = JSON.parse(await step(typeIn(poll)));
    assert.ok(polled.objects.some((object) => object.id === id), JSON.stringify(polled));
    assert.ok(steps <= STEPS_MAX, `${steps} steps`);
    console.log(`   ${steps} steps from the first page to the first poll`);

    await page.goto(`${hub.url}/first-run`);
    assert.ok(!(await page.content()).includes(token), "a token is shown once");
    assert.deepEqual([await are("done"), await are("to do")], [4, 0]);
    await inspectAll(page, "the first steps, done", javaScriptEnabled);

    // The member sees its own pages with the same token.
    const own = await browser.newContext({ viewport: DESK, javaScriptEnabled });
    const member = await open(own, hub.url);
    await signInByToken(member, hub.url, token);
    assert.equal(await member.locator("h1").innerText(), "Acme Hosting");
    await inspectAll(member, "the first member's own page", javaScriptEnabled);
    await Promise.all([context.close(), own.close()]);
    await account(hub, { javaScriptEnabled, how });
    hub.stop();
  });
}

/** A person with an account: another password, a second factor, and signing in with both. */
async function account(hub, { javaScriptEnabled }) {
  const context = await browser.newContext({ viewport: DESK, javaScriptEnabled });
  const page = await open(context, hub.url);
  const signIn = async (password, code = "") => {
    await page.goto(`${hub.url}/sign-in?next=/account`);
    await page.getByLabel("Login").fill("b.birch");
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByLabel(/^Code of your second factor/).fill(code);
    await go(page, page.getByRole("button", { name: "Sign in", exact: true }));
  };
  const isRefused = async () => {
    assert.match(await told(page, "alert"), /\w/);
    // The browser says of a refusal that it is one.
    page.faults = page.faults.filter((fault) => !/status of 40[13]/.test(fault));
  };
  const [first, second] = ["a long one of her own", "another one, as long"];
  await signIn(first);
  await inspectAll(page, "an account with a password", javaScriptEnabled);
  await page.getByLabel("Password now").fill(first);
  await page.getByLabel(/^New password/).fill(second);
  await go(page, page.getByRole("button", { name: "Change the password" }));
  await page.goto(`${hub.url}/account`);
  assert.match(page.url(), /\/sign-in\?next=/, "another password ends the sessions of the old one");
  await signIn(first);
  await isRefused();
  await signIn(second);
  const secret = await page.locator(".secret").innerText();
  await page.getByLabel("Code", { exact: true }).fill(codeOf(secret));
  await go(page, page.getByRole("button", { name: "Ask for it from now on" }));
  await inspectAll(page, "an account with a second factor", javaScriptEnabled);
  await go(page, page.getByRole("button", { name: "Sign out" }));
  await signIn(second);
  await isRefused();
  // A code is good once, and this step's was given already.
  await signIn(second, codeOf(secret, 1));
  assert.equal(await page.locator("h1").innerText(), "Your account");
  assert.deepEqual(page.faults, []);
  await context.close();
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
