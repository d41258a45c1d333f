// What people do on the pages, over the demo's hub: each action with script and without, seen by whom it concerns.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WAYS, go, hold, inspectAll, open, run, signInByToken, test, told } from "./harness.mjs";

const scratch = mkdtempSync(join(tmpdir(), "ringfence-browser-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

/** A table of ties as people keep it. */
const table = (...rows) => ({
  name: "ties.csv",
  mimeType: "text/csv",
  buffer: Buffer.from(["id,from,to,kind,votes,money,from_date,source", ...rows, ""].join("\n")),
});

export async function actions({ hub, as, symantec }) {
  const member = symantec.split("/").pop();
  /** Somebody's browser, whose pages are all held to what pages have to be. */
  const somebody = async (who, options) => {
    const context = await as(who, { ...options, acceptDownloads: true });
    return { context, page: await open(context, hub.url) };
  };
  /** The operator signs in as the first start says. */
  const operator = async (options) => {
    const one = await somebody("nobody", options);
    await signInByToken(one.page, hub.url, readFileSync(hub.token_file, "utf8").trim(), "/content");
    await one.page.waitForURL(`${hub.url}/content`);
    return one;
  };

  for (const { javaScriptEnabled, how } of WAYS) {
    await test(`an import is looked at, left, and another one recorded, ${how}`, async () => {
      const { context, page } = await somebody("an officer", { javaScriptEnabled });
      const preview = async (file, document) => {
        await page.goto(`${hub.url}/ties/import`);
        await page.getByLabel("File", { exact: true }).setInputFiles(file);
        await page.getByLabel(/^Name of the document/).fill(document);
        await go(page, page.getByRole("button", { name: "Preview" }));
        return page.getByRole("region", { name: "What ties.csv would do" });
      };
      const found = await preview(table("stake-of-the-tests,huawei,symantec,holds,60%,60%,2019-01,a-test"), "what-if");
      const moves = page.getByRole("row", { name: /Symantec cleared/ });
      assert.match(await moves.innerText(), /clear[\s\S]*(suspend|bar)/);
      assert.match(await found.innerText(), /Nothing is recorded yet/);
      await inspectAll(page, "the preview of an import", javaScriptEnabled);
      await go(page, page.getByRole("link", { name: "Leave it" }));
      await page.goto(`${hub.url}${symantec}?tier=cleared`);
      assert.ok(!(await page.locator("main").innerText()).includes("60 %"), "what was left is not recorded");

      const name = `unheard-of-${javaScriptEnabled ? "one" : "two"}`;
      const other = `${name}-other`;
      await preview(table(`${other},${other}-holding,${other},holds,30%,30%,2015-01,a-test`), other);
      const waiting = page.url();
      assert.match(waiting, /\/ties\/import\/[^/]+$/);
      const harmless = table(`${name},${name}-holding,${name},holds,30%,30%,2015-01,a-test`);
      assert.match(await (await preview(harmless, name)).innerText(), /Of whom the rules would say otherwise\s+Of nobody\./);
      await go(page, page.getByRole("button", { name: "Record it" }));
      assert.match(await told(page), /^Recorded: /);
      await inspectAll(page, "after an import", javaScriptEnabled);
      // What was computed before something was recorded has to be computed anew.
      await page.goto(waiting);
      assert.match(await page.locator("main").innerText(), /have changed since this was computed/);
      await go(page, page.getByRole("button", { name: "Compute it anew" }));
      assert.match(await page.locator("main").innerText(), /Of whom the rules would say otherwise\s+Of nobody\./);
      await page.goto(`${hub.url}/entities/${name}`);
      assert.match(await page.locator("main").innerText(), /30 %/);
      assert.match(await (await preview(harmless, name)).innerText(), /0 new/);

      await page.goto(`${hub.url}/ties/import`);
      await page.getByLabel("File", { exact: true }).setInputFiles({ ...table(), buffer: Buffer.from([0, 1, 2]) });
      await go(page, page.getByRole("button", { name: "Preview" }));
      assert.equal(await page.locator("h1").innerText(), "This cannot be done");
      await context.close();
    });

    await test(`see as a member what the rules let it have, ${how}`, async () => {
      for (const who of ["an officer", "an overseer"]) {
        const { context, page } = await somebody(who, { javaScriptEnabled });
        await page.goto(`${hub.url}/release`);
        await go(page, page.getByRole("columnheader", { name: "Symantec" }).getByRole("link"));
        assert.equal(await page.locator("h1").innerText(), "As Symantec");
        const seen = await page.getByRole("region", { name: /^Collections/ }).last().getByRole("row").allInnerTexts();
        const there = seen.filter((row) => /\tthere\t/.test(row)).length;
        assert.ok(there > 0 && seen.length > 1, seen.join("\n"));
        await inspectAll(page, "as Symantec", javaScriptEnabled);
        const response = await context.request.get(`${hub.url}/release/as/${member}?format=json`);
        const rows = await response.json();
        assert.ok(rows.length > 0, "the same as a file");
        await context.close();

        // What the member finds on its own page is what was foreseen.
        const own = await somebody("Symantec itself", { javaScriptEnabled });
        await own.page.goto(`${hub.url}/me/guard`);
        const feeds = await own.page.getByRole("group", { name: "Collections to follow" }).getByRole("checkbox").count();
        assert.equal(feeds, there);
        await own.context.close();
      }
    });

    await test(`a member takes its guard's configuration, which the guard accepts, ${how}`, async () => {
      const { context, page } = await somebody("Symantec itself", { javaScriptEnabled });
      await page.goto(`${hub.url}/me/guard`);
      const token = join(scratch, "guard.token");
      writeFileSync(token, "rf_a_token-of-the-tests\n", { mode: 0o600 });
      await page.getByLabel("Folder for its data").fill(join(scratch, "guard"));
      await page.getByLabel("File with its token").fill(token);
      await page.getByRole("checkbox").first().uncheck();
      await go(page, page.getByRole("button", { name: "Show the file" }));
      const shown = await page.getByRole("region", { name: "The configuration" }).innerText();
      await inspectAll(page, "the guard's configuration", javaScriptEnabled);
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
      assert.equal(download.suggestedFilename(), "guard.toml");
      const file = join(scratch, "guard.toml");
      await download.saveAs(file);
      const text = readFileSync(file, "utf8");
      assert.equal(text.trim(), shown.trim());
      const feeds = await page.getByRole("checkbox").count();
      assert.equal(text.split('mode = "monitor"').length - 1, feeds - 1, "one feed fewer, and each only watches");
      const checked = await run(["guard", "--check", file]);
      assert.equal(checked.code, 0, checked.said);
      await context.close();
    });

    await test(`a member attests, and what has changed is seen by its officers, ${how}`, async () => {
      const { context, page } = await somebody("Symantec itself", { javaScriptEnabled });
      await page.goto(`${hub.url}/me/attestation`);
      const questions = page.locator("form[action='/me/attestation'] fieldset");
      const count = await questions.count();
      assert.ok(count > 0);
      const file = async (answer) => {
        for (let at = 0; at < count; at += 1) {
          await questions.nth(at).getByLabel(at === 0 ? answer : "no", { exact: true }).check();
        }
        await questions.first().getByRole("textbox").fill(answer === "yes" ? "One Venture Ltd\nAnother Venture Ltd" : "");
        await page.getByLabel("Officer who answers for it").fill("Enrique Salem");
        await go(page, page.getByRole("button", { name: "File it" }));
        return told(page);
      };
      assert.match(await file("no"), /^Filed\./);
      assert.match(await file("yes"), /^Filed\./);
      await inspectAll(page, "a filed attestation", javaScriptEnabled);
      assert.equal(await questions.first().getByRole("textbox").inputValue(), "One Venture Ltd\nAnother Venture Ltd");
      const officer = await somebody("an officer", { javaScriptEnabled });
      await officer.page.goto(`${hub.url}${symantec}#record`);
      const record = await officer.page.locator("#record").innerText();
      assert.match(record, /Enrique Salem:\s+1a /);
      await officer.context.close();
      await context.close();
    });

    await test(`an object is recalled, once and for all, ${how}`, async () => {
      const { context, page } = await operator({ javaScriptEnabled });
      await hold(page, `${hub.url}/content?collection=indicators&type=indicator`, javaScriptEnabled);
      const rows = page.getByRole("region", { name: "Objects" }).getByRole("rowheader");
      const objects = rows.filter({ hasNotText: "revoked" }).getByRole("link");
      const before = await objects.count();
      const href = await objects.first().getAttribute("href");
      const id = decodeURIComponent(href.split("?")[0].split("/").pop());
      await go(page, objects.first());
      await inspectAll(page, "an object", javaScriptEnabled);
      const recall = page.getByRole("region", { name: "Recall", exact: true });
      await recall.getByLabel("Withdraw it: nobody is to have it").check();
      await recall.getByLabel("Reason, which the holders are told").fill("it names a bystander");
      await recall.getByLabel("I know that this cannot be undone").check();
      await go(page, recall.getByRole("button", { name: "Recall it" }));
      assert.ok((await told(page)).length > 0);
      await inspectAll(page, "after a recall", javaScriptEnabled);
      await page.goto(`${hub.url}/content?collection=indicators&type=indicator`);
      assert.equal(await objects.count(), before - 1, "what is left of it says that it is revoked");
      await page.goto(`${hub.url}/ledger?kind=recall`);
      const main = await page.locator("main").innerText();
      assert.ok(main.includes(id) || main.includes("recall"), main);
      await context.close();
      // Nobody gets it any more, and nobody else is shown a form for it.
      const overseer = await somebody("an overseer", { javaScriptEnabled });
      await overseer.page.goto(`${hub.url}/content/${encodeURIComponent(id)}`);
      assert.equal(await overseer.page.getByRole("button", { name: "Recall it" }).count(), 0);
      await overseer.context.close();
      for (const { user, password } of hub.members) {
        const basic = Buffer.from(`${user}:${password}`).toString("base64");
        const headers = { Authorization: `Basic ${basic}`, Accept: "application/taxii+json;version=2.1" };
        const polled = await fetch(`${hub.url}/jcsp/collections/indicators/objects/${id}/`, { headers });
        const left = polled.status === 404 ? [] : ((await polled.json()).objects ?? []);
        assert.ok(left.every((object) => object.revoked), `${polled.status} ${JSON.stringify(left)}`);
      }
    });

    await test(`a member appeals and an officer answers, ${how}`, async () => {
      const tier = javaScriptEnabled ? "open" : "programme";
      const { context, page } = await somebody("Symantec itself", { javaScriptEnabled });
      await page.goto(`${hub.url}/me/attestation`);
      await page.getByLabel("Against the decision on").selectOption(tier);
      await page.getByLabel("Why it is wrong, or no longer right").fill("the venture was sold");
      await go(page, page.getByRole("button", { name: "Appeal", exact: true }));
      assert.match(await told(page), /^Your appeal is filed/);
      const officer = await somebody("an officer", { javaScriptEnabled });
      await officer.page.goto(`${hub.url}${symantec}#record`);
      await officer.page.getByLabel("Answer", { exact: true }).fill("the sale is on record");
      await go(officer.page, officer.page.getByRole("button", { name: "Answer" }));
      assert.ok((await told(officer.page)).length > 0);
      await inspectAll(officer.page, "after an answer", javaScriptEnabled);
      await page.goto(`${hub.url}/me/attestation`);
      assert.match(await page.locator("#appeals").locator("..").innerText(), /the sale is on record/);
      await inspectAll(page, "an answered appeal", javaScriptEnabled);
      await Promise.all([context.close(), officer.context.close()]);
    });

    await test(`a proposal is withdrawn, and nothing has moved, ${how}`, async () => {
      const { context, page } = await somebody("an officer", { javaScriptEnabled });
      await page.goto(`${hub.url}${symantec}?tier=cleared#actions`);
      const before = await page.locator("#actions-title").innerText();
      await page.getByLabel("Change it to").selectOption("removed");
      await page.locator("form.fields", { hasText: "Take the step" }).getByLabel("Reason").fill("by mistake");
      await go(page, page.getByRole("button", { name: "Take the step" }));
      assert.match(await told(page), /1 of 2 agreed/);
      // The first to propose cannot be the second to agree.
      assert.equal(await page.getByRole("button", { name: "Agree" }).count(), 0);
      await inspectAll(page, "a proposal", javaScriptEnabled);
      await go(page, page.getByRole("button", { name: "Withdraw it" }));
      assert.ok((await told(page)).length > 0);
      assert.equal(await page.locator("#actions-title").innerText(), before);
      assert.equal(await page.getByRole("button", { name: "Withdraw it" }).count(), 0);
      await context.close();
    });

    await test(`what happened is new until somebody says that it was seen, ${how}`, async () => {
      const { context, page } = await somebody("an officer", { javaScriptEnabled });
      await page.goto(`${hub.url}/alerts`);
      assert.match(await page.locator("main").innerText(), /\d+ new to you/);
      assert.ok((await page.locator("li.fresh").count()) > 0);
      await inspectAll(page, "what happened", javaScriptEnabled);
      await go(page, page.getByRole("button", { name: "Mark all as seen" }));
      assert.match(await told(page), /^Marked as seen/);
      assert.equal(await page.locator("li.fresh").count(), 0);
      await page.goto(hub.url);
      assert.equal(await page.getByText("new to you").count(), 0);
      await context.close();
    });
  }
}
