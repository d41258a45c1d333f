//! The ledger's pages, and what the browser recomputes of them.

use std::process::Command;

use model::{Principal, Role, Standing};
use serde_json::Value;

use crate::Face;

/// A hub on which a good deal happened: members, steps, objects, a reader.
fn busy() -> (Face, model::Member, model::Member) {
    let face = Face::new();
    let (acme, caller) = face.world.member("Acme <b>Ltd</b>", &["open"]);
    let (other, _) = face.world.member("Hidden Member", &["open"]);
    for number in 0..5 {
        drop(face.world.publish("open", &[testkit::indicator(number, 1, &[])]));
    }
    let filter = taxii::ObjectFilter::default();
    face.world.exchange.objects(&caller, "open", &filter).unwrap();
    let (operator, tier) = (&face.world.operator, testkit::tier("open"));
    face.world
        .exchange
        .set_standing(operator, &other.id, &tier, Standing::Suspended, "a needle in the hay")
        .unwrap();
    (face, acme, other)
}

#[tokio::test]
async fn auditors_browse_and_search_all_entries() {
    let (face, acme, _) = busy();
    for role in [Role::Operator, Role::Officer, Role::Overseer] {
        let mut me = face.role(role).await;
        let page = face.get(&mut me, "/ledger").await.expect(200);
        let page = page
            .has(&["ringfence ledger verify", "ledger.js", "Acme &#60;b&#62;Ltd&#60;/b&#62;"])
            .lacks(&["<b>Ltd"]);
        assert!(page.text().contains("on open: from listed to suspended"), "{}", page.text());
    }
    let mut me = face.role(Role::Overseer).await;
    face.get(&mut me, "/ledger?q=NEEDLE")
        .await
        .expect(200)
        .has(&["a needle in the hay"])
        .lacks(&["<td>publication</td>"]);
    let handed = face.get(&mut me, &format!("/ledger?kind=disclosure&member={}", acme.id)).await.expect(200);
    assert!(handed.text().contains("was handed 5 objects of"), "{}", handed.text());
    face.get(&mut me, "/ledger?kind=genesis").await.expect(200).has(&["/ledger/entries/0\""]);
    face.get(&mut me, "/ledger?kind=nonsense").await.expect(400);
    face.get(&mut me, "/ledger?before=x").await.expect(400);
    let rows: Vec<Value> = serde_json::from_str(
        &face.get(&mut me, "/ledger?kind=publication&format=json").await.expect(200).body,
    )
    .unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows[0]["entry"].as_u64() > rows[4]["entry"].as_u64(), "the newest is first");
    let csv = face.get(&mut me, "/ledger?format=csv").await.expect(200);
    assert!(csv.body.starts_with("\"entry\",\"at\",\"kind\",\"member\",\"body\"\r\n"), "{}", csv.body);
}

#[tokio::test]
async fn a_long_ledger_is_read_page_by_page_without_a_gap() {
    let face = Face::new();
    for number in 0..60 {
        drop(face.world.publish("open", &[testkit::indicator(number, 1, &[])]));
    }
    let mut me = face.role(Role::Officer).await;
    let size = face.world.exchange.ledger_head().size;
    let (mut path, mut seen) = ("/ledger".to_owned(), Vec::new());
    loop {
        let page = face.get(&mut me, &path).await.expect(200);
        let links = page.body.split("<th scope=\"row\"><a href=\"/ledger/entries/").skip(1);
        seen.extend(links.map(|rest| rest.split('"').next().unwrap().parse::<u64>().unwrap()));
        let Some((before, _)) = page.body.split_once("\" rel=\"next\">Older") else { break };
        path = before.rsplit('"').next().unwrap().to_owned();
    }
    // Nothing but signing in happened in between, and that is no entry.
    assert_eq!(seen, (0..size).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn an_entry_opens_to_those_whom_it_concerns() {
    let (face, acme, other) = busy();
    let mut officer = face.role(Role::Officer).await;
    let mut me = face.sign_in(Principal::Member(acme.id.clone())).await;
    let own =
        face.get(&mut me, "/ledger").await.expect(200).lacks(&["Hidden Member", "needle", other.id.as_str()]);
    assert!(own.text().contains("was handed 5 objects"), "{}", own.text());
    let rows: Vec<Value> =
        serde_json::from_str(&face.get(&mut me, "/ledger?format=json").await.expect(200).body).unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["member"] == acme.id.as_str()), "{rows:?}");
    // Asking for another's shows nothing, as if there were none.
    face.get(&mut me, &format!("/ledger?member={}", other.id))
        .await
        .expect(200)
        .has(&["There is no such entry"]);
    let index = rows[0]["entry"].as_u64().unwrap();
    for browser in [&mut me, &mut officer] {
        let page = face.get(browser, &format!("/ledger/entries/{index}")).await.expect(200);
        page.has(&["id=\"receipt\"", "c2sp.org/tlog-proof@v1", "--receipt receipt-"]);
        let receipt = face.get(browser, &format!("/ledger/entries/{index}/receipt")).await.expect(200);
        assert!(receipt.body.starts_with("c2sp.org/tlog-proof@v1\n"), "{}", receipt.body);
    }
    let hidden = face.get(&mut me, "/ledger/entries/0").await.expect(404);
    let absent = face.get(&mut me, "/ledger/entries/999999").await.expect(404);
    assert_eq!(hidden.body, absent.body);
    face.get(&mut me, "/ledger/entries/0/receipt").await.expect(404);
    let mut reviewer = face.role(Role::Reviewer).await;
    face.get(&mut reviewer, "/ledger")
        .await
        .expect(200)
        .has(&["for the programme's auditors"])
        .lacks(&["needle"]);
    face.get(&mut reviewer, "/ledger?format=json").await.expect(403);
    face.get(&mut reviewer, "/ledger/entries/0").await.expect(404);
}

/// What a browser does with the answers of the pages, done by Node with the module that the page loads.
const CHECKS: &str = r#"
import { readFileSync } from "node:fs";
import * as proofs from "./proofs.mjs";
const { vkey, grown, receipt } = JSON.parse(readFileSync(new URL("./given.json", import.meta.url)));
const key = await proofs.readKey(vkey);
const held = [];
const heads = grown.map(({ checkpoint }) => proofs.readCheckpoint(checkpoint));
for (const [at, { from, root, proof, checkpoint }] of grown.entries()) {
  const hashes = proof.map(proofs.bytesOf);
  const { size, root: now } = heads[at];
  held.push(await proofs.isSigned(checkpoint, key));
  held.push(!(await proofs.isSigned(checkpoint.replace(`\n${size}\n`, `\n${size + 1}\n`), key)));
  held.push(await proofs.holdsConsistency(hashes, from, proofs.bytesOf(root), size, now));
  const forged = proofs.bytesOf(root);
  forged[3] ^= 1;
  held.push(!(await proofs.holdsConsistency(hashes, from, forged, size, now)));
}
const { opening, index, proof, note, body } = proofs.readReceipt(receipt);
const head = proofs.readCheckpoint(note);
const leaf = await proofs.leafOf(opening);
held.push(await proofs.holdsInclusion(proof, index, leaf, head.size, head.root));
held.push(!(await proofs.holdsInclusion(proof, index + 1, leaf, head.size, head.root)));
opening[40] ^= 1;
held.push(!(await proofs.holdsInclusion(proof, index, await proofs.leafOf(opening), head.size, head.root)));
held.push(JSON.parse(body).kind === "publication");
held.push((await proofs.readKey(vkey.replace("+", "x+"))) === null);
console.log(JSON.stringify(held));
"#;

#[tokio::test]
async fn the_browser_verifies_what_the_pages_hand_it() {
    if !peers::has("the_browser_verifies_what_the_pages_hand_it", &["node"]) {
        return;
    }
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    let mut roots = Vec::new();
    for number in 0..9 {
        let head = face.world.exchange.ledger_head();
        roots.push((head.size, head.root.to_string()));
        drop(face.world.publish("open", &[testkit::indicator(number, 1, &[])]));
    }
    let mut grown = Vec::new();
    for (size, root) in &roots {
        let told = face.get(&mut me, &format!("/ledger/growth?from={size}")).await.expect(200);
        let mut told: Value = serde_json::from_str(&told.body).unwrap();
        told["root"] = Value::from(root.clone());
        grown.push(told);
    }
    face.get(&mut me, "/ledger/growth?from=99999").await.expect(404);
    face.get(&mut me, "/ledger/growth").await.expect(400);
    let head = face.world.exchange.ledger_head();
    let receipt =
        face.get(&mut me, &format!("/ledger/entries/{}/receipt", head.size - 3)).await.expect(200).body;
    let given = serde_json::json!({"vkey": head.vkey, "grown": grown, "receipt": receipt});
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("proofs.mjs", include_str!("../../assets/proofs.js"));
    write("given.json", &given.to_string());
    write("checks.mjs", CHECKS);
    let ran = Command::new("node").arg(folder.path().join("checks.mjs")).output().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    let checks: Vec<bool> = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&ran.stderr)));
    assert_eq!(checks.len(), 4 * roots.len() + 5);
    assert!(checks.iter().all(|holds| *holds), "{checks:?}");
}
