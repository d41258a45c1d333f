// Browser tests of the console, in real Chromium over the real binary's demo.
//
//   RINGFENCE=path/to/ringfence CHROMIUM=/usr/bin/chromium node run.mjs [--pictures DIR] [--only WORDS]
//
// Every page as each role, light and dark, on a phone and on a desk, with script and without; the story step by step; steps
// that take two people; the keyboard. On each page: no violation of WCAG 2.2 A and AA that axe finds, nothing refused by the
// content security policy, no failed request, nothing wider than the screen, less than 100 kB.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const binary = process.env.RINGFENCE ?? here("../../target/debug/ringfence");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : null);
const pictures = option("--pictures");
const only = option("--only");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGE_MAX_BYTES = 100_000;
const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

/** Starts the demo and resolves when its story is told, with its address and the links that sign in. */
async function startDemo() {
  const demo = spawn(binary, ["--json", "demo", "--volume", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: demo.stdout });
  for await (const line of lines) {
    const told = JSON.parse(line);
    if (told.console) return { demo, url: told.url, links: Object.fromEntries(told.console.map((l) => [l.who, l.link])) };
  }
  throw new Error("the demo ended before it told where its console is");
}

let checks = 0;
/** Runs one named test; a failure names it. */
async function test(name, work) {
  if (only && !name.includes(only)) return;
  const begun = Date.now();
  try {
    await work();
    checks += 1;
    console.log(`ok ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    console.error(`FAILED ${name}\n${error.stack}`);
    process.exitCode = 1;
  }
}

/** A page that notes everything that goes wrong on it. */
async function open(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.faults = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.faults.push(message.text());
  });
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("requestfailed", (request) => page.faults.push(`${request.url()} ${request.failure()?.errorText}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(hub.url)) page.faults.push(`a request to elsewhere: ${request.url()}`);
  });
  return page;
}

/** Holds a page to what every page has to be. */
async function hold(page, path, hasScript) {
  const response = await page.goto(hub.url + path, { waitUntil: "load" });
  assert.equal(response.status(), 200, path);
  const bytes = (await response.body()).length;
  assert.ok(bytes < PAGE_MAX_BYTES, `${path} has ${bytes} bytes`);
  await inspect(page, path, hasScript);
}

/** Without script there is no axe; the markup is the same. */
async function inspect(page, path, hasScript = true) {
  assert.equal(await page.locator("h1").count(), 1, `${path} has one first heading`);
  assert.deepEqual(page.faults, [], path);
  if (!hasScript) return;
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const told = found.violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html + "\n    " + n.failureSummary).join("\n  ")}`);
  assert.deepEqual(told, [], path);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `${path} is ${wide} pixels wider than the screen`);
}

const hub = await startDemo();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
process.on("exit", () => hub.demo.kill("SIGTERM"));

/** The cookies of each role, whose links sign in once. */
const signedIn = {};
for (const [who, link] of Object.entries(hub.links)) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const response = await page.goto(link);
  assert.equal(response.status(), 200, who);
  signedIn[who] = { state: await context.storageState(), landed: new URL(page.url()).pathname };
  await context.close();
}
const symantec = signedIn["an officer"].landed;
assert.match(symantec, /^\/members\/member:[0-9a-f]{16}$/);

const as = (who, options = {}) =>
  browser.newContext({ storageState: signedIn[who]?.state, viewport: DESK, ...options });

const at = (day, known = "2019-04-01") => `${symantec}?tier=cleared&as_of=${day}&known=${known}`;
const forPeople = ["/", "/members", "/members?q=sym&tier=cleared&standing=listed", symantec, at("2008-03-01"), at("2011-11-15"),
  at("2012-03-31"), `${at("2008-03-01")}&end=stake-symantec`, `${at("2008-03-01")}&add=huawei+holds+%2825%25%2C50%25%5D+symantec`,
  `${symantec}/holds`, "/programme/compare", "/ties/at/stake-symantec", "/account",
  "/hits", "/programme", "/programme?cases=run", "/ledger", "/ledger?kind=decision", "/ledger/entries/1", "/first-run",
  "/ties", "/ties?q=huawei", "/ties/lists", "/ties/matches", "/ties/unsettled", "/content", "/release"];
const pagesOf = {
  "an officer": forPeople,
  "an overseer": forPeople,
  "Symantec itself": ["/", symantec, at("2008-03-01"), "/account", "/me/feed", "/me/contributions", "/me/credentials", "/me/guard",
    "/me/attestation", "/ledger"],
  nobody: ["/sign-in"],
};

for (const [who, paths] of Object.entries(pagesOf)) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [device, viewport] of [["desk", DESK], ["phone", PHONE]]) {
      for (const javaScriptEnabled of [true, false]) {
        const how = `${colorScheme}, ${device}, ${javaScriptEnabled ? "with" : "without"} script`;
        await test(`every page as ${who}, ${how}`, async () => {
          const context = await as(who, { colorScheme, viewport, javaScriptEnabled });
          const page = await open(context);
          for (const path of paths) await hold(page, path, javaScriptEnabled);
          await context.close();
        });
      }
    }
  }
}

const STORY = [
  ["2008-03-01", "the rules suspend Symantec on cleared because it co-owns Huawei Symantec Technologies (49 %) with Huawei (51 %), a party of concern since 2007-05-01"],
  ["2011-11-15", "the rules suspend Symantec on cleared because it co-owns Huawei Symantec Technologies (49 %) with Huawei (51 %)"],
  ["2012-03-31", "the rules let Symantec only with conditions onto the list of cleared because it licenses"],
  ["2019-04-01", "the rules find nothing against Symantec on cleared"],
];
for (const javaScriptEnabled of [true, false]) {
  await test(`the story, step by step, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    const context = await as("an officer", { javaScriptEnabled });
    const page = await open(context);
    await page.goto(hub.url + at("2007-12-31"));
    for (const [day, sentence] of STORY) {
      await page.getByLabel("As of", { exact: true }).fill(day);
      await page.getByRole("button", { name: "Show", exact: true }).click();
      const story = await page.locator(".story").innerText();
      assert.ok(story.includes(sentence), `${day}: ${story}`);
      assert.equal(new URL(page.url()).searchParams.get("as_of"), day);
      if (pictures && javaScriptEnabled) {
        mkdirSync(pictures, { recursive: true });
        await page.setViewportSize({ width: 1280, height: 1120 });
        await page.screenshot({ path: `${pictures}/symantec-${day.slice(0, 4)}.png` });
      }
    }
    await page.getByRole("link", { name: /^←/ }).click();
    assert.equal(new URL(page.url()).searchParams.get("as_of"), "2019-03-30", "the royalties end then");
    assert.deepEqual(page.faults, []);
    await context.close();
  });
}

await test("a slider moves the day, by the keyboard too", async () => {
  const context = await as("an officer");
  const page = await open(context);
  await page.goto(hub.url + at("2008-03-01"));
  const slider = page.getByRole("slider", { name: "As of, slider" });
  await slider.focus();
  await Promise.all([page.waitForURL(/as_of=2008-03-02/), page.keyboard.press("ArrowRight")]);
  assert.ok((await page.locator(".story").innerText()).startsWith("On 2008-03-02"));
  await context.close();
});

await test("the keyboard reaches the page first, and the focus can be seen", async () => {
  const context = await as("an officer");
  const page = await open(context);
  await page.goto(hub.url + at("2008-03-01"));
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the page");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  const box = page.locator(".picture a").first();
  await box.focus();
  assert.ok(await box.evaluate((element) => element.matches(":focus-visible")));
  await context.close();
});

await test("a click on a tie shows its statements, and what if shows the decision", async () => {
  const context = await as("an overseer");
  const page = await open(context);
  await page.goto(hub.url + at("2008-03-01"));
  await page.locator(".picture a", { hasText: "49 %" }).click();
  assert.ok((await page.locator("main").innerText()).includes("Reuters, 2011-11-14"));
  await page.goBack();
  await page.getByRole("checkbox", { name: "As if ended: Symantec holds 49 %" }).check();
  await page.getByRole("button", { name: "What if?" }).click();
  assert.ok((await page.locator("#what-if").innerText()).includes("where the rules now say suspend"));
  await context.close();
});

for (const javaScriptEnabled of [true, false]) {
  await test(`a tie is supposed by its fields, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    const context = await as("an overseer", { javaScriptEnabled });
    const page = await open(context);
    await page.goto(hub.url + at("2019-04-01"));
    await page.getByLabel("From", { exact: true }).fill("Huawei");
    await page.locator("fieldset.suppose select").selectOption("holds");
    await page.getByLabel("To", { exact: true }).fill("symantec");
    await page.getByLabel("Share", { exact: true }).fill("60");
    await page.getByRole("button", { name: "What if?" }).click();
    assert.equal(new URL(page.url()).searchParams.get("add"), "huawei holds 60 symantec");
    assert.ok((await page.locator("#what-if").innerText()).includes("Symantec would be barred on cleared"));
    await inspect(page, "what if a tie began", javaScriptEnabled);
    await context.close();
  });

  await test(`a folder is compared with what is in force, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "programme-"));
    cpSync(new URL("../../programmes/jcsp", import.meta.url), folder, { recursive: true });
    for (const name of readdirSync(join(folder, "rules"))) {
      const path = join(folder, "rules", name);
      writeFileSync(path, readFileSync(path, "utf8").replaceAll('@grade("suspend")', '@grade("bar")'));
    }
    const buffer = execFileSync("tar", ["-czf", "-", "-C", folder, "."]);
    const context = await as("an officer", { javaScriptEnabled });
    const page = await open(context);
    await page.goto(`${hub.url}/programme/compare`);
    await page.locator("input[type=file]").setInputFiles({ name: "jcsp.tar.gz", mimeType: "application/gzip", buffer });
    await page.getByRole("button", { name: "Compare it with the one in force" }).click();
    await page.getByRole("heading", { name: "Whom it would move" }).waitFor();
    assert.ok((await page.locator(".story").innerText()).includes("other than before"));
    await page.locator("summary", { hasText: "rules/" }).first().click();
    await inspect(page, "two versions compared", javaScriptEnabled);
    await context.close();
  });
}

for (const javaScriptEnabled of [true, false]) {
  await test(`a removal takes two officers, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    const tier = javaScriptEnabled ? "open" : "programme";
    const [one, two] = await Promise.all(["an officer", "another officer"].map((who) => as(who, { javaScriptEnabled })));
    const [first, second] = [await open(one), await open(two)];
    const path = `${symantec}?tier=${tier}#actions`;
    await first.goto(hub.url + path);
    await first.getByLabel("Change it to").selectOption("removed");
    await first.locator("form.fields", { hasText: "Take the step" }).getByLabel("Reason").fill("it asked to leave");
    await first.getByRole("button", { name: "Take the step" }).click();
    assert.ok((await first.getByRole("status").innerText()).includes("1 of 2 agreed; another person has to."));
    await second.goto(`${hub.url}/`);
    await second.getByRole("link", { name: "Symantec" }).first().click();
    await second.getByRole("button", { name: "Agree" }).click();
    assert.ok((await second.getByRole("status").innerText()).includes(`It is now removed on ${tier}`));
    await inspect(second, "after the step", javaScriptEnabled);
    await Promise.all([one.close(), two.close()]);
  });
}

await test("signing out ends it, and going back shows nothing", async () => {
  const context = await as("an overseer");
  const page = await open(context);
  await page.goto(`${hub.url}/members`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in$/);
  await page.goto(`${hub.url}/members`);
  assert.match(page.url(), /\/sign-in\?next=/);
  await context.close();
});

await browser.close();
console.log(`${checks} tests held${process.exitCode ? ", others failed" : ""}`);
process.exit();
