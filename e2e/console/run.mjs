// Browser tests of the console, in real Chromium over the real binary.
//
//   RINGFENCE=path/to/ringfence CHROMIUM=/usr/bin/chromium node run.mjs [--pictures DIR] [--only WORDS]
//
// Every page as each role, light and dark, on a phone and on a desk, with script and without; the story step by step; steps
// that take two people; the keyboard. On each page: no violation of WCAG 2.2 A and AA that axe finds, nothing refused by the
// content security policy, no failed request, nothing wider than the screen, less than 100 kB.
//
// Here is the demo's hub: all of its pages, and the story. What people do on them stands in `actions.mjs`; a hub from its
// beginning, and signing in by a provider, in `beginning.mjs`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actions } from "./actions.mjs";
import { beginning } from "./beginning.mjs";
import { decisions } from "./decisions.mjs";
import { graphs } from "./graphs.mjs";
import { DESK, WAYS, browser, end, go, hold, inspectAll, nothingIsLeftOut, open, pictures, startDemo, test } from "./harness.mjs";
import { scripts } from "./scripts.mjs";

const hub = await startDemo();

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
  "/alerts", "/hits", "/programme", "/programme?cases=run", "/ledger", "/ledger?kind=decision", "/ledger/entries/1", "/first-run",
  "/entities/symantec", "/ties", "/ties?q=huawei", "/ties/import", "/ties/lists", "/ties/lists?list=concern", "/ties/matches", "/ties/unsettled", "/content", "/release",
  "/release?collection=indicators"];
const pagesOf = {
  "an officer": forPeople,
  "an overseer": forPeople,
  "Symantec itself": ["/", symantec, at("2008-03-01"), "/account", "/me/feed", "/me/contributions", "/me/credentials", "/me/guard",
    "/me/attestation", "/ledger"],
  nobody: ["/sign-in"],
};

for (const [who, paths] of Object.entries(pagesOf)) {
  for (const { javaScriptEnabled, how } of WAYS) {
    await test(`every page as ${who}, ${how}`, async () => {
      const context = await as(who, { javaScriptEnabled });
      const page = await open(context, hub.url);
      for (const path of paths) await hold(page, hub.url + path, javaScriptEnabled);
      await context.close();
    });
  }
}

const STORY = [
  ["2008-03-01", "the rules suspend Symantec on cleared because it co-owns Huawei Symantec Technologies (49 %) with Huawei (51 %), a party of concern since 2007-05-01"],
  ["2011-11-15", "the rules suspend Symantec on cleared because it co-owns Huawei Symantec Technologies (49 %) with Huawei (51 %)"],
  ["2012-03-31", "the rules let Symantec only with conditions onto the list of cleared because it licenses"],
  ["2019-04-01", "the rules find nothing against Symantec on cleared"],
];
for (const javaScriptEnabled of [true, false]) {
  await test(`the story, step by step, ${javaScriptEnabled ? "by the slider" : "without script"}`, async () => {
    const context = await as("an officer", { javaScriptEnabled });
    const page = await open(context, hub.url);
    await page.goto(hub.url + at("2007-12-31"));
    for (const [day, sentence] of STORY) {
      if (javaScriptEnabled) {
        const slider = page.getByRole("slider", { name: "As of, slider" });
        await Promise.all([page.waitForEvent("load"), slider.fill(String(Date.parse(`${day}T00:00:00Z`) / 86_400_000))]);
      } else {
        await page.getByLabel("As of", { exact: true }).fill(day);
        await go(page, page.getByRole("button", { name: "Show", exact: true }));
      }
      const story = await page.locator(".story").innerText();
      assert.ok(story.includes(sentence), `${day}: ${story}`);
      assert.equal(new URL(page.url()).searchParams.get("as_of"), day);
      if (pictures && javaScriptEnabled) {
        mkdirSync(pictures, { recursive: true });
        await page.setViewportSize({ width: 1280, height: 1120 });
        await page.screenshot({ path: `${pictures}/symantec-${day.slice(0, 4)}.png` });
      }
    }
    await go(page, page.getByRole("link", { name: /^←/ }));
    assert.equal(new URL(page.url()).searchParams.get("as_of"), "2019-03-30", "the royalties end then");
    assert.deepEqual(page.faults, []);
    await context.close();
  });
}

await test("a slider moves the day, by the keyboard too", async () => {
  const context = await as("an officer");
  const page = await open(context, hub.url);
  await page.goto(hub.url + at("2008-03-01"));
  const slider = page.getByRole("slider", { name: "As of, slider" });
  await slider.focus();
  await Promise.all([page.waitForURL(/as_of=2008-03-02/), page.keyboard.press("ArrowRight")]);
  assert.ok((await page.locator(".story").innerText()).startsWith("On 2008-03-02"));
  await context.close();
});

await test("the keyboard reaches the page first, and the focus can be seen", async () => {
  const context = await as("an officer");
  const page = await open(context, hub.url);
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

await test("a click on a tie leads to its statements without script, and what if shows the decision", async () => {
  const context = await as("an overseer", { javaScriptEnabled: false });
  const page = await open(context, hub.url);
  await page.goto(hub.url + at("2008-03-01"));
  await go(page, page.locator(".picture a", { hasText: "49 %" }));
  assert.ok((await page.locator("main").innerText()).includes("Reuters, 2011-11-14"));
  await page.goBack();
  await page.getByRole("checkbox", { name: "As if ended: Symantec holds 49 %" }).check();
  await go(page, page.getByRole("button", { name: "What if?" }));
  assert.ok((await page.locator("#what-if").innerText()).includes("where the rules now say suspend"));
  await context.close();
});

await scripts({ hub, as, symantec });
await actions({ hub, as, symantec });
await decisions({ hub, as, symantec });

for (const { javaScriptEnabled, how } of WAYS) {
  await test(`a tie is supposed by its fields, ${how}`, async () => {
    const context = await as("an overseer", { javaScriptEnabled });
    const page = await open(context, hub.url);
    await page.goto(hub.url + at("2019-04-01"));
    await page.getByLabel("From", { exact: true }).fill("Huawei");
    await page.locator("fieldset.suppose select").selectOption("holds");
    await page.getByLabel("To", { exact: true }).fill("symantec");
    await page.getByLabel("Share", { exact: true }).fill("60");
    await go(page, page.getByRole("button", { name: "What if?" }));
    assert.equal(new URL(page.url()).searchParams.get("add"), "huawei holds 60 symantec");
    assert.ok((await page.locator("#what-if").innerText()).includes("Symantec would be barred on cleared"));
    await inspectAll(page, "what if a tie began", javaScriptEnabled);
    await context.close();
  });

  await test(`a folder is compared with what is in force, ${how}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "programme-"));
    cpSync(new URL("../../programmes/jcsp", import.meta.url), folder, { recursive: true });
    for (const name of readdirSync(join(folder, "rules"))) {
      const path = join(folder, "rules", name);
      writeFileSync(path, readFileSync(path, "utf8").replaceAll('@grade("suspend")', '@grade("bar")'));
    }
    const buffer = execFileSync("tar", ["-czf", "-", "-C", folder, "."]);
    rmSync(folder, { recursive: true });
    const context = await as("an officer", { javaScriptEnabled });
    const page = await open(context, hub.url);
    await page.goto(`${hub.url}/programme/compare`);
    await page.locator("input[type=file]").setInputFiles({ name: "jcsp.tar.gz", mimeType: "application/gzip", buffer });
    await go(page, page.getByRole("button", { name: "Compare it with the one in force" }));
    await page.getByRole("heading", { name: "Whom it would move" }).waitFor();
    assert.ok((await page.locator(".story").innerText()).includes("other than before"));
    await page.locator("summary", { hasText: "rules/" }).first().click();
    await inspectAll(page, "two versions compared", javaScriptEnabled);
    await context.close();
  });
}

for (const { javaScriptEnabled, how } of WAYS) {
  await test(`a removal takes two officers, ${how}`, async () => {
    const tier = javaScriptEnabled ? "open" : "programme";
    const [one, two] = await Promise.all(["an officer", "another officer"].map((who) => as(who, { javaScriptEnabled })));
    const [first, second] = [await open(one, hub.url), await open(two, hub.url)];
    const path = `${symantec}?tier=${tier}#actions`;
    await first.goto(hub.url + path);
    await first.getByLabel("Change it to").selectOption("removed");
    await first.locator("form.fields", { hasText: "Take the step" }).getByLabel("Reason").fill("it asked to leave");
    await go(first, first.getByRole("button", { name: "Take the step" }));
    assert.ok((await first.getByRole("status").innerText()).includes("1 of 2 agreed; another person has to."));
    await second.goto(`${hub.url}/`);
    await go(second, second.getByRole("link", { name: "Symantec" }).first());
    await go(second, second.getByRole("button", { name: "Agree" }));
    assert.ok((await second.getByRole("status").innerText()).includes(`It is now removed on ${tier}`));
    await inspectAll(second, "after the step", javaScriptEnabled);
    await Promise.all([one.close(), two.close()]);
  });
}

await test("signing out ends it, and going back shows nothing", async () => {
  const context = await as("an overseer");
  const page = await open(context, hub.url);
  await page.goto(`${hub.url}/members`);
  await go(page, page.getByRole("button", { name: "Sign out" }));
  assert.match(page.url(), /\/sign-in$/);
  await page.goto(`${hub.url}/members`);
  assert.match(page.url(), /\/sign-in\?next=/);
  await context.close();
});

await graphs();
await beginning();
await nothingIsLeftOut();
await end();
